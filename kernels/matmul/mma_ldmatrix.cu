// Rung 2 of the tensor-core ladder: tiles of 128x128, warps of 64x64, copied in 16-byte
// vectors into swizzled slabs, from which ldmatrix takes four 8x8 matrices at once without a bank
// conflict. Bounded by latency: no copy is under way while the tensor core works, and none of its
// work while a copy is.
#include "kernels/matmul/mma_launch.h"
#include "kernels/matmul/mma_rungs.h"

namespace breakeven::matmul {

template <Precision kPrecision>
struct MmaLdmatrix {
  static PreparedLaunch prepare(const Gemm& gemm) {
    return mma_prepare_128x128<kPrecision, 1>(gemm);
  }
};

std::vector<Rung> mma_ldmatrix_rungs() { return mma_plain_rungs<MmaLdmatrix>("mma_ldmatrix"); }

}  // namespace breakeven::matmul
