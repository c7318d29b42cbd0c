#include "tools/breakeven/suite.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <utility>

#include "tools/breakeven/commands.h"
#include "tools/breakeven/lines.h"

namespace breakeven {

// Written by the build: file name and text of every file of bench/suites.
std::vector<std::pair<std::string_view, std::string_view>> embedded_suites();

namespace {

constexpr std::string_view kExtension = ".json";

void check_range(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

}  // namespace

Suite parse_suite(const std::string& name, std::string_view text) {
  static const std::set<std::string> kKeys = {
      "rounds",     "max_rounds",   "repetitions", "min_batch_seconds",
      "half_width", "case_timeout", "rows"};
  try {
    const nlohmann::json parsed = nlohmann::json::parse(text);
    for (const auto& entry : parsed.items()) {
      if (!kKeys.contains(entry.key())) {
        throw std::runtime_error(fmt::format("unknown key \"{}\"", entry.key()));
      }
    }
    Suite suite = {name,
                   parsed.at("rounds").get<int>(),
                   parsed.at("max_rounds").get<int>(),
                   parsed.at("repetitions").get<int>(),
                   parsed.at("min_batch_seconds").get<double>(),
                   parsed.at("half_width").get<double>(),
                   parsed.value("case_timeout", kCaseTimeoutSeconds),
                   parsed.at("rows").get<std::vector<std::string>>()};
    check_range(suite.rounds >= 1, "rounds must be at least 1");
    check_range(suite.max_rounds >= suite.rounds, "max_rounds must not be less than rounds");
    check_range(suite.repetitions >= 1, "repetitions must be at least 1");
    check_range(suite.min_batch_seconds > 0, "min_batch_seconds must be positive");
    check_range(suite.half_width >= 0, "half_width must not be negative");
    check_range(suite.case_timeout > 0, "case_timeout must be positive");
    check_range(!suite.rows.empty(), "rows must not be empty");
    return suite;
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("suite {}: {}", name, last_line(error.what())));
  }
}

Suite find_suite(const std::string& name) {
  std::vector<std::string_view> names;
  for (const auto& [file, text] : embedded_suites()) {
    names.push_back(file.substr(0, file.size() - kExtension.size()));
    if (names.back() == name) return parse_suite(name, text);
  }
  throw std::runtime_error(
      fmt::format("--suite {}: no such suite; there are {}", name, fmt::join(names, ", ")));
}

}  // namespace breakeven
