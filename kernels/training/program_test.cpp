// The compiler and the memory of CPU programs, with products as plain loops in f32 and bf16.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "kernels/training/host_pointwise.h"
#include "kernels/training/host_products.h"
#include "kernels/training/host_program.h"
#include "kernels/training/program_testing.h"

namespace breakeven::training {
namespace {

void multiply(const Product& p) {
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      float sum = 0;
      for (std::int64_t l = 0; l < p.k; ++l) {
        sum += p.a[p.transpose_a ? l * p.lda + i : i * p.lda + l] *
               p.b[p.transpose_b ? j * p.ldb + l : l * p.ldb + j];
      }
      float& c = p.c[i * p.ldc + j];
      c = p.alpha * sum + (p.beta == 0 ? 0 : p.beta * c);
    }
  }
}

// Linear layers whose operands are bf16.
void compile_bf16_linear(HostBuild& build, std::size_t index) {
  const Node& node = build.node(index);
  const auto shape = [&](TensorId id) { return build.graph().tensor(id).shape; };
  const Bf16* a = build.data<Bf16>(node.inputs[0]);
  const std::int64_t m = shape(node.inputs[0])[0], inner = shape(node.inputs[0])[1];
  if (node.op == Op::linear_backward_weights) {
    const Bf16* x = build.data<Bf16>(node.inputs[1]);
    const std::int64_t k = shape(node.inputs[1])[1];
    const TensorId bias = node.outputs[1];
    float *dw = build.data<float>(node.outputs[0]), *db = build.data<float>(bias);
    const bool made = bias == kNoTensor || build.made(bias);
    const HostScratch& scratch = build.scratch(column_scratch(inner, build.threads()));
    build.call([=, &scratch] {
      for (std::int64_t n = 0; n < inner; ++n) {
        for (std::int64_t j = 0; j < k; ++j) {
          float sum = 0;
          for (std::int64_t i = 0; i < m; ++i) sum += widen(a[i * inner + n]) * widen(x[i * k + j]);
          dw[n * k + j] = sum;
        }
      }
      if (!made) column_sums<Bf16>({m, inner}, a, db, scratch.data());
    });
    return;
  }
  const bool forward = node.op == Op::linear;
  const Bf16* w = build.weights<Bf16>(node.inputs[1]);
  const float* bias = forward ? build.data<float>(node.inputs[2]) : nullptr;
  const std::int64_t cols = shape(node.outputs[0])[1];
  Bf16* y = build.data<Bf16>(node.outputs[0]);
  build.call([=] {
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) {
        float sum = 0;
        for (std::int64_t l = 0; l < inner; ++l) {
          sum += widen(a[i * inner + l]) * widen(forward ? w[j * inner + l] : w[l * cols + j]);
        }
        y[i * cols + j] = narrow<Bf16>(sum + (bias != nullptr ? bias[j] : 0));
      }
    }
  });
}

void compile_plainly(HostBuild& build, std::size_t index) {
  if (!is_linear(build.node(index).op)) return compile_operation(build, index, multiply);
  if (build.precision() == Precision::bf16) return compile_bf16_linear(build, index);
  compile_linear(build, index, multiply);
}

// What a test changes of a node after it was compiled.
using Change = std::function<void(HostBuild& build, std::size_t index)>;

TrainingBackend plain_backend(bool fused, Op changed = Op::linear, const Change& change = {}) {
  TrainingBackend backend;
  backend.name = "plain";
  backend.precisions = {Precision::f32, Precision::bf16};
  backend.make = [=](const Graph& graph, Precision precision, const Options& options) {
    const auto compile = [=](HostBuild& build, std::size_t index) {
      compile_plainly(build, index);
      if (change && build.node(index).op == changed) change(build, index);
    };
    return std::make_unique<HostProgram>(graph, precision, options.threads, fused, compile);
  };
  return backend;
}

const Mlp kMlp{.batch = 6, .widths = {9, 16, 16, 5}};
const Gpt kGpt{.batch = 2, .steps = 9, .layers = 2, .width = 16, .heads = 2, .vocabulary = 13};
constexpr Precision kBoth[] = {Precision::f32, Precision::bf16};

class Programs : public testing::TestWithParam<bool> {
 protected:
  Programs() { HostDevice().configure(options_); }
  const Options options_{.threads = 2};
  const TrainingBackend backend_ = plain_backend(GetParam());
};

TEST_P(Programs, AreRightInEveryPart) {
  Registry registry;
  add_training(registry, backend_);
  for (const ModelSize& size : {ModelSize(kMlp), ModelSize(kGpt)}) {
    const TrainingStep training("tiny", size, StepPart::step);
    for (const StepPart part : kStepParts) {
      const bool infers = part == StepPart::inference;
      const auto step = infers ? std::make_unique<TrainingStep>("tiny", size, part)
                               : std::make_unique<TrainingStep>(training, part);
      for (const Precision precision : kBoth) {
        expect_kernel(training_row(registry, "plain", *step), *step, precision, 2);
      }
    }
  }
}

TEST_P(Programs, FollowTheInterpreterForTenSteps) {
  for (const Precision precision : kBoth) {
    expect_ten_steps(backend_.make, kMlp, precision, options_);
    expect_ten_steps(backend_.make, kGpt, precision, options_);
  }
}

TEST_P(Programs, SaveAndReload) {
  for (const Precision precision : kBoth) {
    expect_reloads(backend_.make, kMlp, precision, options_);
    expect_reloads(backend_.make, kGpt, precision, options_);
  }
}

// The loss after ten steps is a fact of a step's row, and afterwards the row is as it was.
TEST_P(Programs, TellTheLossAfterTenSteps) {
  Registry registry;
  add_training(registry, backend_);
  for (const Precision precision : kBoth) {
    const TrainingStep step("tiny", kGpt, StepPart::step);
    const std::unique_ptr<Program> program = backend_.make(step.model.graph, precision, options_);
    start(*program, step, precision);
    program->run();
    const float first = program->read(step.model.loss)[0];
    for (int i = 0; i < 10; ++i) {
      program->advance();
      program->run();
    }
    const float last = program->read(step.model.loss)[0];
    EXPECT_LT(last, first);

    const auto kernel = training_row(registry, "plain", step).load(step, precision, options_);
    kernel->prepare();
    kernel->run();
    const auto before = kernel->output();
    const std::vector<std::byte> answer(before.begin(), before.end());
    EXPECT_EQ(kernel->facts().at("loss_after_10_steps"), fmt::format("{:.6g}", last));
    EXPECT_EQ(kernel->facts().at("loss_after_10_steps"), fmt::format("{:.6g}", last));
    for (int i = 0; i < 2; ++i) {
      const auto after = kernel->output();
      EXPECT_TRUE(std::equal(answer.begin(), answer.end(), after.begin(), after.end()));
      kernel->run();
    }
  }
}

// advance() compiles at its first call alone, and a step after any number of them is the same work.
TEST_P(Programs, AllocateNothingOnceTheyAdvanced) {
  for (const Precision precision : kBoth) {
    const TrainingStep step("tiny", kGpt, StepPart::step);
    const std::unique_ptr<Program> program = backend_.make(step.model.graph, precision, options_);
    start(*program, step, precision);
    for (int i = 0; i < 2; ++i) {
      program->run();
      program->advance();
    }
    const long before = allocation_count();
    for (int i = 0; i < 4; ++i) {
      program->run();
      program->advance();
    }
    EXPECT_EQ(allocation_count(), before);
  }
}

// The three phases one by one are a step; each alone can be repeated.
TEST_P(Programs, RunByPhase) {
  for (const Precision precision : kBoth) {
    const TrainingStep step("tiny", kGpt, StepPart::step);
    const std::unique_ptr<Program> program = backend_.make(step.model.graph, precision, options_);
    start(*program, step, precision);
    program->run();
    const std::vector<std::byte> whole = answer_of(*program, step, precision);
    for (const Phase phase : {Phase::forward, Phase::backward, Phase::update}) {
      program->poison(phase);
      EXPECT_NE(answer_of(*program, step, precision), whole);
      program->run(phase);
      EXPECT_EQ(answer_of(*program, step, precision), whole);
    }
  }
}

TEST_P(Programs, RefuseWhatTheyCannotTake) {
  const TrainingStep step("tiny", kMlp, StepPart::step);
  const Graph& graph = step.model.graph;
  const std::unique_ptr<Program> program = backend_.make(graph, Precision::f32, options_);
  std::vector<std::byte> values(6 * 9 * 4);
  program->write(graph.find("input"), values);
  EXPECT_THROW(program->write(graph.find("loss"), std::span(values).first(4)),
               std::invalid_argument);
  values.pop_back();
  EXPECT_THROW(program->write(graph.find("input"), values), std::invalid_argument);
  EXPECT_THROW(backend_.make(graph, Precision::f64, options_), Unsupported);
  EXPECT_THROW(backend_.make(graph, Precision::f32, {.threads = 1}), std::logic_error);
}

INSTANTIATE_TEST_SUITE_P(Both, Programs, testing::Bool(),
                         [](const auto& test) { return test.param ? "fused" : "unfused"; });

TEST(FusedPrograms, KeepNoTensorThatNobodyAsksFor) {
  HostDevice().configure({.threads = 1});
  const TrainingStep step("tiny", kMlp, StepPart::step);
  const Graph& graph = step.model.graph;
  const auto kept = [&](bool fused, const char* name) {
    const std::unique_ptr<Program> program =
        plain_backend(fused).make(graph, Precision::f32, {.threads = 1});
    try {
      return !program->read(graph.find(name)).empty();
    } catch (const std::invalid_argument&) {
      return false;
    }
  };
  EXPECT_TRUE(kept(false, "fc1"));
  EXPECT_FALSE(kept(true, "fc1"));  // before ReLU
  EXPECT_TRUE(kept(true, "relu1"));
  EXPECT_TRUE(kept(false, "logits"));
  EXPECT_FALSE(kept(true, "logits"));  // under their gradient
  EXPECT_TRUE(kept(true, "logits.grad"));
}

// Mistakes that programs have been seen with; each must fail in the precision that forgives most.
struct Mistake {
  const char* name;
  ModelSize size;
  Op op;
  Change change;
};

float* output(HostBuild& build, std::size_t index, std::size_t which = 0) {
  return build.data<float>(build.node(index).outputs[which]);
}
const float* input(HostBuild& build, std::size_t index, std::size_t which) {
  return build.data<float>(build.node(index).inputs[which]);
}
std::int64_t elements(const HostBuild& build, std::size_t index) {
  return build.graph().tensor(build.node(index).outputs[0]).elements();
}

const Mistake kMistakes[] = {
    {"missing 1 / m", kMlp, Op::cross_entropy_backward,
     [](HostBuild& build, std::size_t index) {
       auto* gradient = build.data<float>(build.node(index).outputs[0]);
       build.call([gradient, count = elements(build, index)] {
         for (std::int64_t i = 0; i < count; ++i) gradient[i] *= 6;
       });
     }},
    {"transposed gradient", kMlp, Op::linear_backward_weights,
     [](HostBuild& build, std::size_t index) {
       const auto& shape = build.graph().tensor(build.node(index).outputs[0]).shape;
       if (shape[0] != shape[1]) return;
       build.call([dw = output(build, index), n = shape[0]] {
         for (std::int64_t i = 0; i < n; ++i) {
           for (std::int64_t j = 0; j < i; ++j) std::swap(dw[i * n + j], dw[j * n + i]);
         }
       });
     }},
    {"stale momentum", kMlp, Op::sgd,
     [](HostBuild& build, std::size_t index) {
       build.call([v = input(build, index, 2), next = output(build, index, 1),
                   count = elements(build, index)] { std::copy_n(v, count, next); });
     }},
    {"forgotten momentum", kMlp, Op::sgd,
     [](HostBuild& build, std::size_t index) {
       const auto rate = static_cast<float>(std::get<Sgd>(build.node(index).attribute).rate);
       build.call([=, w = input(build, index, 0), g = input(build, index, 1),
                   next = output(build, index), count = elements(build, index)] {
         for (std::int64_t i = 0; i < count; ++i) next[i] = w[i] - rate * g[i];
       });
     }},
    {"mask off by one", kGpt, Op::attention,
     [](HostBuild& build, std::size_t index) {  // each step sees what the next one should
       const std::int64_t cols = build.graph().tensor(build.node(index).outputs[0]).shape[1];
       build.call([y = output(build, index), cols, count = elements(build, index)] {
         std::memmove(y, y + cols, static_cast<std::size_t>(count - cols) * sizeof(float));
       });
     }},
    {"bias correction of the next step", kGpt, Op::adamw,
     [](HostBuild& build, std::size_t index) {
       const auto& adam = std::get<AdamW>(build.node(index).attribute);
       const auto wrong = static_cast<float>(std::sqrt((1 + adam.beta2)) / (1 + adam.beta1));
       build.call([wrong, w = input(build, index, 0), next = output(build, index),
                   count = elements(build, index)] {
         for (std::int64_t i = 0; i < count; ++i) next[i] = w[i] + wrong * (next[i] - w[i]);
       });
     }},
};

TEST(PlantedMistakes, AreCaught) {
  HostDevice().configure({.threads = 1});
  for (const Mistake& mistake : kMistakes) {
    SCOPED_TRACE(mistake.name);
    const TrainingStep step("tiny", mistake.size, StepPart::step);
    for (const bool planted : {false, true}) {
      Registry registry;
      add_training(registry, plain_backend(false, mistake.op, planted ? mistake.change : Change{}));
      const auto kernel =
          training_row(registry, "plain", step).load(step, Precision::f32, {.threads = 1});
      kernel->prepare();
      kernel->run();
      EXPECT_EQ(step.check(Precision::f32, kernel->output()).ok(), !planted);
    }
  }
}

// What a call promised to make and doesn't has no new value to pass for one.
TEST(PlantedMistakes, ABrokenPromiseIsCaught) {
  HostDevice().configure({.threads = 1});
  const TrainingStep step("tiny", kMlp, StepPart::step);
  Registry registry;
  add_training(registry,
               plain_backend(false, Op::relu_backward, [](HostBuild& build, std::size_t index) {
                 const TensorId dx = build.node(index).outputs[0];
                 for (const std::size_t reader : build.readers(dx)) {
                   const Node& node = build.node(reader);
                   if (node.op != Op::linear_backward_weights) continue;
                   build.make(node.outputs[1]);
                   build.data<float>(node.outputs[1]);
                 }
               }));
  const auto kernel =
      training_row(registry, "plain", step).load(step, Precision::f32, {.threads = 1});
  kernel->prepare();
  kernel->run();
  EXPECT_FALSE(step.check(Precision::f32, kernel->output()).ok());
}

}  // namespace
}  // namespace breakeven::training
