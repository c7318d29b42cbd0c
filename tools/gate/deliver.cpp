#include "tools/gate/deliver.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "reports/atomic_file.h"
#include "reports/statistics.h"
#include "reports/text.h"
#include "tools/gate/budgets.h"
#include "tools/gate/history.h"
#include "tools/gate/selftest_file.h"

namespace breakeven::gate {
namespace {

namespace fs = std::filesystem;

/// YYYY-MM-DD at the beginning of a date of Google Benchmark's ("2026-11-22T10:00:00+00:00").
std::string day_of(const Facts& context) {
  const auto found = context.find("date");
  const std::string date = found == context.end() ? std::string() : found->second.substr(0, 10);
  return valid_date(date) ? date : std::string();
}

ExactCounter exact_counter(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  ExactCounter counter{text.substr(0, equals), 0};
  if (equals == std::string::npos) return counter;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + equals + 1, end, counter.tolerance);
  if (counter.name.empty() || error != std::errc() || rest != end || !(counter.tolerance >= 0) ||
      counter.tolerance >= 1) {
    throw std::runtime_error(
        fmt::format("--exact {}: give NAME or NAME=TOLERANCE, a part of one such as 0.001",
                    visible_text(text)));
  }
  return counter;
}

void append_to_history(const Samples& head, const JudgeFlags& flags) {
  const auto fact = [&](const char* key) {
    const auto found = head.context.find(key);
    return found == head.context.end() ? std::string() : found->second;
  };
  HistoryEntry entry{
      fact("git.commit"), fact("date"), fingerprint(machine_facts(head.context)), {}};
  for (const auto& [name, row] : head.rows) {
    std::vector<double> seconds;
    for (const auto& [moment, value] : row.rounds) {
      if (moment.stage == Stage::screening) seconds.push_back(value);
    }
    if (row.failure.empty() && !seconds.empty()) entry.seconds[name] = median(seconds);
  }
  append_history(flags.history, entry);
}

void take_selftest(const std::string& file, const Facts& context, JudgeOptions& options) {
  Selftest selftest = read_selftest(file);
  options.too_noisy = std::move(selftest.not_gateable);
  const std::string differs = machine_difference(selftest.machine, machine_facts(context));
  if (differs.empty()) return;
  options.remarks.push_back(fmt::format(
      "{} is of another machine ({}): which rows are too noisy to gate may differ here.",
      visible_text(file), differs));
}

}  // namespace

std::vector<ExactCounter> exact_counters(const JudgeFlags& flags) {
  std::vector<ExactCounter> counters = default_exact_counters();
  for (const std::string& text : flags.exact) {
    const ExactCounter counter = exact_counter(text);
    std::erase_if(counters, [&](const ExactCounter& one) { return one.name == counter.name; });
    counters.push_back(counter);
  }
  return counters;
}

JudgeOptions judge_options(const JudgeFlags& flags, const Facts& context) {
  JudgeOptions options;
  options.margins.regression = flags.delta;
  options.margins.equivalence = flags.equivalence;
  options.strict = flags.strict;
  options.counters_only = flags.counters_only;
  options.exact = exact_counters(flags);
  options.today = flags.today.empty() ? day_of(context) : flags.today;
  if (!flags.accepted.empty()) {
    options.accepted = read_accepted(flags.accepted);
    if (options.today.empty()) {
      throw std::runtime_error(fmt::format(
          "{}: its dates can't be checked, since head's results have none; give --today YYYY-MM-DD",
          flags.accepted));
    }
  }
  if (!flags.selftest.empty()) take_selftest(flags.selftest, context, options);
  if (!flags.base_budgets.empty()) {
    options.budgets = compare_budgets(flags.base_budgets, flags.head_budgets);
    options.budgets_compared = true;
  }
  return options;
}

int deliver(const Judgement& judgement, const Samples& head, const JudgeFlags& flags,
            const fs::path& directory) {
  if (!directory.empty()) {
    std::error_code error;
    fs::create_directories(directory, error);
    if (error) {
      throw std::runtime_error(visible_text(fmt::format("-o {}: can't make that directory: {}",
                                                        directory.string(), error.message())));
    }
    write_file_atomically(directory / "verdict.json", verdict_json(judgement));
    write_file_atomically(directory / "verdict.md", verdict_markdown(judgement, flags.title));
    write_file_atomically(directory / "junit.xml", verdict_junit(judgement, flags.title));
  }
  fmt::print("{}", verdict_text(judgement));
  const char* const actions = std::getenv("GITHUB_ACTIONS");
  if (actions && std::string_view(actions) == "true") {
    fmt::print("{}", github_lines(judgement, flags.title));
  }
  if (!flags.history.empty()) append_to_history(head, flags);
  return judgement.exit_code;
}

}  // namespace breakeven::gate
