// What must hold of decisions, whatever the rounds are.
#include "tools/gate/decision.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tools/gate/hypothesis.h"
#include "tools/gate/testing/simulation.h"

namespace breakeven::gate {
namespace {

constexpr std::size_t kRandomSuites = 40;

/// Rows between 15 % faster and 15 % slower, a third of them unchanged, of scatters of 0.5 … 6 %.
std::vector<PairedRounds> random_suite(NoiseSource& random, bool two_stages) {
  std::vector<PairedRounds> rows(40);
  for (PairedRounds& row : rows) {
    const double effect = random.uniform() < 0.33 ? 0 : 0.3 * random.uniform() - 0.15;
    const double scatter = 0.005 + 0.055 * random.uniform();
    const auto rounds = [&] {
      std::vector<double> values(12);
      for (double& value : values) value = effect + scatter * random.normal();
      return values;
    };
    row.screening = rounds();
    if (two_stages && conspicuous(row.screening, Margins{})) row.confirmation = rounds();
  }
  return rows;
}

void expect_equal(const Decision& a, const Decision& b) {
  EXPECT_EQ(a.verdict, b.verdict);
  EXPECT_EQ(a.confirmed, b.confirmed);
  EXPECT_EQ(a.unconfirmed, b.unconfirmed);
  EXPECT_EQ(a.p_regressed, b.p_regressed);
  EXPECT_EQ(a.q_regressed, b.q_regressed);
  EXPECT_EQ(a.q_improved, b.q_improved);
  EXPECT_EQ(a.rounds, b.rounds);
  EXPECT_NEAR(a.ratio.value, b.ratio.value, 1e-12);
  EXPECT_NEAR(a.ratio.interval.low, b.ratio.interval.low, 1e-12);
  ASSERT_EQ(a.detectable.has_value(), b.detectable.has_value());
  if (a.detectable) {
    EXPECT_NEAR(*a.detectable, *b.detectable, 1e-12);
  }
}

Verdict mirrored(Verdict verdict) {
  return verdict == Verdict::regressed  ? Verdict::improved
         : verdict == Verdict::improved ? Verdict::regressed
                                        : verdict;
}

TEST(Decide, SwappedArmsMirrorTheVerdict) {
  NoiseSource random(31);
  std::array<int, 4> seen = {};
  for (std::size_t suite = 0; suite < kRandomSuites; ++suite) {
    const std::vector<PairedRounds> rows = random_suite(random, false);
    std::vector<PairedRounds> swapped = rows;
    for (PairedRounds& row : swapped) {
      for (double& ratio : row.screening) ratio = -ratio;
    }
    const std::vector<Decision> decisions = decide(rows, Margins{}, false);
    const std::vector<Decision> others = decide(swapped, Margins{}, false);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      ++seen.at(static_cast<std::size_t>(decisions[i].verdict));
      EXPECT_EQ(others[i].verdict, mirrored(decisions[i].verdict));
      EXPECT_EQ(others[i].q_improved, decisions[i].q_regressed);
      EXPECT_NEAR(others[i].ratio.value * decisions[i].ratio.value, 1, 1e-12);
    }
  }
  EXPECT_GT(*std::min_element(seen.begin(), seen.end()), 50);  // all four verdicts were tried
}

/// ln(head / base) of times, both of another unit.
std::vector<double> in_unit(const std::vector<double>& ratios, double unit, NoiseSource& random) {
  std::vector<double> scaled;
  for (const double ratio : ratios) {
    const double base = (1 + random.uniform()) * unit;
    scaled.push_back(std::log(base * std::exp(ratio) / base));
  }
  return scaled;
}

TEST(Decide, ScaledTimesAndPermutedRowsChangeNothing) {
  NoiseSource random(32);
  for (std::size_t suite = 0; suite < kRandomSuites; ++suite) {
    const bool two_stages = suite % 2 == 1;
    const std::vector<PairedRounds> rows = random_suite(random, two_stages);
    std::vector<std::size_t> order(rows.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      order[i] = i;
      std::swap(order[i], order[random.below(i + 1)]);
    }
    std::vector<PairedRounds> permuted;
    for (const std::size_t i : order) {
      permuted.push_back(
          {in_unit(rows[i].screening, 1e-6, random), in_unit(rows[i].confirmation, 1e-6, random)});
    }
    const std::vector<Decision> decisions = decide(rows, Margins{}, two_stages);
    const std::vector<Decision> others = decide(permuted, Margins{}, two_stages);
    for (std::size_t i = 0; i < rows.size(); ++i) expect_equal(others[i], decisions[order[i]]);
  }
}

TEST(Decide, ConspicuousRowsWithoutFreshRoundsAreUndecided) {
  NoiseSource random(33);
  int unconfirmed = 0;
  for (std::size_t suite = 0; suite < kRandomSuites; ++suite) {
    std::vector<PairedRounds> rows = random_suite(random, true);
    for (PairedRounds& row : rows) {
      if (random.uniform() < 0.5) row.confirmation.clear();
    }
    const std::vector<Decision> decisions = decide(rows, Margins{}, true);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const bool fresh = !rows[i].confirmation.empty();
      EXPECT_EQ(decisions[i].confirmed, fresh);
      EXPECT_EQ(decisions[i].unconfirmed, !fresh && conspicuous(rows[i].screening, Margins{}));
      if (!decisions[i].unconfirmed) continue;
      ++unconfirmed;
      EXPECT_EQ(decisions[i].verdict, Verdict::inconclusive);
    }
  }
  EXPECT_GT(unconfirmed, 100);
}

TEST(Decide, ScreeningAloneNeverRegressesWhereThereIsASecondStage) {
  const std::vector<PairedRounds> rows = {{std::vector<double>(12, 0.5), {}}};
  EXPECT_EQ(decide(rows, Margins{}, false)[0].verdict, Verdict::regressed);
  EXPECT_EQ(decide(rows, Margins{}, true)[0].verdict, Verdict::inconclusive);
}

TEST(Decide, FreshRoundsDecideAloneAndAmongThemselves) {
  NoiseSource random(34);
  std::vector<PairedRounds> rows(40, {std::vector<double>(12, 0.0), {}});
  rows[0] = {std::vector<double>(12, 0.5), std::vector<double>(12, 0.0)};  // was a fluke
  rows[1] = {std::vector<double>(12, 0.5), std::vector<double>(7, 0.5)};   // 2^-7 × 2, not × 40
  const std::vector<Decision> decisions = decide(rows, Margins{}, true);
  EXPECT_EQ(decisions[0].verdict, Verdict::equivalent);
  EXPECT_EQ(decisions[1].verdict, Verdict::regressed);
  EXPECT_EQ(decisions[1].q_regressed, 0x1p-6);
  EXPECT_EQ(decisions[1].rounds, 7u);
}

std::vector<double> centred_on(const std::vector<double>& rounds, double effect) {
  const double shift = std::log1p(effect) - hodges_lehmann(rounds).value;
  std::vector<double> shifted;
  for (const double round : rounds) shifted.push_back(round + shift);
  return shifted;
}

/// The verdict on the first row, were its judged rounds centred on `effect`. As a conspicuous row
/// where there are two stages.
Verdict verdict_of_first(std::vector<PairedRounds> rows, double effect, bool two_stages) {
  PairedRounds& row = rows[0];
  const std::vector<double> rounds = row.confirmation.empty() ? row.screening : row.confirmation;
  (two_stages ? row.confirmation : row.screening) = centred_on(rounds, effect);
  return decide(rows, Margins{}, two_stages)[0].verdict;
}

TEST(Decide, DetectableIsTheBorder) {
  NoiseSource random(35);
  for (std::size_t suite = 0; suite < 10 * kRandomSuites; ++suite) {
    const bool two_stages = suite % 2 == 1;
    std::vector<PairedRounds> rows = random_suite(random, two_stages);
    // Alone: nothing else is anywhere near the margin.
    for (std::size_t i = 1; i < rows.size(); ++i) {
      std::vector<double>& judged =
          rows[i].confirmation.empty() ? rows[i].screening : rows[i].confirmation;
      judged = centred_on(judged, -0.3);
    }
    const Decision decision = decide(rows, Margins{}, two_stages)[0];
    ASSERT_TRUE(decision.detectable);
    EXPECT_EQ(verdict_of_first(rows, *decision.detectable + 1e-9, two_stages), Verdict::regressed);
    EXPECT_NE(verdict_of_first(rows, *decision.detectable - 1e-9, two_stages), Verdict::regressed);
  }
}

TEST(Decide, NothingIsDetectableInTooFewRounds) {
  const auto suite = [](std::size_t rounds) {
    return std::vector<PairedRounds>(60, {std::vector<double>(rounds, 0.1), {}});
  };
  const auto needed = static_cast<std::size_t>(rounds_needed(60, Margins{}.discovery_rate));
  EXPECT_FALSE(decide(suite(needed - 1), Margins{}, false)[0].detectable);
  EXPECT_TRUE(decide(suite(needed), Margins{}, false)[0].detectable);
  // Without scatter it is the margin itself.
  EXPECT_NEAR(*decide(suite(needed), Margins{}, false)[0].detectable, 0.02, 1e-12);
}

TEST(Decide, EquivalenceHasAMarginOfItsOwn) {
  // Five rounds are too few for one regression among 60 rows, and enough for equivalence.
  std::vector<PairedRounds> rows(60, {std::vector<double>(5, 0.0), {}});
  rows[0].screening.assign(5, 0.03);
  EXPECT_EQ(decide(rows, Margins{}, false)[0].verdict, Verdict::equivalent);
  EXPECT_EQ(decide(rows, Margins{.equivalence = 0.03}, false)[0].verdict, Verdict::inconclusive);
  // Where both hold, what is slower by more than the margin has regressed.
  rows.resize(1);
  EXPECT_EQ(decide(rows, Margins{}, false)[0].verdict, Verdict::regressed);
}

TEST(VerdictWord, IsInCapitals) {
  EXPECT_EQ(verdict_word(Verdict::regressed), "REGRESSED");
  EXPECT_EQ(verdict_word(Verdict::added), "NEW");
}

}  // namespace
}  // namespace breakeven::gate
