#include "tools/breakeven/summary.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tools/breakeven/lines.h"

namespace breakeven {
namespace {

CaseState state(const std::string& name, std::vector<double> seconds, double flops) {
  CaseState result;
  result.listed.name = name;
  result.listed.parts = split_case_name(name);
  for (std::size_t i = 0; i < seconds.size(); ++i) result.rounds[static_cast<int>(i)] = seconds[i];
  result.counters = {{"flops", flops}, {"bytes", flops / 10}};
  return result;
}

/// The line that starts with `shape`.
std::string line_of(const std::string& text, const std::string& shape) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(shape + " ")) return line;
  }
  return "";
}

TEST(Summary, BestIsPickedByTheOtherRounds) {
  // `lucky` is the fastest once; its minimum is never taken.
  const std::string text = summary_table({state("matmul/s/cpu/lucky/f32", {2, 2, 0.5}, 2e9),
                                          state("matmul/s/cpu/steady/f32", {1, 1, 1}, 2e9)});
  const std::string line = line_of(text, "s");
  EXPECT_NE(line.find("steady"), std::string::npos) << text;
  EXPECT_NE(line.find("1.000 s"), std::string::npos) << text;
  EXPECT_NE(text.find("picked by the other rounds."), std::string::npos) << text;
}

TEST(Summary, SaysHowTheBestWasPickedOnlyWhereItWas) {
  const CaseState alone = state("matmul/s/cpu/a/f32", {1, 1}, 2e9);
  EXPECT_EQ(summary_table({alone}).find("picked"), std::string::npos);
  const std::string one_round =
      summary_table({state("matmul/t/cpu/a/f32", {1}, 2e9), state("matmul/t/cpu/b/f32", {2}, 2e9)});
  EXPECT_NE(one_round.find("picked by the one round"), std::string::npos) << one_round;
  EXPECT_EQ(one_round.find("other rounds"), std::string::npos) << one_round;
}

TEST(Summary, RightAndThenWrongHasNoTime) {
  CaseState peak = state("peak/fma/cpu/avx512/f32", {1}, 800e9);
  CaseState wrong = state("matmul/s/cpu/wrong/f32", {1}, 2e9);
  peak.failure = wrong.failure = "wrong answer in round 2";
  const std::vector<CaseState> cases = {peak, wrong, state("matmul/s/cpu/right/f32", {3, 3}, 2e9)};
  EXPECT_EQ(measured_peak(cases, "cpu", "f32"), 0);
  const std::string text = summary_table(cases);
  EXPECT_NE(line_of(text, "s").find("right"), std::string::npos) << text;
  EXPECT_EQ(text.find("wrong"), std::string::npos) << text;
  EXPECT_EQ(text.find("fma"), std::string::npos) << text;
}

TEST(Summary, ShareOfPeakOnlyWhereAPeakOfThatPrecisionIs) {
  const std::string text = summary_table({state("peak/fma/cpu/avx2/f32", {1}, 400e9),
                                          state("peak/fma/cpu/avx512/f32", {1}, 800e9),
                                          state("matmul/a/cpu/openblas/f32", {1}, 200e9),
                                          state("matmul/b/cpu/openblas/f64", {1}, 200e9),
                                          state("matmul/c/gpu/cublas/f32", {1}, 200e9)});
  EXPECT_NE(line_of(text, "a").find("200.0     25 %"), std::string::npos) << text;
  EXPECT_TRUE(line_of(text, "b").ends_with("-")) << text;
  EXPECT_TRUE(line_of(text, "c").ends_with("-")) << text;
}

TEST(Summary, StreamsHaveBandwidth) {
  const std::string text = summary_table({state("stream/copy/cpu/openmp/f32", {1}, 100e9)});
  EXPECT_TRUE(line_of(text, "copy").ends_with("10.0        -")) << text;
  EXPECT_NE(text.find("GB/s"), std::string::npos) << text;
}

TEST(Summary, RowsWithOptionsAreCountedNotShown) {
  const std::string text = summary_table({state("matmul/s/cpu/openblas/f32", {1}, 1e9),
                                          state("matmul/s/cpu/openblas/f32/threads:1", {1}, 1e9)});
  EXPECT_NE(text.find("1 rows with other threads"), std::string::npos) << text;
}

TEST(Summary, FitsEightyColumnsAndSaysWhatItLeavesOut) {
  std::vector<CaseState> cases;
  cases.reserve(100);
  for (int i = 0; i < 100; ++i) {
    cases.push_back(
        state("matmul/deepbench_a_very_long_name_" + std::to_string(i) + "/cpu/onednn_packed/bf16",
              {1234.5678, 2345.678}, 9e15));
  }
  const std::string text = summary_table(cases);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(columns(line), kTerminalColumns) << line;
  }
  EXPECT_NE(text.find("52 more rows"), std::string::npos) << text;
}

TEST(Summary, WithoutAnyRowItStillSpeaks) { EXPECT_FALSE(summary_table({}).empty()); }

}  // namespace
}  // namespace breakeven
