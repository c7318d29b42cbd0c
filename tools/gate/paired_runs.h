// Two programs measured in turns: rounds of fresh processes, in random order.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tools/breakeven/interrupt.h"
#include "tools/breakeven/journal.h"
#include "tools/breakeven/progress.h"
#include "tools/breakeven/random.h"
#include "tools/gate/program.h"
#include "tools/gate/samples.h"

namespace breakeven::gate {

/// In each round the rows are shuffled and cut into shards of a few seconds; for each shard one
/// fresh process of base and one of head run one after the other, in an order that chance decides.
/// So what drifts hits both alike, and a round is an independent sample. Rows that one program
/// alone has are measured in the first round only. What a row fails in, is its own: a process that
/// crashes or hangs is tried row by row, the rows that do it fail and are left out from then on,
/// the others are measured without them.
class PairedRuns {
 public:
  /// References outlive this. Every finished shard is appended to the journal.
  PairedRuns(const Program& base, const Program& head, std::uint64_t seed, Journal& journal,
             Progress& progress, const InterruptGuard& interrupt);

  /// Takes a record of an earlier part of the same run, so that its work is not done again.
  void replay(const nlohmann::json& record);

  /// Rounds 0 … n-1 of `rounds` (row -> n) in that stage. False where a signal ended it.
  bool measure(Stage stage, const std::map<std::string, int>& rounds);

  /// Pairs that were measured again since one arm alone was throttled, and those that weren't since
  /// they were more than a fifth of all.
  int redone() const { return redone_; }
  int left_throttled() const { return left_throttled_; }

 private:
  using Rows = std::vector<std::string>;
  using Pair = std::array<ProgramRun, 2>;  ///< by Arm

  const Program& program(Arm arm) const { return arm == Arm::base ? base_ : head_; }
  std::vector<Rows> shards(Stage stage, int round, const Rows& rows);
  bool run_shard(Stage stage, int round, Rows rows);
  bool run_pair(const Rows& rows, Pair& pair, nlohmann::json& record);
  bool fail_troublemakers(Arm arm, const std::string& trouble, bool again, Rows& rows,
                          nlohmann::json& record);
  bool fail_row(Arm arm, const std::string& row, const std::string& trouble,
                nlohmann::json& record);
  void add_absent(const Rows& rows, Pair& pair) const;
  void take(const nlohmann::json& record);
  void keep(const nlohmann::json& record);
  void show(Stage stage, int round, int rounds, std::size_t done, std::size_t rows);

  const Program& base_;
  const Program& head_;
  std::uint64_t seed_;
  Random coin_;
  Journal& journal_;
  Progress& progress_;
  const InterruptGuard& interrupt_;
  std::map<std::string, double> cost_seconds_;  ///< of a row in one process, once known
  std::set<std::string> failed_;                ///< in either arm
  std::set<std::pair<std::pair<Stage, int>, std::string>> done_;
  bool context_kept_ = false;
  int pairs_ = 0, redone_ = 0, left_throttled_ = 0;
  double units_done_ = 0, units_ = 0;  ///< row-rounds of this stage, for the time that is left
  std::chrono::steady_clock::time_point started_;
};

}  // namespace breakeven::gate
