#include "tools/breakeven/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "reports/results.h"
#include "reports/statistics.h"

namespace breakeven {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr double kNanosecond = 1e-9;
constexpr double kConfidence = 0.95;

double row_seconds(const json& row) {
  return row.at("real_time").get<double>() *
         unit_seconds(row.value("time_unit", "ns")).value_or(kNanosecond);
}

}  // namespace

std::optional<double> relative_half_width(const CaseState& state) {
  if (state.rounds.empty()) return std::nullopt;
  std::vector<double> values;
  for (const auto& [round, seconds] : state.rounds) values.push_back(seconds);
  const Estimate estimate = median_estimate(values, kConfidence);
  if (estimate.interval.coverage < kConfidence) return std::nullopt;
  return (estimate.interval.high - estimate.interval.low) / 2 / estimate.value;
}

std::string enough_rounds(const CaseState& state, const StoppingRule& rule) {
  const int rounds = static_cast<int>(state.rounds.size());
  if (rounds >= rule.max_rounds) return "rounds";
  if (rounds < rule.rounds) return {};
  const std::optional<double> half_width = relative_half_width(state);
  return half_width && *half_width <= rule.half_width ? "narrow" : "";
}

Measurement::Measurement(const Catalog& catalog, const std::vector<ListedCase>& cases,
                         StoppingRule rule, WorkerSettings settings, Progress& progress,
                         const InterruptGuard& interrupt)
    : catalog_(catalog),
      rule_(rule),
      settings_(std::move(settings)),
      progress_(progress),
      interrupt_(interrupt) {
  for (const ListedCase& listed : cases) {
    index_[listed.name] = cases_.size();
    cases_.push_back({.listed = listed});
  }
}

void Measurement::replay(const json& record) {
  if (record.contains("context")) {
    context_.update(record["context"]);
    return;
  }
  next_process_ = std::max(next_process_, record.at("process").get<int>() + 1);
  take(record.at("round").get<int>(), record, 0);
}

void Measurement::take(int round, const json& record, double seconds) {
  const std::string name = record.at("case").get<std::string>();
  const auto found = index_.find(name);
  if (found == index_.end()) return;
  CaseState& state = cases_[found->second];
  state.cost_seconds = seconds;
  if (record.contains("rows")) {
    std::vector<double> repetitions;
    for (const json& row : record["rows"]) repetitions.push_back(row_seconds(row));
    state.rounds[round] = median(repetitions);
    for (const char* key : {"flops", "bytes", "threads"}) {
      const json value = record["rows"].back().value(key, json());
      if (value.is_number()) state.counters[key] = value.get<double>();
    }
    return;
  }
  state.dropped_round = round;
  if (record.contains("skip")) {
    state.skip = record["skip"].get<std::string>();
  } else {
    state.failure = record.at("error").value("reason", "");
  }
}

bool Measurement::done_in_round(const CaseState& state) const {
  return state.dropped() || state.rounds.contains(round_);
}

// Judged by the rounds before this one only, so that a run that is taken up in the middle of a
// round finds the same cases in it, in the same order.
std::vector<std::size_t> Measurement::active_cases() const {
  std::vector<std::size_t> active;
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    CaseState before = cases_[i];
    std::erase_if(before.rounds, [&](const auto& entry) { return entry.first >= round_; });
    if (before.dropped() && before.dropped_round < round_) continue;
    if (enough_rounds(before, rule_).empty()) active.push_back(i);
  }
  return active;
}

Measurement::End Measurement::run(std::optional<double> budget_seconds) {
  started_ = Clock::now();
  budget_seconds_ = budget_seconds;
  BatchRunner runner(settings_, Task::measure, *this, next_process_);
  for (round_ = 0; round_ < rule_.max_rounds; ++round_) {
    active_ = active_cases();
    if (active_.empty()) break;
    if (!run_round(active_, runner)) {
      return interrupt_.requested() ? End::interrupted : End::budget;
    }
  }
  return End::complete;
}

bool Measurement::run_round(const std::vector<std::size_t>& active, BatchRunner& runner) {
  std::vector<ListedCase> listed;
  listed.reserve(active.size());
  for (const std::size_t i : active) listed.push_back(cases_[i].listed);
  for (ModuleCases& batch : round_order(listed, settings_.seed, round_)) {
    std::erase_if(batch.cases,
                  [&](const std::string& name) { return done_in_round(cases_[index_.at(name)]); });
    if (batch.cases.empty()) continue;
    progress_.update(position());
    if (!runner.run(catalog_.modules[batch.module].name, std::move(batch.cases))) return false;
  }
  return true;
}

void Measurement::on_context(const json& context) {
  // Every worker tells its own; the first value of a key stands, new keys of other modules join it.
  json merged = context;
  merged.update(context_);
  if (merged == context_) return;
  context_ = merged;
  if (journal_) journal_->append({{"context", context_}});
}

void Measurement::on_result(const CaseResult& result) {
  json record = {{"round", round_}, {"process", result.process}, {"case", result.name}};
  switch (result.outcome) {
    case Outcome::measured:
      record["rows"] = result.body;
      break;
    case Outcome::skipped:
      record["skip"] = result.body.at("reason");
      break;
    case Outcome::verified:  // a worker that only verified has nothing to tell a measurement
      record["error"] = {{"reason", "the worker verified this case but did not measure it"}};
      break;
    case Outcome::failed:
      record["error"] = result.body;
      break;
  }
  if (journal_) journal_->append(record);
  take(round_, record, result.seconds);
  if (record.contains("error")) {
    progress_.note(fmt::format("failed: {}: {}", result.name, record["error"].value("reason", "")));
  }
  progress_.update(position());
}

void Measurement::on_trouble(const std::string& what) {
  progress_.note(fmt::format("between two cases: {}", what));
}

Stop Measurement::stop() {
  if (interrupt_.requested()) return Stop::now;
  progress_.update(position());
  const bool over = budget_seconds_ && seconds_so_far() >= *budget_seconds_;
  return over ? Stop::after_this_case : Stop::no;
}

double Measurement::seconds_so_far() const {
  return std::chrono::duration<double>(Clock::now() - started_).count();
}

Position Measurement::position() const {
  // The cost of a case is that of its last round, or the average of the known ones.
  double known_seconds = 0, known = 0;
  for (const std::size_t i : active_) {
    if (cases_[i].cost_seconds <= 0) continue;
    known_seconds += cases_[i].cost_seconds;
    ++known;
  }
  const double average = known > 0 ? known_seconds / known : 0;
  Position position;
  position.round = round_;
  position.rounds = std::max(rule_.rounds, round_ + 1);
  position.cases = active_.size();
  double left = 0, total = 0;
  for (const std::size_t i : active_) {
    const CaseState& state = cases_[i];
    const double cost = state.cost_seconds > 0 ? state.cost_seconds : average;
    const int later = state.dropped() ? 0 : position.rounds - round_ - 1;
    const bool done = done_in_round(state);
    position.done += done ? 1 : 0;
    left += cost * (later + (done ? 0 : 1));
    total += cost * (state.dropped() ? 1 : position.rounds);
  }
  if (total > 0) position.fraction = 1 - left / total;
  if (known > 0) position.seconds_left = left;
  if (budget_seconds_) {
    const double rest = std::max(0.0, *budget_seconds_ - seconds_so_far());
    position.seconds_left = std::min(position.seconds_left.value_or(rest), rest);
  }
  return position;
}

}  // namespace breakeven
