#include "kernels/training/naive.h"

#include <gtest/gtest.h>

#include "kernels/training/program_testing.h"

namespace breakeven::training {
namespace {

TEST(Naive, IsRightInEveryPart) {
  Registry registry;
  naive(registry);
  expect_right_parts(registry, "naive", Precision::f32, 1);
}

TEST(Naive, FollowsTheInterpreterForTenSteps) {
  HostDevice().configure({.threads = 1});
  for (const ModelSize& size : kTinyModels) {
    expect_ten_steps(naive_backend().make, size, Precision::f32, {.threads = 1});
  }
}

TEST(Naive, SavesAndReloads) {
  HostDevice().configure({.threads = 1});
  for (const ModelSize& size : kTinyModels) {
    expect_reloads(naive_backend().make, size, Precision::f32, {.threads = 1});
  }
}

TEST(Naive, AllocatesNothing) {
  Registry registry;
  naive(registry);
  for (const ModelSize& size : kTinyModels) {
    const TrainingStep step("tiny", size, StepPart::step);
    expect_no_allocation(training_row(registry, "naive", step), step, Precision::f32,
                         Allocates::never);
  }
}

TEST(Naive, LeavesOutWhatTakesMinutes) {
  Registry registry;
  naive(registry);
  const TrainingStep step("large", Mlp{.batch = 4096}, StepPart::step);
  EXPECT_NE(training_row(registry, "naive", step).unsupported(step, Precision::f32, {}), "");
  // Whose own products would be quick.
  const TrainingStep update(step, StepPart::update);
  EXPECT_NE(training_row(registry, "naive", update).unsupported(update, Precision::f32, {}), "");
  for (const Implementation& row : registry.implementations()) {
    EXPECT_FALSE(row.op.starts_with("convergence")) << "hundreds of steps";
  }
}

}  // namespace
}  // namespace breakeven::training
