// Rung 6: as the 2-D register tile, with every access to memory 128 bits wide. A lies transposed in
// shared memory, so that a thread's eight rows are neighbours there: 4 loads for 64 multiply-adds.
// Bounded by latency (a slab's loads from global memory are waited for before it is computed) and
// by two-way conflicts: the lanes of a load of B lie eight floats apart.
#include "kernels/matmul/sgemm_rungs.h"
#include "kernels/matmul/sgemm_staged_load.h"
#include "kernels/matmul/sgemm_thread_tile.h"

namespace breakeven::matmul {
namespace {

constexpr int kTile = 128;
constexpr int kSlab = 8;
constexpr int kOutputs = 8;  // along each side
constexpr int kThreads = kTile * kTile / (kOutputs * kOutputs);

template <bool kTransA, bool kTransB, bool kVector>
__global__ void __launch_bounds__(kThreads, kVector ? 2 : 1)
    sgemm_vectorized_kernel(SgemmProblem p) {
  using LoadA = StagedLoad<kTile, kSlab, kThreads, !kTransA, kVector>;
  using LoadB = StagedLoad<kTile, kSlab, kThreads, kTransB, kVector>;
  ptx::SharedMemory shared;
  float* a_slab = shared.take<float>(LoadA::kFloats);
  float* b_slab = shared.take<float>(LoadB::kFloats);
  const TilePosition first = first_element(p, kTile, kTile);
  const int thread = static_cast<int>(threadIdx.x);
  const int x = thread % (kTile / kOutputs) * kOutputs;
  const int y = thread / (kTile / kOutputs) * kOutputs;
  LoadA load_a(p.a, p.lda, first.row, p.m, thread);
  LoadB load_b(p.b, p.ldb, first.column, p.n, thread);
  float sums[kOutputs][kOutputs] = {};
  for (int slab = 0; slab < p.k; slab += kSlab) {
    load_a.fetch(p.k - slab);
    load_b.fetch(p.k - slab);
    load_a.store(a_slab);
    load_b.store(b_slab);
    __syncthreads();
#pragma unroll
    for (int l = 0; l < kSlab; ++l) {
      float a[kOutputs];
      float b[kOutputs];
      load_fragment<kOutputs, 4>(a, a_slab + l * LoadA::kStride + y);
      load_fragment<kOutputs, 4>(b, b_slab + l * LoadB::kStride + x);
      add_outer_product(sums, a, b);
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < kOutputs; ++i) {
    const float left[4] = {sums[i][0], sums[i][1], sums[i][2], sums[i][3]};
    const float right[4] = {sums[i][4], sums[i][5], sums[i][6], sums[i][7]};
    store_quad(p, first.row + y + i, first.column + x, left);
    store_quad(p, first.row + y + i, first.column + x + 4, right);
  }
}

PreparedGemm prepare(const Gemm& gemm, void*, const Gpu&) {
  const SgemmProblem p = sgemm_problem(gemm, kTile, kTile);
  return {with_layout(gemm.shape.trans_a, gemm.shape.trans_b, vector_operands(gemm),
                      [&](auto trans_a, auto trans_b, auto vector) {
                        using LoadA = StagedLoad<kTile, kSlab, kThreads, !trans_a, vector>;
                        using LoadB = StagedLoad<kTile, kSlab, kThreads, trans_b, vector>;
                        const std::size_t bytes = (LoadA::kFloats + LoadB::kFloats) * sizeof(float);
                        return prepare_launch(sgemm_vectorized_kernel<trans_a, trans_b, vector>,
                                              {dim3(blocks(p)), dim3(kThreads), bytes}, p);
                      })};
}

}  // namespace

const Rung& sgemm_vectorized() {
  static const Rung rung = {"sgemm_vectorized", Precision::f32, 80,     kAnyCompute,
                            sgemm_sizes,        no_workspace,   prepare};
  return rung;
}

}  // namespace breakeven::matmul
