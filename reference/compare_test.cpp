#include "reference/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace breakeven {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::string where(std::int64_t index) { return "c[" + std::to_string(index) + "]"; }

TEST(ScaledError, IsRelativeToTheScale) {
  EXPECT_EQ(scaled_error(3, 2, 4), 0.25);
  EXPECT_EQ(scaled_error(2, 2, 0), 0);
  EXPECT_EQ(scaled_error(2, 3, 0), kInfinity);
}

TEST(ScaledError, WhatIsNotFiniteIsInfinitelyWrong) {
  EXPECT_EQ(scaled_error(kNan, 1, 1), kInfinity);
  EXPECT_EQ(scaled_error(kInfinity, 1, 1), kInfinity);
  EXPECT_EQ(scaled_error(-kInfinity, 1, 1), kInfinity);
}

TEST(ScaledError, ABrokenReferenceIsNoAnswer) {
  EXPECT_THROW(scaled_error(1, kNan, 1), std::domain_error);
  EXPECT_THROW(scaled_error(1, 1, kInfinity), std::domain_error);
  EXPECT_THROW(scaled_error(1, 1, -1), std::domain_error);
}

TEST(ErrorMeasure, KeepsTheWorstAndSaysWhere) {
  ErrorMeasure measure;
  measure.add(0, 1, 1, 1);
  measure.add(1, 1.5, 1, 1);
  measure.add(2, 1.25, 1, 1);
  EXPECT_EQ(measure.error(), 0.5);
  EXPECT_EQ(measure.index(), 1);
  EXPECT_TRUE(measure.verdict(0.5, "full", where).ok());
  EXPECT_EQ(measure.verdict(0.5, "full", where).method, "full");
  const Check failed = measure.verdict(0.4, "full", where);
  EXPECT_FALSE(failed.ok());
  EXPECT_EQ(failed.method, "full: c[1] is 1.5, expected 1");
}

TEST(ErrorMeasure, NanIsTheWorstWhereverItComes) {
  for (int position = 0; position < 3; ++position) {
    ErrorMeasure measure;
    for (int i = 0; i < 3; ++i) measure.add(i, i == position ? kNan : 1.1, 1, 1);
    EXPECT_EQ(measure.error(), kInfinity);
    EXPECT_EQ(measure.index(), position);
    EXPECT_FALSE(measure.verdict(1e300, "full", where).ok());
  }
}

TEST(ErrorMeasure, NothingComparedFails) {
  EXPECT_FALSE(ErrorMeasure().verdict(1, "full", where).ok());
}

TEST(ErrorMeasure, AnAllZeroExpectedAnswerFails) {
  ErrorMeasure measure;
  measure.add(0, 0, 0, 1);
  measure.add(1, 0, 0, 1);
  EXPECT_FALSE(measure.verdict(1, "full", where).ok());
  measure.add(2, 1, 1, 1);
  EXPECT_TRUE(measure.verdict(1, "full", where).ok());
}

TEST(ErrorMeasure, MergesLikeOne) {
  ErrorMeasure left;
  ErrorMeasure right;
  left.add(0, 0, 0, 1);
  right.add(1, 3, 1, 1);
  left.merge(right);
  EXPECT_EQ(left.error(), 2);
  EXPECT_EQ(left.index(), 1);
  EXPECT_TRUE(left.verdict(2, "full", where).ok());
  left.merge(ErrorMeasure());
  EXPECT_EQ(left.index(), 1);
}

TEST(Check, ANanErrorIsNoPass) { EXPECT_FALSE((Check{kNan, 1, ""}).ok()); }

}  // namespace
}  // namespace breakeven
