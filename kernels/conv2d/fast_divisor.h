// Division by what a launch knows, for kernels that would otherwise divide in every thread: a
// 64-bit division takes about as long as reading a vector from the cache.
#pragma once

#include <cstdint>

#include "kernels/cuda/primitives.h"

namespace breakeven::conv2d {

/// Division of 0 <= value < 2^31 by a number that the launch knows, as a multiplication (Granlund &
/// Montgomery, "Division by invariant integers using multiplication", PLDI 1994).
struct FastDivisor {
  std::uint32_t multiplier;
  int shift;

  static FastDivisor of(std::int64_t divisor) {
    int log2 = 0;
    while (std::int64_t{1} << log2 < divisor) ++log2;
    const auto by = static_cast<std::uint64_t>(divisor);
    return {static_cast<std::uint32_t>(((std::uint64_t{1} << (31 + log2)) + by - 1) / by),
            31 + log2};
  }
  __device__ __forceinline__ int divide(int value) const {
    return static_cast<int>(
        static_cast<std::uint64_t>(static_cast<std::uint32_t>(value)) * multiplier >> shift);
  }

  /// The quotient; `value` becomes the remainder of a division by `divisor`, the number that this
  /// was made of.
  __device__ __forceinline__ int split(int& value, int divisor) const {
    const int quotient = divide(value);
    value -= quotient * divisor;
    return quotient;
  }
};

}  // namespace breakeven::conv2d
