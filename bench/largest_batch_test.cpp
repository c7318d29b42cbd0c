#include "bench/largest_batch.h"

#include <gtest/gtest.h>

#include <vector>

namespace breakeven {
namespace {

std::string well(std::int64_t) { return ""; }

TEST(LargestBatch, IsTheLargestThatFits) {
  for (const std::int64_t limit : {1, 2, 3, 7, 8, 9, 1000, 1023, 1024, 1025, 99999}) {
    int asked = 0;
    const auto fits = [&](std::int64_t batch) {
      ++asked;
      return batch <= limit;
    };
    const LargestBatch found = largest_batch(fits, 99999, well);
    EXPECT_EQ(found.batch, limit);
    EXPECT_EQ(found.estimated, limit);
    EXPECT_LT(asked, 50);
  }
}

TEST(LargestBatch, NeverAsksForMoreThanTheMost) {
  const auto fits = [](std::int64_t batch) {
    EXPECT_LE(batch, 100);
    return true;
  };
  EXPECT_EQ(largest_batch(fits, 100, well).batch, 100);
  EXPECT_EQ(largest_batch([](std::int64_t) { return true; }, 1, well).batch, 1);
}

TEST(LargestBatch, NoneIsAnAnswer) {
  int attempts = 0;
  const auto attempt = [&](std::int64_t) {
    ++attempts;
    return std::string("broke");
  };
  EXPECT_EQ(largest_batch([](std::int64_t) { return false; }, 8, attempt).estimated, 0);
  EXPECT_EQ(attempts, 0);
  const LargestBatch broken = largest_batch([](std::int64_t) { return true; }, 8, attempt);
  EXPECT_EQ(broken.batch, 0);
  EXPECT_EQ(broken.estimated, 8);
  EXPECT_EQ(broken.reason, "broke");
  EXPECT_EQ(attempts, 4);  // 8, 4, 2, 1
}

TEST(LargestBatch, StartsFromTheLeast) {
  const auto fits = [](std::int64_t batch) {
    EXPECT_GE(batch, 6);
    return batch <= 9;
  };
  EXPECT_EQ(largest_batch(fits, 100, well, 6).batch, 9);
  std::vector<std::int64_t> attempts;
  const auto attempt = [&](std::int64_t batch) {
    attempts.push_back(batch);
    return std::string("broke");
  };
  EXPECT_EQ(largest_batch(fits, 100, attempt, 6).batch, 0);
  EXPECT_EQ(attempts, (std::vector<std::int64_t>{9, 7, 6}));
}

TEST(LargestBatch, GoesBackWhereTheRunFails) {
  for (const std::int64_t limit : {1, 2, 3, 30, 500, 700, 1023}) {
    std::vector<std::int64_t> attempts;
    const auto attempt = [&](std::int64_t batch) {
      attempts.push_back(batch);
      return std::string(batch <= limit ? "" : "ran out of memory");
    };
    const LargestBatch found =
        largest_batch([](std::int64_t batch) { return batch <= 1024; }, 1 << 20, attempt);
    EXPECT_EQ(attempts.front(), 1024);
    EXPECT_LE(found.batch, limit);
    EXPECT_GE(found.batch + std::max<std::int64_t>(1, found.batch / 16), limit);
    EXPECT_EQ(found.reason, "ran out of memory");
    EXPECT_LT(attempts.size(), 20u);
  }
}

}  // namespace
}  // namespace breakeven
