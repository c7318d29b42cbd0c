// Rung 4 of the tensor-core ladder for bf16 operands and results. Bounded by the tensor cores where
// the problem is large: a warp's slab is 64 HMMA of 16x8x16 for 16 ldmatrix and one barrier, 44 %
// of the main loop's instructions.
#include "kernels/matmul/mma_rungs.h"
#include "kernels/matmul/mma_tiles.h"

namespace breakeven::matmul {

Rung mma_tiles_bf16() { return mma_tiles_rung<Precision::bf16>(); }

}  // namespace breakeven::matmul
