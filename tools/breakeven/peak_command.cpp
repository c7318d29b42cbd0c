// breakeven peak: the ceilings of this machine, measured by the same rows that a run holds.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "tools/breakeven/commands.h"
#include "tools/breakeven/lines.h"
#include "tools/breakeven/measure.h"
#include "tools/breakeven/summary.h"

namespace breakeven {
namespace {

using nlohmann::json;

// Registers at every thread count, and arrays that fit into no cache.
const std::vector<std::string> kPeakRows = {
    "^peak/[^/]+/[^/]+/[^/]+/[^/]+(/threads:[0-9]+)?$",
    "^stream/[a-z]+_256mib/[^/]+/[^/]+/f32(/threads:[0-9]+)?$"};
constexpr int kRounds = 3;
constexpr double kGiga = 1e9;

/// One ceiling.
struct Ceiling {
  CaseName parts;
  int threads;
  double per_second;  ///< operations of a peak row, bytes of a stream row
  bool bytes;
};

std::vector<Ceiling> ceilings(const std::vector<CaseState>& cases) {
  std::vector<Ceiling> result;
  for (const CaseState& state : cases) {
    if (state.dropped() || state.rounds.empty()) continue;
    const bool bytes = state.listed.parts.op == "stream";
    const auto counter = state.counters.find(bytes ? "bytes" : "flops");
    const auto threads = state.counters.find("threads");
    if (counter == state.counters.end()) continue;
    result.push_back({state.listed.parts,
                      threads == state.counters.end() ? 0 : static_cast<int>(threads->second),
                      counter->second / median_seconds(state), bytes});
  }
  return result;
}

/// Rows by what is measured, columns by thread count (0 stands for a GPU, which has none).
void print_table(const std::vector<Ceiling>& all, bool bytes, const std::string& heading) {
  std::set<int> threads;
  std::map<std::string, std::map<int, double>> rows;
  for (const Ceiling& ceiling : all) {
    if (ceiling.bytes != bytes) continue;
    const CaseName& parts = ceiling.parts;
    std::string what = fmt::format("{} {} {} {}", parts.device, parts.shape, parts.implementation,
                                   parts.precision);
    for (const auto& [key, value] : parts.options) {
      if (key != "threads") what += fmt::format(" {}:{}", key, value);
    }
    threads.insert(ceiling.threads);
    rows[what][ceiling.threads] = ceiling.per_second / kGiga;
  }
  if (rows.empty()) return;
  std::vector<std::vector<std::string>> lines = {{heading}};
  for (const int count : threads) {
    lines[0].push_back(count == 0   ? "gpu"
                       : count == 1 ? "1 thread"
                                    : fmt::format("{} threads", count));
  }
  for (const auto& [what, values] : rows) {
    lines.push_back({what});
    for (const int count : threads) {
      const auto value = values.find(count);
      lines.back().push_back(value == values.end() ? "-" : fmt::format("{:.1f}", value->second));
    }
  }
  fmt::print("{}\n", table(lines, 1));
}

json ceilings_json(const std::vector<Ceiling>& all) {
  json result = json::array();
  for (const Ceiling& ceiling : all) {
    json entry = {{"op", ceiling.parts.op},
                  {"shape", ceiling.parts.shape},
                  {"device", ceiling.parts.device},
                  {"implementation", ceiling.parts.implementation},
                  {"precision", ceiling.parts.precision},
                  {"threads", ceiling.threads},
                  {ceiling.bytes ? "bytes_per_second" : "flops_per_second", ceiling.per_second}};
    for (const auto& [key, value] : ceiling.parts.options) {
      if (key != "threads") entry[key] = value;
    }
    result.push_back(std::move(entry));
  }
  return {{"ceilings", result}};
}

}  // namespace

int peak_command(const PeakOptions& options) {
  const InterruptGuard interrupt;
  Progress progress(stderr);
  WorkerSettings settings;
  settings.executable = find_worker();
  const Catalog catalog = interruptible(interrupt, [&] { return load_catalog(settings); });
  std::vector<ListedCase> cases = select_cases(catalog, {.rows = kPeakRows, .rows_name = "peak"});
  std::erase_if(cases, [](const ListedCase& listed) { return !listed.unsupported.empty(); });
  const StoppingRule rule = {.rounds = kRounds, .max_rounds = kRounds};
  Measurement measurement(catalog, cases, rule, settings, progress, interrupt);
  const auto end = measurement.run(std::nullopt);
  progress.clear();
  if (end == Measurement::End::interrupted) {
    fmt::print(stderr, "breakeven: interrupted\n");
    return kExitInterrupted;
  }
  const std::vector<Ceiling> all = ceilings(measurement.cases());
  if (options.json) {
    fmt::print("{}\n", ceilings_json(all).dump(1));
  } else {
    print_table(all, false, "GFLOP/s");
    print_table(all, true, "GB/s");
    fmt::print("Medians of {} rounds, each a fresh process.\n", kRounds);
  }
  const bool failed = std::any_of(measurement.cases().begin(), measurement.cases().end(),
                                  [](const CaseState& state) { return state.failure.has_value(); });
  return failed ? kExitFailed : kExitFine;
}

}  // namespace breakeven
