// What rows of training steps, their phases, inference and convergence say together.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/model.h"

namespace breakeven {

/// One size of a model by one implementation, precision and mode: what was measured of it.
struct TrainingRow {
  std::string model;  ///< "mlp"
  CaseName name;      ///< its op is empty
  const Case* step = nullptr;
  const Case* forward = nullptr;
  const Case* backward = nullptr;
  const Case* update = nullptr;
  const Case* inference = nullptr;

  /// Seconds of a step over those of inference, by paired rounds; absent without both.
  std::optional<Estimate> step_to_inference() const;
};

/// A step, a phase of one, inference, or training to a target.
bool is_training(const std::string& op);

/// Samples or tokens per second at the median time.
std::optional<double> items_per_second(const Case& c);

/// The batch of a step, a phase or inference that belongs to a sweep over batches: its shape ends
/// in it, as "tiny_b64" with n 64 does and "gpt2_b4_t64" with n 4 doesn't.
std::optional<double> sweep_batch(const Case& c);

/// Timed rows of steps, phases and inference, in order of model, size, device, …
std::vector<TrainingRow> training_rows(const Run& run);

/// A step through a framework beside the best of ours of the same model, size, device, precision
/// and mode; of ours only what was verified.
struct FrameworkRow {
  std::string model;
  const Case* framework = nullptr;  ///< may have failed
  std::optional<Best> ours;
  /// The framework's time over ours, by paired rounds; absent without ours, or where the
  /// framework's answer was not verified, or no round has both.
  std::optional<Estimate> ratio;
};

std::vector<FrameworkRow> framework_rows(const Run& run);

/// A stage of an ablation and how many times as fast as another it is, by paired rounds.
struct AblationStage {
  std::string name;  ///< "unfused", "fused", "bf16", "graph"
  const Case* step = nullptr;
  std::optional<Estimate> of_first;     ///< absent for the first, or where no round has both
  std::optional<Estimate> of_previous;  ///< likewise
};

/// The stages of one implementation on one size of a model, each with what those before it have.
struct Ablation {
  std::string model;
  std::string shape;
  std::string device;
  std::string implementation;
  std::vector<AblationStage> stages;  ///< two at least; those that were measured
};

std::vector<Ablation> ablations(const std::vector<TrainingRow>& rows);

/// One row of training to a target.
struct Convergence {
  std::string model;
  const Case* row =
      nullptr;  ///< whose time is the wall time of the whole training; may have failed
  std::vector<double> losses;   ///< of every step; may be empty
  std::string steps_to_target;  ///< empty where there is no target
  std::string target;           ///< "accuracy 0.97"
  std::string metric;           ///< what was reached, likewise
};

std::vector<Convergence> convergences(const Run& run);

/// The fact of that name in a label "key=value; key=value", "" where there is none.
std::string label_fact(const std::string& label, const std::string& key);

/// The numbers of "2.3026,2.28,…"; nothing where one of them is none.
std::vector<double> parse_curve(const std::string& text);

/// "1.5 after 3": the last loss and the number of steps; "" where there are no losses.
std::string last_loss_text(const Convergence& each);

/// "onednn, 2 threads", "cublas_cudnn, launch:graph".
std::string by_text(const Case& c);

/// "cublas_cudnn, bf16, gpu, launch:graph".
std::string way_text(const CaseName& name);

/// The shape without the digits that it ends in: what a sweep over batches shares ("b", "tiny_b").
std::string sweep_name(const std::string& shape);

}  // namespace breakeven
