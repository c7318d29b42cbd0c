#include "kernels/training/onednn.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <tuple>

#include "kernels/host/device.h"
#include "kernels/training/host_program.h"
#include "kernels/training/program_testing.h"

namespace breakeven::training {
void onednn(Registry& registry);

namespace {

using Row = std::tuple<const char*, Precision>;

class OnednnTraining : public testing::TestWithParam<Row> {
 protected:
  void SetUp() override {
    onednn(registry_);
    const TrainingStep step("s", kTinyModels[0], StepPart::step);
    const std::string reason =
        training_row(registry_, name(), step).unsupported(step, precision(), {});
    if (!reason.empty()) {
      EXPECT_NE(precision(), Precision::f32) << "which every machine has: " << reason;
      EXPECT_NE(reason.find("oneDNN"), std::string::npos);
      GTEST_SKIP() << reason;
    }
    HostDevice().configure({.threads = threads()});
  }

  static std::string name() { return std::get<0>(GetParam()); }
  static Precision precision() { return std::get<1>(GetParam()); }
  static int threads() { return static_cast<int>(usable_cpus().size()); }

  static std::unique_ptr<Program> make(const Graph& graph, Precision precision,
                                       const Options& options) {
    return std::make_unique<HostProgram>(graph, precision, options.threads, name() == "onednn",
                                         compile_onednn);
  }

  Registry registry_;
};

TEST_P(OnednnTraining, IsRightInEveryPartOfEveryModel) {
  expect_right_parts(registry_, name(), precision(), threads());
}

TEST_P(OnednnTraining, TenStepsFollowTheReference) {
  for (const ModelSize& size : kTinyModels) {
    expect_ten_steps(make, size, precision(), {.threads = threads()});
  }
}

TEST_P(OnednnTraining, GoesOnFromWhatWasSavedBitForBit) {
  for (const ModelSize& size : kTinyModels) {
    expect_reloads(make, size, precision(), {.threads = threads()});
  }
}

// dnnl_primitive_execute() builds a hash map of its arguments in each call, but keeps nothing.
TEST_P(OnednnTraining, KeepsNoMemory) {
  for (const ModelSize& size : kTinyModels) {
    const TrainingStep step("tiny", size, StepPart::step);
    expect_no_allocation(training_row(registry_, name(), step), step, precision(),
                         Allocates::inside_the_library);
  }
}

TEST_P(OnednnTraining, SaysWhatItFuses) {
  const Model model = build_model(Mlp{.batch = 6, .widths = {20, 33, 5}}, Purpose::training);
  const auto made = make(model.graph, precision(), {.threads = threads()});
  const Facts facts = made->facts();
  ASSERT_EQ(facts.count("implementation"), 1u);
  EXPECT_FALSE(facts.at("implementation").starts_with("ref"));
  const bool fused = facts.count("fused") == 1;
  EXPECT_EQ(fused, name() == "onednn");
  if (!fused) return;
  EXPECT_NE(facts.at("fused").find("bias + ReLU"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Rows, OnednnTraining,
                         testing::Combine(testing::Values("onednn", "onednn_unfused"),
                                          testing::Values(Precision::f32, Precision::bf16)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)) + "_" +
                                  std::string(traits(std::get<1>(test.param)).name);
                         });

}  // namespace
}  // namespace breakeven::training
