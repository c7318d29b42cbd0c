// breakeven gate selftest: one program against itself, and what that says of the machine.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <stdexcept>

#include "reports/atomic_file.h"
#include "reports/statistics.h"
#include "reports/text.h"
#include "tools/breakeven/commands.h"
#include "tools/breakeven/lines.h"
#include "tools/gate/commands.h"
#include "tools/gate/paired_runs.h"
#include "tools/gate/results_files.h"
#include "tools/gate/selftest_file.h"
#include "tools/gate/sensitivity.h"

namespace breakeven::gate {
namespace {

namespace fs = std::filesystem;

constexpr double kGateable = 0.20;

/// One program's rounds against itself.
std::map<std::string, std::vector<double>> log_ratios(const Samples& a, const Samples& b) {
  std::map<std::string, std::vector<double>> rows;
  for (const auto& [name, row] : a.rows) {
    const auto twin = b.rows.find(name);
    if (twin == b.rows.end() || !row.failure.empty() || !twin->second.failure.empty()) continue;
    const PairedRounds pairs = pair_rounds(row, twin->second);
    if (!pairs.screening.empty()) rows[name] = pairs.screening;
  }
  return rows;
}

Selftest evaluate(const std::map<std::string, std::vector<double>>& rows,
                  const SelftestOptions& options) {
  Margins margins;
  margins.regression = options.delta;
  Selftest selftest;
  selftest.program = options.bin;
  selftest.rounds = options.rounds;
  std::vector<PairedRounds> pairs;
  std::vector<std::vector<double>> gateable;
  for (const auto& [name, rounds] : rows) pairs.push_back({rounds, {}});
  const std::vector<Decision> decisions = decide(pairs, margins, false);
  for (const auto& [name, rounds] : rows) {
    SelftestRow row;
    row.name = name;
    row.noise = noise(rounds);
    row.gateable = row.noise <= kGateable;
    row.verdict = decisions[selftest.rows.size()].verdict;
    row.detectable = detectable_slowdown(rounds, margins, options.seed);
    if (row.gateable) gateable.push_back(rounds);
    selftest.rows.push_back(std::move(row));
  }
  selftest.false_positive_rate = false_positive_rate(gateable, margins, options.seed);
  return selftest;
}

std::string detectable_text(const std::optional<double>& slowdown) {
  return slowdown ? format_percent(*slowdown) : std::string("> 50 %");
}

/// The value below which `share` of them lie.
template <class Value>
Value quantile(std::vector<Value> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(
      std::lround(share * static_cast<double>(values.size() - 1)))];
}

void print(const Selftest& selftest, const SelftestOptions& options) {
  constexpr std::size_t kNameColumns = 44;
  std::vector<std::vector<std::string>> lines = {{"row", "noise", "smallest slowdown found"}};
  std::vector<double> noises, slowdowns;
  std::map<Verdict, int> verdicts;
  std::vector<std::string> not_gateable;
  for (const SelftestRow& row : selftest.rows) {
    lines.push_back({shortened(row.name, kNameColumns), format_percent(row.noise),
                     detectable_text(row.detectable)});
    noises.push_back(row.noise);
    slowdowns.push_back(row.detectable.value_or(1));
    ++verdicts[row.verdict];
    if (!row.gateable) not_gateable.push_back(row.name);
  }
  fmt::print("{}\n", table(lines, 1));
  fmt::print(
      "noise of a row, between two runs of one program: {} in half of the rows, {} in nine of "
      "ten\n",
      format_percent(quantile(noises, 0.5)), format_percent(quantile(noises, 0.9)));
  const auto slowdown_text = [&](double share) {
    const double slowdown = quantile(slowdowns, share);
    return detectable_text(slowdown < 1 ? std::optional(slowdown) : std::nullopt);
  };
  fmt::print(
      "smallest slowdown found in 8 of 10 gates: {} in half of the rows, {} in nine of "
      "ten\n",
      slowdown_text(0.5), slowdown_text(0.9));
  fmt::print("verdicts on the program against itself:");
  for (const auto& [verdict, count] : verdicts) fmt::print(" {} {}", count, verdict_word(verdict));
  fmt::print("\nfalse REGRESSED of a row, its rounds' signs flipped at random: {}\n",
             format_percent(selftest.false_positive_rate));
  for (const std::string& name : not_gateable) {
    fmt::print("not gateable, noise above {}: {}\n", format_percent(kGateable), visible_text(name));
  }
  fmt::print("selftest: {}; give it to `gate run` and `gate judge` by --selftest\n", options.out);
}

}  // namespace

int selftest_command(const SelftestOptions& options) {
  const InterruptGuard interrupt;
  Progress progress(stderr);
  require_writable(options.out);
  ProgramSettings settings;
  settings.repetitions = options.repetitions;
  settings.min_time_seconds = options.min_time_seconds;
  settings.timeout =
      std::chrono::milliseconds(static_cast<long long>(1000 * options.timeout_seconds));
  const Program program(options.bin, options.arguments, options.filter, settings);
  if (program.rows().empty()) {
    throw std::runtime_error(fmt::format("--filter '{}' matches no row of {}",
                                         visible_text(options.filter), options.bin));
  }
  const fs::path journal_path = options.out + ".journal.ndjson";
  Journal journal = Journal::create(journal_path, {{"selftest", 1}});
  PairedRuns runs(program, program, options.seed, journal, progress, interrupt);
  std::map<std::string, int> rounds;
  for (const std::string& row : program.rows()) rounds[row] = options.rounds;
  const bool whole = runs.measure(Stage::screening, rounds);
  progress.clear();
  Facts facts = this_machine();
  facts["gate.run"] = "selftest";
  const auto [base_text, head_text] = results_of(journal_path, {facts, facts});
  fs::remove(journal_path);
  if (!whole) throw Interrupted();

  const Samples base = parse_samples(base_text, options.bin, Arm::base, {});
  const Samples head = parse_samples(head_text, options.bin, Arm::head, {});
  const auto rows = log_ratios(base, head);
  if (rows.empty()) {
    throw std::runtime_error(fmt::format("{}: none of its rows could be measured", options.bin));
  }
  Selftest selftest = evaluate(rows, options);
  selftest.machine = machine_facts(base.context);
  write_file_atomically(options.out, to_json(selftest));
  print(selftest, options);
  return kExitFine;
}

}  // namespace breakeven::gate
