// Rung 4 of the tensor-core ladder for f16 operands and results. Bounded by the tensor cores where
// the problem is large, as bf16's.
#include "kernels/matmul/mma_rungs.h"
#include "kernels/matmul/mma_tiles.h"

namespace breakeven::matmul {

Rung mma_tiles_f16() { return mma_tiles_rung<Precision::f16>(); }

}  // namespace breakeven::matmul
