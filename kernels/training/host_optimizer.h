// SGD and AdamW on the CPU: every tensor of a model in one parallel region. Bound by memory
// bandwidth: 20 bytes an element for SGD, 28 for AdamW, 2 more for a bf16 copy.
#pragma once

#include <span>

#include "kernels/training/host_math.h"
#include "reference/training/graph.h"

namespace breakeven::training {

/// One tensor's update, out of place. All f32; `copy` is the next weights in bf16, or null. SGD has
/// no `m` and keeps its momentum in `v`.
struct HostUpdate {
  std::int64_t elements;
  const float *w, *g, *m, *v;
  float *next_w, *next_m, *next_v;
  Bf16* copy;
  float decay;  ///< of this tensor, instead of the optimiser's
};

/// v' = momentum v + g + decay w; w' = w - rate v'.
void sgd(std::span<const HostUpdate> updates, const Sgd& optimizer);

/// As AdamW's comment in reference/training/graph.h; `step` is 1 for the first.
void adamw(std::span<const HostUpdate> updates, const AdamW& optimizer, std::int64_t step);

}  // namespace breakeven::training
