// Rung 3 of the tensor-core ladder: three stages of cp.async, the next step's fragments loaded
// while the tensor core works on this one's, and a single barrier a slab. Bounded by what isn't the
// main loop: one size of tile leaves SMs without work on all but large problems, rows of tiles read
// B from memory again and again, and C is stored element by element.
#include "kernels/matmul/mma_launch.h"
#include "kernels/matmul/mma_rungs.h"

namespace breakeven::matmul {
namespace {

template <Precision kPrecision>
constexpr MmaConfig kConfig =
    mma_config_128x128(sizeof(typename MmaTypes<kPrecision>::Element), 3, false);

template <Precision kPrecision>
void start(const Gemm& gemm, void*, const Gpu&, Stream stream) {
  const MmaProblem p = mma_problem<kPrecision>(gemm, kConfig<kPrecision>, TileOrder::rows);
  const auto layouts = mma_layouts(gemm, sizeof(typename MmaTypes<kPrecision>::Element));
  if (layouts.strided()) return mma_start_strided<kPrecision, kConfig<kPrecision>>(p, stream);
  mma_start_vectors<kPrecision, kConfig<kPrecision>>(p, layouts, stream);
}

template <Precision kPrecision>
Rung rung() {
  return {"mma_pipelined",
          kPrecision,
          mma_min_compute(kPrecision),
          kAnyCompute,
          mma_unsupported<kPrecision>,
          no_workspace,
          start<kPrecision>};
}

}  // namespace

std::vector<Rung> mma_pipelined_rungs() {
  return {rung<Precision::bf16>(), rung<Precision::f16>(), rung<Precision::tf32>(),
          rung<Precision::fp8>(), rung<Precision::int8>()};
}

}  // namespace breakeven::matmul
