// Rung 1 of the tensor-core ladder: tiles of 64x64 by four warps, fragments straight from shared
// memory by 32-bit loads. Bounded by shared memory: eight rows of 64 bytes fall into four different
// groups of banks only, so each load takes four passes, and the tensor core waits for it, as it
// waits for the copies, which go element by element.
#include "kernels/matmul/mma_launch.h"
#include "kernels/matmul/mma_rungs.h"

namespace breakeven::matmul {
namespace {

constexpr MmaConfig kConfig = {.m = 64,
                               .n = 64,
                               .warps_m = 2,
                               .warps_n = 2,
                               .stages = 1,
                               .ldmatrix = false,
                               .staged_store = false,
                               .blocks_per_sm = 4};

}  // namespace

template <Precision kPrecision>
struct MmaBasic {
  static PreparedLaunch prepare(const Gemm& gemm) {
    return mma_prepare_strided<kPrecision, kConfig>(
        mma_problem<kPrecision>(gemm, kConfig, TileOrder::rows));
  }
};

std::vector<Rung> mma_basic_rungs() { return mma_plain_rungs<MmaBasic>("mma_basic"); }

}  // namespace breakeven::matmul
