// A training step, a phase of one, or inference as a Kernel, by whatever program does it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/training/program.h"
#include "reference/training/training_step.h"

namespace breakeven::training {

using MakeProgram = std::function<std::unique_ptr<Program>(const Graph& graph, Precision precision,
                                                           const Options& options)>;

/// What a backend offers for every model, step, phase and inference.
struct TrainingBackend {
  std::string name;  ///< of its rows: "openblas"
  std::vector<Precision> precisions;
  MakeProgram make;
  std::vector<Launch> launches = {Launch::stream};
  bool threaded = true;
  bool convergence = true;  ///< has rows of convergence_<model>
  /// Bytes beside the tensors, or {} for none.
  std::function<std::size_t(const TrainingStep&, Precision, const Options&)> more_bytes = {};
  std::function<std::string(const TrainingStep&, Precision, const Options&)> unsupported = {};
};

/// An upper bound of a program's tensors: each of them once, and in bf16 two working copies of each
/// parameter.
std::size_t program_bytes(const Graph& graph, Precision precision);

/// Adds the rows of all models' operations, and those of `convergence_<model>`.
void add_training(Registry& registry, const TrainingBackend& backend);

}  // namespace breakeven::training
