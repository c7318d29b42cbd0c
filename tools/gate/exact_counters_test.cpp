// Exact counters: without noise, so that any difference counts.
#include <gtest/gtest.h>

#include "tools/gate/testing/arms.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;

struct Values {
  std::vector<double> base, head;  ///< of a round each, the last for all that follow
};

/// A row of unchanged times whose counter has these values, and options that ask for `exact`.
Judgement judged_counter(const std::string& counter, const Values& values,
                         const std::vector<ExactCounter>& exact = default_exact_counters()) {
  ArmFiles both = arms({{.name = "a"}});
  const auto set = [&](json& document, const std::vector<double>& list) {
    std::size_t i = 0;
    change_rows(document, "a",
                [&](json& row) { row[counter] = list[std::min(i++, list.size() - 1)]; });
  };
  set(both.base, values.base);
  set(both.head, values.head);
  JudgeOptions options;
  options.exact = exact;
  return judged(both, options);
}

/// One changed counter: its values, and whether it gates.
void expect_change(const Judgement& judgement, double base, double head, bool worse) {
  const RowJudgement& row = row_of(judgement, "a");
  EXPECT_EQ(row.verdict, Verdict::changed);
  ASSERT_EQ(row.changes.size(), 1u);
  EXPECT_EQ(row.changes[0].base, base);
  EXPECT_EQ(row.changes[0].head, head);
  EXPECT_EQ(row.changes[0].worse, worse);
  EXPECT_EQ(row.gates, worse);
  EXPECT_EQ(judgement.exit_code, worse ? kRegression : kNoRegression);
}

void expect_unchanged(const Judgement& judgement) {
  EXPECT_EQ(row_of(judgement, "a").verdict, Verdict::equivalent);
  EXPECT_TRUE(row_of(judgement, "a").changes.empty());
  EXPECT_EQ(judgement.exit_code, kNoRegression);
}

TEST(ExactCounters, ARiseGatesAndAFallIsTold) {
  for (const char* counter :
       {"kernel_launches", "bytes_copied", "allocations", "allocs_per_iter"}) {
    expect_change(judged_counter(counter, {{3}, {4}}), 3, 4, true);
    expect_change(judged_counter(counter, {{4}, {3}}), 4, 3, false);
    expect_change(judged_counter(counter, {{0}, {1}}), 0, 1, true);
    expect_unchanged(judged_counter(counter, {{3}, {3}}));
  }
}

TEST(ExactCounters, FlopsGateEitherWay) {
  expect_change(judged_counter("flops", {{100}, {101}}), 100, 101, true);
  expect_change(judged_counter("flops", {{100}, {99}}), 100, 99, true);
}

TEST(ExactCounters, OthersAreNoneUnlessAskedFor) {
  expect_unchanged(judged_counter("instructions", {{100}, {200}}));
  expect_change(judged_counter("instructions", {{100}, {200}}, {{"instructions", 0}}), 100, 200,
                true);
}

TEST(ExactCounters, AToleranceIsRelative) {
  const std::vector<ExactCounter> exact = {{"instructions", 0.01}};
  expect_unchanged(judged_counter("instructions", {{1000}, {1010}}, exact));
  expect_unchanged(judged_counter("instructions", {{1000}, {990}}, exact));
  expect_change(judged_counter("instructions", {{1000}, {1011}}, exact), 1000, 1011, true);
  expect_change(judged_counter("instructions", {{1000}, {989}}, exact), 1000, 989, false);
}

TEST(ExactCounters, WhatATolerancePermitsToVaryIsJudgedByItsLeast) {
  const std::vector<ExactCounter> exact = {{"instructions", 0.01}};
  // In whatever order they come.
  expect_unchanged(judged_counter("instructions", {{1000, 1500, 1000}, {1700, 1005}}, exact));
  expect_unchanged(judged_counter("instructions", {{1500, 1000}, {1005, 1700}}, exact));
  expect_change(judged_counter("instructions", {{1500, 1000}, {1700, 1200}}, exact), 1000, 1200,
                true);
}

TEST(ExactCounters, UnsteadyInBaseIsToldAndNotJudged) {
  const Judgement judgement = judged_counter("allocations", {{3, 4, 3}, {9}});
  expect_unchanged(judgement);
  EXPECT_TRUE(remarks_hold(judgement,
                           "1 exact counter is not the same in all rounds of base "
                           "(allocations of a)"));
  EXPECT_TRUE(remarks_hold(judgement, "--exact NAME=TOLERANCE"));
}

TEST(ExactCounters, UnsteadyInHeadGates) {
  expect_change(judged_counter("allocations", {{3}, {3, 5, 3}}), 3, 5, true);
  expect_change(judged_counter("allocations", {{3}, {1, 3, 1}}), 3, 3,
                true);  // "not in every round"
}

TEST(ExactCounters, OneThatIsGoneGates) {
  ArmFiles both = arms({{.name = "a", .counters = {{"flops", 1}, {"allocations", 2}}}});
  change_rows(both.head, "a", [](json& row) {
    row.erase("flops");
    row.erase("allocations");
  });
  const Judgement judgement = judged(both);
  EXPECT_EQ(row_of(judgement, "a").verdict, Verdict::error);
  EXPECT_EQ(row_of(judgement, "a").reason, "head no longer counts flops");
  EXPECT_EQ(judgement.exit_code, kCoverage);
  std::swap(both.base, both.head);
  expect_unchanged(judged(both));
  EXPECT_FALSE(remarks_hold(judged(both), "counter"));
}

TEST(ExactCounters, AChangeOutlivesAVerdictOnTimesThatIsNoRegression) {
  ArmFiles both = arms({{.name = "faster", .ratio = 0.8, .counters = {{"allocations", 2}}},
                        {.name = "slower", .ratio = 1.2, .counters = {{"allocations", 2}}}});
  for (const char* name : {"faster", "slower"}) {
    change_rows(both.head, name, [](json& row) { row["allocations"] = 1; });
  }
  const Judgement judgement = judged(both);
  EXPECT_EQ(row_of(judgement, "faster").verdict, Verdict::changed);
  EXPECT_EQ(row_of(judgement, "faster").decision->verdict, Verdict::improved);
  EXPECT_EQ(row_of(judgement, "slower").verdict, Verdict::regressed);
  EXPECT_EQ(row_of(judgement, "slower").changes.size(), 1u);
}

TEST(ExactCounters, OneRoundWillDoWithoutTimes) {
  JudgeOptions options;
  options.counters_only = true;
  ArmFiles both = arms({{.name = "a", .counters = {{"allocations", 2}}}}, {.rounds = 1});
  change_rows(both.head, "a", [](json& row) { row["allocations"] = 3; });
  expect_change(judged(both, options), 2, 3, true);
}

}  // namespace
}  // namespace breakeven::gate
