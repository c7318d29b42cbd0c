#include "reports/recorded.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>
#include <string_view>

#include "reports/model.h"
#include "reports/text.h"

namespace breakeven {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::array kFacts = {"date",           "git.commit", "git.dirty",   "compiler",
                               "compiler.flags", "cpu.model",  "cpu.threads", "memory.total_bytes",
                               "os.kernel",      "load.1min",  "seed",        "method_version"};
constexpr std::array kGpuFacts = {"gpu.name", "gpu.driver"};

std::string fact(const Results& results, const char* key) {
  const auto found = results.context.find(key);
  return found == results.context.end() ? "" : found->second;
}

/// Rows of a kind, by their first name: "3 rows failed (first: a/b: why)".
struct Tally {
  std::size_t count = 0;
  std::string first;

  void add(const std::string& what) {
    if (count++ == 0) first = shortened(what, 200);
  }
  void tell(const char* kind, std::vector<std::string>& faults) const {
    if (count == 0) return;
    faults.push_back(
        fmt::format("{} {} {} (first: {})", count, count == 1 ? "case" : "cases", kind, first));
  }
};

void judge_rows(const Results& results, std::vector<std::string>& faults) {
  Tally failed, unchecked;
  for (const Case& c : aggregate(results.rows, results.stopping)) {
    if (c.failure) {
      failed.add(c.name + ": " + *c.failure);
    } else if (!c.verified()) {
      unchecked.add(c.name);
    }
  }
  failed.tell("failed", faults);
  unchecked.tell("without a checked answer", faults);
}

/// Lower-case letters and digits, all else one `_`.
std::string slug(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  return out;
}

bool names_host(const std::string& key, const json& value) {
  const bool path = value.is_string() && value.get_ref<const std::string&>().starts_with('/');
  return key == "host_name" || key == "executable" || path;
}

}  // namespace

std::vector<std::string> recording_faults(const Results& results) {
  if (results.schema == 0) {
    return {"is no file of `breakeven run`, so nothing says how it was measured"};
  }
  std::vector<std::string> faults;
  const auto require = [&](const char* key) {
    if (fact(results, key).empty()) {
      faults.push_back(fmt::format("doesn't say its {}: measure again with this version", key));
    }
  };
  for (const char* key : kFacts) require(key);
  const bool gpu = std::any_of(results.rows.begin(), results.rows.end(),
                               [](const Row& row) { return row.segments.device == "gpu"; });
  if (gpu) {
    for (const char* key : kGpuFacts) require(key);
  }
  if (fact(results, "git.dirty") == "true") {
    faults.emplace_back(
        "was measured by a build with uncommitted changes, which nobody can build again: commit, "
        "build and measure again");
  }
  if (results.command.empty()) faults.emplace_back("doesn't hold the command that measured it");
  judge_rows(results, faults);
  return faults;
}

fs::path recorded_path(const Results& results) {
  const std::string suite = fact(results, "suite");  // absent where another selection was measured
  std::string machine = fact(results, "gpu.name");
  if (machine.empty()) {
    const std::string quota = fact(results, "cpu.quota");  // absent where there is none
    machine = fmt::format("{} {} cpus", fact(results, "cpu.model"),
                          quota.empty() ? fact(results, "cpu.threads") : quota);
  }
  return fs::path(slug(machine)) / fmt::format("{}-{}-{}.json", fact(results, "date").substr(0, 10),
                                               suite.empty() ? "selection" : slug(suite),
                                               slug(fact(results, "git.commit").substr(0, 10)));
}

json without_host(json document) {
  json& context = document.at("context");
  for (auto entry = context.begin(); entry != context.end();) {
    entry = names_host(entry.key(), *entry) ? context.erase(entry) : std::next(entry);
  }
  return document;
}

std::vector<std::string> recorded_faults(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory, error)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  if (error) {
    throw std::runtime_error(fmt::format("{}: can't be read as a directory of recorded results: {}",
                                         visible_text(directory.string()), error.message()));
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> faults;
  for (const fs::path& file : files) {
    const auto add = [&](const std::string& what) {
      faults.push_back(visible_text(fmt::format("{}: {}", file.string(), what)));
    };
    try {
      const Results results = read_results(file);
      for (const std::string& fault : recording_faults(results)) add(fault);
      const fs::path place = file.lexically_relative(directory);
      if (place != recorded_path(results)) {
        add(fmt::format("belongs at {}", (directory / recorded_path(results)).string()));
      }
      for (const auto& [key, value] : results.context) {
        if (names_host(key, value)) add(fmt::format("context.{} says whose machine it was", key));
      }
    } catch (const std::runtime_error& unreadable) {
      faults.emplace_back(unreadable.what());
    }
  }
  return faults;
}

}  // namespace breakeven
