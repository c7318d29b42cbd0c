#include "kernels/training/onednn.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/host/device.h"
#include "kernels/host/kernel_check.h"
#include "kernels/training/step_kernel.h"
#include "reference/training/interpreter.h"
#include "reference/training/training_step.h"

namespace breakeven::training {
void onednn(Registry& registry);

namespace {

struct NamedSize {
  const char* name;
  ModelSize size;
};

std::vector<NamedSize> tiny_models() {
  return {
      {"mlp", Mlp{.batch = 6, .widths = {20, 33, 17, 5}}},
      {"lenet", Lenet{.batch = 3, .side = 8}},
      {"lenet_large", Lenet{.batch = 2, .side = 28}},
      {"resnet", Resnet{.batch = 4, .side = 8, .blocks = {1, 1}, .width = 8}},
      {"bottleneck", Resnet{.batch = 3,
                            .side = 33,
                            .blocks = {1, 1},
                            .bottleneck = true,
                            .imagenet = true,
                            .width = 16}},
      {"gpt", Gpt{.batch = 2, .steps = 9, .layers = 2, .width = 16, .heads = 2, .vocabulary = 13}}};
}

constexpr StepPart kParts[] = {StepPart::step, StepPart::forward, StepPart::backward,
                               StepPart::update, StepPart::inference};

// "training_step_resnet18" of the operation's name, whatever the tiny model's depth.
const Implementation* find(const Registry& registry, const TrainingStep& step,
                           const std::string& name) {
  for (const Implementation& implementation : registry.implementations()) {
    if (implementation.op == step.op() && implementation.name == name) return &implementation;
  }
  // Rows are of the named depths; a tiny resnet is loaded as one of them.
  const std::string op = part_name(step.part) + "_resnet18";
  for (const Implementation& implementation : registry.implementations()) {
    if (implementation.op == op && implementation.name == name) return &implementation;
  }
  return nullptr;
}

using Row = std::tuple<const char*, Precision>;

class OnednnTraining : public testing::TestWithParam<Row> {
 protected:
  void SetUp() override {
    onednn(registry_);
    const TrainingStep step("s", tiny_models()[0].size, StepPart::step);
    const std::string reason = find(registry_, step, name())->unsupported(step, precision(), {});
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

  // A program whose tensors from outside have the graph's first values.
  static std::unique_ptr<Program> program(const Graph& graph) {
    auto made = std::make_unique<HostProgram>(graph, precision(), threads(), name() == "onednn",
                                              compile_onednn);
    for (TensorId id = 0; id < static_cast<TensorId>(graph.tensors().size()); ++id) {
      if (is_source(graph, id)) write(*made, graph, id, first_values(graph, id));
    }
    return made;
  }

  static bool is_source(const Graph& graph, TensorId id) {
    const TensorKind kind = graph.tensor(id).kind;
    return kind == TensorKind::input || kind == TensorKind::target ||
           kind == TensorKind::parameter || kind == TensorKind::state;
  }

  static std::vector<double> first_values(const Graph& graph, TensorId id) {
    const bool rounded = graph.tensor(id).kind == TensorKind::parameter ||
                         graph.tensor(id).storage == Storage::working;
    return initial_values(graph, id, rounded ? traits(precision()).input : ElementType::f32);
  }

  template <class T>
  static void write(Program& program, const Graph& graph, TensorId id,
                    const std::vector<T>& values) {
    const ElementType type = stored_type(graph.tensor(id), precision());
    std::vector<std::byte> bytes(values.size() * element_bytes(type));
    for (std::size_t i = 0; i < values.size(); ++i) {
      store_element(type, bytes.data(), i, static_cast<double>(values[i]));
    }
    program.write(id, bytes);
  }

  static constexpr int kSteps = 10;

  // Losses of ten steps, by fp64 with values moved by `roundings` times a perturbation.
  static std::vector<double> reference_losses(const Model& model, std::uint64_t seed,
                                              double roundings) {
    Interpreter interpreter(model.graph);
    interpreter.fill_with([&](TensorId id) { return first_values(model.graph, id); });
    const Observer move = perturbation(model.graph, precision(), seed);
    interpreter.observe([&](TensorId id, std::vector<double>& values) {
      const std::vector<double> exact = values;
      move(id, values);
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = exact[i] + roundings * (values[i] - exact[i]);
      }
    });
    std::vector<double> losses;
    for (int step = 0; step < kSteps; ++step) {
      if (step > 0) interpreter.advance();
      interpreter.run();
      losses.push_back(interpreter.value(model.loss)[0]);
    }
    return losses;
  }

  // `advances`: false plants the fault of a program that never takes its update.
  static std::vector<double> program_losses(const Model& model, bool advances = true) {
    const auto made = program(model.graph);
    std::vector<double> losses;
    for (int step = 0; step < kSteps; ++step) {
      if (step > 0 && advances) made->advance();
      made->run();
      losses.push_back(made->read(model.loss)[0]);
    }
    return losses;
  }

  Registry registry_;
};

TEST_P(OnednnTraining, IsRightInEveryPartOfEveryModel) {
  for (const NamedSize& model : tiny_models()) {
    SCOPED_TRACE(model.name);
    const TrainingStep whole("tiny", model.size, StepPart::step);
    for (const StepPart part : kParts) {
      const TrainingStep step = part == StepPart::inference ? TrainingStep("tiny", model.size, part)
                                                            : TrainingStep(whole, part);
      const Implementation* implementation = find(registry_, step, name());
      ASSERT_NE(implementation, nullptr) << step.op();
      expect_kernel(*implementation, step, precision(), part == StepPart::update ? 1 : threads());
    }
  }
}

TEST_P(OnednnTraining, TenStepsFollowTheReference) {
  for (const NamedSize& size : tiny_models()) {
    SCOPED_TRACE(size.name);
    const Model model = build_model(size.size, Purpose::training);
    const std::vector<double> exact = reference_losses(model, 1, 0);
    const std::vector<double> losses = program_losses(model);
    const std::vector<double> stuck = program_losses(model, false);
    // What runs that are moved by four times the precision's roundings do to the loss so far; but a
    // single number may by chance hardly move, so it gets the precision's own roundoff.
    constexpr double kMoved = 4;
    const PrecisionTraits& types = traits(precision());
    const double roundoff = std::max(types.accumulate_roundoff, types.output_roundoff);
    double spread = 0;
    double worst_stuck = 0;
    std::vector<std::vector<double>> moved;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      moved.push_back(reference_losses(model, seed, kMoved));
    }
    for (int step = 0; step < kSteps; ++step) {
      for (const auto& run : moved) spread = std::max(spread, std::fabs(run[step] - exact[step]));
      const double bound = std::max(spread, roundoff * exact[step]);
      EXPECT_LE(std::fabs(losses[step] - exact[step]), bound) << "step " << step;
      worst_stuck = std::max(worst_stuck, std::fabs(stuck[step] - exact[step]) / bound);
    }
    EXPECT_GT(worst_stuck, 1) << "a program that never learns passes";
  }
}

TEST_P(OnednnTraining, GoesOnFromWhatWasSavedBitForBit) {
  for (const NamedSize& size : tiny_models()) {
    SCOPED_TRACE(size.name);
    const Model model = build_model(size.size, Purpose::training);
    const Graph& graph = model.graph;
    const auto first = program(graph);
    for (int step = 0; step < 3; ++step) {
      first->run();
      first->advance();
    }
    const auto second = program(graph);
    for (TensorId id = 0; id < static_cast<TensorId>(graph.tensors().size()); ++id) {
      const TensorKind kind = graph.tensor(id).kind;
      if (kind != TensorKind::parameter && kind != TensorKind::state) continue;
      write(*second, graph, id, first->read(id));
    }
    second->set_step(4);
    for (int step = 0; step < 2; ++step) {
      first->run();
      second->run();
      for (TensorId id = 0; id < static_cast<TensorId>(graph.tensors().size()); ++id) {
        const TensorKind kind = graph.tensor(id).kind;
        if (kind != TensorKind::updated && kind != TensorKind::loss) continue;
        EXPECT_EQ(first->read(id), second->read(id)) << graph.tensor(id).name;
      }
      first->advance();
      second->advance();
    }
  }
}

// dnnl_primitive_execute() builds a hash map of its arguments in each call, but keeps nothing.
TEST_P(OnednnTraining, KeepsNoMemory) {
  for (const NamedSize& model : tiny_models()) {
    const TrainingStep step("tiny", model.size, StepPart::step);
    expect_no_allocation(*find(registry_, step, name()), step, precision(),
                         Allocates::inside_the_library);
  }
}

TEST_P(OnednnTraining, SaysWhatItFuses) {
  const Model model = build_model(Mlp{.batch = 6, .widths = {20, 33, 5}}, Purpose::training);
  const auto made = program(model.graph);
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
