#include "reference/training/train.h"

#include <algorithm>
#include <utility>

#include "reference/random.h"

namespace breakeven {
namespace {

constexpr std::uint32_t kCopyStream = 0x80000;  // and the tensor

}  // namespace

bool reaches(Metric metric, double value, double target) {
  return metric == Metric::accuracy ? value >= target : value <= target;
}

TrainingRun train(Learner& learner, const Dataset& data, const Goal& goal, std::uint64_t seed) {
  TrainingRun run;
  learner.start(seed);
  for (std::int64_t step = 0; step < goal.most_steps; ++step) {
    run.losses.push_back(learner.step(data.batch(step, seed)));
    const std::int64_t done = step + 1;
    if (done % goal.evaluate_every != 0 && done != goal.most_steps) continue;
    if (done < std::min(kCurveSteps, goal.most_steps)) continue;
    run.metric = data.measure(learner.logits(data.test()));
    if (!goal.to_target || !reaches(data.metric(), run.metric, goal.target)) continue;
    run.steps_to_target = done;
    break;
  }
  return run;
}

std::vector<double> starting_parameter(const Graph& graph, TensorId id, Precision precision,
                                       std::uint64_t seed) {
  const bool wide = precision == Precision::f64;
  return initial_values(graph, id, wide ? ElementType::f64 : ElementType::f32, seed);
}

void move_as_copies(const Graph& graph, TensorId id, std::uint64_t seed, double roundings,
                    std::vector<double>& values) {
  if (graph.tensor(id).shape.size() < 2) return;  // no product reads it
  std::vector<double> shares(values.size());
  random_values({.seed = seed, .operand = kCopyStream + static_cast<std::uint32_t>(id)},
                ElementType::f32, 0, shares.size(), shares.data());
  const double move = roundings * traits(Precision::bf16).output_roundoff;
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= 1 + shares[i] * move;
}

std::vector<std::pair<TensorId, TensorId>> shared_tensors(const Graph& training,
                                                          const Graph& inference) {
  std::vector<std::pair<TensorId, TensorId>> shared;
  for (TensorId id = 0; id < static_cast<TensorId>(inference.tensors().size()); ++id) {
    const TensorKind kind = inference.tensor(id).kind;
    if (kind != TensorKind::parameter && kind != TensorKind::state) continue;
    shared.emplace_back(training.find(inference.tensor(id).name), id);
  }
  return shared;
}

InterpreterLearner::InterpreterLearner(const ModelSize& size, const ModelSize& test_size,
                                       Precision precision, std::uint64_t perturbed,
                                       NodeRunner runner)
    : model_(build_model(size, Purpose::training)),
      inference_(build_model(test_size, Purpose::inference)),
      precision_(precision),
      perturbed_(perturbed),
      runner_(std::move(runner)) {}

void InterpreterLearner::start(std::uint64_t seed) {
  interpreter_ = std::make_unique<Interpreter>(model_.graph);
  interpreter_->run_with(runner_);
  interpreter_->fill_with([this, seed](TensorId id) {
    if (model_.graph.tensor(id).kind != TensorKind::parameter) {
      return initial_values(model_.graph, id);
    }
    std::vector<double> values = starting_parameter(model_.graph, id, precision_, seed);
    if (perturbed_ != 0 && precision_ == Precision::bf16) {
      move_as_copies(model_.graph, id, perturbed_, 1, values);
    }
    return values;
  });
}

double InterpreterLearner::step(const Examples& batch) {
  interpreter_->set(model_.input, batch.input);
  interpreter_->set(model_.target, batch.target);
  if (perturbed_ != 0) {
    constexpr std::uint64_t kMostSteps = 1'000'000;  // no two runs have a seed in common
    const auto step = static_cast<std::uint64_t>(interpreter_->step());
    interpreter_->observe(perturbation(model_.graph, precision_, perturbed_ * kMostSteps + step));
  }
  interpreter_->run();
  const double loss = interpreter_->value(model_.loss)[0];
  interpreter_->advance();
  return loss;
}

std::vector<double> InterpreterLearner::logits(const Examples& test) {
  Interpreter inference(inference_.graph);
  inference.set(inference_.input, test.input);
  for (const auto& [from, to] : shared_tensors(model_.graph, inference_.graph)) {
    inference.set(to, interpreter_->value(from));
  }
  inference.run();
  return inference.value(inference_.logits);
}

}  // namespace breakeven
