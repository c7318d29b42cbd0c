#include "reports/change_points.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tools/gate/testing/simulation.h"

namespace breakeven::gate {
namespace {

/// Values around 1 that scatter by `noise`. Independent series are drawn one after another from one
/// source: those of neighbouring seeds are the same numbers, one further on.
std::vector<double> series(std::size_t size, double noise, NoiseSource& source) {
  std::vector<double> values;
  for (std::size_t i = 0; i < size; ++i) values.push_back(1 + noise * source.normal());
  return values;
}

std::vector<double> series(std::size_t size, double noise, std::uint64_t seed) {
  NoiseSource source(seed);
  return series(size, noise, source);
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

/// How far the nearest point lies from a step of 5 % in noise of 2 %, and whether it is the only
/// one.
struct Found {
  int at_most_one_off = 0, at_most_two_off = 0, alone = 0, never = 0;
};

Found find_steps(std::size_t at, int count, NoiseSource& source) {
  Found found;
  for (int i = 0; i < count; ++i) {
    std::vector<double> values = series(120, 0.02, source);
    slow_down(values, at, 1.05);
    const std::vector<ChangePoint> points = change_points(values);
    std::size_t nearest = values.size();
    for (const ChangePoint& point : points) {
      nearest = std::min(nearest, point.index > at ? point.index - at : at - point.index);
      EXPECT_LT(point.p_value, 0.001);
    }
    found.at_most_one_off += nearest <= 1 ? 1 : 0;
    found.at_most_two_off += nearest <= 2 ? 1 : 0;
    found.alone += points.size() == 1 ? 1 : 0;
    found.never += points.empty() ? 1 : 0;
  }
  return found;
}

// Rates of 1,000 series at each place: 885 to 933 at most one off, 938 to 978 at most two, 874 to
// 916 alone. Of 500 series with the step at 70, Apache Otava 0.8.0 has 91.4, 96.6 and 92.4 % where
// this has 91.6, 97.0 and 89.0: the step is 2.5 times the noise, so the value beside it is now and
// then taken for one of the other side.
// Places: ten values before either end, the middle, and where windows begin and end.
TEST(ChangePoints, FindsAStepWhereItIs) {
  NoiseSource source(2);
  for (const std::size_t at : {10u, 25u, 49u, 50u, 60u, 75u, 100u, 110u}) {
    const Found found = find_steps(at, 200, source);
    EXPECT_GE(found.at_most_one_off, 168) << at;
    EXPECT_GE(found.at_most_two_off, 180) << at;
    EXPECT_GE(found.alone, 160) << at;
    EXPECT_LE(found.never, 8) << at;
  }
}

TEST(ChangePoints, SaysHowLargeAStepIs) {
  std::vector<double> values = series(120, 0.001, 5);
  slow_down(values, 70, 1.05);
  const std::vector<ChangePoint> points = change_points(values);
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].index, 70u);
  EXPECT_NEAR(points[0].before, 1, 0.001);
  EXPECT_NEAR(points[0].after, 1.05, 0.001);
}

// Windows that overlap may place one change differently; a level that wanders makes them do so in
// one of a hundred series.
TEST(ChangePoints, NoSegmentIsThinnerThanAskedFor) {
  NoiseSource source(4);
  for (int i = 0; i < 2000; ++i) {
    std::vector<double> values = series(120, 0.005, source);
    for (std::size_t at = 0; at < values.size(); ++at) {
      if (source.uniform() < 0.1) slow_down(values, at, 1 + 0.1 * source.normal());
    }
    std::size_t last = 0;
    for (const ChangePoint& point : change_points(values)) {
      EXPECT_GE(point.index - last, 3u);
      last = point.index;
    }
    EXPECT_GE(values.size() - last, 3u);
  }
}

// More than p < 0.001 promises, since places are chosen for what they show: 136 of 2,000 series of
// 100 values have a point, and 634 of 1,000 values. Apache Otava 0.8.0: 63 of 1,000, and 40 of 100.
TEST(ChangePoints, FindsLittleInNoise) {
  NoiseSource source(3);
  int any = 0;
  for (int i = 0; i < 200; ++i) any += change_points(series(100, 0.02, source)).empty() ? 0 : 1;
  EXPECT_LE(any, 24);
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
  for (std::size_t at = 0; at < 60; ++at) {
    std::vector<double> values(60, 1.0);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += 0.01 * static_cast<double>(i % 3);
    values[at] *= 3;
    EXPECT_TRUE(change_points(values).empty()) << at;
  }
}

// Readers refuse them. Here they may cost what is found, but neither time nor memory.
TEST(ChangePoints, NoNumbersAreHarmless) {
  for (const double wrong : {std::nan(""), HUGE_VAL, -HUGE_VAL, 1e308}) {
    for (const std::size_t at : {0u, 30u, 59u}) {
      std::vector<double> values = series(60, 0.01, 5);
      values[at] = wrong;
      for (const ChangePoint& point : change_points(values)) EXPECT_LT(point.index, 60u);
    }
    EXPECT_TRUE(change_points(std::vector<double>(60, wrong)).empty()) << wrong;
  }
  EXPECT_LE(change_points(series(60, 0.01, 5), {0, 0.001, 0}).size(), 60u);
}

TEST(ChangePoints, AreTheSameEveryTime) {
  const std::vector<double> values = series(1000, 0.02, 11);
  const std::vector<ChangePoint> once = change_points(values), again = change_points(values);
  ASSERT_EQ(once.size(), again.size());
  for (std::size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(once[i].index, again[i].index);
    EXPECT_EQ(once[i].p_value, again[i].p_value);
  }
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
