// From bf16 to f32: gradients of weights whose product stores bf16.
#pragma once

#include <cstdint>

#include "kernels/training/training.h"

namespace breakeven::training {

/// to[i] = from[i]; they may not overlap. Throws std::invalid_argument for no elements and tensors
/// that aren't aligned.
PreparedLaunch prepare_widen(const bf16* from, float* to, std::int64_t elements);

}  // namespace breakeven::training
