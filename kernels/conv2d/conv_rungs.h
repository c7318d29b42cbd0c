// The rungs by name; each is defined in the file of its name.
#pragma once

#include <vector>

#include "kernels/conv2d/conv.h"

namespace breakeven::conv2d {

std::vector<Rung> naive_rungs();
Rung implicit_sgemm_rung();
Rung implicit_mma_bf16_rung();
Rung implicit_mma_f16_rung();
Rung implicit_mma_tf32_rung();
Rung implicit_mma_fp8_rung();
Rung implicit_mma_int8_rung();
std::vector<Rung> depthwise_rungs();
std::vector<Rung> pointwise_rungs();
Rung winograd_rung();

}  // namespace breakeven::conv2d
