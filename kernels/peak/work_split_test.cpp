#include "kernels/peak/work_split.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace breakeven::peak {
namespace {

TEST(WorkSplit, GivesOutEverythingEvenly) {
  for (const std::int64_t total : {0, 1, 7, 1 << 22, (1 << 22) + 3}) {
    for (const std::int64_t workers : {1, 2, 3, 8448, 5000}) {
      const WorkSplit split = split_work(total, workers);
      std::int64_t sum = 0, most = 0, least = total;
      for (std::int64_t worker = 0; worker < workers; ++worker) {
        const std::int64_t units = units_of(split, worker);
        sum += units;
        most = std::max(most, units);
        least = std::min(least, units);
      }
      EXPECT_EQ(sum, total);
      EXPECT_LE(most - least, 1);
    }
  }
}

}  // namespace
}  // namespace breakeven::peak
