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

void expect_to_fit(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(columns(line), kTerminalColumns) << text;
  }
}

TEST(Summary, LongHeadingsAndImplementationsFitEightyColumns) {
  for (const std::string op : {"conv2d_backward_data", "conv2d_backward_weights"}) {
    for (const std::string who : {"cpu/onednn_packed", "gpu/handwritten_unfused"}) {
      const std::string shape = "resnet50_res4b_f_branch2b_n16";
      const std::string text =
          summary_table({state("peak/fma/cpu/avx512/bf16", {1}, 8e14),
                         state(op + "/conv_n1/" + who + "/bf16", {0.5, 0.9}, 1e15),
                         state(op + "/" + shape + "/" + who + "/bf16", {123.4567, 234.5678}, 9e15),
                         state(op + "/" + shape + "/" + who + "/f32", {1e-4, 2e-4}, 1e9)});
      expect_to_fit(text);
      // The heading is whole, on a line of its own; so is all that tells rows apart.
      const std::string device = who.substr(0, 3);
      EXPECT_NE(text.find(op + " on " + device + "\n"), std::string::npos) << text;
      EXPECT_NE(text.find("res4b_f_branch2b_n16"), std::string::npos) << text;
      EXPECT_NE(line_of(text, "conv_n1").find(who.substr(4)), std::string::npos) << text;
    }
  }
}

// Cutting the shape down to the room that is left would make layers look alike.
TEST(Summary, ShapesStandOnTheirOwnLineWhereTheImplementationLeavesNoRoom) {
  const std::string shape = "resnet50_res4b_f_branch2b_n16";
  const std::string text = summary_table(
      {state("conv2d_bias_relu/" + shape + "/gpu/handwritten_unfused/tf32", {1e-3, 2e-3}, 1e9),
       state("conv2d_bias_relu/s/gpu/handwritten_unfused/tf32", {123.4567, 234.5678}, 9e15)});
  expect_to_fit(text);
  EXPECT_NE(text.find(shape + "\n"), std::string::npos) << text;
  expect_to_fit(summary_table(
      {state("matmul/s/cpu/" + std::string(60, 'i') + "/bf16", {123.4567, 234.5678}, 9e15)}));
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
  expect_to_fit(text);
  EXPECT_NE(text.find("52 more rows"), std::string::npos) << text;
}

// Layers of one network begin alike: what tells them apart stands at the end.
TEST(Summary, LongShapesKeepTheirEnd) {
  const std::string text = summary_table(
      {state("conv2d_forward/resnet50_res4b_f_branch2b_n16/cpu/onednn/f32", {1}, 1e9),
       state("conv2d_forward/resnet50_res5b_c_branch2b_n16/cpu/onednn/f32", {1}, 1e9)});
  EXPECT_FALSE(line_of(text, "…0_res4b_f_branch2b_n16").empty()) << text;
  EXPECT_FALSE(line_of(text, "…0_res5b_c_branch2b_n16").empty()) << text;
}

TEST(Summary, WithoutAnyRowItStillSpeaks) { EXPECT_FALSE(summary_table({}).empty()); }

}  // namespace
}  // namespace breakeven
