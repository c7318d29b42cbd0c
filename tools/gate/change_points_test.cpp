#include "tools/gate/change_points.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tools/gate/testing/simulation.h"

namespace breakeven::gate {
namespace {

/// Values around 1 that scatter by `noise`, times `factor` from `begin` on.
std::vector<double> series(std::size_t size, double noise, std::uint64_t seed) {
  NoiseSource generator(seed);
  std::vector<double> values;
  for (std::size_t i = 0; i < size; ++i) values.push_back(1 + noise * generator.normal());
  return values;
}

void slow_down(std::vector<double>& values, std::size_t begin, double factor) {
  for (std::size_t i = begin; i < values.size(); ++i) values[i] *= factor;
}

/// Matteson & James' definition, by all pairs.
double by_definition(const std::vector<double>& values, std::size_t index) {
  const auto mean_distance = [&](std::size_t a, std::size_t b, std::size_t c, std::size_t d) {
    double sum = 0, pairs = 0;
    for (std::size_t i = a; i < b; ++i) {
      for (std::size_t j = c; j < d; ++j) {
        if (a == c && i == j) continue;
        sum += std::abs(values[i] - values[j]);
        ++pairs;
      }
    }
    return pairs > 0 ? sum / pairs : 0;
  };
  const std::size_t n = values.size();
  const auto left = static_cast<double>(index), right = static_cast<double>(n - index);
  return left * right / (left + right) *
         (2 * mean_distance(0, index, index, n) - mean_distance(0, index, 0, index) -
          mean_distance(index, n, index, n));
}

TEST(EDivisiveStatistic, IsItsDefinition) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::vector<double> values = series(2 + seed, 0.1, seed);
    slow_down(values, seed / 2, 1.2);
    for (std::size_t index = 1; index < values.size(); ++index) {
      EXPECT_NEAR(e_divisive_statistic(values, index), by_definition(values, index), 1e-12);
    }
  }
}

// Values of scipy.stats.ttest_ind(a, b, equal_var=False) and of R's t.test.
TEST(WelchP, IsStudentsTestOfUnequalVariances) {
  const std::vector<double> a = {1, 2, 3, 4}, b = {2, 4, 6, 8, 10};
  EXPECT_NEAR(welch_p(a, b), 0.06913359319239236, 1e-12);
  EXPECT_EQ(welch_p(a, a), 1);
  EXPECT_NEAR(welch_p(b, a), welch_p(a, b), 1e-15);
  EXPECT_EQ(welch_p(std::vector<double>{1}, b), 1);
  EXPECT_EQ(welch_p(std::vector<double>{5, 5}, std::vector<double>{5, 5}), 1);
  EXPECT_EQ(welch_p(std::vector<double>{5, 5}, std::vector<double>{6, 6}), 0);
}

TEST(ChangePoints, FindsAStepWhereItIs) {
  int exact = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    std::vector<double> values = series(120, 0.02, seed);
    slow_down(values, 70, 1.05);
    for (const ChangePoint& point : change_points(values)) {
      if (point.index < 68 || point.index > 72) continue;
      EXPECT_LT(point.p_value, 0.001);
      // Another point that noise made may lie beside it and take a part of the step.
      exact += std::abs(point.after / point.before - 1.05) < 0.02 ? 1 : 0;
    }
  }
  EXPECT_GE(exact, 85);
}

TEST(ChangePoints, FindsLittleInNoise) {
  std::size_t found = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    found += change_points(series(100, 0.02, seed)).empty() ? 0 : 1;
  }
  // Of 200 series. More than 200 p-values' worth, since places are chosen for what they show.
  EXPECT_LE(found, 20u);
}

TEST(ChangePoints, FindsSeveral) {
  std::vector<double> values = series(300, 0.01, 7);
  slow_down(values, 60, 1.1);
  slow_down(values, 140, 1.1);
  slow_down(values, 250, 0.8);
  const std::vector<ChangePoint> points = change_points(values);
  ASSERT_EQ(points.size(), 3u);
  EXPECT_EQ(points[0].index, 60u);
  EXPECT_EQ(points[1].index, 140u);
  EXPECT_EQ(points[2].index, 250u);
}

TEST(ChangePoints, AFewValuesAtTheEndAreEnough) {
  std::vector<double> values = series(60, 0.005, 3);
  slow_down(values, 54, 1.2);
  const std::vector<ChangePoint> points = change_points(values);
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].index, 54u);
}

TEST(ChangePoints, OneOutlierIsNone) {
  std::vector<double> values = series(60, 0.01, 5);
  values[30] *= 3;
  EXPECT_TRUE(change_points(values).empty());
}

TEST(ChangePoints, ShortAndConstantSeries) {
  for (std::size_t size = 0; size < 6; ++size) {
    EXPECT_TRUE(change_points(std::vector<double>(size, 2.0)).empty()) << size;
  }
  EXPECT_TRUE(change_points(std::vector<double>(500, 0.1)).empty());
  std::vector<double> values(100, 0.1);
  slow_down(values, 40, 1.5);
  ASSERT_EQ(change_points(values).size(), 1u);
  EXPECT_EQ(change_points(values)[0].index, 40u);
}

}  // namespace
}  // namespace breakeven::gate
