// Rung 4 of the tensor-core ladder for e4m3 operands and bf16 results, sm_89 and later. Bounded by
// the tensor cores where the problem is large and the architecture has mma.sync of its own for fp8
// (sm_89, sm_120); by conversions to f16 elsewhere. Operands that don't lie along k are turned in
// registers, about 5 instructions for each of a warp's 24 registers of fragments.
#include "kernels/matmul/mma_rungs.h"
#include "kernels/matmul/mma_tiles.h"

namespace breakeven::matmul {

Rung mma_tiles_fp8() { return mma_tiles_rung<Precision::fp8>(); }

}  // namespace breakeven::matmul
