// What is judged how, and which exit status comes of it.
#include "tools/gate/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tools/gate/testing/arms.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

Verdict verdict_of(const Judgement& judgement, const std::string& name) {
  return row_of(judgement, name).verdict;
}

/// One of each verdict that times have, in one stage or, with fresh rounds, in two.
std::vector<ArmsRow> four_rows(int confirmation) {
  return {{.name = "slower", .ratio = 1.2, .confirmation = confirmation},
          {.name = "faster", .ratio = 0.8},
          {.name = "same"},
          {.name = "noisy", .noise = 0.3}};
}

void expect_four_verdicts(const Judgement& judgement) {
  EXPECT_EQ(verdict_of(judgement, "slower"), Verdict::regressed);
  EXPECT_EQ(verdict_of(judgement, "faster"), Verdict::improved);
  EXPECT_EQ(verdict_of(judgement, "same"), Verdict::equivalent);
  EXPECT_EQ(verdict_of(judgement, "noisy"), Verdict::inconclusive);
  EXPECT_TRUE(row_of(judgement, "slower").gates);
  EXPECT_FALSE(row_of(judgement, "faster").gates);
  EXPECT_EQ(judgement.exit_code, kRegression);
  EXPECT_NEAR(row_of(judgement, "slower").base_seconds, 1e-3, 1e-5);
  EXPECT_NEAR(row_of(judgement, "slower").head_seconds, 1.2e-3, 2e-5);
}

TEST(Judge, TimesInOneStage) {
  const Judgement judgement = judged(arms(four_rows(0)));
  EXPECT_FALSE(judgement.two_stages);
  EXPECT_FALSE(row_of(judgement, "slower").decision->confirmed);
  expect_four_verdicts(judgement);
}

TEST(Judge, TimesInTwoStages) {
  const Judgement judgement = judged(arms(four_rows(12), {.staged = true}));
  EXPECT_TRUE(judgement.two_stages);
  EXPECT_TRUE(row_of(judgement, "slower").decision->confirmed);
  expect_four_verdicts(judgement);
}

TEST(Judge, AConspicuousRowWithoutFreshRoundsIsNoPass) {
  const Judgement judgement = judged(arms({{.name = "slower", .ratio = 1.2}}, {.staged = true}));
  EXPECT_EQ(verdict_of(judgement, "slower"), Verdict::error);
  EXPECT_THAT(row_of(judgement, "slower").reason, HasSubstr("without fresh rounds"));
  EXPECT_EQ(judgement.exit_code, kCoverage);
}

TEST(Judge, MediansAreOfTheRoundsThatWereJudged) {
  ArmFiles slower =
      arms({{.name = "a", .ratio = 1.2, .noise = 0, .confirmation = 12}}, {.staged = true});
  for (json* arm : {&slower.base, &slower.head}) {
    change_rows(*arm, "a", [](json& row) {
      if (row["stage"] == "confirmation") row["real_time"] = 2 * row["real_time"].get<double>();
    });
  }
  EXPECT_NEAR(row_of(judged(slower), "a").base_seconds, 2e-3, 1e-9);
  EXPECT_NEAR(row_of(judged(slower), "a").head_seconds, 2.4e-3, 1e-9);
}

TEST(Judge, NewAndMissing) {
  ArmFiles both = arms({{.name = "a"}, {.name = "gone"}, {.name = "new"}});
  erase_rows(both.base, [](const json& row) { return row["name"] == "new"; });
  EXPECT_EQ(judged(both).exit_code, kNoRegression);
  EXPECT_EQ(verdict_of(judged(both), "new"), Verdict::added);
  EXPECT_EQ(row_of(judged(both), "new").reason, "not in base");
  erase_rows(both.head, [](const json& row) { return row["name"] == "gone"; });
  const Judgement judgement = judged(both);
  EXPECT_EQ(verdict_of(judgement, "gone"), Verdict::missing);
  EXPECT_TRUE(row_of(judgement, "gone").gates);
  EXPECT_EQ(judgement.exit_code, kCoverage);
}

TEST(Judge, Errors) {
  ArmFiles both = arms({{.name = "a"}, {.name = "base"}, {.name = "gone"}});
  fail_rows(both.base, "base", "no memory");
  fail_rows(both.base, "gone", "no memory");
  erase_rows(both.head, [](const json& row) { return row["name"] == "gone"; });
  const Judgement mended = judged(both);
  EXPECT_EQ(verdict_of(mended, "base"), Verdict::added);
  EXPECT_EQ(row_of(mended, "base").reason, "no time in base: no memory");
  EXPECT_EQ(verdict_of(mended, "gone"), Verdict::missing);
  EXPECT_EQ(row_of(mended, "gone").reason, "failed in base, not in head");
  EXPECT_FALSE(row_of(mended, "gone").gates);
  EXPECT_EQ(mended.exit_code, kNoRegression);

  fail_rows(both.head, "a", "wrong answer");
  const Judgement judgement = judged(both);
  EXPECT_EQ(verdict_of(judgement, "a"), Verdict::error);
  EXPECT_EQ(row_of(judgement, "a").reason, "wrong answer");
  EXPECT_EQ(judgement.exit_code, kCoverage);
}

// A crash by chance in one round of base must not take its row out of the gate.
TEST(Judge, WhatFailsInBaseNowAndThenIsNoPass) {
  ArmFiles both = arms({{.name = "a"}, {.name = "b", .ratio = 2}});
  json& last = both.base["benchmarks"].back();
  ASSERT_EQ(last["name"], "b");
  last["error_occurred"] = true;
  last["error_message"] = "no memory";
  const Judgement judgement = judged(both);
  EXPECT_EQ(verdict_of(judgement, "b"), Verdict::error);
  EXPECT_EQ(row_of(judgement, "b").reason, "failed in base after 11 good round(s): no memory");
  EXPECT_EQ(judgement.exit_code, kCoverage);
  erase_rows(both.head, [](const json& row) { return row["name"] == "b"; });
  EXPECT_EQ(judged(both).exit_code, kCoverage);
}

TEST(Judge, WhatFailsInBothIsToldAndDoesNotGate) {
  ArmFiles both = arms({{.name = "a"}, {.name = "b"}});
  fail_rows(both.base, "b", "no GPU");
  fail_rows(both.head, "b", "no GPU here");
  const Judgement judgement = judged(both);
  EXPECT_EQ(verdict_of(judgement, "b"), Verdict::error);
  EXPECT_EQ(row_of(judgement, "b").reason, "no GPU here; in base, too: no GPU");
  EXPECT_EQ(judgement.exit_code, kNoRegression);
  fail_rows(both.base, "a", "no GPU");
  fail_rows(both.head, "a", "no GPU");
  EXPECT_EQ(judged(both).exit_code, kCoverage);  // nothing is left to compare
}

TEST(Judge, ARowWithTooFewRoundsIsNoPass) {
  ArmFiles both = arms({{.name = "a"}, {.name = "b", .ratio = 2}});
  for (json* arm : {&both.base, &both.head}) {
    erase_rows(*arm, [](const json& row) { return row["name"] == "b" && row["round"] > 2; });
  }
  const Judgement judgement = judged(both);
  EXPECT_EQ(verdict_of(judgement, "b"), Verdict::error);
  EXPECT_EQ(row_of(judgement, "b").reason, "too few rounds: 3 of 6");
  EXPECT_EQ(verdict_of(judgement, "a"), Verdict::equivalent);
  EXPECT_EQ(judgement.exit_code, kCoverage);
}

// One run's programs may describe the machine in different ways.
TEST(Judge, OneRunIsOfOneMachine) {
  ArmFiles both = arms({{.name = "a"}}, {.staged = true});
  both.head["context"]["cpu.model"] = "Model 1 (by another library)";
  EXPECT_EQ(judged(both).exit_code, kNoRegression);
  both.head["context"]["gate.run"] = "run 2";
  EXPECT_EQ(judged(both).exit_code, kOtherMachine);
}

TEST(Judge, OneFailedRepetitionIsAFailure) {
  ArmFiles both = arms({{.name = "a"}, {.name = "b"}});
  json& last = both.head["benchmarks"].back();
  last["error_occurred"] = true;
  EXPECT_EQ(verdict_of(judged(both), "b"), Verdict::error);
  EXPECT_EQ(row_of(judged(both), "b").reason, "no reason given");
}

TEST(Judge, RowsThatFailInAllOfHeadAreErrorsNotTooFewRounds) {
  ArmFiles both = arms({{.name = "a"}});
  fail_rows(both.head, "a", "crashed");
  EXPECT_EQ(samples_of(both.head, Arm::head).rounds, 12u);
  EXPECT_EQ(judged(both).exit_code, kCoverage);
}

TEST(Judge, Skips) {
  ArmFiles both = arms({{.name = "a"}, {.name = "both"}, {.name = "head"}, {.name = "new"}});
  skip_rows(both.base, "both", "no AMX");
  skip_rows(both.head, "both", "no AMX");
  erase_rows(both.base, [](const json& row) { return row["name"] == "new"; });
  skip_rows(both.head, "new", "no AMX");
  const Judgement passed = judged(both);
  EXPECT_THROW(row_of(passed, "both"), std::out_of_range);
  EXPECT_THROW(row_of(passed, "new"), std::out_of_range);
  EXPECT_TRUE(remarks_hold(passed, "2 rows are left out, which head skips"));
  EXPECT_EQ(passed.exit_code, kNoRegression);

  skip_rows(both.head, "head", "too large");
  const Judgement judgement = judged(both);
  EXPECT_EQ(verdict_of(judgement, "head"), Verdict::missing);
  EXPECT_EQ(row_of(judgement, "head").reason, "skipped in head: too large");
  EXPECT_EQ(judgement.exit_code, kCoverage);
}

TEST(Judge, ASkipIsNoExcuseForAnError) {
  for (const bool error_first : {true, false}) {
    ArmFiles both = arms({{.name = "a"}, {.name = "b"}});
    bool first = true;
    change_rows(both.head, "b", [&](json& row) {
      row[first == error_first ? "error_occurred" : "skipped"] = true;
      first = false;
    });
    EXPECT_EQ(verdict_of(judged(both), "b"), Verdict::error) << error_first;
  }
}

TEST(Judge, FewerRoundsInHeadAreAnError) {
  ArmFiles both = arms({{.name = "a"}, {.name = "b"}});
  const auto late_b = [](const json& row) { return row["name"] == "b" && row["round"] > 9; };
  ArmFiles less_in_head = both, less_in_base = both;
  erase_rows(less_in_head.head, late_b);
  EXPECT_EQ(verdict_of(judged(less_in_head), "b"), Verdict::error);
  EXPECT_EQ(row_of(judged(less_in_head), "b").reason, "head has it in 10 of base's 12 rounds");
  EXPECT_EQ(judged(less_in_head).exit_code, kCoverage);
  erase_rows(less_in_base.base, late_b);
  EXPECT_EQ(verdict_of(judged(less_in_base), "b"), Verdict::equivalent);
  EXPECT_EQ(row_of(judged(less_in_base), "b").decision->rounds, 10u);
}

TEST(Judge, FreshRoundsWithoutScreeningAreAnError) {
  ArmFiles both = arms({{.name = "a", .confirmation = 12}, {.name = "b"}}, {.staged = true});
  for (json* arm : {&both.base, &both.head}) {
    erase_rows(*arm,
               [](const json& row) { return row["name"] == "a" && row["stage"] == "screening"; });
  }
  EXPECT_EQ(verdict_of(judged(both), "a"), Verdict::error);
}

TEST(Judge, NothingComparable) {
  ArmFiles both = arms({{.name = "a"}, {.name = "b"}});
  erase_rows(both.base, [](const json& row) { return row["name"] == "a"; });
  fail_rows(both.base, "b", "no memory");
  JudgeOptions options;
  EXPECT_EQ(judged(both).exit_code, kCoverage);  // new ones only
  options.budgets_compared = true;
  EXPECT_EQ(judged(both, options).exit_code, kCoverage);  // budgets are no rows
  EXPECT_EQ(judge({}, {}, options).exit_code, kNoRegression);
}

TEST(Judge, CountersOnlyNeedsCountersOfBothArms) {
  JudgeOptions options;
  options.counters_only = true;
  ArmFiles both = arms({{.counters = {{"flops", 100}}}}, {.rounds = 1});
  EXPECT_EQ(judged(both, options).exit_code, kNoRegression);
  change_rows(both.head, "row", [](json& row) { row.erase("flops"); });
  const Judgement judgement = judged(both, options);
  EXPECT_EQ(judgement.exit_code, kCoverage);
  EXPECT_EQ(row_of(judgement, "row").reason, "head no longer counts flops");
}

TEST(Judge, TooFewRoundsSayHowManyAreNeeded) {
  const auto error = [](int rows, int rounds, bool staged, int confirmation = 0) {
    ArmsRow row;
    row.confirmation = confirmation;
    const ArmFiles both = arms(many(rows, "r", row), {.rounds = rounds, .staged = staged});
    return refusal([&] { judged(both); });
  };
  EXPECT_THAT(error(1, 4, false), HasSubstr("4 rounds of 1 row can't show one of them"));
  EXPECT_THAT(error(1, 4, false), HasSubstr("5 are needed (or --counters-only"));
  EXPECT_EQ(error(1, 5, false), "");
  EXPECT_THAT(error(60, 10, false), HasSubstr("10 rounds of 60 rows"));
  EXPECT_THAT(error(60, 10, false), HasSubstr("11 are needed"));
  EXPECT_EQ(error(60, 11, false), "");
  EXPECT_THAT(error(60, 1, false), HasSubstr("1 round of 60 rows"));
  EXPECT_THAT(error(60, 3, true), HasSubstr("3 screening rounds of 60 rows"));
  EXPECT_THAT(error(60, 3, true), HasSubstr("4 are needed"));
  EXPECT_EQ(error(60, 4, true), "");
  EXPECT_THAT(error(2, 4, true, 5), HasSubstr("5 confirmation rounds of 2 rows"));
  EXPECT_THAT(error(2, 4, true, 5), HasSubstr("6 are needed"));
  EXPECT_EQ(error(2, 4, true, 6), "");
}

TEST(Judge, AsManyRoundsAreNeededAsRowsCanBeJudged) {
  // Sixty rows of which one alone has times in both arms are one row.
  ArmFiles both = arms(many(60, "r"), {.rounds = 5});
  erase_rows(both.base, [](const json& row) { return row["name"] != "r0"; });
  EXPECT_EQ(verdict_of(judged(both), "r0"), Verdict::equivalent);
}

TEST(Judge, TooManyRounds) {
  const ArmFiles both = arms({{.name = "a"}}, {.rounds = 1001});
  EXPECT_THAT(refusal([&] { judged(both); }), HasSubstr("more than 1000 rounds"));
}

TEST(Judge, CountersOnlyLooksAtNoTimes) {
  JudgeOptions options;
  options.counters_only = true;
  ArmFiles both = arms({{.name = "a", .ratio = 3, .counters = {{"flops", 100}}}}, {.rounds = 1});
  both.head["context"]["cpu.model"] = "Model 2";
  const Judgement judgement = judged(both, options);
  EXPECT_FALSE(judgement.times_judged);
  EXPECT_FALSE(row_of(judgement, "a").decision);
  EXPECT_EQ(judgement.exit_code, kNoRegression);
  EXPECT_TRUE(remarks_hold(judgement, "of two machines"));
}

TEST(Judge, NotGateableRowsAreTold) {
  JudgeOptions options;
  options.too_noisy = {"slower", "noisy", "crash", "counter"};
  ArmFiles both = arms(four_rows(0));
  Judgement judgement = judged(both, options);
  EXPECT_EQ(verdict_of(judgement, "slower"), Verdict::regressed);
  EXPECT_FALSE(row_of(judgement, "slower").gates);
  EXPECT_THAT(row_of(judgement, "slower").reason, HasSubstr("told only"));
  EXPECT_EQ(judgement.exit_code, kNoRegression);
  options.strict = true;
  EXPECT_EQ(judged(both, options).exit_code, kNoRegression);  // the undecided one is told only
  options.too_noisy.erase("noisy");
  EXPECT_EQ(judged(both, options).exit_code, kInconclusive);
}

TEST(Judge, CrashesAndCountersOfNotGateableRowsGate) {
  JudgeOptions options;
  options.too_noisy = {"crash", "counter"};
  ArmFiles both = arms({{.name = "a"}, {.name = "crash"}, {.name = "counter"}});
  for (json* arm : {&both.base, &both.head}) {
    change_rows(*arm, "counter",
                [&](json& row) { row["allocations"] = arm == &both.head ? 1 : 0; });
  }
  EXPECT_EQ(judged(both, options).exit_code, kRegression);
  fail_rows(both.head, "crash", "signal 11");
  EXPECT_EQ(judged(both, options).exit_code, kCoverage);
}

TEST(Judge, NotGateableRowsNeedNoRounds) {
  JudgeOptions options;
  const ArmFiles both = arms(many(60, "r"), {.rounds = 5});
  EXPECT_THAT(refusal([&] { judged(both, options); }), HasSubstr("too few rounds"));
  for (const ArmsRow& row : many(59, "r")) options.too_noisy.insert(row.name);
  EXPECT_EQ(judged(both, options).exit_code, kNoRegression);
}

/// A row that is slower by 10 ns, or by `difference` seconds, measured in repetitions of 100 calls.
Judgement judged_difference(const std::string& name, double difference, double iterations) {
  ArmsRow row{.name = name, .ratio = 1 + difference / 1e-8, .noise = 0, .seconds = 1e-8};
  row.iterations = iterations;
  return judged(arms({row}));
}

TEST(Judge, DifferencesBelowTheClockAreUndecided) {
  const std::string cpu = "op/s/cpu/i/f32", gpu = "op/s/gpu/i/f32";
  const auto verdict = [](const std::string& name, double difference, double iterations) {
    return judged_difference(name, difference, iterations).rows.front().verdict;
  };
  // Ten ticks of 1 ns over one call, over 10 calls, and of CUDA events over 5000 calls.
  EXPECT_EQ(verdict("plain", 9e-9, 1), Verdict::inconclusive);
  EXPECT_EQ(verdict("plain", 11e-9, 1), Verdict::regressed);
  EXPECT_EQ(verdict(cpu, 0.9e-9, 10), Verdict::inconclusive);
  EXPECT_EQ(verdict(cpu, 1.1e-9, 10), Verdict::regressed);
  EXPECT_EQ(verdict(gpu, 0.9e-9, 5000), Verdict::inconclusive);
  EXPECT_EQ(verdict(gpu, 1.1e-9, 5000), Verdict::regressed);
  EXPECT_EQ(verdict(gpu, -0.9e-9, 5000), Verdict::inconclusive);
  EXPECT_EQ(verdict(gpu, -1.1e-9, 5000), Verdict::improved);
  EXPECT_THAT(judged_difference("plain", 9e-9, 1).rows.front().reason, HasSubstr("10 ticks"));
  EXPECT_EQ(judged_difference("plain", 9e-9, 1).exit_code, kNoRegression);
}

TEST(Judge, UnknownCallsHaveNoFloor) {
  ArmFiles both = arms({{.ratio = 2, .noise = 0, .seconds = 1e-9, .iterations = 1}});
  EXPECT_EQ(verdict_of(judged(both), "row"), Verdict::inconclusive);
  // In whatever repetitions they are unknown.
  const std::vector<int> all = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, first = {0}, middle = {4, 5};
  for (const std::vector<int>& rounds : {all, first, middle}) {
    ArmFiles unknown = both;
    change_rows(unknown.head, "row", [&](json& row) {
      if (std::count(rounds.begin(), rounds.end(), row["round"]) > 0) row.erase("iterations");
    });
    EXPECT_EQ(verdict_of(judged(unknown), "row"), Verdict::regressed) << rounds.size();
  }
}

TEST(Judge, OtherMachine) {
  ArmFiles both = arms({{.name = "a", .ratio = 1.2, .counters = {{"flops", 1}}}});
  both.head["context"]["cpu.model"] = "Model 2";
  JudgeOptions options;
  const Judgement refused = judged(both, options);
  EXPECT_EQ(refused.exit_code, kOtherMachine);
  EXPECT_FALSE(refused.times_judged);
  EXPECT_TRUE(remarks_hold(refused, "(cpu.model: Model 1 / Model 2): times were not compared"));
  EXPECT_NE(refused.base_machine, refused.head_machine);
  options.allow_mismatch = true;
  const Judgement allowed = judged(both, options);
  EXPECT_EQ(allowed.exit_code, kRegression);
  EXPECT_TRUE(remarks_hold(allowed, "times were compared all the same"));
}

TEST(Judge, WhatIsNoFactOfTheMachineMayDiffer) {
  ArmFiles both = arms({{.name = "a"}});
  both.head["context"]["host_name"] = "another";
  both.head["context"]["mhz_per_cpu"] = 1;
  EXPECT_EQ(judged(both).exit_code, kNoRegression);
  EXPECT_FALSE(remarks_hold(judged(both), "machine"));
  // What one arm alone says is no difference; without any common fact, it is told.
  both.head["context"].erase("cpu.model");
  EXPECT_EQ(judged(both).exit_code, kNoRegression);
  EXPECT_FALSE(remarks_hold(judged(both), "machine"));
  both.base["context"].erase("num_cpus");
  EXPECT_EQ(judged(both).exit_code, kNoRegression);
  EXPECT_TRUE(remarks_hold(judged(both), "don't say which machine"));
}

TEST(Judge, MeasuringInTurnsIsTold) {
  ArmFiles both = arms({{.name = "a"}}, {.staged = true});
  EXPECT_FALSE(remarks_hold(judged(both), "in turns"));
  both.head["context"]["gate.run"] = "run 2";
  EXPECT_TRUE(remarks_hold(judged(both), "not measured in turns"));
  EXPECT_TRUE(remarks_hold(judged(arms({{.name = "a"}})), "not measured in turns"));
}

TEST(Judge, ADebugLibraryAndOptionsRemarksAreTold) {
  ArmFiles both = arms({{.name = "a"}});
  both.head["context"]["library_build_type"] = "debug";
  JudgeOptions options;
  options.remarks = {"Of the options."};
  EXPECT_TRUE(remarks_hold(judged(both, options), "debug"));
  EXPECT_TRUE(remarks_hold(judged(both, options), "Of the options."));
}

TEST(Judge, SaysWhatWasCompared) {
  ArmFiles both = arms({{.name = "a"}});
  both.base["context"]["git.commit"] = "aaaa";
  both.head["context"]["git.commit"] = "bbbb";
  const Judgement judgement = judged(both);
  EXPECT_EQ(judgement.base_commit, "aaaa");
  EXPECT_EQ(judgement.head_commit, "bbbb");
  EXPECT_EQ(judgement.base_files, std::vector<std::string>{"base.json"});
  EXPECT_EQ(judgement.base_machine, judgement.head_machine);
  EXPECT_EQ(judgement.base_machine.size(), 16u);
}

/// Everything wrong at once, to be taken away one after the other.
TEST(Judge, ExitStatusesHaveAnOrder) {
  ArmFiles both =
      arms({{.name = "slower", .ratio = 1.2}, {.name = "noisy", .noise = 0.3}, {.name = "gone"}});
  erase_rows(both.head, [](const json& row) { return row["name"] == "gone"; });
  both.head["context"]["cpu.model"] = "Model 2";
  JudgeOptions options;
  options.strict = true;
  EXPECT_EQ(judged(both, options).exit_code, kOtherMachine);
  both.head["context"]["cpu.model"] = "Model 1";
  EXPECT_EQ(judged(both, options).exit_code, kCoverage);
  options.accepted = parse_accepted(
      R"({"accepted":[{"row":"gone","missing":true,"reason":"r","expires":"2027-01-01"}]})", "a");
  options.today = "2026-11-22";
  EXPECT_EQ(judged(both, options).exit_code, kRegression);
  options.accepted = parse_accepted(
      R"({"accepted":[{"row":"gone","missing":true,"reason":"r","expires":"2027-01-01"},
                      {"row":"slower","up_to":1.3,"reason":"r","expires":"2027-01-01"}]})",
      "a");
  EXPECT_EQ(judged(both, options).exit_code, kInconclusive);
  options.strict = false;
  EXPECT_EQ(judged(both, options).exit_code, kNoRegression);
  options.today = "2027-01-02";  // expired
  EXPECT_EQ(judged(both, options).exit_code, kCoverage);
}

TEST(Judge, BudgetsGateBesideRows) {
  JudgeOptions options;
  options.budgets_compared = true;
  RowJudgement budget;
  budget.name = "kernel @ sm_90a";
  budget.verdict = Verdict::changed;
  budget.gates = true;
  options.budgets = {budget};
  EXPECT_EQ(judged(arms({{.name = "a"}}), options).exit_code, kRegression);
  options.budgets.front().verdict = Verdict::missing;
  EXPECT_EQ(judged(arms({{.name = "a"}}), options).exit_code, kCoverage);
  options.budgets.front().gates = false;
  EXPECT_EQ(judged(arms({{.name = "a"}}), options).exit_code, kNoRegression);
}

}  // namespace
}  // namespace breakeven::gate
