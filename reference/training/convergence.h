// Training to a target as workloads: what is timed as convergence_<model>/<shape>. One call trains
// a model on real data (reference/training/dataset.h) from the parameters and in the order of kSeed
// until it is as good as the target says on examples that were held back, so that its time is the
// time to target.
//
// A shape without a target trains for kCurveSteps steps: for implementations that are too slow for
// more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reference/training/train.h"
#include "reference/workload.h"

namespace breakeven {

/// What targets.json records of a shape: how good `reference` was after `steps` steps from seeds
/// 1 ... kTargetSeeds, and what is asked of others: the worst of these less the margin. A row has
/// twice these steps to get there.
struct Target {
  std::int64_t steps = 0;
  std::int64_t evaluate_every = 0;
  double margin = 0;
  std::vector<double> reached;  ///< by seed
  std::string data = {};        ///< description of the data that it was recorded on; "": of any

  double value(Metric metric) const;
};

inline constexpr std::uint64_t kSeed = 1;
inline constexpr int kTargetSeeds = 5;
inline constexpr int kCurveRuns = 5;  ///< perturbed ones
inline constexpr double kCurveSpreads = 3;

/// The losses of the first steps as they ought to be, and how far roundings may move each.
struct ExpectedCurve {
  std::vector<double> losses;
  std::vector<double> spreads;
};

/// Trains by the interpreter: once as it is, kCurveRuns times perturbed by one roundoff a value.
/// The spread of a step is the largest distance that a perturbed run has had from the exact one up
/// to this step, since what differs once differs from then on; at least the roundoff of an f32
/// loss. Throws std::domain_error where a run diverges.
ExpectedCurve expected_curve(const ModelSize& size, const Dataset& data, Precision precision,
                             std::int64_t steps);

/// The answer is one f32 array: the losses of the first kCurveSteps steps, the steps to the target
/// (0: it wasn't reached, or there is none), the last metric.
class Convergence final : public Workload {
 public:
  /// `data` is for a test; without it dataset_for(size), made when it is first asked for. Throws
  /// std::invalid_argument where twice the target's steps are fewer than kCurveSteps.
  Convergence(std::string shape, const ModelSize& size, std::optional<Target> target,
              std::shared_ptr<const Dataset> data = nullptr);

  const ModelSize size;

  /// Throws DataMissing, also where the target was recorded on other data.
  const Dataset& data() const;
  Goal goal() const;

  /// Why it can't be run here, or "". Cheap.
  std::string missing() const;

  std::vector<std::pair<std::string, std::int64_t>> dimensions() const override;

  /// None: how many steps it takes is found out, so that no rate would mean the same twice.
  Cost cost(Precision) const override { return {0, 0}; }

  /// None: the data is handed over batch by batch.
  std::vector<Operand> inputs(Precision) const override { return {}; }
  Operand output(Precision precision) const override;  ///< "curve"
  void fill_input(std::size_t index, Precision precision, std::span<std::byte> out) const override;

  /// The losses within kCurveSpreads of their spreads (expected_curve(), made once), and the target
  /// reached. The error is in spreads.
  Check check(Precision precision, std::span<const std::byte> answer) const override;

  /// Writes a run's answer; `out` holds output().bytes().
  void write_answer(const TrainingRun& run, std::span<std::byte> out) const;

 private:
  const ExpectedCurve& expected(Precision precision) const;

  std::optional<Target> target_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Dataset> data_;
  mutable std::map<Precision, ExpectedCurve> expected_;
};

/// The built-in workloads: digits for mlp and lenet, a text for gpt, and gpt's first steps.
std::vector<std::unique_ptr<Workload>> convergence_workloads();

/// The same with another text of targets.json. Throws std::runtime_error where it was recorded for
/// other steps, another margin or another target than the code's.
std::vector<std::unique_ptr<Workload>> convergence_workloads(std::string_view targets);

/// A shape that has a target, with what is to be recorded of it but for `reached`: for
/// record_targets.
struct TargetShape {
  std::string name;  ///< "convergence_mlp/digits"
  ModelSize size;
  Target target;
};
std::vector<TargetShape> target_shapes();

}  // namespace breakeven
