// A model's graph compiled for one backend: memory for its tensors and the calls that do its nodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernel.h"
#include "reference/training/graph.h"

namespace breakeven::training {

/// Computes step after step. Tensors that no one reads between a backend's calls may not exist:
/// those of an answer (reference/training/training_step.h) and, for inference, the logits always
/// do.
class Program {
 public:
  virtual ~Program() = default;

  /// Sets a tensor from outside: dense values of its stored_type() in host memory. Where products
  /// read a working copy of a parameter, that follows. Throws std::invalid_argument where the
  /// tensor is written by a node or has another size.
  virtual void write(TensorId id, std::span<const std::byte> values) = 0;

  /// A tensor's values, widened to f32, after what was run last; waits for it. Throws
  /// std::invalid_argument where the program keeps no such tensor.
  virtual std::vector<float> read(TensorId id) = 0;

  /// A whole step: every phase that the graph has. On a GPU it is enqueued.
  virtual void run() = 0;

  /// One phase, of what the phases before it left.
  virtual void run(Phase phase) = 0;

  /// Fills all that a phase's nodes write with bytes 0xFF.
  virtual void poison(Phase phase) = 0;

  /// Takes what was updated as the state of the next step, whose number is one more. Costs no copy:
  /// the program swaps the roles of two buffers. May compile at the first call.
  virtual void advance() = 0;

  /// The number that the next run() has for AdamW, 1 at first.
  virtual void set_step(std::int64_t step) = 0;

  virtual Facts facts() const { return {}; }
};

}  // namespace breakeven::training
