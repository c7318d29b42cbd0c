// Bounded as kernels/conv2d/implicit_wgmma.h says. One file a precision, so that they compile side
// by side.
#include "kernels/conv2d/implicit_wgmma.h"

namespace breakeven::conv2d {

Rung implicit_wgmma_f16_rung() { return implicit_wgmma_rung<Precision::f16>(); }

}  // namespace breakeven::conv2d
