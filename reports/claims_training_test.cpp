// Claims 7 to 14: training, convergence, memory, cost, frameworks.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "reports/claims_testing.h"

namespace breakeven {
namespace {

TEST(Training, StepsOnBothDevices) {
  SyntheticRun run;
  add_synthetic_step(run, "cpu/onednn/f32", 1);
  add_synthetic_step(run, "gpu/cublas_cudnn/f32", 0.1);
  EXPECT_EQ(judged(7, run).ruling(), "holds");
  EXPECT_TRUE(judged(7, run).says("samples/s"));
  SyntheticRun slow;
  add_synthetic_step(slow, "cpu/onednn/f32", 1);
  add_synthetic_step(slow, "gpu/cublas_cudnn/f32", 3);
  EXPECT_EQ(judged(7, slow).ruling(), "does not hold here");
  EXPECT_EQ(judged(7, squares({{64, 2}})).ruling(), "not measured here");
  add_synthetic_step(run, "cpu/onednn/f32", 0.01, 64);
  add_synthetic_step(run, "gpu/cublas_cudnn/f32", 1, 64);
  EXPECT_EQ(judged(7, run).ruling(), "holds from 0.768 GFLOP a call on");
}

SyntheticCase convergence(const std::string& rest, double seconds, const std::string& curve) {
  SyntheticCase c = part("convergence_mlp/digits/" + rest, seconds);
  c.texts["label"] =
      "loss_curve=" + curve + "; metric=accuracy 0.975; steps_to_target=210; target=accuracy 0.97";
  return c;
}

TEST(Convergence, CurvesThenWallTime) {
  SyntheticRun run;
  run.cases = {convergence("cpu/onednn/f32", 3, "2,1,0.5"),
               convergence("gpu/cublas_cudnn/f32", 1, "2,1.02,0.5")};
  const Judged faster = judged(8, run);
  EXPECT_EQ(faster.ruling(), "holds");
  EXPECT_TRUE(faster.says("differ by at most 1.96 %"));
  EXPECT_EQ(run_of(run)->pairs.size(), 1u);
  // To another target it is other work: no speedup, no verdict.
  SyntheticRun easier = run;
  easier.cases[1].texts["label"] =
      "loss_curve=2,1.02,0.5; metric=accuracy 0.6; steps_to_target=9; target=accuracy 0.5";
  EXPECT_TRUE(run_of(easier)->pairs.empty());
  EXPECT_TRUE(judged(8, easier).says("their targets differ"));
  run.cases[1].seconds = 9;
  EXPECT_EQ(judged(8, run).ruling(), "does not hold here");
  run.rounds = 1;
  EXPECT_EQ(judged(8, run).ruling(), "not measured here");
  EXPECT_TRUE(judged(8, run).says("--rounds 6"));
  run.rounds = 6;
  run.cases[1].counters["error"] = 1;  // the curve left its bound
  EXPECT_EQ(judged(8, run).ruling(), "not measured here");
  EXPECT_TRUE(judged(8, run).says("convergence_mlp/digits/gpu/cublas_cudnn/f32: not verified"));
}

TEST(Memory, WhatOneDeviceRefusedAndTheOtherRan) {
  const std::string gpu = "training_step_mlp/b4096/gpu/cublas_cudnn/f32";
  const std::string cpu = "training_step_mlp/b4096/cpu/onednn/f32";
  const std::string reason = "needs 30 GiB of memory, 20 GiB are available";
  SyntheticRun run;
  run.cases = {part(gpu, 1)};
  run.cases[0].counters["peak_bytes"] = 3e9;
  EXPECT_EQ(judged(9, run).ruling(), "not measured here");
  run.skipped = {{cpu, reason}};
  EXPECT_EQ(judged(9, run).ruling(), "holds");
  EXPECT_TRUE(judged(9, run).says("2.79 GiB"));
  run.skipped = {{cpu, "one call would take more than 2 s"}};
  EXPECT_EQ(judged(9, run).ruling(), "not measured here");
  SyntheticRun other;
  other.cases = {part(cpu, 1), part(gpu, 1), square(64, "gpu/cublas/f32", 9)};
  other.cases[1].failure = "out of memory";
  EXPECT_EQ(judged(9, other).ruling(), "does not hold here");
}

TEST(Inference, AgainstTheStepOnBothDevices) {
  SyntheticRun run;
  add_synthetic_step(run, "gpu/cublas_cudnn/f32", 0.1);
  EXPECT_EQ(judged(10, run).ruling(), "not measured here");
  EXPECT_TRUE(judged(10, run).says("No CPU implementation"));
  add_synthetic_step(run, "cpu/onednn/f32", 1);
  EXPECT_EQ(judged(10, run).ruling(), "holds");
  row(run, "inference_mlp/b128/gpu/cublas_cudnn/f32").seconds = 1;
  row(run, "inference_mlp/b128/cpu/onednn/f32").seconds = 1;
  EXPECT_EQ(judged(10, run).ruling(), "does not hold here");
}

Prices prices(double gpu, double cpu) {
  return parse_prices(fmt::format(R"({{"currency": "EUR", "prices": [
      {{"device": "gpu", "per_hour": {}, "note": "list"}}, {{"device": "cpu", "per_hour": {}}}]}})",
                                  gpu, cpu),
                      "prices.json");
}

TEST(Cost, EnergyAndPricesBothDecide) {
  SyntheticRun run;
  add_synthetic_step(run, "cpu/onednn/f32", 1);
  add_synthetic_step(run, "gpu/cublas_cudnn/f32", 0.1);
  EXPECT_EQ(judged(11, run).ruling(), "not measured here");
  EXPECT_TRUE(judged(11, run).says("Missing: energy counters"));
  EXPECT_EQ(judged(11, run, prices(2, 1)).ruling(), "not measured here");  // one half
  EXPECT_TRUE(judged(11, run, prices(2, 1)).says("Missing: energy counters"));
  EXPECT_EQ(judged(11, run, prices(20, 1)).ruling(), "does not hold here");
  row(run, "training_step_mlp/b128/gpu/cublas_cudnn/f32").counters["energy_joules"] = 1;
  EXPECT_EQ(judged(11, run, prices(2, 1)).ruling(), "not measured here");  // one side only
  row(run, "training_step_mlp/b128/cpu/onednn/f32").counters["energy_joules"] = 4;
  const Judged both = judged(11, run, prices(2, 1));
  EXPECT_EQ(both.ruling(), "holds");
  EXPECT_TRUE(both.says("4.00x"));
  EXPECT_TRUE(both.says("by prices.json: GPU 2.000 EUR an hour, list, CPU 1.000 EUR an hour"));
  EXPECT_EQ(judged(11, run).ruling(), "not measured here");
  row(run, "training_step_mlp/b128/cpu/onednn/f32").counters["energy_joules"] = 0.5;
  EXPECT_EQ(judged(11, run, prices(2, 1)).ruling(), "does not hold here");
}

TEST(Ranks, AreNotMeasured) {
  EXPECT_EQ(judged(12, synthetic_gpu_run()).ruling(), "not measured here");
  EXPECT_TRUE(judged(12, synthetic_gpu_run()).says("several ranks"));
}

TEST(Ablation, TheLastStageAgainstTheFirst) {
  SyntheticRun run;
  add_synthetic_step(run, "gpu/cublas_cudnn_unfused/f32", 2);
  EXPECT_EQ(judged(13, run).ruling(), "not measured here");
  add_synthetic_step(run, "gpu/cublas_cudnn/f32", 1);
  const Judged faster = judged(13, run);
  EXPECT_EQ(faster.ruling(), "holds");
  EXPECT_TRUE(faster.says("fused 2.0"));
  row(run, "training_step_mlp/b128/gpu/cublas_cudnn/f32").seconds *= 5;
  EXPECT_EQ(judged(13, run).ruling(), "does not hold here");
  // A gain by another precision is told, and saves nothing.
  add_synthetic_step(run, "gpu/cublas_cudnn/bf16", 0.2);
  const Judged mixed = judged(13, run);
  EXPECT_EQ(mixed.ruling(), "does not hold here");
  EXPECT_TRUE(mixed.says("across precisions"));
}

TEST(Frameworks, WithinATenthOrNot) {
  SyntheticRun run;
  run.noise = 0.001;
  add_synthetic_step(run, "gpu/cublas_cudnn/f32", 1);
  EXPECT_EQ(judged(14, run).ruling(), "not measured here");
  run.cases.push_back(row(run, "training_step_mlp/b128/gpu/cublas_cudnn/f32"));
  run.cases.back().name = "training_step_mlp/b128/gpu/pytorch_eager/f32";
  run.cases.back().seconds *= 1.05;
  const Judged close = judged(14, run);
  EXPECT_EQ(close.ruling(), "holds");
  EXPECT_TRUE(close.names("training_step_mlp/b128/gpu/pytorch_eager/f32"));
  run.cases.back().seconds *= 2;
  EXPECT_EQ(judged(14, run).ruling(), "does not hold here");
}

}  // namespace
}  // namespace breakeven
