// The rounds of a run: what is done, what is left, when a case has been measured often enough.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tools/breakeven/batch.h"
#include "tools/breakeven/interrupt.h"
#include "tools/breakeven/journal.h"
#include "tools/breakeven/progress.h"
#include "tools/breakeven/selection.h"

namespace breakeven {

/// What is known of one case of a run.
struct CaseState {
  ListedCase listed;
  std::map<int, double> rounds = {};  ///< round -> median seconds of a call inside its process
  std::optional<std::string> failure = {};      ///< why it failed, once; it is not tried again
  std::optional<std::string> skip = {};         ///< why it can't run here, found only by trying
  std::map<std::string, double> counters = {};  ///< flops, bytes, threads of its last row
  int dropped_round = -1;                       ///< the round of the failure or skip
  double cost_seconds = 0;  ///< what its last round took, start and check included

  bool dropped() const { return failure || skip; }
};

/// When a case has had enough rounds.
struct StoppingRule {
  int rounds = 1;
  int max_rounds = 1;
  double half_width = 0;  ///< relative, see relative_half_width()
};

/// Half the exact order-statistic interval of the median of round medians, over that median; absent
/// below the number of rounds that an interval of 95 % needs (6).
std::optional<double> relative_half_width(const CaseState& state);

/// "narrow" or "rounds" once the rule needs no more rounds of this case, else "".
std::string enough_rounds(const CaseState& state, const StoppingRule& rule);

class Measurement : private BatchListener {
 public:
  enum class End { complete, budget, interrupted };

  /// `cases` are runnable ones of `catalog`. All references outlive this.
  Measurement(const Catalog& catalog, const std::vector<ListedCase>& cases, StoppingRule rule,
              WorkerSettings settings, Progress& progress, const InterruptGuard& interrupt);

  /// From now on every finished case is appended there; without a journal only the states are kept.
  void keep_in(Journal& journal) { journal_ = &journal; }

  /// Takes a record of an earlier part of the same run, so that its work is not done again.
  void replay(const nlohmann::json& record);

  /// Measures what is left, in rounds. `budget_seconds` ends it after the case that then runs.
  /// Throws std::runtime_error where the journal can't be written.
  End run(std::optional<double> budget_seconds);

  const std::vector<CaseState>& cases() const { return cases_; }
  const StoppingRule& rule() const { return rule_; }

 private:
  void on_context(const nlohmann::json& context) override;
  void on_result(const CaseResult& result) override;
  void on_trouble(const std::string& what) override;
  Stop stop() override;
  int wake_descriptor() override { return interrupt_.descriptor(); }

  bool run_round(const std::vector<std::size_t>& active, BatchRunner& runner);
  std::vector<std::size_t> active_cases() const;
  bool done_in_round(const CaseState& state) const;
  void take(int round, const nlohmann::json& record, double seconds);
  Position position() const;
  double seconds_so_far() const;

  const Catalog& catalog_;
  std::vector<CaseState> cases_;
  std::unordered_map<std::string, std::size_t> index_;
  StoppingRule rule_;
  WorkerSettings settings_;
  Journal* journal_ = nullptr;
  Progress& progress_;
  const InterruptGuard& interrupt_;
  nlohmann::json context_ = nlohmann::json::object();
  int next_process_ = 0;
  int round_ = 0;
  std::vector<std::size_t> active_;
  std::chrono::steady_clock::time_point started_;
  std::optional<double> budget_seconds_;
};

}  // namespace breakeven
