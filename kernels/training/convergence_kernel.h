// Training to a target as a Kernel: convergence_<model>, by whatever learns.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kernels/kernel.h"
#include "kernels/training/step_kernel.h"
#include "reference/training/convergence.h"

namespace breakeven::training {

/// Learns by a backend's programs: one for the training graph, one for inference on the test batch.
std::unique_ptr<Learner> program_learner(const ModelSize& size, const ModelSize& test_size,
                                         const MakeProgram& make, Precision precision,
                                         const Options& options);

/// Trains from the start in every run(), which therefore allocates (batches, logits) and, on a GPU,
/// waits for the loss of every step. Facts: loss_curve (the loss of every step, commas between),
/// seconds_to_target, steps_to_target, metric ("accuracy 0.95") of the last run, and the learner's.
class ConvergenceKernel final : public Kernel {
 public:
  ConvergenceKernel(const Convergence& workload, std::unique_ptr<Learner> learner);

  void run() override;
  void poison_output() override;
  std::span<const std::byte> output() override;
  Facts facts() const override;

 private:
  const Convergence& workload_;
  std::unique_ptr<Learner> learner_;
  Goal goal_;
  TrainingRun last_;
  double seconds_ = 0;
  std::vector<std::byte> answer_;
};

/// Adds the rows of convergence_mlp, convergence_lenet and convergence_gpt.
void add_convergence(Registry& registry, const TrainingBackend& backend);

/// convergence_<model> for a model, with what refuses the shapes whose data is missing here; load()
/// is the caller's to set.
Implementation convergence_implementation(const std::string& model, const std::string& name);

/// The models that there is data for.
inline constexpr const char* kConvergenceModels[] = {"mlp", "lenet", "gpt"};

}  // namespace breakeven::training
