// The text of kernels/matmul/tuned.cpp.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kernels/matmul/dispatch.h"

namespace breakeven::matmul {

/// `old` with each of `found` in place of the entry for the same product on the same GPU, sorted.
std::vector<TunedChoice> merged_choices(std::span<const TunedChoice> old,
                                        std::span<const TunedChoice> found);

/// The source that holds `choices`, as clang-format would write it.
std::string tuned_source(std::span<const TunedChoice> choices);

}  // namespace breakeven::matmul
