// Rung 3: 32x32 tiles of A and B in shared memory, so that each element comes from global memory
// once per 32 outputs. Bounded by shared memory: a thread's four multiply-adds load five operands,
// and the load unit serves one warp a cycle where the multipliers could serve four.
#include "kernels/matmul/sgemm_rungs.h"
#include "kernels/matmul/sgemm_strided_tile.h"

namespace breakeven::matmul {
namespace {

constexpr int kTile = 32;
constexpr int kThreadRows = 8;
constexpr int kThreads = kTile * kThreadRows;
constexpr int kOutputs = kTile / kThreadRows;  // of a thread: every eighth row of its column
// A column more than the tile has, so that a transposed operand's stores, which run down a column,
// fall into 32 banks.
constexpr int kStride = kTile + 1;

__global__ void sgemm_shared_tile_kernel(SgemmProblem p, Strides a, Strides b) {
  ptx::SharedMemory shared;
  float* a_tile = shared.take<float>(kTile * kStride);
  float* b_tile = shared.take<float>(kTile * kStride);
  const TilePosition first = first_element(p, kTile, kTile);
  const int thread = static_cast<int>(threadIdx.x);
  const int x = thread % kTile;
  const int y = thread / kTile;
  float sums[kOutputs] = {};
  for (int slab = 0; slab < p.k; slab += kTile) {
    load_strided_tile<kTile, kTile, kStride, kThreads>(a_tile, p.a, a, first.row, slab, p.m, p.k,
                                                       thread);
    load_strided_tile<kTile, kTile, kStride, kThreads>(b_tile, p.b, b, slab, first.column, p.k, p.n,
                                                       thread);
    __syncthreads();
#pragma unroll
    for (int l = 0; l < kTile; ++l) {
      const float right = b_tile[l * kStride + x];
#pragma unroll
      for (int i = 0; i < kOutputs; ++i) {
        sums[i] = fmaf(a_tile[(y + i * kThreadRows) * kStride + l], right, sums[i]);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < kOutputs; ++i) {
    const int row = first.row + y + i * kThreadRows;
    const int column = first.column + x;
    if (row < p.m && column < p.n) p.c[row * p.ldc + column] = sums[i];
  }
}

PreparedGemm prepare(const Gemm& gemm, void*, const Gpu&) {
  return prepare_plain(sgemm_shared_tile_kernel, gemm, kTile, dim3(kThreads),
                       2 * kTile * kStride * sizeof(float));
}

}  // namespace

const Rung& sgemm_shared_tile() {
  static const Rung rung = plain_rung("sgemm_shared_tile", prepare);
  return rung;
}

}  // namespace breakeven::matmul
