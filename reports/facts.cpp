// The sentences about the machine, what is missing, and what to keep in mind.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <tuple>

#include "reports/text.h"
#include "reports/words.h"

namespace breakeven {
namespace {

struct NamedFact {
  const char* key;
  const char* name;
};

constexpr NamedFact kMachineFacts[] = {
    {"cpu.model", "CPU"},
    {"cpu.isa", "CPU instruction sets"},
    {"gpu.name", "GPU"},
    {"gpu.driver", "GPU driver"},
    {"cuda.runtime", "CUDA runtime"},
    {"cublas.version", "cuBLAS"},
    {"cudnn.version", "cuDNN"},
    {"openblas.version", "OpenBLAS"},
    {"openblas.core", "OpenBLAS core"},
    {"onednn.version", "oneDNN"},
    {"onednn.isa", "oneDNN ISA"},
    {"os.name", "System"},
    {"os.kernel", "Kernel"},
    {"cpu.governor", "Governor"},
    {"thp", "Huge pages"},
    {"compiler", "Compiler"},
    {"compiler.flags", "Compiler flags"},
    {"date", "Date"},
    {"git.commit", "Commit"},
    {"suite", "Suite"},
    {"seed", "Seed"},
    {"method_version", "Method version"},
};

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // Facts are free text; what is no number is shown as it is.
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "2 of 4 CPUs, 2 cores, 1 socket": what this process could use of what there is.
std::string cpu_counts(const Run& run) {
  std::vector<std::string> parts;
  const auto add = [&](const char* key, const std::string& what, const char* plural = "s") {
    if (const std::string value = run.fact(key); !value.empty()) {
      parts.push_back(fmt::format("{} {}{}", value, what, value == "1" ? "" : plural));
    }
  };
  add("cpu.sockets", "socket");
  add("cpu.cores", "core");
  add("cpu.threads", "hardware thread");
  add("cpu.numa_nodes", "NUMA node");
  add("cpu.quota", "usable by quota and affinity", "");
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

// A sentence has several names and reasons, none of which may fill it.
std::string named(const std::string& name) { return shortened(name, 150); }

// After the first name of `count`.
std::string and_more(std::size_t count) {
  return count > 1 ? fmt::format(" and {} more", count - 1) : "";
}

void add_failures(const Run& run, std::vector<std::string>& sentences) {
  std::size_t failed = 0;
  std::string names;
  for (const Case& c : run.cases) {
    if (!c.failure) continue;
    ++failed;
    if (failed <= 5) names += (names.empty() ? "" : ", ") + named(c.name);
  }
  if (failed == 0) return;
  sentences.push_back(fmt::format("{} failed and {} no time: {}{}.",
                                  failed == 1 ? "1 case" : fmt::format("{} cases", failed),
                                  failed == 1 ? "has" : "have", names,
                                  failed > 5 ? fmt::format(" and {} more", failed - 5) : ""));
}

void add_unreached(const Run& run, std::vector<std::string>& sentences) {
  std::size_t unreached = 0;
  std::string names;
  for (const Stopping& stop : run.results.stopping) {
    if (stop.reason != "budget" || stop.rounds > 0) continue;
    ++unreached;
    if (unreached <= 5) names += (names.empty() ? "" : ", ") + named(stop.name);
  }
  if (unreached == 0) return;
  sentences.push_back(
      fmt::format("{} not reached within the time limit (--budget): {}{}.",
                  unreached == 1 ? "1 case was" : fmt::format("{} cases were", unreached), names,
                  unreached > 5 ? fmt::format(" and {} more", unreached - 5) : ""));
}

void add_incomplete_networks(const Run& run, std::vector<std::string>& sentences) {
  std::size_t incomplete = 0;
  std::string first;
  for (const NetworkSum& sum : run.networks) {
    if (sum.complete()) continue;
    if (incomplete++ > 0) continue;
    first = fmt::format("{}, {} {} has {}", network_text(sum), sum.total.segments.implementation,
                        sum.total.segments.precision, covered_text(sum));
  }
  if (incomplete == 0) return;
  sentences.push_back(fmt::format("{} of a network {} incomplete and {} no time: {}{}.",
                                  incomplete == 1 ? "1 sum" : fmt::format("{} sums", incomplete),
                                  incomplete == 1 ? "is" : "are", incomplete == 1 ? "has" : "have",
                                  first, and_more(incomplete)));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> machine_facts(const Run& run) {
  std::vector<std::pair<std::string, std::string>> facts;
  for (const NamedFact& fact : kMachineFacts) {
    std::string value = run.fact(fact.key);
    if (value.empty()) continue;
    if (std::string_view(fact.key) == "git.commit") {
      value = value.substr(0, 12);  // whole among all facts
      const std::string dirty = run.fact("git.dirty");
      if (dirty == "true" || dirty == "1" || dirty == "yes") value += ", with local changes";
    }
    facts.emplace_back(fact.name, value);
    if (std::string_view(fact.key) == "cpu.model") {
      if (const std::string counts = cpu_counts(run); !counts.empty()) {
        facts.emplace_back("CPU counts", counts);
      }
      if (const auto bytes = number_of(run.fact("memory.total_bytes"))) {
        facts.emplace_back("Memory", format_bytes(*bytes));
      }
    }
  }
  if (!run.results.command.empty()) facts.emplace_back("Command", run.results.command);
  return facts;
}

std::string machine_name(const Run& run) {
  std::string name = run.fact("cpu.model");
  if (name.empty()) name = run.fact("host_name");
  if (name.empty()) name = "unknown machine";
  name = named(name);
  if (const std::string gpu = run.fact("gpu.name"); !gpu.empty()) name += " + " + named(gpu);
  return name;
}

std::vector<std::string> not_measured(const Run& run) {
  std::vector<std::string> sentences;
  for (const Unavailable& module : run.results.unavailable) {
    std::string competitors;
    for (const std::string& competitor : module.competitors) {
      competitors += (competitors.empty() ? " (" : ", ") + named(competitor);
    }
    if (!competitors.empty()) competitors += ")";
    sentences.push_back(fmt::format("Module {}{} was unavailable: {}.", named(module.module),
                                    shortened(competitors, 600), shortened(module.reason, 600)));
  }
  std::map<std::string, std::vector<std::string>> skipped;
  for (const Skipped& skip : run.results.skipped) skipped[skip.reason].push_back(skip.name);
  for (const auto& [reason, names] : skipped) {
    sentences.push_back(
        fmt::format("{} skipped: {} ({}{}).",
                    names.size() == 1 ? "1 case was" : fmt::format("{} cases were", names.size()),
                    shortened(reason, 600), named(names.front()), and_more(names.size())));
  }
  for (const std::string& line : run.results.refused) {
    sentences.push_back(fmt::format("A shape was refused: {}.", shortened(line, 600)));
  }
  add_failures(run, sentences);
  add_unreached(run, sentences);
  if (!run.unpaired.empty()) {
    sentences.push_back(
        fmt::format("{} GPU {} no speedup, for want of a verified CPU row: {}{}.",
                    run.unpaired.size(), run.unpaired.size() == 1 ? "row has" : "rows have",
                    named(run.unpaired.front().first), and_more(run.unpaired.size())));
  }
  add_incomplete_networks(run, sentences);
  if (run.compute.empty()) {
    sentences.push_back("No peak row: shares of peak arithmetic are unknown.");
  }
  if (run.memory.empty()) {
    const bool streams = std::any_of(run.cases.begin(), run.cases.end(), [](const Case& c) {
      return c.segments.op == "stream" && c.seconds;
    });
    sentences.push_back(streams
                            ? "No stream row moves enough to be sure that no cache served it: the "
                              "memory ceiling is unknown."
                            : "No stream row: the memory ceiling is unknown.");
  }
  return sentences;
}

namespace {

// Rows with packed weights take part in no pair; in how many one is faster than the row that does.
std::string packed_sentence(const Page& page) {
  using Key = std::tuple<std::string, std::string, std::string, std::string>;
  std::size_t pairs = 0, faster = 0;
  for (const Run& run : page.runs) {
    std::map<Key, double> packed;  // seconds, of the fastest
    for (const Case& c : run.cases) {
      if (!is_packed(c) || !c.verified() || c.segments.device != "cpu") continue;
      const Key key{c.segments.op, c.segments.shape, c.segments.precision,
                    options_text(c.segments, {"threads", "launch"})};
      const auto [place, added] = packed.try_emplace(key, c.seconds->value);
      if (!added) place->second = std::min(place->second, c.seconds->value);
    }
    for (const Pair& pair : run.pairs) {
      const auto found = packed.find({pair.op, pair.shape, pair.precision, pair.mode});
      if (found == packed.end()) continue;
      ++pairs;
      faster += found->second < median_of_rounds(pair.cpu.seconds) ? 1 : 0;
    }
  }
  if (faster == 0) return "";
  return fmt::format(
      "Weights packed outside the time are another promise to the caller, so rows with them enter "
      "no speedup. In {} of {} pairs the CPU has such a row that is faster than the one that "
      "counts: "
      "who can pack his weights once finds the GPU's lead smaller there.",
      faster, pairs);
}

}  // namespace

std::vector<std::string> limitations(const Page& page) {
  std::vector<std::string> list;
  list.push_back(
      "These numbers describe the machines named here on the days of their runs. Another machine "
      "of the same model, another library version or a busier host gives others.");
  std::set<int> rounds;
  std::size_t by_budget = 0;
  std::size_t unverified = 0;
  std::size_t timed = 0;
  bool plain = false;
  bool dirty = false;
  for (const Run& run : page.runs) {
    plain = plain || run.results.schema == 0;
    const std::string state = run.fact("git.dirty");
    dirty = dirty || state == "true" || state == "1" || state == "yes";
    for (const Case& c : run.cases) {
      if (!c.seconds) continue;
      ++timed;
      rounds.insert(static_cast<int>(c.seconds->samples));
      if (!c.verified()) ++unverified;
      if (c.stopping && c.stopping->reason == "budget") ++by_budget;
    }
  }
  if (!rounds.empty()) {
    const int fewest = *rounds.begin();
    list.push_back(
        fewest < 2
            ? "Some rows were measured in one process only: they have no interval, and "
              "repetitions inside one process share its luck."
            : fmt::format("Intervals come from {} fresh processes a row (coverage {} at the "
                          "fewest). They show the noise of this run, not that of other days.",
                          *rounds.begin() == *rounds.rbegin()
                              ? fmt::format("{}", fewest)
                              : fmt::format("{} to {}", fewest, *rounds.rbegin()),
                          coverage_text(median_estimate(std::vector<double>(
                                                            static_cast<std::size_t>(fewest), 1.0))
                                            .interval)));
  }
  if (by_budget > 0) {
    list.push_back(
        fmt::format("{} of {} rows ran into the time limit before their interval was as "
                    "narrow as asked; the width that was reached stands beside them.",
                    by_budget, timed));
  }
  if (unverified > 0) {
    list.push_back(fmt::format("{} of {} rows carry no checked answer: they enter no ratio.",
                               unverified, timed));
  }
  if (const std::string packed = packed_sentence(page); !packed.empty()) list.push_back(packed);
  if (plain) {
    list.push_back("Files without breakeven's own keys know no rounds, facts or checked answers.");
  }
  if (dirty) list.push_back("The sources had local changes that no commit records.");
  list.push_back(
      "Inputs are uniform between −1 and 1; other data can draw more or less power. Times are wall "
      "clock on a CPU and device events on a GPU, with operands already in place.");
  return list;
}

}  // namespace breakeven
