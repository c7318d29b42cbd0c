// For tests: what every CPU backend's programs of training steps must do, at tiny sizes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "kernels/host/device.h"
#include "kernels/host/kernel_check.h"
#include "kernels/training/step_kernel.h"
#include "reference/training/train.h"
#include "reference/training/training_check.h"

namespace breakeven::training {

inline const ModelSize kTinyModels[] = {
    Mlp{.batch = 6, .widths = {20, 33, 17, 5}},
    Lenet{.batch = 3, .side = 8},
    Lenet{.batch = 2, .side = 28},
    Resnet{.batch = 4, .side = 8, .blocks = {1, 1}, .width = 8},
    Resnet{
        .batch = 3, .side = 33, .blocks = {1, 1}, .bottleneck = true, .imagenet = true, .width = 8},
    Gpt{.batch = 2, .steps = 9, .layers = 2, .width = 16, .heads = 2, .vocabulary = 13},
};
inline constexpr StepPart kStepParts[] = {StepPart::step, StepPart::forward, StepPart::backward,
                                          StepPart::update, StepPart::inference};

/// A backend's row for a workload; tiny resnets, which have a depth of their own, take resnet18's.
inline Implementation training_row(const Registry& registry, const std::string& name,
                                   const TrainingStep& step) {
  for (const std::string& op : {step.op(), part_name(step.part) + "_resnet18"}) {
    for (const Implementation& row : registry.implementations()) {
      if (row.op == op && row.name == name) return row;
    }
  }
  throw std::invalid_argument("no " + name + " of " + step.op());
}

/// Every part of every model against the fp64 interpreter, poisoned in between, twice the same.
inline void expect_right_parts(const Registry& registry, const std::string& name,
                               Precision precision, int threads) {
  for (const ModelSize& size : kTinyModels) {
    const TrainingStep step("tiny", size, StepPart::step);
    for (const StepPart part : kStepParts) {
      if (part == StepPart::inference) {
        const TrainingStep inference("tiny", size, part);
        expect_kernel(training_row(registry, name, inference), inference, precision, threads);
      } else {
        const TrainingStep phase(step, part);
        expect_kernel(training_row(registry, name, phase), phase, precision, threads);
      }
    }
  }
}

/// Writes a step's starting values into a program.
inline void start(Program& program, const TrainingStep& step, Precision precision) {
  const std::vector<Operand> inputs = step.inputs(precision);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::vector<std::byte> values(inputs[i].bytes());
    step.fill_input(i, precision, values);
    program.write(step.source(i), values);
  }
}

/// A program's answer as the row has it.
inline std::vector<std::byte> answer_of(Program& program, const TrainingStep& step,
                                        Precision precision) {
  std::vector<std::byte> answer(step.output(precision).bytes());
  TensorId held = kNoTensor;
  std::vector<float> values;
  step.write_answer(precision, answer, [&](TensorId id, std::int64_t element) {
    if (id != held) values = program.read(held = id);
    return static_cast<double>(values[static_cast<std::size_t>(element)]);
  });
  return answer;
}

/// The losses of ten steps and then the parameters by the interpreter, moved by kSpreads times what
/// roundings do unless the seed is 0.
struct TenSteps {
  static constexpr int kSteps = 10;
  std::vector<double> losses;
  std::vector<std::vector<double>> parameters;
};

inline std::vector<TensorId> parameters_of(const Graph& graph) {
  std::vector<TensorId> ids;
  for (TensorId id = 0; id < static_cast<TensorId>(graph.tensors().size()); ++id) {
    if (graph.tensor(id).kind == TensorKind::parameter) ids.push_back(id);
  }
  return ids;
}

inline TenSteps interpret_ten_steps(const TrainingStep& step, Precision precision,
                                    std::uint64_t seed) {
  const Graph& graph = step.model.graph;
  Interpreter interpreter(graph);
  interpreter.fill_with([&](TensorId id) {
    if (graph.tensor(id).kind != TensorKind::parameter) return starting_values(step, id, precision);
    std::vector<double> values = starting_parameter(graph, id, precision, 0);
    if (seed != 0 && precision == Precision::bf16) {
      move_as_copies(graph, id, seed, kSpreads, values);
    }
    return values;
  });
  TenSteps steps;
  for (int i = 0; i < TenSteps::kSteps; ++i) {
    if (i > 0) interpreter.advance();
    if (seed != 0) {  // each step's roundings are others
      const std::uint64_t own_seed = seed * 100 + static_cast<unsigned>(i);
      interpreter.observe(perturbation(graph, precision, own_seed, kSpreads));
    }
    interpreter.run();
    steps.losses.push_back(interpreter.value(step.model.loss)[0]);
  }
  interpreter.advance();
  for (const TensorId id : parameters_of(graph)) steps.parameters.push_back(interpreter.value(id));
  return steps;
}

inline double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

/// Ten steps with advance() between them, from f32's parameters as trainings start, stay as close
/// to fp64 as runs of the interpreter that roundings move; without advance() they don't.
inline void expect_ten_steps(const MakeProgram& make, const ModelSize& size, Precision precision,
                             const Options& options) {
  const TrainingStep step("tiny", size, StepPart::step);
  SCOPED_TRACE(step.op() + " " + std::string(traits(precision).name));
  const TenSteps exact = interpret_ten_steps(step, precision, 0);
  const std::vector<TensorId> parameters = parameters_of(step.model.graph);
  std::vector<double> loss_bounds(TenSteps::kSteps, 1e-7), bounds(parameters.size(), 1e-7);
  for (std::uint64_t seed = 1; seed <= kMoreRuns; ++seed) {
    const TenSteps moved = interpret_ten_steps(step, precision, seed);
    for (std::size_t i = 0; i < loss_bounds.size(); ++i) {
      // Runs that have come apart don't come together again, but their losses may cross.
      const double before = i == 0 ? 0 : loss_bounds[i - 1];
      loss_bounds[i] =
          std::max({loss_bounds[i], before, std::fabs(moved.losses[i] - exact.losses[i])});
    }
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      bounds[i] = std::max(bounds[i], distance(moved.parameters[i], exact.parameters[i]));
    }
  }
  const std::unique_ptr<Program> program = make(step.model.graph, precision, options);
  start(*program, step, precision);
  for (const TensorId id : parameters) {
    const std::vector<double> values = starting_parameter(step.model.graph, id, precision, 0);
    const std::vector<float> narrow(values.begin(), values.end());
    program->write(id, std::as_bytes(std::span(narrow)));
  }
  double stuck = 0;  // a program's that never takes its update
  for (std::size_t i = 0; i < loss_bounds.size(); ++i) {
    if (i > 0) program->advance();
    program->run();
    const double loss = program->read(step.model.loss)[0];
    // Twice, as a single number has in training_check.h: which kinks of ReLU are crossed parts runs
    // into a few branches, and nine of them needn't have met all.
    EXPECT_NEAR(loss, exact.losses[i], 2 * loss_bounds[i]) << "step " << i;
    if (i == 0) stuck = loss;
  }
  bool seen = false;
  for (std::size_t i = 1; i < loss_bounds.size(); ++i) {
    seen = seen || std::fabs(stuck - exact.losses[i]) > 2 * loss_bounds[i];
  }
  EXPECT_TRUE(seen) << "a program that never learns passes";
  program->advance();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::vector<float> values = program->read(parameters[i]);
    const double off = distance({values.begin(), values.end()}, exact.parameters[i]);
    EXPECT_LE(off, bounds[i]) << step.model.graph.tensor(parameters[i]).name;
  }
}

/// What was read of a program after three steps and written into another gives the same fourth
/// step, bit for bit.
inline void expect_reloads(const MakeProgram& make, const ModelSize& size, Precision precision,
                           const Options& options) {
  const TrainingStep step("tiny", size, StepPart::step);
  SCOPED_TRACE(step.op() + " " + std::string(traits(precision).name));
  const std::unique_ptr<Program> program = make(step.model.graph, precision, options);
  start(*program, step, precision);
  for (int i = 0; i < 3; ++i) {
    program->run();
    program->advance();
  }
  const std::unique_ptr<Program> other = make(step.model.graph, precision, options);
  start(*other, step, precision);
  for (TensorId id = 0; id < static_cast<TensorId>(step.model.graph.tensors().size()); ++id) {
    if (step.model.graph.updated(id) == kNoTensor) continue;
    const std::vector<float> values = program->read(id);
    other->write(id, std::as_bytes(std::span(values)));
  }
  other->set_step(4);
  program->run();
  other->run();
  EXPECT_EQ(answer_of(*program, step, precision), answer_of(*other, step, precision));
  other->set_step(5);
  if (step.model.graph.nodes().back().op == Op::adamw) {
    other->run();
    EXPECT_NE(answer_of(*program, step, precision), answer_of(*other, step, precision))
        << "the step's number changes nothing";
  }
}

}  // namespace breakeven::training
