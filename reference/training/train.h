// Training to a target: the loop that every implementation runs, and the interpreter as what it
// drives.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "reference/training/dataset.h"
#include "reference/training/interpreter.h"

namespace breakeven {

/// What the loop drives: a model that learns.
class Learner {
 public:
  virtual ~Learner() = default;

  /// Takes the first parameters of a seed (starting_parameter()), states as the model has them at
  /// first, and step 1.
  virtual void start(std::uint64_t seed) = 0;

  /// One step on a batch; its updates are kept. Returns the loss before them.
  virtual double step(const Examples& batch) = 0;

  /// The logits of the dataset's test batch with the parameters as they are.
  virtual std::vector<double> logits(const Examples& test) = 0;

  /// What was really dispatched, for a row's facts.
  virtual std::map<std::string, std::string> facts() const { return {}; }
};

inline constexpr std::int64_t kCurveSteps = 50;  ///< whose losses are compared one by one

/// When a run stops.
struct Goal {
  std::int64_t most_steps = kCurveSteps;
  std::int64_t evaluate_every = kCurveSteps;  ///< steps between two looks at the test examples
  double target = 0;                          ///< of the dataset's metric
  bool to_target = false;                     ///< false: all most_steps, whatever the metric
};

/// Whether a metric is at least as good as a target; never if it is no number.
bool reaches(Metric metric, double value, double target);

struct TrainingRun {
  std::vector<double> losses;        ///< of every step
  std::int64_t steps_to_target = 0;  ///< 0: the target wasn't reached, or there is none
  double metric = 0;                 ///< of the last evaluation
};

/// Trains until the target is reached, for kCurveSteps steps at least, and evaluates every
/// evaluate_every steps and after the last one.
TrainingRun train(Learner& learner, const Dataset& data, const Goal& goal, std::uint64_t seed);

/// A parameter's first value of a run, as a precision stores parameters: f64 or f32. Not rounded to
/// bf16 as a step's (training_step.h) is: the first updates are smaller than bf16's roundoff, and
/// working copies of parameters that start on bf16 values would all stay where they are.
std::vector<double> starting_parameter(const Graph& graph, TensorId id, Precision precision,
                                       std::uint64_t seed);

/// Moves a bf16 training's first values of a parameter by `roundings` times up to what rounding
/// does to the working copies that products read. Nothing for parameters that no product reads.
void move_as_copies(const Graph& graph, TensorId id, std::uint64_t seed, double roundings,
                    std::vector<double>& values);

/// Tensors from outside that an inference graph has in common with the training graph, by name:
/// pairs of the training graph's and the inference graph's.
std::vector<std::pair<TensorId, TensorId>> shared_tensors(const Graph& training,
                                                          const Graph& inference);

/// Learns by the fp64 interpreter.
class InterpreterLearner final : public Learner {
 public:
  /// perturbed: 0, or the seed of a run whose every computed value is moved by about what the
  /// precision's roundings do to it (perturbation()), each step otherwise. In bf16 its first
  /// parameters are moved, too, by up to the rounding of the working copies that products read:
  /// that stays about the same over many steps. `runner` may be a test's with a mistake planted.
  InterpreterLearner(const ModelSize& size, const ModelSize& test_size, Precision precision,
                     std::uint64_t perturbed = 0, NodeRunner runner = run_node);

  void start(std::uint64_t seed) override;
  double step(const Examples& batch) override;
  std::vector<double> logits(const Examples& test) override;

 private:
  Model model_;
  Model inference_;
  Precision precision_;
  std::uint64_t perturbed_;
  NodeRunner runner_;
  std::unique_ptr<Interpreter> interpreter_;
};

}  // namespace breakeven
