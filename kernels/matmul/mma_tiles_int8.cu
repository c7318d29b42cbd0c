// Rung 4 of the tensor-core ladder for s8 operands and s32 sums, exact. Bounded by the tensor cores
// where the problem is large; by turning bytes in registers, 5 instructions for each of a warp's 24
// registers of fragments, where operands don't lie along k.
#include "kernels/matmul/mma_rungs.h"
#include "kernels/matmul/mma_tiles.h"

namespace breakeven::matmul {

Rung mma_tiles_int8() { return mma_tiles_rung<Precision::int8>(); }

}  // namespace breakeven::matmul
