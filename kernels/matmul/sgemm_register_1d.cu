// Rung 4: a thread computes a column of eight outputs, so that an element of B, once in a register,
// serves eight multiply-adds. Bounded by shared memory still: nine loads for eight multiply-adds,
// though those of A are one address for the whole warp.
#include "kernels/matmul/sgemm_rungs.h"
#include "kernels/matmul/sgemm_strided_tile.h"

namespace breakeven::matmul {
namespace {

constexpr int kTile = 64;
constexpr int kSlab = 8;
constexpr int kOutputs = 8;
constexpr int kThreads = kTile * kTile / kOutputs;
// One more than the row's length: stores that run down a column fall into different banks.
constexpr int kStrideA = kSlab + 1;
constexpr int kStrideB = kTile + 1;

__global__ void __launch_bounds__(kThreads)
    sgemm_register_1d_kernel(SgemmProblem p, Strides a, Strides b) {
  ptx::SharedMemory shared;
  float* a_tile = shared.take<float>(kTile * kStrideA);
  float* b_tile = shared.take<float>(kSlab * kStrideB);
  const TilePosition first = first_element(p, kTile, kTile);
  const int thread = static_cast<int>(threadIdx.x);
  const int x = thread % kTile;
  const int y = thread / kTile * kOutputs;
  float sums[kOutputs] = {};
  for (int slab = 0; slab < p.k; slab += kSlab) {
    load_strided_tile<kTile, kSlab, kStrideA, kThreads>(a_tile, p.a, a, first.row, slab, p.m, p.k,
                                                        thread);
    load_strided_tile<kSlab, kTile, kStrideB, kThreads>(b_tile, p.b, b, slab, first.column, p.k,
                                                        p.n, thread);
    __syncthreads();
#pragma unroll
    for (int l = 0; l < kSlab; ++l) {
      const float right = b_tile[l * kStrideB + x];
#pragma unroll
      for (int i = 0; i < kOutputs; ++i) {
        sums[i] = fmaf(a_tile[(y + i) * kStrideA + l], right, sums[i]);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < kOutputs; ++i) {
    const int row = first.row + y + i;
    const int column = first.column + x;
    if (row < p.m && column < p.n) p.c[row * p.ldc + column] = sums[i];
  }
}

void start(const Gemm& gemm, void*, const Gpu&, Stream stream) {
  const SgemmProblem p = sgemm_problem(gemm, kTile, kTile);
  constexpr int kBytesA = kTile * kStrideA * static_cast<int>(sizeof(float));
  constexpr int kBytesB = kSlab * kStrideB * static_cast<int>(sizeof(float));
  constexpr int kBytes = ptx::shared_bytes(ptx::shared_bytes(0, kBytesA), kBytesB);
  launch(sgemm_register_1d_kernel, {dim3(blocks(p)), dim3(kThreads), kBytes}, stream, p,
         strides_of(gemm.shape.trans_a, gemm.lda), strides_of(gemm.shape.trans_b, gemm.ldb));
}

}  // namespace

const Rung& sgemm_register_1d() {
  static const Rung rung = {"sgemm_register_1d", Precision::f32, 80,   kAnyCompute,
                            plain_sgemm,         no_workspace,   start};
  return rung;
}

}  // namespace breakeven::matmul
