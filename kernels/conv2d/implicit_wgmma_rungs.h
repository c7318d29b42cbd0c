// The rungs by wgmma, which sm_90a alone has.
#pragma once

#include <vector>

#include "kernels/conv2d/conv.h"

namespace breakeven::conv2d {

/// One a precision; none in a build without sm_90a.
std::vector<Rung> implicit_wgmma_rungs();

Rung implicit_wgmma_bf16_rung();
Rung implicit_wgmma_f16_rung();
Rung implicit_wgmma_tf32_rung();

}  // namespace breakeven::conv2d
