// Rung 4 of the tensor-core ladder for f32 operands, of which the tensor core reads tf32. Bounded
// by the tensor cores where the problem is large; with twice the bytes and half the rate of bf16,
// the L2 cache is no nearer a limit than there. Operands that don't lie along k cost four 32-bit
// loads for each ldmatrix.
#include "kernels/matmul/mma_rungs.h"
#include "kernels/matmul/mma_tiles.h"

namespace breakeven::matmul {

Rung mma_tiles_tf32() { return mma_tiles_rung<Precision::tf32>(); }

}  // namespace breakeven::matmul
