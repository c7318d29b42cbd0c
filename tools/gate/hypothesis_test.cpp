// Each test of the gate against its definition, by brute force.
#include "tools/gate/hypothesis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "reports/statistics.h"
#include "tools/gate/testing/simulation.h"

namespace breakeven::gate {
namespace {

std::vector<double> normal_samples(std::size_t n, NoiseSource& random) {
  std::vector<double> samples(n);
  for (double& sample : samples) sample = 0.3 + random.normal();
  return samples;
}

std::vector<double> sorted_walsh_averages(const std::vector<double>& samples) {
  std::vector<double> walsh;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    for (std::size_t j = 0; j <= i; ++j) walsh.push_back((samples[j] + samples[i]) / 2);
  }
  std::sort(walsh.begin(), walsh.end());
  return walsh;
}

/// The share of all sign patterns whose positive ranks add up to at least as much. Differences of
/// integers, so that ties and zeros are exact.
double enumerated_p(const std::vector<int>& differences, Side side) {
  std::vector<int> kept;
  for (const int difference : differences) {
    if (difference != 0) kept.push_back(side == Side::greater ? difference : -difference);
  }
  std::vector<int> doubled_ranks;
  int observed = 0;
  for (const int one : kept) {
    int rank = 1;  // twice the midrank: 2 below + equal + 1
    for (const int other : kept) {
      rank += std::abs(other) < std::abs(one) ? 2 : std::abs(other) == std::abs(one) ? 1 : 0;
    }
    doubled_ranks.push_back(rank);
    observed += one > 0 ? rank : 0;
  }
  std::size_t as_extreme = 0;
  const std::size_t patterns = std::size_t{1} << kept.size();
  for (std::size_t pattern = 0; pattern < patterns; ++pattern) {
    int sum = 0;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if ((pattern >> i) & 1) sum += doubled_ranks[i];
    }
    as_extreme += sum >= observed ? 1 : 0;
  }
  return static_cast<double>(as_extreme) / static_cast<double>(patterns);
}

/// Times of a coarse clock or a fine one, tested against a center among them.
void expect_enumerated_p(std::size_t n, int values, NoiseSource& random) {
  const int center = static_cast<int>(random.uniform() * 5) - 2;
  std::vector<int> differences;
  std::vector<double> samples;
  for (std::size_t i = 0; i < n; ++i) {
    differences.push_back(static_cast<int>(random.uniform() * values) - values / 2);
    samples.push_back(0.001 * (differences.back() + center));
  }
  for (const Side side : {Side::greater, Side::less}) {
    EXPECT_NEAR(signed_rank_p(samples, 0.001 * center, side), enumerated_p(differences, side),
                1e-12)
        << n << " samples of " << values << " values";
  }
}

TEST(SignedRankP, EqualsEnumeration) {
  NoiseSource random(21);
  for (std::size_t n = 1; n <= 12; ++n) {
    for (int repetition = 0; repetition < 20; ++repetition) {
      for (const int values : {2, 3, 6, 12, 40, 1'000'000}) expect_enumerated_p(n, values, random);
    }
  }
}

TEST(SignedRankP, OfExtremes) {
  EXPECT_EQ(signed_rank_p({}, 0, Side::greater), 1);
  EXPECT_EQ(signed_rank_p(std::vector<double>(12, 0.02), 0.02, Side::greater), 1);  // zeros
  EXPECT_EQ(signed_rank_p(std::vector<double>(12, 0.05), 0.02, Side::greater), 0x1p-12);
  EXPECT_EQ(signed_rank_p(std::vector<double>(12, 0.05), 0.02, Side::less), 1);
  EXPECT_NEAR(signed_rank_p(std::vector<double>(kMostRounds, 0.5), 1, Side::less), 0, 1e-300);
  EXPECT_THROW(signed_rank_p(std::vector<double>(kMostRounds + 1, 0.5), 1, Side::less),
               std::invalid_argument);
}

TEST(SignedRankP, IsMirroredByTheSide) {
  NoiseSource random(22);
  const std::vector<double> samples = normal_samples(40, random);
  std::vector<double> mirrored;
  for (const double sample : samples) mirrored.push_back(-sample);
  EXPECT_EQ(signed_rank_p(samples, 0.1, Side::greater), signed_rank_p(mirrored, -0.1, Side::less));
}

/// Benjamini and Hochberg's own words: let k be the largest i with P(i) <= i q / m; reject all
/// H(1) … H(k).
std::vector<bool> rejected_by_definition(const std::vector<double>& p_values, double q) {
  std::vector<double> sorted = p_values;
  std::sort(sorted.begin(), sorted.end());
  double largest = -1;
  for (std::size_t i = 1; i <= sorted.size(); ++i) {
    if (sorted[i - 1] <= static_cast<double>(i) * q / static_cast<double>(sorted.size())) {
      largest = sorted[i - 1];
    }
  }
  std::vector<bool> rejected;
  for (const double p : p_values) rejected.push_back(p <= largest);
  return rejected;
}

TEST(BenjaminiHochberg, RejectsWhatItsDefinitionRejects) {
  NoiseSource random(23);
  for (int repetition = 0; repetition < 300; ++repetition) {
    std::vector<double> p_values(1 + static_cast<std::size_t>(random.uniform() * 30));
    // Some equal ones, and enough small ones.
    for (double& p : p_values) p = std::ceil(64 * std::pow(random.uniform(), 3)) / 64;
    const std::vector<double> adjusted = benjamini_hochberg(p_values);
    for (const double q : {0.011, 0.053, 0.1, 0.26, 0.77}) {
      const std::vector<bool> rejected = rejected_by_definition(p_values, q);
      for (std::size_t i = 0; i < p_values.size(); ++i) {
        EXPECT_EQ(adjusted[i] <= q, rejected[i]) << "p " << p_values[i] << " at " << q;
      }
    }
  }
}

// The example of Benjamini & Hochberg 1995, section 3.2: four of fifteen are rejected at q = .05.
TEST(BenjaminiHochberg, PublishedExample) {
  const std::vector<double> p_values = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201,
                                        0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
                                        0.4262, 0.5719, 0.6528, 0.7590, 1.0000};
  const std::vector<double> adjusted = benjamini_hochberg(p_values);
  EXPECT_EQ(std::count_if(adjusted.begin(), adjusted.end(), [](double q) { return q <= 0.05; }), 4);
  EXPECT_NEAR(adjusted[3], 0.0095 * 15 / 4, 1e-15);
  EXPECT_TRUE(benjamini_hochberg({}).empty());
}

TEST(RoundsNeeded, IsTheFirstNumberThatCanFindALoneRegression) {
  for (const std::size_t rows : {1, 2, 5, 60, 64, 300, 1000, 100000}) {
    for (const double q : {0.01, 0.05, 0.0625, 0.2}) {
      std::vector<double> p_values(rows, 1.0);
      const auto found = [&](int rounds) {
        p_values[0] = signed_rank_p(std::vector<double>(static_cast<std::size_t>(rounds), 1.0), 0,
                                    Side::greater);
        return benjamini_hochberg(p_values)[0] <= q;
      };
      const int rounds = rounds_needed(rows, q);
      EXPECT_TRUE(found(rounds)) << rows << " rows at " << q;
      EXPECT_FALSE(rounds > 1 && found(rounds - 1)) << rows << " rows at " << q;
    }
  }
  EXPECT_EQ(rounds_needed(60, 0.05), 11);  // log2(60 / .05) = 10.2
}

/// Every center between two Walsh averages, and outside of them all.
void expect_rank_decides(const std::vector<double>& samples, double alpha) {
  const std::vector<double> walsh = sorted_walsh_averages(samples);
  const std::size_t rank = critical_walsh_rank(samples.size(), alpha);
  ASSERT_LE(rank, walsh.size());
  for (std::size_t below = 0; below <= walsh.size(); ++below) {  // as many are below the center
    const double center = below == 0              ? walsh.front() - 1
                          : below == walsh.size() ? walsh.back() + 1
                                                  : (walsh[below - 1] + walsh[below]) / 2;
    EXPECT_EQ(rank > 0 && walsh[rank - 1] > center,
              signed_rank_p(samples, center, Side::greater) <= alpha)
        << samples.size() << " samples at " << alpha << ", center above " << below;
  }
}

TEST(CriticalWalshRank, DecidesAsTheTestDoes) {
  NoiseSource random(24);
  for (std::size_t n = 1; n <= 24; ++n) {
    const std::vector<double> samples = normal_samples(n, random);
    for (const double alpha : {0.05 / 600, 0.05 / 60, 0.05 / 7, 0.05, 0.1, 0.25, 0.5}) {
      expect_rank_decides(samples, alpha);
    }
  }
  EXPECT_EQ(critical_walsh_rank(4, 0.05), 0u);
  EXPECT_EQ(critical_walsh_rank(5, 0.05), 1u);
  EXPECT_EQ(critical_walsh_rank(5, 1), 15u);  // there are no more
}

TEST(HodgesLehmann, IsTheMedianOfAllWalshAverages) {
  NoiseSource random(25);
  for (std::size_t n = 1; n <= 24; ++n) {
    const std::vector<double> samples = normal_samples(n, random);
    EXPECT_EQ(hodges_lehmann(samples).value, median(sorted_walsh_averages(samples))) << n;
  }
}

/// The share of all sign patterns of these samples, which are alike where the centre is 0, whose
/// interval between the k-th Walsh average from below and from above covers 0.
double enumerated_coverage(const std::vector<double>& samples, std::size_t k) {
  const std::size_t patterns = std::size_t{1} << samples.size();
  std::size_t covered = 0;
  for (std::size_t pattern = 0; pattern < patterns; ++pattern) {
    std::vector<double> signed_samples = samples;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if ((pattern >> i) & 1) signed_samples[i] = -samples[i];
    }
    const std::vector<double> walsh = sorted_walsh_averages(signed_samples);
    covered += walsh[k - 1] <= 0 && walsh[walsh.size() - k] >= 0 ? 1 : 0;
  }
  return static_cast<double>(covered) / static_cast<double>(patterns);
}

TEST(HodgesLehmann, IntervalCoversWhatItSaysAndNoneIsNarrower) {
  NoiseSource random(26);
  for (std::size_t n = 2; n <= 11; ++n) {
    const std::vector<double> samples = normal_samples(n, random);
    const std::vector<double> walsh = sorted_walsh_averages(samples);
    for (const double confidence : {0.8, 0.95, 0.99}) {
      const Interval interval = hodges_lehmann(samples, confidence).interval;
      const auto k = static_cast<std::size_t>(
          1 + std::distance(walsh.begin(), std::find(walsh.begin(), walsh.end(), interval.low)));
      ASSERT_LE(2 * k, walsh.size() + 1) << n;
      EXPECT_EQ(interval.high, walsh[walsh.size() - k]) << n;
      EXPECT_NEAR(interval.coverage, enumerated_coverage(samples, k), 1e-12) << n;
      EXPECT_TRUE(interval.coverage >= confidence || k == 1) << n;
      if (2 * (k + 1) <= walsh.size()) {
        EXPECT_LT(enumerated_coverage(samples, k + 1), confidence) << n;
      }
    }
  }
}

}  // namespace
}  // namespace breakeven::gate
