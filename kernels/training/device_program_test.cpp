// Whole steps of tiny models as a GPU would run them, on the emulator: against the fp64 reference,
// phase by phase, step after step, and with faults planted.
#include "kernels/training/device_program.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/training/device_program_testing.h"
#include "reference/training/interpreter.h"
#include "reference/training/training_check.h"

namespace breakeven::training {
namespace {

Check checked(const ModelSize& size, StepPart part, Precision precision, bool fused,
              std::unique_ptr<DeviceProducts> products = handwritten_products(),
              const Gpu& gpu = kAmpere) {
  const TrainingStep step("tiny", size, part);
  const auto program = make_program(step.model.graph, precision, fused, std::move(products), gpu);
  fill_inputs(step, precision, *program);
  program->run();
  return step.check(precision, answer_of(step, precision, *program));
}

void expect_right(const ModelSize& size, Precision precision) {
  for (const bool fused : {true, false}) {
    for (const StepPart part : {StepPart::step, StepPart::inference}) {
      const Check check = checked(size, part, precision, fused);
      EXPECT_TRUE(check.ok()) << model_name(size) << " " << part_name(part)
                              << (fused ? " fused " : " unfused ") << traits(precision).name << ": "
                              << check.error << " of " << check.limit << ", " << check.method;
    }
  }
}

TEST(DeviceProgram, MlpInF32) { expect_right(tiny_mlp(), Precision::f32); }
TEST(DeviceProgram, MlpInBf16) { expect_right(tiny_mlp(), Precision::bf16); }
TEST(DeviceProgram, LenetInF32) { expect_right(tiny_lenet(), Precision::f32); }
TEST(DeviceProgram, LenetInBf16) { expect_right(tiny_lenet(), Precision::bf16); }
TEST(DeviceProgram, ResnetInF32) { expect_right(tiny_resnet(), Precision::f32); }
TEST(DeviceProgram, ResnetInBf16) { expect_right(tiny_resnet(), Precision::bf16); }
TEST(DeviceProgram, GptInF32) { expect_right(tiny_gpt(), Precision::f32); }
TEST(DeviceProgram, GptInBf16) { expect_right(tiny_gpt(), Precision::bf16); }

// Widths in whole 16 bytes, and enough tiles for wgmma's rungs to be chosen.
TEST(DeviceProgram, HopperTakesItsOwnRungs) {
  const ModelSize mlp = Mlp{.batch = 16, .widths = {64, 64, 64, 10}};
  const ModelSize resnet = Resnet{.batch = 2, .side = 8, .classes = 8, .blocks = {1}, .width = 32};
  for (const auto& [size, fact, rung] :
       {std::tuple{mlp, "linear", "wgmma"}, {resnet, "conv2d", "implicit_wgmma"}}) {
    const TrainingStep step("tiny", size, StepPart::step);
    const auto rungs = [&, &name = fact](const Gpu& gpu) {
      return make_program(step.model.graph, Precision::bf16, true, handwritten_products(), gpu)
          ->facts()
          .at(name);
    };
    EXPECT_NE(rungs(kHopper).find(rung), std::string::npos) << rungs(kHopper);
    EXPECT_EQ(rungs(kAmpere).find(rung), std::string::npos) << rungs(kAmpere);
    for (const bool fused : {true, false}) {
      const Check check =
          checked(size, StepPart::step, Precision::bf16, fused, handwritten_products(), kHopper);
      EXPECT_TRUE(check.ok()) << model_name(size) << ": " << check.error << " of " << check.limit;
    }
  }
}

TEST(DeviceProgram, TheWorkspaceIsKnownBeforehandAndThereOnce) {
  for (const ModelSize& size : {ModelSize(tiny_resnet()), ModelSize(tiny_gpt())}) {
    const TrainingStep step("tiny", size, StepPart::step);
    const auto products = handwritten_products();
    const std::size_t bytes =
        device_workspace_bytes(step.model.graph, Precision::bf16, kAmpere, true, *products);
    auto memory = std::make_unique<EmulatorMemory>();
    const EmulatorMemory& used = *memory;
    DeviceProgram program(step.model.graph, Precision::bf16, kAmpere, true, handwritten_products(),
                          std::move(memory));
    EXPECT_GT(bytes, 0u);
    EXPECT_EQ(used.allocated.back(), bytes);
    fill_inputs(step, Precision::bf16, program);
    const std::size_t before = used.allocated.size();
    program.advance();
    for (std::size_t i = before; i < used.allocated.size(); ++i) {
      EXPECT_NE(used.allocated[i], bytes) << "a workspace for the exchanged step";
    }
  }
}

TEST(DeviceProgram, InferenceInBf16HasNoMasters) {
  const TrainingStep step("tiny", tiny_mlp(), StepPart::inference);
  auto memory = std::make_unique<EmulatorMemory>();
  const EmulatorMemory& used = *memory;
  DeviceProgram program(step.model.graph, Precision::bf16, kAmpere, true, handwritten_products(),
                        std::move(memory));
  const std::size_t before = used.allocated.size();
  fill_inputs(step, Precision::bf16, program);
  EXPECT_EQ(used.allocated.size(), before);
}

TEST(DeviceProgram, RoundedWeightGradientsAreAFact) {
  const TrainingStep step("tiny", tiny_mlp(), StepPart::step);
  EXPECT_EQ(make_program(step.model.graph, Precision::bf16)->facts().at("weight_gradients"),
            "rounded to bf16");
  EXPECT_FALSE(
      make_program(step.model.graph, Precision::f32)->facts().contains("weight_gradients"));
}

TEST(DeviceProgram, PhasesRepeatWhatTheyWrite) {
  for (const ModelSize& size : {ModelSize(tiny_mlp()), ModelSize(tiny_gpt())}) {
    for (const Precision precision : {Precision::f32, Precision::bf16}) {
      const TrainingStep step("tiny", size, StepPart::step);
      const auto program = make_program(step.model.graph, precision);
      fill_inputs(step, precision, *program);
      program->run();
      const std::vector<std::byte> answer = answer_of(step, precision, *program);
      for (const Phase phase : {Phase::forward, Phase::backward, Phase::update}) {
        program->poison(phase);
        EXPECT_NE(answer_of(step, precision, *program), answer) << "poison shows";
        program->run(phase);
        EXPECT_EQ(answer_of(step, precision, *program), answer) << "to the last bit";
      }
    }
  }
}

// Ten steps of the program and the interpreter from the same start; the losses of both.
struct Losses {
  std::vector<double> program, reference;
};

Losses ten_steps(const ModelSize& size, Precision precision, bool advance_program = true) {
  const TrainingStep step("tiny", size, StepPart::step);
  const Model& model = step.model;
  const auto program = make_program(model.graph, precision);
  fill_inputs(step, precision, *program);
  Interpreter interpreter(model.graph);
  interpreter.fill_with([&](TensorId id) { return starting_values(step, id, precision); });
  Losses losses;
  for (int i = 0; i < 10; ++i) {
    if (i > 0) interpreter.advance();
    if (i > 0 && advance_program) program->advance();
    interpreter.run();
    program->run();
    losses.reference.push_back(interpreter.value(model.loss)[0]);
    losses.program.push_back(static_cast<double>(program->read(model.loss)[0]));
  }
  return losses;
}

double largest_distance(const Losses& losses) {
  double largest = 0;
  for (std::size_t i = 0; i < losses.program.size(); ++i) {
    largest = std::max(largest, std::fabs(losses.program[i] - losses.reference[i]));
  }
  return largest;
}

TEST(DeviceProgram, TenStepsFollowTheReference) {
  for (const ModelSize& size : {ModelSize(tiny_mlp()), ModelSize(tiny_gpt())}) {
    EXPECT_LT(largest_distance(ten_steps(size, Precision::f32)), 1e-4) << model_name(size);
    EXPECT_LT(largest_distance(ten_steps(size, Precision::bf16)), 0.05) << model_name(size);
  }
  EXPECT_GT(largest_distance(ten_steps(tiny_mlp(), Precision::f32, false)), 0.05) << "it can fail";
}

TEST(DeviceProgram, AReloadedStateGoesOnToTheSameBits) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    const TrainingStep step("tiny", tiny_gpt(), StepPart::step);
    const Graph& graph = step.model.graph;
    const auto first = make_program(graph, precision);
    fill_inputs(step, precision, *first);
    first->run();
    first->advance();
    const auto second = make_program(graph, precision);
    fill_inputs(step, precision, *second);
    for (TensorId id = 0; id < static_cast<TensorId>(graph.tensors().size()); ++id) {
      const TensorKind kind = graph.tensor(id).kind;
      if (kind != TensorKind::parameter && kind != TensorKind::state) continue;
      const std::vector<float> values = first->read(id);
      second->write(id, std::as_bytes(std::span(values)));
    }
    second->set_step(2);
    first->run();
    second->run();
    EXPECT_EQ(answer_of(step, precision, *first), answer_of(step, precision, *second));
  }
}

// Products with a mistake in one direction.
class Mistaken final : public DeviceProducts {
 public:
  explicit Mistaken(Direction direction) : direction_(direction) {}
  void linear(DeviceBuild& build, const LinearProduct& product) override {
    LinearProduct wrong = product;
    if (product.direction == direction_) {
      if (direction_ == Direction::forward) wrong.bias = nullptr;
      if (direction_ == Direction::forward) wrong.activation = Activation::none;
      // The sum over all samples but the last one.
      if (direction_ == Direction::backward_weights) wrong.m -= 1;
      if (direction_ == Direction::backward_data) wrong.k -= 1;
    }
    right_->linear(build, wrong);
  }
  void conv2d(DeviceBuild& build, const ConvProduct& product) override {
    right_->conv2d(build, product);
  }

 private:
  Direction direction_;
  std::unique_ptr<DeviceProducts> right_ = handwritten_products();
};

TEST(DeviceProgram, MistakesAreCaught) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    for (const Direction direction :
         {Direction::forward, Direction::backward_data, Direction::backward_weights}) {
      const Check check = checked(tiny_mlp(), StepPart::step, precision, true,
                                  std::make_unique<Mistaken>(direction));
      EXPECT_FALSE(check.ok()) << static_cast<int>(direction) << " " << check.error;
    }
  }
}

// What a captured graph would not hold: anything but launches.
TEST(DeviceProgram, RunsAreLaunchesAlone) {
  for (const ModelSize& size : {ModelSize(tiny_lenet()), ModelSize(tiny_gpt())}) {
    const TrainingStep step("tiny", size, StepPart::step);
    auto memory = std::make_unique<EmulatorMemory>();
    EmulatorMemory& used = *memory;
    DeviceProgram program(step.model.graph, Precision::bf16, kAmpere, true, handwritten_products(),
                          std::move(memory));
    fill_inputs(step, Precision::bf16, program);
    int before = used.calls;
    program.run();
    EXPECT_EQ(used.calls, before);
    program.advance();  // compiles the other direction once
    before = used.calls;
    program.run();
    program.advance();
    program.run();
    program.advance();
    EXPECT_EQ(used.calls, before) << "not even to advance";
    program.poison(Phase::forward);
    EXPECT_GT(used.calls, before) << "it can fail";
  }
}

TEST(DeviceProgram, WrongRequestsSayWhy) {
  const TrainingStep step("tiny", tiny_mlp(), StepPart::step);
  const auto program = make_program(step.model.graph, Precision::f32);
  const std::vector<std::byte> few(4);
  EXPECT_THROW(program->write(step.model.input, few), std::invalid_argument);
  EXPECT_THROW(program->write(step.model.loss, few), std::invalid_argument);
  EXPECT_THROW(program->read(step.model.logits), std::invalid_argument);
  Gpt odd = tiny_gpt();
  odd.heads = 4;  // of 16 columns
  const TrainingStep gpt("tiny", odd, StepPart::step);
  EXPECT_THROW(make_program(gpt.model.graph, Precision::f32), Unsupported);
}

TEST(DeviceProgram, FusingIsAFact) {
  const TrainingStep step("tiny", tiny_gpt(), StepPart::step);
  const Facts fused = make_program(step.model.graph, Precision::f32)->facts();
  EXPECT_NE(fused.at("fused").find("residual + layer norm"), std::string::npos);
  EXPECT_NE(fused.at("fused").find("all updates"), std::string::npos);
  EXPECT_NE(fused.at("fused").find("loss with its gradient"), std::string::npos);
  EXPECT_FALSE(make_program(step.model.graph, Precision::f32, false)->facts().contains("fused"));
}

}  // namespace
}  // namespace breakeven::training
