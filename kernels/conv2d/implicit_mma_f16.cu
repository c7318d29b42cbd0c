// Bounded as kernels/conv2d/implicit_mma.h says. One file a precision, so that they compile side by
// side.
#include "kernels/conv2d/implicit_mma.h"

namespace breakeven::conv2d {

Rung implicit_mma_f16_rung() { return implicit_mma_rung<Precision::f16>(); }

}  // namespace breakeven::conv2d
