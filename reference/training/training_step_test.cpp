#include "reference/training/training_step.h"

#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <set>
#include <stdexcept>

#include "reference/training/training_check.h"
#include "reference/training/training_testing.h"

namespace breakeven {
namespace {

constexpr Precision kTrained[] = {Precision::f64, Precision::f32, Precision::tf32, Precision::bf16};
constexpr std::uint64_t kOther = 77;  // from here on, seeds that no spread was measured with

Mlp small_mlp() { return {.batch = 16, .widths = {12, 16, 16, 5}}; }
Resnet small_resnet() {
  return {.batch = 2, .side = 8, .classes = 4, .blocks = {1, 1}, .width = 4};
}
Gpt small_gpt() {
  return {.batch = 2, .steps = 8, .layers = 2, .width = 16, .heads = 2, .vocabulary = 20};
}

std::vector<std::byte> stored(const TrainingStep& step, Precision precision,
                              const std::vector<double>& values) {
  const Operand output = step.output(precision);
  std::vector<std::byte> answer(output.bytes());
  for (std::size_t i = 0; i < values.size(); ++i) {
    store_element(output.type, answer.data(), i, values[i]);
  }
  return answer;
}

// What an implementation with these roundings and this mistake gets.
Check checked(const TrainingStep& step, Precision precision, const NodeRunner& runner = run_node,
              std::uint64_t seed = kOther) {
  return step.check(precision,
                    stored(step, precision, interpreted_answer(step, precision, seed, runner)));
}

TEST(TrainingStep, RoundedStepsPass) {
  for (const ModelSize& size : {ModelSize(small_mlp()), ModelSize(Lenet{.batch = 4, .side = 8}),
                                ModelSize(small_resnet()), ModelSize(small_gpt())}) {
    for (const StepPart part : {StepPart::step, StepPart::inference}) {
      const TrainingStep step("small", size, part);
      for (const Precision precision : kTrained) {
        for (std::uint64_t seed = kOther; seed < kOther + 5; ++seed) {
          const Check check = checked(step, precision, run_node, seed);
          EXPECT_TRUE(check.ok()) << step.op() << " " << traits(precision).name << ": "
                                  << check.method << " " << check.error;
          EXPECT_GT(check.error, 0.1);  // the perturbation is of the spread's size
        }
      }
    }
  }
}

TEST(TrainingStep, CoarserRoundingsFail) {
  const TrainingStep step("small", small_mlp(), StepPart::step);
  const std::vector<double> coarse = interpreted_answer(step, Precision::bf16, kOther);
  EXPECT_FALSE(step.check(Precision::f32, stored(step, Precision::f32, coarse)).ok());
  const std::vector<double> tf32 = interpreted_answer(step, Precision::tf32, kOther);
  EXPECT_FALSE(step.check(Precision::f32, stored(step, Precision::f32, tf32)).ok());
}

void expect_caught(const TrainingStep& step, const NodeRunner& runner, const char* what) {
  for (const Precision precision : kTrained) {
    const Check check = checked(step, precision, runner);
    EXPECT_FALSE(check.ok()) << what << " " << traits(precision).name << " " << check.error;
  }
}

TEST(TrainingStep, MistakesFail) {
  const TrainingStep mlp("small", small_mlp(), StepPart::step);
  expect_caught(mlp, scale_output(Op::cross_entropy_backward, 0, 16), "missing 1 / m");
  expect_caught(mlp,
                spoil(Op::linear_backward_weights,
                      [](const Call& call) {
                        if (call.out_shape(0) != std::vector<std::int64_t>{16, 16}) return;
                        for (int i = 0; i < 16; ++i) {
                          for (int j = 0; j < i; ++j) {
                            std::swap(call.out[0][16 * i + j], call.out[0][16 * j + i]);
                          }
                        }
                      }),
                "transposed gradient");
  expect_caught(
      mlp,
      [](const Call& call) {
        if (call.node.op != Op::sgd) return run_node(call);
        Call stale = call;
        const std::vector<double> zeros(static_cast<std::size_t>(call.in_elements(2)));
        stale.in[2] = zeros.data();
        run_node(stale);
      },
      "momentum forgotten");
  expect_caught(
      mlp,
      spoil(Op::sgd,
            [](const Call& call) { std::copy_n(call.in[2], call.in_elements(2), call.out[1]); }),
      "momentum not written");
  expect_caught(
      mlp,
      spoil(Op::sgd,
            [](const Call& call) { std::copy_n(call.in[0], call.in_elements(0), call.out[0]); }),
      "weights not updated");

  const TrainingStep resnet("small", small_resnet(), StepPart::step);
  expect_caught(
      resnet,
      spoil(Op::batch_norm,
            [](const Call& call) { std::copy_n(call.in[4], call.in_elements(4), call.out[4]); }),
      "running variance not written");
  expect_caught(resnet, scale_output(Op::average_pool_backward, 0, 2), "pooling's share");

  const TrainingStep gpt("small", small_gpt(), StepPart::step);
  for (const std::int64_t ahead : {-1, 1}) {
    expect_caught(
        gpt,
        [&](const Call& call) {
          if (call.node.op != Op::attention) return run_node(call);
          attention_with_mask(call, ahead);
        },
        "mask off by one");
  }
  expect_caught(
      gpt,
      [](const Call& call) {
        Call later = call;
        later.step = 2;
        run_node(later);
      },
      "bias correction of another step");
  expect_caught(gpt, scale_output(Op::embedding_backward, 0, 0), "tied weight's second share");
}

// Faults that bf16's roundings could hide.
TEST(TrainingStep, SmallMistakesFailInBf16) {
  const auto expect_fails = [](const TrainingStep& step, const char* what,
                               const NodeRunner& runner) {
    const Check check = checked(step, Precision::bf16, runner);
    EXPECT_FALSE(check.ok()) << what << " " << check.error;
  };
  Gpt longer = small_gpt();
  longer.steps = 16;
  longer.vocabulary = 64;
  const TrainingStep gpt("small", longer, StepPart::step);
  for (const int part : {0, 1}) {  // of queries, keys and values
    expect_fails(gpt, part == 0 ? "no dq" : "no dk",
                 spoil(Op::attention_backward, [part](const Call& call) {
                   const std::int64_t width = call.out_shape(0)[1] / 3;
                   for (std::int64_t row = 0; row < call.out_shape(0)[0]; ++row) {
                     std::fill_n(call.out[0] + (3 * row + part) * width, width, 0.0);
                   }
                 }));
  }
  const TrainingStep lenet("small", Lenet{.batch = 16, .side = 8}, StepPart::step);
  expect_fails(lenet, "dw of convolutions", scale_output(Op::conv2d_backward_weights, 0, 1.2));
  const TrainingStep resnet("small", small_resnet(), StepPart::step);
  expect_fails(resnet, "dw of convolutions", scale_output(Op::conv2d_backward_weights, 0, 1.2));
  expect_fails(resnet, "dgamma", scale_output(Op::batch_norm_backward, 1, 1.2));
}

TEST(TrainingStep, EmptyAndBrokenAnswersFail) {
  const TrainingStep step("small", small_mlp(), StepPart::step);
  const std::vector<double> right = interpreted_answer(step, Precision::f32, 0);
  EXPECT_TRUE(step.check(Precision::f32, stored(step, Precision::f32, right)).ok());
  for (const AnswerPart& part : step.answer_parts()) {
    for (const double value :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 0.0}) {
      std::vector<double> wrong = right;
      std::fill_n(wrong.begin() + part.first, part.count, value);
      const Check check = step.check(Precision::f32, stored(step, Precision::f32, wrong));
      EXPECT_FALSE(check.ok()) << part.tensor << " " << value;
    }
    // One wrong element.
    std::vector<double> wrong = right;
    wrong[part.first + part.count / 2] += 1e-3;
    EXPECT_FALSE(step.check(Precision::f32, stored(step, Precision::f32, wrong)).ok());
  }
  EXPECT_THROW(step.check(Precision::f32, std::vector<std::byte>(8)), std::invalid_argument);
}

TEST(TrainingStep, SaysWhatItReadsAndCosts) {
  const TrainingStep step("small", small_gpt(), StepPart::step);
  EXPECT_EQ(step.op(), "training_step_gpt");
  EXPECT_EQ(TrainingStep("x", small_mlp(), StepPart::inference).op(), "inference_mlp");
  EXPECT_EQ(step.dimensions()[1], (std::pair<std::string, std::int64_t>{"steps", 8}));
  const std::vector<Operand> inputs = step.inputs(Precision::bf16);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& tensor = step.model.graph.tensor(step.source(i));
    EXPECT_EQ(inputs[i].name, tensor.name);
    EXPECT_EQ(inputs[i].type,
              tensor.storage == Storage::index ? ElementType::s32 : ElementType::f32);
    std::vector<std::byte> buffer(inputs[i].bytes());
    step.fill_input(i, Precision::bf16, buffer);
    const double value = load_element(inputs[i].type, buffer.data(), 1);
    EXPECT_EQ(value, starting_values(step, step.source(i), Precision::bf16)[1]);
    buffer.resize(3);
    EXPECT_THROW(step.fill_input(i, Precision::bf16, buffer), std::invalid_argument);
  }
  // Rows of 16: 12 w^2 weights a layer and the head, 6 flops each; attention's pairs.
  const double attention = 2 * 2 * (2 + 4) * 16.0 * 16 * (8 + 1) / 2;
  EXPECT_EQ(step.cost(Precision::f32).flops, 6.0 * 16 * (2 * 12 * 16 * 16 + 20 * 16) + attention);
  EXPECT_GT(step.cost(Precision::f32).bytes, 6 * 4.0 * (2 * 12 * 16 * 16 + 20 * 16));
  for (const Precision precision : {Precision::f16, Precision::int8, Precision::fp8}) {
    EXPECT_THROW(step.inputs(precision), std::invalid_argument);
    EXPECT_THROW(step.output(precision), std::invalid_argument);
  }
}

TEST(TrainingStep, PartsShareOneStep) {
  const TrainingStep step("small", small_mlp(), StepPart::step);
  const TrainingStep inference("small", small_mlp(), StepPart::inference);
  EXPECT_THROW(TrainingStep(step, StepPart::inference), std::invalid_argument);
  EXPECT_THROW(TrainingStep(inference, StepPart::update), std::invalid_argument);
  EXPECT_EQ(phase_of(StepPart::step), std::nullopt);
  EXPECT_EQ(phase_of(StepPart::inference), std::nullopt);

  const TrainingStep forward(step, StepPart::forward);
  const TrainingStep backward(step, StepPart::backward);
  const TrainingStep update("small", small_mlp(), StepPart::update);
  EXPECT_EQ(forward.op(), "training_forward_mlp");
  EXPECT_EQ(backward.op(), "training_backward_mlp");
  EXPECT_EQ(update.op(), "training_update_mlp");
  EXPECT_EQ(&forward.model, &step.model);
  EXPECT_EQ(update.output(Precision::f32).elements, step.output(Precision::f32).elements);
  EXPECT_TRUE(checked(backward, Precision::bf16).ok());

  // 16 rows of 12-16-16-5: three products forward, and five backward, since nobody asks for the
  // first layer's input's gradient.
  const double first = 2 * 16 * 12 * 16;
  const double others = 2 * 16 * (16 * 16 + 16 * 5);
  EXPECT_EQ(forward.cost(Precision::f32).flops, first + others);
  EXPECT_EQ(backward.cost(Precision::f32).flops, first + 2 * others);
  EXPECT_EQ(update.cost(Precision::f32).flops, 0);
  EXPECT_EQ(inference.cost(Precision::f32).flops, first + others);
  EXPECT_EQ(step.cost(Precision::f32).flops, 2 * first + 3 * others);

  // An update reads parameter, gradient and momentum and writes two of them anew, all f32; the
  // forward phase reads input, target and parameters and leaves each layer's output and the loss.
  const double parameters = 12 * 16 + 16 + 16 * 16 + 16 + 16 * 5 + 5;
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    EXPECT_EQ(update.cost(precision).bytes, 5 * 4 * parameters);
  }
  const double left = 16 * (16 + 16 + 5) + 1;
  EXPECT_EQ(forward.cost(Precision::f32).bytes, 4 * (16 * 12 + 16 + parameters + left));
}

TEST(TrainingStep, CountsItsItems) {
  EXPECT_EQ(TrainingStep("x", small_mlp(), StepPart::step).items().count, 16);
  EXPECT_EQ(TrainingStep("x", small_mlp(), StepPart::inference).items().name, "samples");
  const Items tokens = TrainingStep("x", small_gpt(), StepPart::step).items();
  EXPECT_EQ(tokens.count, 16);
  EXPECT_EQ(tokens.name, "tokens");
  EXPECT_EQ(TrainingStep("x", small_gpt(), StepPart::update).items().count, 0);
}

TEST(AnswerParts, SampleAllOfALargeTensor) {
  const AnswerPart part{.tensor = 3, .first = 10, .count = 100, .whole = 12345};
  std::set<std::int64_t> elements;
  for (std::int64_t i = 0; i < part.count; ++i) {
    const std::int64_t element = part.element(i);
    EXPECT_EQ(element, part.element(i));
    EXPECT_GE(element, i * 12345 / 100);
    EXPECT_LT(element, (i + 1) * 12345 / 100);
    elements.insert(element);
  }
  EXPECT_EQ(elements.size(), 100u);
  EXPECT_TRUE(elements.contains(0) && elements.contains(12344));

  const TrainingStep large("x", Mlp{.batch = 1, .widths = {3000, 1000, 10}}, StepPart::step);
  std::int64_t next = 0;
  bool sampled = false;
  for (const AnswerPart& each : large.answer_parts()) {
    EXPECT_EQ(each.first, next);
    next += each.count;
    EXPECT_EQ(each.count, std::min(each.whole, kSamples));
    sampled = sampled || each.count < each.whole;
  }
  EXPECT_TRUE(sampled);
  EXPECT_EQ(large.output(Precision::f32).elements, next);
  std::vector<std::byte> answer(large.output(Precision::f32).bytes());
  large.write_answer(Precision::f32, answer,
                     [](TensorId, std::int64_t element) { return static_cast<double>(element); });
  const AnswerPart& weights = large.answer_parts()[2];
  EXPECT_EQ(load_element(ElementType::f32, answer.data(), weights.first + weights.count - 1),
            static_cast<double>(weights.whole - 1));
  answer.resize(4);
  EXPECT_THROW(large.write_answer(Precision::f32, answer, {}), std::invalid_argument);
}

}  // namespace
}  // namespace breakeven
