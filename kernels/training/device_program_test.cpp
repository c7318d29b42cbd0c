// Whole steps of tiny models as a GPU would run them, on the emulator: against the fp64 reference,
// phase by phase, step after step, and with faults planted.
#include "kernels/training/device_program.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <vector>

#include "kernels/kernel.h"
#include "reference/training/interpreter.h"
#include "reference/training/training_check.h"

namespace breakeven::training {
namespace {

constexpr Gpu kGpu = {.compute_capability = 80, .sms = 4};

// Blocks of their exact size, so that AddressSanitizer sees any access outside them, of NaN at
// first.
class EmulatorMemory final : public ProgramMemory {
 public:
  void* allocate(std::size_t bytes) override {
    ++calls;
    blocks_.emplace_back(static_cast<std::byte*>(::operator new(bytes, kAligned)));
    std::memset(blocks_.back().get(), 0xFF, bytes);
    return blocks_.back().get();
  }
  void upload(void* to, std::span<const std::byte> from) override {
    ++calls;
    std::memcpy(to, from.data(), from.size());
  }
  void download(std::span<std::byte> to, const void* from) override {
    ++calls;
    std::memcpy(to.data(), from, to.size());
  }
  void fill(void* to, std::size_t bytes, int value) override {
    ++calls;
    std::memset(to, value, bytes);
  }
  Stream stream() const override { return {}; }

  int calls = 0;

 private:
  static constexpr std::align_val_t kAligned{256};
  struct Free {
    void operator()(std::byte* block) const { ::operator delete(block, kAligned); }
  };
  std::vector<std::unique_ptr<std::byte, Free>> blocks_;
};

Mlp tiny_mlp() { return {.batch = 9, .widths = {20, 24, 17, 10}}; }
Lenet tiny_lenet() { return {.batch = 2, .side = 8}; }
Resnet tiny_resnet() { return {.batch = 2, .side = 8, .classes = 5, .blocks = {1, 1}, .width = 8}; }
Gpt tiny_gpt() {
  return {.batch = 2, .steps = 9, .layers = 2, .width = 64, .heads = 2, .vocabulary = 37};
}

std::unique_ptr<DeviceProgram> make_program(
    const Graph& graph, Precision precision, bool fused = true,
    std::unique_ptr<DeviceProducts> products = handwritten_products()) {
  return std::make_unique<DeviceProgram>(graph, precision, kGpu, fused, std::move(products),
                                         std::make_unique<EmulatorMemory>());
}

void fill_inputs(const TrainingStep& step, Precision precision, Program& program) {
  const std::vector<Operand> inputs = step.inputs(precision);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::vector<std::byte> values(inputs[i].bytes());
    step.fill_input(i, precision, values);
    program.write(step.source(i), values);
  }
}

std::vector<std::byte> answer_of(const TrainingStep& step, Precision precision, Program& program) {
  std::vector<std::byte> answer(step.output(precision).bytes());
  std::map<TensorId, std::vector<float>> values;
  step.write_answer(precision, answer, [&](TensorId id, std::int64_t element) {
    std::vector<float>& of = values[id];
    if (of.empty()) of = program.read(id);
    return static_cast<double>(of[static_cast<std::size_t>(element)]);
  });
  return answer;
}

Check checked(const ModelSize& size, StepPart part, Precision precision, bool fused,
              std::unique_ptr<DeviceProducts> products = handwritten_products()) {
  const TrainingStep step("tiny", size, part);
  const auto program = make_program(step.model.graph, precision, fused, std::move(products));
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
    DeviceProgram program(step.model.graph, Precision::bf16, kGpu, true, handwritten_products(),
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
