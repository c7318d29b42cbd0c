#include "kernels/host/cache.h"

#include <gtest/gtest.h>

#include <vector>

namespace breakeven {
namespace {

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

// Random loads over S bytes with a cache of C: C/S of them hit (15 ns), the others miss (100 ns).
std::vector<LoadLatency> model(std::size_t cache) {
  std::vector<LoadLatency> curve;
  for (std::size_t bytes = kMebibyte; bytes <= 1024 * kMebibyte; bytes *= 2) {
    const double hits = bytes < cache ? 1 : static_cast<double>(cache) / static_cast<double>(bytes);
    curve.push_back({bytes, 15 * hits + 100 * (1 - hits)});
  }
  return curve;
}

TEST(CacheBytes, IsAnUpperBoundWithinAFactorOfTwo) {
  for (const std::size_t mebibytes : {2, 8, 32, 48, 100}) {
    const std::size_t bytes = cache_bytes_from(model(mebibytes * kMebibyte));
    EXPECT_GE(bytes, mebibytes * kMebibyte);
    EXPECT_LE(bytes, 2 * mebibytes * kMebibyte);
  }
}

TEST(CacheBytes, IsTheFirstSizeWhereEveryLoadCostsTheSame) {
  const std::vector<LoadLatency> flat = {
      {kMebibyte, 90}, {2 * kMebibyte, 95}, {4 * kMebibyte, 100}};
  EXPECT_EQ(cache_bytes_from(flat), kMebibyte);
}

TEST(Evictor, ReadsMoreThanTheCachesOfEveryThread) {
  Evictor one(100 * kMebibyte, 1);
  EXPECT_GE(one.bytes(), 100 * kMebibyte);
  Evictor small(kMebibyte, 2);
  EXPECT_GE(small.bytes(), 2 * Evictor::kPrivateBytes);
  small.evict();
}

}  // namespace
}  // namespace breakeven
