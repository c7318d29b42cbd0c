// Rung 3 of the tensor-core ladder: three stages of cp.async, the next step's fragments loaded
// while the tensor core works on this one's, and a single barrier a slab. Bounded by what isn't the
// main loop: one size of tile leaves SMs without work on all but large problems, rows of tiles read
// B from memory again and again, and C is stored element by element.
#include "kernels/matmul/mma_launch.h"
#include "kernels/matmul/mma_rungs.h"

namespace breakeven::matmul {

template <Precision kPrecision>
struct MmaPipelined {
  static PreparedLaunch prepare(const Gemm& gemm) {
    return mma_prepare_128x128<kPrecision, 3>(gemm);
  }
};

std::vector<Rung> mma_pipelined_rungs() { return mma_plain_rungs<MmaPipelined>("mma_pipelined"); }

}  // namespace breakeven::matmul
