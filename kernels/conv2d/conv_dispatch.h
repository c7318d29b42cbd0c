// Which of the rungs is expected to be the fastest for a call.
#pragma once

#include "kernels/conv2d/conv.h"

namespace breakeven::conv2d {

/// nullptr where no rung takes the call on this GPU. The choice doesn't look at pointers. Winograd
/// is never chosen: its roundings are larger than a direct sum's, so its row stands beside cuDNN's
/// Winograd and not among what computes f32 directly.
const Rung* choose(const Conv& conv, Precision precision, const Gpu& gpu);

}  // namespace breakeven::conv2d
