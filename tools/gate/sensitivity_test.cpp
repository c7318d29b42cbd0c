#include "tools/gate/sensitivity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tools/gate/testing/simulation.h"

namespace breakeven::gate {
namespace {

constexpr int kRounds = 20;  // of `gate selftest`

std::vector<double> normal_rounds(int rounds, double noise, double shift, NoiseSource& random) {
  std::vector<double> values(static_cast<std::size_t>(rounds));
  for (double& value : values) value = shift + noise * random.normal();
  return values;
}

double detectable_at(double noise, std::uint64_t seed = 1) {
  NoiseSource random(seed);
  return detectable_slowdown(normal_rounds(kRounds, noise, 0, random), Margins{}, 1).value();
}

TEST(DetectableSlowdown, WithoutNoiseIsTheMargin) {
  EXPECT_NEAR(detectable_slowdown(std::vector<double>(kRounds, 0.0), Margins{}, 1).value(), 0.021,
              1e-12);
  const Margins wide{.regression = 0.1};
  EXPECT_NEAR(detectable_slowdown(std::vector<double>(kRounds, 0.0), wide, 1).value(), 0.101,
              1e-12);
}

TEST(DetectableSlowdown, GrowsWithNoise) {
  double last = 0;
  // The same shape of rounds, only wider.
  for (const double noise : {0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2}) {
    const double found = detectable_at(noise);
    EXPECT_GT(found, last) << noise;
    last = found;
  }
  EXPECT_GT(last, 0.1);
}

TEST(DetectableSlowdown, IsTheSameAgainAndOfNoDirection) {
  NoiseSource random(3);
  std::vector<double> rounds = normal_rounds(kRounds, 0.02, 0, random);
  const auto found = detectable_slowdown(rounds, Margins{}, 1);
  EXPECT_EQ(detectable_slowdown(rounds, Margins{}, 1), found);
  const auto other_draws = detectable_slowdown(rounds, Margins{}, 2);
  EXPECT_NEAR(*other_draws, *found, 0.006);
}

TEST(DetectableSlowdown, IsAbsentWhereNothingIsFound) {
  NoiseSource random(4);
  EXPECT_FALSE(detectable_slowdown(normal_rounds(kRounds, 2, 0, random), Margins{}, 1));
}

/// A gate of that row alone, from first to last, by decide(): how often it is called REGRESSED.
double found_rate_alone(double noise, double slowdown, std::uint64_t seed) {
  constexpr int kGates = 1500;
  NoiseSource random(seed);
  int found = 0;
  for (int i = 0; i < kGates; ++i) {
    const double shift = std::log1p(slowdown);
    PairedRounds row{normal_rounds(kScreeningRounds, noise, shift, random), {}};
    if (conspicuous(row.screening, Margins{})) {
      row.confirmation = normal_rounds(kConfirmationRounds, noise, shift, random);
    }
    const std::vector<PairedRounds> rows = {row};
    found += decide(rows, Margins{}, true)[0].verdict == Verdict::regressed ? 1 : 0;
  }
  return static_cast<double>(found) / kGates;
}

TEST(DetectableSlowdown, IsFoundByFourOfFiveGates) {
  // Twenty rounds know their own noise only so well: the mean over many selftests is compared.
  constexpr int kSelftests = 30;
  for (const double noise : {0.005, 0.02, 0.06}) {
    double mean = 0;
    for (int seed = 1; seed <= kSelftests; ++seed) {
      mean += detectable_at(noise, static_cast<std::uint64_t>(seed)) / kSelftests;
    }
    EXPECT_GE(found_rate_alone(noise, 1.02 * mean, 7), 0.80) << noise << " " << mean;
    EXPECT_LE(found_rate_alone(noise, 0.90 * mean, 7), 0.80) << noise << " " << mean;
    EXPECT_LT(found_rate_alone(noise, mean / 2, 7), 0.40) << noise << " " << mean;
  }
}

TEST(FalsePositiveRate, IsSmallOfSymmetricNoise) {
  NoiseSource random(5);
  for (const double noise : {0.005, 0.02, 0.1}) {
    std::vector<std::vector<double>> rows;
    for (int i = 0; i < 60; ++i) rows.push_back(normal_rounds(kRounds, noise, 0, random));
    EXPECT_LT(false_positive_rate(rows, Margins{}, 1), 0.02) << noise;
  }
  EXPECT_EQ(false_positive_rate({}, Margins{}, 1), 0);
}

TEST(FalsePositiveRate, FlipsSignsSoThatABiasIsNone) {
  NoiseSource random(6);
  std::vector<std::vector<double>> rows;
  for (int i = 0; i < 20; ++i) rows.push_back(normal_rounds(kRounds, 0.01, 0.2, random));
  EXPECT_LT(false_positive_rate(rows, Margins{}, 1), 0.02);
}

TEST(FalsePositiveRate, CountsWhatIsFlagged) {
  // Of five rounds far apart from the margin, all signs are positive once in 2^5 flips.
  const std::vector<std::vector<double>> rows = {std::vector<double>(5, 0.5)};
  EXPECT_NEAR(false_positive_rate(rows, Margins{}, 1), 1.0 / 32, 0.03);
  EXPECT_GT(false_positive_rate(rows, Margins{}, 1), 0);
}

}  // namespace
}  // namespace breakeven::gate
