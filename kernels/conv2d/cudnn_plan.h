// Which of the plans that cuDNN offers is taken: plain C++, tested without a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "kernels/kernel.h"
#include "reference/conv2d.h"
#include "reference/precision.h"

namespace breakeven::conv2d {

/// What cuDNN says of a plan, as bits: numerical notes in cudnnBackendNumericalNote_t's order, then
/// the behaviour notes that decide something here.
enum class PlanNote : std::uint32_t {
  tensor_core = 1u << 0,
  down_convert_inputs = 1u << 1,
  reduced_precision_reduction = 1u << 2,
  fft = 1u << 3,
  nondeterministic = 1u << 4,
  winograd = 1u << 5,
  winograd_tile_4x4 = 1u << 6,
  winograd_tile_6x6 = 1u << 7,
  winograd_tile_13x13 = 1u << 8,
  strict_nan_prop = 1u << 9,
  reordered_operands = 1u << 16,  ///< wants int8 filters or biases in an order of its own
  runtime_compilation = 1u << 17,
};

/// A set of PlanNote.
using PlanNotes = std::uint32_t;

inline PlanNotes plan_notes(std::initializer_list<PlanNote> notes) {
  PlanNotes all = 0;
  for (const PlanNote note : notes) all |= static_cast<PlanNotes>(note);
  return all;
}

/// "tensor_core winograd", or "none".
std::string notes_text(PlanNotes notes);

/// cuDNN's choice of algorithm: `direct` sums the products of the definition, in any order;
/// `winograd` is Winograd's minimal filtering, whose error is another one (Lavin & Gray, "Fast
/// Algorithms for Convolutional Neural Networks", CVPR 2016).
enum class Algorithm { direct, winograd };

/// What a plan must satisfy.
struct PlanRules {
  PlanNotes forbidden = 0;
  PlanNotes one_of = 0;  ///< 0: none is needed
  std::size_t most_workspace_bytes = 0;
};

/// The most workspace that a plan may take where the device has room for it.
inline constexpr std::size_t kMostWorkspaceBytes = std::size_t{512} << 20;

/// The rules of a row: strict f32 forbids tensor cores (plans of TF32 have that note and no other);
/// only fp8 may accumulate in less than f32; nothing may convert its inputs to a smaller type.
/// Gradients must repeat to the last bit, so plans that sum with atomics are left out there;
/// forward plans may, but where `repeatable` asks the same of them, as a training step does.
/// `free_bytes`: device memory that is free, of which kReservedBytes stay so.
PlanRules plan_rules(Precision precision, Conv2dOp op, Algorithm algorithm, std::size_t free_bytes,
                     bool repeatable = false);
inline constexpr std::size_t kReservedBytes = std::size_t{256} << 20;

/// Thrown by PlanSource::seconds where the plan's workspace can't be had.
class NoWorkspace : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The plans that a library offers for one operation, the most promising first.
class PlanSource {
 public:
  virtual ~PlanSource() = default;
  virtual std::size_t size() const = 0;

  /// Engine and knobs: plans of one name are the same.
  virtual std::string name(std::size_t plan) const = 0;
  virtual PlanNotes notes(std::size_t plan) const = 0;

  /// Makes the plan ready; the workspace that it needs, in bytes. Throws where it can't.
  virtual std::size_t build(std::size_t plan) = 0;

  /// One call of a built plan, warmed up; `best`: the fastest so far, or infinity, for a source
  /// that gives up early. NaN or an exception: it failed.
  virtual double seconds(std::size_t plan, double best) = 0;

  /// Frees what build() made.
  virtual void release(std::size_t plan) = 0;
};

/// What became of the plans.
struct PlanTally {
  std::size_t offered = 0;
  std::size_t repeated = 0;     ///< offered before under the same name
  std::size_t wrong_notes = 0;  ///< forbidden numerics, or none of the wanted ones
  std::size_t unbuildable = 0;
  std::size_t too_large = 0;  ///< more workspace than allowed or free
  std::size_t failed = 0;     ///< when it was run
  std::size_t timed = 0;
  std::string first_reason = {};  ///< of the first that was unbuildable or failed, in one line
};

/// "14 offered, 3 repeated, 6 of other numerics, 5 timed": what is 0 is left out.
std::string tally_text(const PlanTally& tally);

struct PlanChoice {
  std::size_t plan = 0;
  double seconds = 0;
  std::size_t workspace_bytes = 0;
  PlanTally tally;
};

/// Builds and times every plan that `rules` allow; the fastest stays built, the first of equals.
/// Throws Unsupported with one line that says what became of all of them where none is left.
PlanChoice choose_plan(PlanSource& source, const PlanRules& rules);

/// Why no GPU of `compute_capability` (90 on an H100) computes in this precision, or "". Whether
/// cuDNN has it for a shape, only its heuristics know.
std::string unsupported_precision(Precision precision, int compute_capability);

/// The heart of a message of cuDNN, in one line: what failed, and the first of the reasons that it
/// gives for every engine.
std::string refusal_text(const std::string& text);

/// `text` in one line of at most 240 characters.
std::string one_line(const std::string& text);

}  // namespace breakeven::conv2d
