// A verdict out of two arms' files alone: no clock, no chance, the same for the same input.
#pragma once

#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tools/gate/accepted.h"
#include "tools/gate/judgement.h"
#include "tools/gate/samples.h"

namespace breakeven::gate {

struct JudgeOptions {
  Margins margins;
  bool strict = false;          ///< undecided rows refuse the change (exit 4)
  bool allow_mismatch = false;  ///< judge times of two machines
  bool counters_only = false;   ///< no times: exact counters and budgets gate with one round
  std::vector<ExactCounter> exact = default_exact_counters();
  std::vector<Acceptance> accepted;
  std::string today;                  ///< YYYY-MM-DD, for expiry; "" where nothing is accepted
  std::set<std::string> too_noisy;    ///< rows whose times selftest found not gateable
  std::vector<RowJudgement> budgets;  ///< static budgets that changed
  bool budgets_compared = false;      ///< though none may have changed
  std::vector<std::string> remarks;   ///< sentences about these options
};

/// Judges every row of either arm. Throws std::runtime_error where the rounds are too few for any
/// regression to be found, saying how many are needed, or more than kMostRounds.
Judgement judge(const Samples& base, const Samples& head, const JudgeOptions& options);

}  // namespace breakeven::gate
