// Rung 2 of the tensor-core ladder: tiles of 128x128, warps of 64x64, copied in 16-byte
// vectors into swizzled slabs, from which ldmatrix takes four 8x8 matrices at once without a bank
// conflict. Bounded by latency: no copy is under way while the tensor core works, and none of its
// work while a copy is.
#include "kernels/matmul/mma_launch.h"
#include "kernels/matmul/mma_rungs.h"

namespace breakeven::matmul {
namespace {

template <Precision kPrecision>
constexpr MmaConfig kConfig =
    mma_config_128x128(sizeof(typename MmaTypes<kPrecision>::Element), 1, false);

template <Precision kPrecision>
void start(const Gemm& gemm, void*, const Gpu&, Stream stream) {
  const MmaProblem p = mma_problem<kPrecision>(gemm, kConfig<kPrecision>, TileOrder::rows);
  const auto layouts = mma_layouts(gemm, sizeof(typename MmaTypes<kPrecision>::Element));
  if (layouts.strided()) return mma_start_strided<kPrecision, kConfig<kPrecision>>(p, stream);
  mma_start_vectors<kPrecision, kConfig<kPrecision>>(p, layouts, stream);
}

template <Precision kPrecision>
Rung rung() {
  return {"mma_ldmatrix",
          kPrecision,
          mma_min_compute(kPrecision),
          kAnyCompute,
          mma_unsupported<kPrecision>,
          no_workspace,
          start<kPrecision>};
}

}  // namespace

std::vector<Rung> mma_ldmatrix_rungs() {
  return {rung<Precision::bf16>(), rung<Precision::f16>(), rung<Precision::tf32>(),
          rung<Precision::fp8>(), rung<Precision::int8>()};
}

}  // namespace breakeven::matmul
