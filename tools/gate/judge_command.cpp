// breakeven gate judge: a verdict out of results files.
#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>

#include "reports/text.h"
#include "tools/gate/baselines.h"
#include "tools/gate/commands.h"
#include "tools/gate/deliver.h"

namespace breakeven::gate {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> paths(const std::vector<std::string>& files) {
  return {files.begin(), files.end()};
}

/// A file held against itself shows nothing.
void require_other_files(const std::vector<fs::path>& base, const std::vector<fs::path>& head) {
  std::error_code ignored;
  for (const fs::path& before : base) {
    for (const fs::path& after : head) {
      if (!fs::is_regular_file(before, ignored) || !fs::equivalent(before, after, ignored))
        continue;
      throw std::runtime_error(
          visible_text(fmt::format("{}: given as base and as head", before.string())));
    }
  }
}

/// Rounds pair one by one: what is left over on one side would be no pair.
void require_same_rounds(const Samples& base, const Samples& head) {
  if (base.staged != head.staged) {
    throw std::runtime_error(fmt::format(
        "{} was written by `gate run` and {} was not: give both of its files, or neither",
        visible_text((base.staged ? base : head).files.front()),
        visible_text((base.staged ? head : base).files.front())));
  }
  if (base.staged && base.run != head.run) {
    throw std::runtime_error(fmt::format(
        "{} and {} are of two different `gate run`s: their rounds don't pair; give base.json and "
        "head.json of one",
        visible_text(base.files.front()), visible_text(head.files.front())));
  }
  if (base.staged || base.rounds == head.rounds) return;
  throw std::runtime_error(fmt::format(
      "base has {} round(s) and head {}: they pair in the order given, so give as many of each",
      base.rounds, head.rounds));
}

}  // namespace

int judge_command(const JudgeCommandOptions& options) {
  if (!options.store.empty() && options.judge.counters_only) {
    throw std::runtime_error(
        "--store: keeps times, which --counters-only doesn't judge; leave out one of them");
  }
  if (options.head.empty()) {  // static budgets alone
    if (!options.base.empty()) {
      throw std::runtime_error("--head: give the results to judge, or no BASE for budgets alone");
    }
    JudgeOptions judge_by = judge_options(options.judge, {});
    judge_by.counters_only = true;
    return deliver(judge({}, {}, judge_by), {}, options.judge, options.out);
  }
  const std::vector<ExactCounter> exact = exact_counters(options.judge);
  Samples head = read_samples(paths(options.head), Arm::head, exact);
  std::vector<fs::path> base_files = paths(options.base);
  std::error_code ignored;
  if (base_files.empty()) {  // a first baseline
    const fs::path stored = baseline_path(options.store, head);
    if (fs::exists(stored, ignored)) {
      throw std::runtime_error(fmt::format(
          "--store: {} is a baseline of this machine already; give {} as BASE to judge against it, "
          "or delete that file",
          visible_text(stored.string()), visible_text(options.store)));
    }
    store_baseline(options.store, head);
    fmt::print("stored as the baseline of this machine: {}\n", visible_text(stored.string()));
    return kNoRegression;
  }
  require_other_files(base_files, paths(options.head));
  if (base_files.size() == 1 && fs::is_directory(base_files.front(), ignored)) {
    const fs::path stored = baseline_path(base_files.front(), head);
    if (!fs::exists(stored, ignored)) {
      fmt::print(stderr, "breakeven: {}\n", missing_baseline(base_files.front(), head));
      return kOtherMachine;
    }
    base_files.front() = stored;
    head = screening_alone(std::move(head));
  }
  const Samples base = read_samples(base_files, Arm::base, exact);
  JudgeOptions judge_by = judge_options(options.judge, head.context);
  judge_by.allow_mismatch = options.allow_mismatch;
  if (!judge_by.counters_only) require_same_rounds(base, head);
  const int status = deliver(judge(base, head, judge_by), head, options.judge, options.out);
  if (!options.store.empty()) {
    if (status == kNoRegression) store_baseline(options.store, head);
    fmt::print("{}\n", status == kNoRegression
                           ? "stored as the baseline of this machine"
                           : "not stored as a baseline, since it was not passed");
  }
  return status;
}

}  // namespace breakeven::gate
