// Random small convolutions for tests: every kernel size, stride, padding, dilation and grouping.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "reference/conv2d.h"
#include "reference/random.h"

namespace breakeven {

/// Whole numbers from a seeded stream, one after the other.
class RandomNumbers {
 public:
  explicit RandomNumbers(std::uint64_t seed) : stream_{.seed = seed, .operand = 0xc0de5eed} {}

  std::int64_t between(std::int64_t low, std::int64_t high) {  ///< both included
    std::uint32_t word = 0;
    random_words(stream_, next_++, std::span(&word, 1));
    return low + static_cast<std::int64_t>(word % static_cast<std::uint64_t>(high - low + 1));
  }

 private:
  RandomStream stream_;
  std::uint64_t next_ = 0;
};

/// `count` valid problems, the same for equal seeds: filters of 1 to 7 rows and columns, strides 1
/// to 3, padding 0 to 3 (also beyond the filter), dilation 1 and 2, one to three images, channel
/// counts that no vector length divides. Of four in a row two have one group, one has two and one
/// is depthwise with 1 to 3 filters a channel. None takes more than 400,000 flops.
inline std::vector<Conv2dSize> ragged_conv2d_sizes(int count, std::uint64_t seed) {
  if (count < 0) throw std::invalid_argument("ragged_conv2d_sizes: count is below 0");
  constexpr double kMostFlops = 400e3;
  RandomNumbers random(seed);
  std::vector<Conv2dSize> sizes;
  while (sizes.size() < static_cast<std::size_t>(count)) {
    Conv2dSize size;
    size.n = random.between(1, 3);
    size.h = random.between(1, 17);
    size.w = random.between(1, 17);
    size.r = random.between(1, 7);
    size.s = random.between(1, 7);
    size.pad_h = random.between(0, 3);
    size.pad_w = random.between(0, 3);
    size.stride_h = random.between(1, 3);
    size.stride_w = random.between(1, 3);
    size.dilation_h = random.between(1, 2);
    size.dilation_w = random.between(1, 2);
    const std::size_t kind = sizes.size() % 4;
    if (kind == 3) {
      size.c = random.between(2, 21);
      size.groups = size.c;
      size.k = size.c * random.between(1, 3);
    } else {
      size.groups = kind == 2 ? 2 : 1;
      size.c = size.groups * random.between(1, 19);
      size.k = size.groups * random.between(1, 21);
    }
    if (!conv2d_problem(size).empty()) continue;
    const double products = static_cast<double>(size.n * size.p() * size.q() * size.k) *
                            static_cast<double>(size.group_c() * size.r * size.s);
    if (2 * products <= kMostFlops) sizes.push_back(size);
  }
  return sizes;
}

}  // namespace breakeven
