// Rung 7: each warp owns 32x64 outputs, its lanes 8x8 of them in four quadrants, so that no shared
// load has a bank conflict and a warp's operands are read once for all of its lanes. The next
// slab's global loads run while this one is computed. Bounded by what surrounds the multiply-adds:
// two barriers a slab, stores to shared memory, and each step's wait for its own shared loads.
#include "kernels/matmul/sgemm_rungs.h"
#include "kernels/matmul/sgemm_staged_load.h"
#include "kernels/matmul/sgemm_thread_tile.h"

namespace breakeven::matmul {
namespace {

using Tiles = ThreadTiles<4, 2, 4, 8, 2, 2, 8>;  // 128x128x8, 256 threads
template <bool kTransA, bool kVector>
using LoadA = StagedLoad<Tiles::kM, Tiles::kSlab, Tiles::kThreads, !kTransA, kVector>;
template <bool kTransB, bool kVector>
using LoadB = StagedLoad<Tiles::kN, Tiles::kSlab, Tiles::kThreads, kTransB, kVector>;

template <bool kTransA, bool kTransB, bool kVector>
__global__ void __launch_bounds__(Tiles::kThreads, kVector ? 2 : 1)
    sgemm_warp_tile_kernel(SgemmProblem p) {
  constexpr int kStrideA = LoadA<kTransA, kVector>::kStride;
  constexpr int kStrideB = LoadB<kTransB, kVector>::kStride;
  ptx::SharedMemory shared;
  float* a_slab = shared.take<float>(LoadA<kTransA, kVector>::kFloats);
  float* b_slab = shared.take<float>(LoadB<kTransB, kVector>::kFloats);
  const TilePosition first = first_element(p, Tiles::kM, Tiles::kN);
  const int thread = static_cast<int>(threadIdx.x);
  const float* a_from = a_slab + Tiles::row(thread);
  const float* b_from = b_slab + Tiles::column(thread);
  LoadA<kTransA, kVector> load_a(p.a, p.lda, first.row, p.m, thread);
  LoadB<kTransB, kVector> load_b(p.b, p.ldb, first.column, p.n, thread);
  float sums[Tiles::kRows][Tiles::kColumns] = {};
  load_a.fetch(p.k);
  load_b.fetch(p.k);
  for (int slab = 0; slab < p.k; slab += Tiles::kSlab) {
    load_a.store(a_slab);
    load_b.store(b_slab);
    __syncthreads();
    if (slab + Tiles::kSlab < p.k) {
      load_a.fetch(p.k - slab - Tiles::kSlab);
      load_b.fetch(p.k - slab - Tiles::kSlab);
    }
#pragma unroll
    for (int l = 0; l < Tiles::kSlab; ++l) {
      float a[Tiles::kRows];
      float b[Tiles::kColumns];
      load_fragment<Tiles::kRows, Tiles::kStepM>(a, a_from + l * kStrideA);
      load_fragment<Tiles::kColumns, Tiles::kStepN>(b, b_from + l * kStrideB);
      add_outer_product(sums, a, b);
    }
    __syncthreads();
  }
  store_sums<Tiles>(p, first, thread, sums);
}

PreparedGemm prepare(const Gemm& gemm, void*, const Gpu&) {
  const SgemmProblem p = sgemm_problem(gemm, Tiles::kM, Tiles::kN);
  return {with_layout(gemm.shape.trans_a, gemm.shape.trans_b, vector_operands(gemm),
                      [&](auto trans_a, auto trans_b, auto vector) {
                        const std::size_t floats =
                            LoadA<trans_a, vector>::kFloats + LoadB<trans_b, vector>::kFloats;
                        return prepare_launch(
                            sgemm_warp_tile_kernel<trans_a, trans_b, vector>,
                            {dim3(blocks(p)), dim3(Tiles::kThreads), floats * sizeof(float)}, p);
                      })};
}

}  // namespace

const Rung& sgemm_warp_tile() {
  static const Rung rung = {"sgemm_warp_tile", Precision::f32, 80,     kAnyCompute,
                            sgemm_sizes,       no_workspace,   prepare};
  return rung;
}

}  // namespace breakeven::matmul
