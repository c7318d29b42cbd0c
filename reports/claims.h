// The claims that popular articles make about GPUs, each judged from the rows of a run. A verdict
// is computed, never written: only verified rows of one run, precision and mode decide, an interval
// that holds 1 decides nothing, and a single round, which has none, can't either.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reports/model.h"
#include "reports/prices.h"

namespace breakeven {

enum class Ruling { holds, holds_from, does_not_hold, not_measured };

/// A figure and the rows that it rests on.
struct Evidence {
  struct RowOf {
    const Run* run;
    const Case* row;
  };
  std::string text;  ///< plain, not escaped
  std::vector<RowOf> rows;
};

/// What a run says of a claim.
struct Judgement {
  Ruling ruling = Ruling::not_measured;
  std::string from;      ///< "size 512": of holds_from
  std::string sentence;  ///< the figures with their intervals, or what is missing
  std::vector<std::vector<std::string>> table;  ///< heads, then rows; empty where there is none
  std::vector<Evidence> evidence;               ///< what the sentence names first
};

/// Everything that a claim is judged by.
struct ClaimInput {
  const Run& run;
  const Prices& prices;
};

struct Claim {
  int number;               ///< 1 … 15
  std::string_view text;    ///< as the articles have it
  std::string_view method;  ///< which rows decide, and how
  /// Of one run; null for the claim that compares runs (judge_machines).
  Judgement (*judge)(const ClaimInput& input);
};

std::span<const Claim> claims();

/// The claim that compares machines: of all runs together.
Judgement judge_machines(const std::vector<Run>& runs);

/// "holds", "holds from size 512 on", "does not hold here", "not measured here".
std::string ruling_text(const Judgement& judgement);

// claims_speed.cpp
Judgement judge_matmul(const ClaimInput& input);       ///< 1
Judgement judge_hundredfold(const ClaimInput& input);  ///< 2
Judgement judge_parallelism(const ClaimInput& input);  ///< 3
// claims_precision.cpp
Judgement judge_tensor_cores(const ClaimInput& input);  ///< 4
// claims_data.cpp
Judgement judge_batches(const ClaimInput& input);    ///< 5
Judgement judge_data_flow(const ClaimInput& input);  ///< 6
Judgement judge_memory(const ClaimInput& input);     ///< 9
// claims_training.cpp
Judgement judge_training(const ClaimInput& input);     ///< 7
Judgement judge_convergence(const ClaimInput& input);  ///< 8
Judgement judge_inference(const ClaimInput& input);    ///< 10
Judgement judge_ablation(const ClaimInput& input);     ///< 13
Judgement judge_frameworks(const ClaimInput& input);   ///< 14
// claims_cost.cpp
Judgement judge_cost(const ClaimInput& input);  ///< 11

}  // namespace breakeven
