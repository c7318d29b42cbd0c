// Rung 8: three stages of shared memory filled by cp.async, one barrier a slab of 16, quadrant
// fragments double-buffered in registers. Bounded by issue slots: 64 multiply-adds need 4 shared
// loads, and copies and their addresses come on top, so some 90 % of the main loop can be FFMA.
// 128 registers and 50 KB of shared memory leave room for two blocks on a multiprocessor, of which
// one computes while the other waits at its barrier.
#include "kernels/matmul/sgemm_pipeline.h"
#include "kernels/matmul/sgemm_rungs.h"

namespace breakeven::matmul {
namespace {

using Tiles = ThreadTiles<4, 2, 4, 8, 2, 2, 16>;  // 128x128x16, 256 threads
constexpr int kStages = 3;

template <bool kTransA, bool kTransB, bool kVector>
__global__ void __launch_bounds__(Tiles::kThreads, kVector ? 2 : 1)
    sgemm_pipelined_kernel(SgemmProblem p) {
  using Loop = Pipeline<Tiles, kStages, kTransA, kTransB, kVector>;
  ptx::SharedMemory shared;
  float* stages = shared.take<float>(Loop::kFloats);
  const TilePosition first = first_element(p, Tiles::kM, Tiles::kN);
  const int thread = static_cast<int>(threadIdx.x);
  float sums[Tiles::kRows][Tiles::kColumns] = {};
  Loop::run(p, first, {0, 1, slab_count(p.k, Tiles::kSlab)}, stages, thread, BlockBarrier(), sums);
  store_sums<Tiles>(p, first, thread, sums);
}

PreparedGemm prepare(const Gemm& gemm, void*, const Gpu&) {
  const SgemmProblem p = sgemm_problem(gemm, Tiles::kM, Tiles::kN);
  return {with_layout(gemm.shape.trans_a, gemm.shape.trans_b, vector_copies(gemm),
                      [&](auto trans_a, auto trans_b, auto vector) {
                        constexpr bool kVector = vector || (!trans_a && trans_b);
                        using Loop = Pipeline<Tiles, kStages, trans_a, trans_b, kVector>;
                        return prepare_launch(
                            sgemm_pipelined_kernel<trans_a, trans_b, kVector>,
                            {dim3(blocks(p)), dim3(Tiles::kThreads), Loop::kFloats * sizeof(float)},
                            p);
                      })};
}

}  // namespace

const Rung& sgemm_pipelined() {
  static const Rung rung = {"sgemm_pipelined", Precision::f32, 80,     kAnyCompute,
                            sgemm_sizes,       no_workspace,   prepare};
  return rung;
}

}  // namespace breakeven::matmul
