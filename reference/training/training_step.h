// Training steps, their phases and inference of the models as workloads: what is timed as
// training_step_<model>/<shape>, training_forward_<model>, training_backward_<model>,
// training_update_<model> and inference_<model>.
//
// A phase's answer is the whole step's: an implementation takes the whole step once, and run()
// repeats the phase, of what the phases before it left. (A loss's gradient may be taken in the
// forward phase, in place of the logits, as fused losses do.)
//
// The answer of a training step is one array: the loss, the gradient of the logits, the gradient of
// every parameter, then the next value of every parameter and state, in the graph's order. Not the
// logits themselves: a fused loss writes their gradient over them, and holds as much. The answer of
// inference is the logits. Up to kWholeAnswer elements all are there; of larger answers each tensor
// of more than kSamples elements gives kSamples seeded ones, spread over it.
//
// Elements are f32 (f64 in f64), whatever the precision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "reference/training/models.h"
#include "reference/workload.h"

namespace breakeven {

inline constexpr std::int64_t kWholeAnswer = std::int64_t{1} << 23;
inline constexpr std::int64_t kSamples = 4096;

/// A tensor's elements in an answer: answer[first + i] is the tensor's element(i).
struct AnswerPart {
  TensorId tensor;
  std::int64_t first;
  std::int64_t count;
  std::int64_t whole;  ///< elements of the tensor; more than count: samples

  std::int64_t element(std::int64_t i) const;
};

struct ExpectedAnswer;  // reference/training/training_check.h

/// What a call of a row does: a whole step, one of its phases, or inference.
enum class StepPart { step, forward, backward, update, inference };

/// "training_step", "training_forward", ..., "inference": what an operation's name begins with.
std::string part_name(StepPart part);

/// The phase that a part is, or none for a whole step and inference.
std::optional<Phase> phase_of(StepPart part);

/// One step of a model, or a part of it. Precisions are f64, f32, tf32 (products' operands) and
/// bf16 (working tensors; parameters, their gradients, states and sums are f32); others throw
/// std::invalid_argument wherever they are asked for.
class TrainingStep final : public Workload {
 public:
  /// Throws std::invalid_argument as build_model() does.
  TrainingStep(std::string shape, const ModelSize& size, StepPart part);

  /// Another part of the same step, which shares its graph and the fp64 answer that check() takes.
  /// Throws std::invalid_argument where one of the two is inference.
  TrainingStep(const TrainingStep& step, StepPart part);
  ~TrainingStep() override;

  const ModelSize size;
  const StepPart part;
  const Purpose purpose;  ///< inference or training

  /// The model's graph. Its states start from seeded values other than zero, since a step from
  /// zeros can't show that momentum is forgotten; a loop that trains fills its own from
  /// build_model(). The step's number is 1.
  const Model& model;

  std::vector<std::pair<std::string, std::int64_t>> dimensions() const override;

  /// model_flops(), or those of the phase's nodes. Bytes of a step and of inference: every input
  /// read and every updated tensor (inference: the logits) written once; of a phase: what its nodes
  /// read and the phase doesn't write, and what it writes for the phases after it or for the
  /// answer.
  Cost cost(Precision precision) const override;

  /// Images or tokens of a step; an update's time doesn't depend on them, so it has none.
  Items items() const override;

  /// Every tensor from outside in the graph's order; source(index) says which. Index tensors are
  /// s32, parameters and states f32. In bf16 parameters start from bf16 values, so that they equal
  /// their working copies.
  std::vector<Operand> inputs(Precision precision) const override;
  TensorId source(std::size_t index) const;
  Operand output(Precision precision) const override;  ///< "answer"
  void fill_input(std::size_t index, Precision precision, std::span<std::byte> out) const override;

  /// Against the fp64 interpreter; see reference/training/training_check.h.
  Check check(Precision precision, std::span<const std::byte> answer) const override;
  std::size_t check_bytes(Precision precision) const override;

  const std::vector<AnswerPart>& answer_parts() const;

  /// Writes an answer; value(tensor, element) is asked for every element that it holds, tensor
  /// after tensor. `out` holds output().bytes().
  void write_answer(Precision precision, std::span<std::byte> out,
                    const std::function<double(TensorId, std::int64_t)>& value) const;

 private:
  struct Shared;  // by the parts of one step
  TrainingStep(std::shared_ptr<Shared> shared, std::string shape, const ModelSize& size,
               StepPart part);

  std::shared_ptr<Shared> shared_;
};

/// How a tensor is stored in a precision. Throws std::invalid_argument where steps have no such
/// precision.
ElementType stored_type(const Tensor& tensor, Precision precision);

}  // namespace breakeven
