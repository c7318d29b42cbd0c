#include <gtest/gtest.h>

#include "kernels/training/program_testing.h"

namespace breakeven::training {
void naive(Registry& registry);

namespace {

TEST(Naive, IsRightInEveryPart) {
  Registry registry;
  naive(registry);
  expect_right_parts(registry, "naive", Precision::f32, 1);
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
}

}  // namespace
}  // namespace breakeven::training
