#include "tools/gate/paired_runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "reports/results.h"
#include "tools/gate/conditions.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr double kShardSeconds = 3;           // of one process: short, so that its twin is near
constexpr std::size_t kShardBytes = 100'000;  // of names: an argument holds 128 KiB
constexpr double kFirstCostSeconds = 0.3;     // of a row before it was measured once
constexpr double kMostRedone = 0.2;           // of all pairs
constexpr std::array kArms = {Arm::base, Arm::head};

std::size_t index_of(Arm arm) { return arm == Arm::base ? 0 : 1; }

std::string row_identity(const json& row) {
  return case_identity(row.value(row.contains("run_name") ? "run_name" : "name", ""));
}

bool has_no_time(const json& row) {
  return row.value("error_occurred", json(false)) == true ||
         row.value("skipped", json(false)) == true;
}

bool throttled(const json& record, Arm arm) {
  const json process = record.value("process", json::object());
  const auto found = process.find(std::string(arm_word(arm)));
  return found != process.end() && found->at("throttled").get<bool>();
}

json failed_row(const std::string& name, const std::string& why) {
  return {{"name", name},
          {"run_name", name},
          {"run_type", "iteration"},
          {"error_occurred", true},
          {"error_message", why}};
}

/// What a repetition took in all: its calls, and some more to find out how many.
double repetition_seconds(const json& row) {
  const json time = row.value("real_time", json()), calls = row.value("iterations", json());
  const json unit = row.value("time_unit", json("ns"));
  if (!time.is_number() || !calls.is_number() || !unit.is_string()) return 0;
  return 1.3 * time.get<double>() * calls.get<double>() *
         unit_seconds(unit.get<std::string>()).value_or(1e-9);
}

}  // namespace

PairedRuns::PairedRuns(const Program& base, const Program& head, std::uint64_t seed,
                       Journal& journal, Progress& progress, const InterruptGuard& interrupt)
    : base_(base),
      head_(head),
      seed_(seed),
      coin_(seed, ~std::uint64_t{0}),
      journal_(journal),
      progress_(progress),
      interrupt_(interrupt) {}

void PairedRuns::replay(const json& record) {
  if (record.contains("context")) context_kept_ = true;
  if (!record.contains("round")) return;
  take(record);
  coin_.next();
}

/// What a record says of later rounds: costs, failures, what needn't be done again.
void PairedRuns::take(const json& record) {
  const Stage stage =
      record.at("stage") == stage_word(Stage::screening) ? Stage::screening : Stage::confirmation;
  const int round = record.at("round").get<int>();
  std::map<std::string, double> costs;
  for (const Arm arm : kArms) {
    for (const json& row : record.at("rows").at(std::string(arm_word(arm)))) {
      const std::string name = row_identity(row);
      if (has_no_time(row)) failed_.insert(name);
      if (arm == Arm::head || !head_.has(name)) costs[name] += repetition_seconds(row);
      done_.insert({{stage, round}, name});
    }
  }
  for (const auto& [name, seconds] : costs) {
    if (seconds > 0) cost_seconds_[name] = seconds;
  }
  redone_ += record.value("redone", 0);
  left_throttled_ += record.value("left_throttled", false) ? 1 : 0;
  ++pairs_;
}

void PairedRuns::keep(const json& record) {
  journal_.append(record);
  take(record);
}

bool PairedRuns::measure(Stage stage, const std::map<std::string, int>& rounds) {
  int most = 0;
  units_ = units_done_ = 0;
  for (const auto& [name, n] : rounds) {
    most = std::max(most, n);
    const bool paired = base_.has(name) && head_.has(name);
    for (int round = 0; round < (paired ? n : 1); ++round) {
      units_ += done_.contains({{stage, round}, name}) ? 0 : 1;
    }
  }
  started_ = Clock::now();
  for (int round = 0; round < most; ++round) {
    Rows rows;
    std::size_t done = 0;
    for (const auto& [name, n] : rounds) {
      const bool paired = base_.has(name) && head_.has(name);
      if (round >= (paired ? n : 1)) continue;
      if (done_.contains({{stage, round}, name})) {
        ++done;
      } else if (!failed_.contains(name)) {
        rows.push_back(name);
      }
    }
    const std::size_t all = done + rows.size();
    for (const Rows& shard : shards(stage, round, rows)) {
      show(stage, round, most, done, all);
      if (!run_shard(stage, round, shard)) return false;
      done += shard.size();
      units_done_ += static_cast<double>(shard.size());
    }
  }
  return true;
}

std::vector<PairedRuns::Rows> PairedRuns::shards(Stage stage, int round, const Rows& rows) {
  Rows shuffled = rows;
  const auto stream = 2 * static_cast<std::uint64_t>(round) + (stage == Stage::screening ? 0 : 1);
  Random(seed_, stream).shuffle(shuffled);
  std::vector<Rows> shards;
  double seconds = 0;
  std::size_t bytes = 0;
  for (std::string& row : shuffled) {
    const auto known = cost_seconds_.find(row);
    const double cost = known == cost_seconds_.end() ? kFirstCostSeconds : known->second;
    const std::size_t length = 2 * row.size() + 1;  // each character may need a backslash
    if (shards.empty() || seconds + cost > kShardSeconds || bytes + length > kShardBytes) {
      shards.emplace_back();
      seconds = 0;
      bytes = 0;
    }
    shards.back().push_back(std::move(row));
    seconds += cost;
    bytes += length;
  }
  return shards;
}

bool PairedRuns::run_shard(Stage stage, int round, Rows rows) {
  json record = {{"stage", stage_word(stage)},
                 {"round", round},
                 {"rows", {{"base", json::array()}, {"head", json::array()}}}};
  int redone = 0;
  for (bool again = false; !rows.empty(); again = true) {
    Pair pair;
    if (!run_pair(rows, pair, record)) return false;
    const bool base_troubled = !pair[0].trouble.empty(), head_troubled = !pair[1].trouble.empty();
    if (base_troubled || head_troubled) {
      for (const Arm arm : kArms) {
        const std::string& trouble = pair[index_of(arm)].trouble;
        if (trouble.empty()) continue;
        const std::size_t before = rows.size();
        if (!fail_troublemakers(arm, trouble, again, rows, record)) return false;
        if (rows.size() < before) break;  // the other arm's trouble may have been the same row's
      }
      continue;
    }
    // Of a pair of which one arm alone was throttled the ratio is worth nothing.
    const bool lopsided = throttled(record, Arm::base) != throttled(record, Arm::head);
    if (lopsided && redone_ + redone < kMostRedone * (pairs_ + 1)) {
      ++redone;
      continue;
    }
    record["left_throttled"] = lopsided;
    add_absent(rows, pair);
    if (!context_kept_) {
      journal_.append({{"context", {{"base", pair[0].context}, {"head", pair[1].context}}}});
      context_kept_ = true;
    }
    for (const Arm arm : kArms) {
      json& kept = record["rows"][std::string(arm_word(arm))];
      for (json& row : pair[index_of(arm)].rows) kept.push_back(std::move(row));
    }
    break;
  }
  record["redone"] = redone;
  keep(record);
  return true;
}

bool PairedRuns::run_pair(const Rows& rows, Pair& pair, json& record) {
  std::array order = kArms;
  if (coin_.next() % 2 == 1) std::swap(order[0], order[1]);
  record["first"] = arm_word(order[0]);
  for (const Arm arm : order) {
    const bool any = std::any_of(rows.begin(), rows.end(),
                                 [&](const std::string& row) { return program(arm).has(row); });
    if (!any) continue;
    ProgramRun& run = pair[index_of(arm)];
    const Conditions before = Conditions::now();
    run = program(arm).run(rows, interrupt_);
    if (run.interrupted) return false;
    record["process"][std::string(arm_word(arm))] =
        describe_process(before, Conditions::now(), run);
  }
  return true;
}

/// Finds the rows that crash or hang their process by trying each alone, and takes them out of
/// `rows`. Where none does it alone, the shard gets a second chance; then each is measured alone in
/// full. Where that finds none either, all of them fail, in head, whichever program it was: what
/// can't be compared must not pass. False where a signal came.
bool PairedRuns::fail_troublemakers(Arm arm, const std::string& trouble, bool again, Rows& rows,
                                    json& record) {
  Rows innocent;
  for (const std::string& row : rows) {
    std::string own_trouble = trouble;
    if (rows.size() > 1) {
      if (program(arm).has(row)) {
        const ProgramRun alone =
            again ? program(arm).run({row}, interrupt_) : program(arm).try_out({row}, interrupt_);
        if (alone.interrupted) return false;
        own_trouble = alone.trouble;
      } else {
        own_trouble.clear();
      }
    }
    if (own_trouble.empty()) {
      innocent.push_back(row);
    } else if (!fail_row(arm, row, own_trouble, record)) {
      return false;
    }
  }
  if (innocent.size() == rows.size() && again) {
    for (const std::string& row : rows) {
      const char* const side = head_.has(row) ? "head" : "base";
      record["rows"][side].push_back(failed_row(
          row, fmt::format("{} in one process with other rows: {}", arm_word(arm), trouble)));
      failed_.insert(row);
    }
    progress_.note(fmt::format("failed in {}: {} rows in one process: {}", arm_word(arm),
                               rows.size(), trouble));
    innocent.clear();
  }
  rows = std::move(innocent);
  return true;
}

/// Writes a failure down, and what the other program makes of that row: a row that one side can't
/// do is not one that the other lacks. False where a signal came.
bool PairedRuns::fail_row(Arm arm, const std::string& row, const std::string& trouble,
                          json& record) {
  const Arm other = arm == Arm::base ? Arm::head : Arm::base;
  record["rows"][std::string(arm_word(arm))].push_back(failed_row(row, trouble));
  failed_.insert(row);
  progress_.note(fmt::format("failed in {}: {}: {}", arm_word(arm), row, trouble));
  if (!program(other).has(row)) return true;
  ProgramRun run = program(other).run({row}, interrupt_);
  if (run.interrupted) return false;
  if (!run.trouble.empty()) run.rows = {failed_row(row, run.trouble)};
  for (json& one : run.rows) record["rows"][std::string(arm_word(other))].push_back(std::move(one));
  return true;
}

/// A row that was asked for and isn't in the answer has failed.
void PairedRuns::add_absent(const Rows& rows, Pair& pair) const {
  for (const Arm arm : kArms) {
    std::set<std::string> found;
    ProgramRun& run = pair[index_of(arm)];
    for (const json& row : run.rows) found.insert(row_identity(row));
    for (const std::string& row : rows) {
      if (!program(arm).has(row) || found.contains(row)) continue;
      run.rows.push_back(failed_row(row, "the program lists this row, but wrote nothing of it"));
    }
  }
}

void PairedRuns::show(Stage stage, int round, int rounds, std::size_t done, std::size_t rows) {
  Position position{.round = round, .rounds = rounds, .done = done, .cases = rows};
  position.stage = stage == Stage::screening ? "" : "confirmation, ";
  if (units_ > 0) position.fraction = units_done_ / units_;
  if (units_done_ > 0) {
    const double elapsed = std::chrono::duration<double>(Clock::now() - started_).count();
    position.seconds_left = elapsed * (units_ - units_done_) / units_done_;
  }
  progress_.update(position);
}

}  // namespace breakeven::gate
