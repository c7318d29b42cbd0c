#include "kernels/training/openblas.h"

#include <gtest/gtest.h>

#include "kernels/training/program_testing.h"

namespace breakeven::training {
namespace {

class Openblas : public testing::TestWithParam<const char*> {
 protected:
  Openblas() { openblas(registry_); }
  const int all_ = static_cast<int>(usable_cpus().size());
  Registry registry_;
};

TEST_P(Openblas, IsRightInEveryPart) {
  expect_right_parts(registry_, GetParam(), Precision::f32, all_);
}

TEST_P(Openblas, IsRightOnOneThread) {
  expect_right_parts(registry_, GetParam(), Precision::f32, 1);
}

// OpenBLAS's threaded driver takes a job table from the heap in each call and gives it back.
TEST_P(Openblas, KeepsNoMemory) {
  for (const ModelSize& size : kTinyModels) {
    const TrainingStep step("tiny", size, StepPart::step);
    expect_no_allocation(training_row(registry_, GetParam(), step), step, Precision::f32,
                         Allocates::inside_the_library);
  }
}

TEST_P(Openblas, FollowsTheInterpreterForTenSteps) {
  HostDevice().configure({.threads = all_});
  const TrainingBackend backend = openblas_backend(std::string(GetParam()) == "openblas");
  for (const ModelSize& size : kTinyModels) {
    expect_ten_steps(backend.make, size, Precision::f32, {.threads = all_});
  }
}

TEST_P(Openblas, SavesAndReloads) {
  HostDevice().configure({.threads = all_});
  const TrainingBackend backend = openblas_backend(std::string(GetParam()) == "openblas");
  for (const ModelSize& size : kTinyModels) {
    expect_reloads(backend.make, size, Precision::f32, {.threads = all_});
  }
}

TEST_P(Openblas, AnswersAreTheSameBitsEachTime) {
  HostDevice().configure({.threads = all_});
  for (const ModelSize& size : kTinyModels) {
    const TrainingStep step("tiny", size, StepPart::step);
    const Implementation row = training_row(registry_, GetParam(), step);
    std::vector<std::byte> answers[2];
    for (std::vector<std::byte>& answer : answers) {
      const std::unique_ptr<Kernel> kernel = row.load(step, Precision::f32, {.threads = all_});
      kernel->prepare();
      kernel->run();
      answer.assign(kernel->output().begin(), kernel->output().end());
    }
    EXPECT_EQ(answers[0], answers[1]) << step.op();
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, Openblas, testing::Values("openblas", "openblas_unfused"),
                         [](const auto& test) { return std::string(test.param); });

TEST(OpenblasFacts, SayWhatIsFused) {
  Registry registry;
  openblas(registry);
  HostDevice().configure({.threads = 1});
  const TrainingStep step("tiny", kTinyModels[0], StepPart::step);
  const auto facts = [&](const char* name) {
    const auto kernel =
        training_row(registry, name, step).load(step, Precision::f32, {.threads = 1});
    kernel->prepare();
    return kernel->facts();
  };
  EXPECT_EQ(facts("openblas").at("fused"),
            "all updates, bias + ReLU, dReLU + dbias, softmax + loss + gradient");
  EXPECT_FALSE(facts("openblas_unfused").contains("fused"));
}

}  // namespace
}  // namespace breakeven::training
