#include "reports/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>

namespace breakeven {
namespace {

TEST(Median, OfOddAndEvenCounts) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_THROW(median({}), std::invalid_argument);
}

// The coverage by enumeration: each of the n samples falls below the true median or not, all 2^n
// patterns alike; [x(k), x(n+1-k)] misses it when fewer than k fall on one side.
double enumerated_coverage(unsigned n, unsigned k) {
  unsigned covered = 0;
  for (std::uint32_t pattern = 0; pattern < (1u << n); ++pattern) {
    const auto below = static_cast<unsigned>(__builtin_popcount(pattern));
    if (below >= k && n - below >= k) ++covered;
  }
  return static_cast<double>(covered) / static_cast<double>(1u << n);
}

TEST(MedianInterval, CoverageEqualsEnumeration) {
  for (unsigned n = 2; n <= 16; ++n) {
    std::vector<double> samples;
    for (unsigned i = 1; i <= n; ++i) samples.push_back(i);
    const Estimate estimate = median_estimate(samples);
    const auto k = static_cast<unsigned>(estimate.interval.low);  // samples are their own ranks
    EXPECT_EQ(estimate.interval.high, n + 1 - k);
    EXPECT_NEAR(estimate.interval.coverage, enumerated_coverage(n, k), 1e-12) << n;
    if (2 * (k + 1) <= n) {
      EXPECT_LT(enumerated_coverage(n, k + 1), 0.95) << n;
    }
    EXPECT_TRUE(estimate.interval.coverage >= 0.95 || k == 1) << n;
  }
}

// Values of the sign test's tables, e.g. Conover, Practical Nonparametric Statistics, table A3:
// 6 samples: the range, 1 - 2/64; 9: x(2) … x(8), 1 - 20/512; 20: x(6) … x(15), 95.86 %.
TEST(MedianInterval, HandValues) {
  EXPECT_DOUBLE_EQ(median_estimate({1, 2, 3, 4, 5, 6}).interval.coverage, 1 - 2.0 / 64);
  const Estimate nine = median_estimate({9, 8, 7, 6, 5, 4, 3, 2, 1});
  EXPECT_EQ(nine.interval.low, 2);
  EXPECT_EQ(nine.interval.high, 8);
  EXPECT_NEAR(nine.interval.coverage, 1 - 20.0 / 512, 1e-12);
  std::vector<double> twenty;
  for (int i = 1; i <= 20; ++i) twenty.push_back(i);
  EXPECT_EQ(median_estimate(twenty).interval.low, 6);
  EXPECT_NEAR(median_estimate(twenty).interval.coverage, 0.9586, 5e-5);
}

TEST(MedianInterval, TooFewSamplesSaySo) {
  EXPECT_EQ(median_estimate({5}).interval.coverage, 0);
  EXPECT_DOUBLE_EQ(median_estimate({1, 2, 3}).interval.coverage, 0.75);
}

TEST(MedianInterval, ManySamplesDoNotUnderflow) {
  std::vector<double> samples(100000);
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<double>(i);
  const Estimate estimate = median_estimate(samples);
  EXPECT_GE(estimate.interval.coverage, 0.95);
  EXPECT_LT(estimate.interval.coverage, 0.951);
  // About n/2 ± 0.98 sqrt(n), by the normal approximation.
  EXPECT_NEAR(estimate.interval.low, 50000 - 0.98 * std::sqrt(100000.0), 3);
}

// All 2^n sign patterns of the ranks 1 … n.
TEST(SignedRank, DistributionEqualsEnumeration) {
  for (unsigned n = 1; n <= 12; ++n) {
    std::vector<double> count(n * (n + 1) / 2 + 1, 0.0);
    for (std::uint32_t pattern = 0; pattern < (1u << n); ++pattern) {
      unsigned sum = 0;
      for (unsigned rank = 1; rank <= n; ++rank) {
        if ((pattern >> (rank - 1)) & 1u) sum += rank;
      }
      ++count[sum];
    }
    const std::vector<double> distribution = signed_rank_distribution(n);
    double below = 0;
    for (std::size_t t = 0; t < count.size(); ++t) {
      below += count[t];
      EXPECT_NEAR(distribution[t], below / static_cast<double>(1u << n), 1e-12) << n << " " << t;
    }
  }
}

// Hollander & Wolfe, table A.4: P(T <= 13) = 0.0212 at n = 12, P(T <= 8) = 0.0244 at n = 10.
TEST(SignedRank, TabledValues) {
  EXPECT_NEAR(signed_rank_distribution(12)[13], 0.0212, 5e-5);
  EXPECT_NEAR(signed_rank_distribution(10)[8], 0.0244, 5e-5);
}

// Hollander & Wolfe, example 3.1, Hamilton depression scale factor IV: the differences y - x of
// nine patients; the estimate is -0.46 and the 96 % interval (-0.786, -0.010).
TEST(HodgesLehmann, HamiltonDepressionScale) {
  const std::vector<double> differences = {0.878 - 1.83, 0.647 - 0.50, 0.598 - 1.62,
                                           2.05 - 2.48,  1.06 - 1.68,  1.29 - 1.88,
                                           1.06 - 1.55,  3.14 - 3.06,  1.29 - 1.30};
  const Estimate estimate = hodges_lehmann(differences);
  EXPECT_NEAR(estimate.value, -0.46, 1e-9);
  EXPECT_NEAR(estimate.interval.low, -0.786, 1e-9);
  EXPECT_NEAR(estimate.interval.high, -0.010, 1e-9);
  EXPECT_NEAR(estimate.interval.coverage, 0.961, 5e-4);
}

// Independent of the Walsh-average shortcut: shifts that the signed-rank test does not reject.
TEST(HodgesLehmann, IntervalInvertsTheTest) {
  const std::vector<double> samples = {0.3, -0.1, 0.75, 0.42, 0.05, 0.11, 0.9, -0.27};
  const Estimate estimate = hodges_lehmann(samples);
  const auto statistic = [&](double shift) {
    std::vector<double> shifted;
    for (const double sample : samples) shifted.push_back(sample - shift);
    std::sort(shifted.begin(), shifted.end(),
              [](double a, double b) { return std::abs(a) < std::abs(b); });
    std::size_t positive = 0;
    for (std::size_t i = 0; i < shifted.size(); ++i) {
      if (shifted[i] > 0) positive += i + 1;
    }
    return positive;
  };
  const std::size_t most = samples.size() * (samples.size() + 1) / 2;
  const std::vector<double> below = signed_rank_distribution(samples.size());
  const auto rejected = [&](double shift) {
    const std::size_t t = std::min(statistic(shift), most - statistic(shift));
    return 2 * below[t] <= 1 - estimate.interval.coverage + 1e-12;
  };
  EXPECT_TRUE(rejected(estimate.interval.low - 1e-6));
  EXPECT_FALSE(rejected(estimate.interval.low + 1e-6));
  EXPECT_FALSE(rejected(estimate.interval.high - 1e-6));
  EXPECT_TRUE(rejected(estimate.interval.high + 1e-6));
}

TEST(HodgesLehmann, RefusesWhatItCannotDoExactly) {
  EXPECT_THROW(hodges_lehmann({}), std::invalid_argument);
  EXPECT_THROW(hodges_lehmann(std::vector<double>(1001, 1.0)), std::invalid_argument);
}

TEST(GeometricMean, OfPositiveValues) {
  EXPECT_NEAR(geometric_mean({1, 4, 16}), 4, 1e-12);
  EXPECT_THROW(geometric_mean({}), std::invalid_argument);
  EXPECT_THROW(geometric_mean({1, 0}), std::invalid_argument);
  EXPECT_THROW(geometric_mean({1, std::nan("")}), std::invalid_argument);
}

TEST(PairedRatios, UseCommonRoundsOnly) {
  const RoundValues cpu = {{0, 10}, {1, 20}, {3, 40}};
  const RoundValues gpu = {{0, 5}, {2, 1}, {3, 20}};
  const std::vector<double> ratios = paired_log_ratios(cpu, gpu);
  ASSERT_EQ(ratios.size(), 2u);
  EXPECT_NEAR(ratio_estimate(ratios).value, 2, 1e-12);
  EXPECT_THROW(paired_log_ratios({{0, 0.0}}, {{0, 1.0}}), std::invalid_argument);
}

}  // namespace
}  // namespace breakeven
