// What slowdown a machine's noise lets a gate see, by trying it out on measured rounds.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tools/gate/decision.h"

namespace breakeven::gate {

/// The smallest slowdown (0.05 is 5 %) that a `gate run` finds in 8 of 10 runs, in a row whose log
/// ratios between two arms of one program are `rounds`: rounds are drawn from these, with random
/// signs, for 12 of screening and 24 of confirmation, and made slower by it. In thousandths; absent
/// where even 50 % is not found. Deterministic for a seed.
std::optional<double> detectable_slowdown(std::span<const double> rounds, const Margins& margins,
                                          std::uint64_t seed);

/// How often a row is called REGRESSED though both arms are one program: all rows are judged again
/// and again with random signs of their rounds, which then differ in name only.
double false_positive_rate(const std::vector<std::vector<double>>& rows, const Margins& margins,
                           std::uint64_t seed);

}  // namespace breakeven::gate
