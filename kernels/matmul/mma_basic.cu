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

template <Precision kPrecision>
void start(const Gemm& gemm, void*, const Gpu&, Stream stream) {
  mma_start_strided<kPrecision, kConfig>(mma_problem<kPrecision>(gemm, kConfig, TileOrder::rows),
                                         stream);
}

template <Precision kPrecision>
Rung rung() {
  return {"mma_basic",
          kPrecision,
          mma_min_compute(kPrecision),
          kAnyCompute,
          mma_unsupported<kPrecision>,
          no_workspace,
          start<kPrecision>};
}

}  // namespace

std::vector<Rung> mma_basic_rungs() {
  return {rung<Precision::bf16>(), rung<Precision::f16>(), rung<Precision::tf32>(),
          rung<Precision::fp8>(), rung<Precision::int8>()};
}

}  // namespace breakeven::matmul
