#include "tools/breakeven/measure.h"

#include <gtest/gtest.h>

namespace breakeven {
namespace {

CaseState with_rounds(const std::vector<double>& seconds) {
  CaseState state;
  for (std::size_t i = 0; i < seconds.size(); ++i) state.rounds[static_cast<int>(i)] = seconds[i];
  return state;
}

TEST(Stopping, NoIntervalBelowSixRounds) {
  EXPECT_FALSE(relative_half_width(with_rounds({})));
  EXPECT_FALSE(relative_half_width(with_rounds({1, 1, 1, 1, 1})));
  EXPECT_TRUE(relative_half_width(with_rounds({1, 1, 1, 1, 1, 1})));
}

TEST(Stopping, HalfWidthIsThatOfTheOrderStatistics) {
  // Six values: [smallest, largest]; nine: second to eighth (coverage 96.1 %).
  EXPECT_DOUBLE_EQ(*relative_half_width(with_rounds({1.0, 0.9, 1.1, 1.0, 1.0, 1.0})), 0.1);
  EXPECT_DOUBLE_EQ(*relative_half_width(with_rounds({9, 1, 2, 8, 5, 5, 5, 5, 5})), 0.6);
}

TEST(Stopping, Rule) {
  const StoppingRule rule = {.rounds = 6, .max_rounds = 8, .half_width = 0.02};
  EXPECT_EQ(enough_rounds(with_rounds({1, 1, 1}), rule), "");
  EXPECT_EQ(enough_rounds(with_rounds({1, 1, 1, 1, 1, 1.01}), rule), "narrow");
  EXPECT_EQ(enough_rounds(with_rounds({1, 1, 1, 1, 1, 1.5}), rule), "");
  EXPECT_EQ(enough_rounds(with_rounds({1, 1, 1, 1, 1, 1.5, 2, 2}), rule), "rounds");
}

TEST(Stopping, OneRoundIsEnoughWhenOneIsAskedFor) {
  EXPECT_EQ(enough_rounds(with_rounds({1}), {.rounds = 1, .max_rounds = 1}), "rounds");
}

}  // namespace
}  // namespace breakeven
