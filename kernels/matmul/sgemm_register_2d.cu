// Rung 5: a thread computes 8x8 outputs from eight elements of A and eight of B: 16 loads for 64
// multiply-adds. Bounded by the number of instructions and by conflicts: the loads are of single
// floats, and those of B, eight columns apart, meet in four ways in a bank.
#include "kernels/matmul/sgemm_rungs.h"
#include "kernels/matmul/sgemm_strided_tile.h"

namespace breakeven::matmul {
namespace {

constexpr int kTile = 128;
constexpr int kSlab = 8;
constexpr int kOutputs = 8;  // along each side
constexpr int kThreads = kTile * kTile / (kOutputs * kOutputs);
// One more than the row's length: stores that run down a column fall into different banks.
constexpr int kStrideA = kSlab + 1;
constexpr int kStrideB = kTile + 1;

__global__ void __launch_bounds__(kThreads, 2)
    sgemm_register_2d_kernel(SgemmProblem p, Strides a, Strides b) {
  ptx::SharedMemory shared;
  float* a_tile = shared.take<float>(kTile * kStrideA);
  float* b_tile = shared.take<float>(kSlab * kStrideB);
  const TilePosition first = first_element(p, kTile, kTile);
  const int thread = static_cast<int>(threadIdx.x);
  const int x = thread % (kTile / kOutputs) * kOutputs;
  const int y = thread / (kTile / kOutputs) * kOutputs;
  float sums[kOutputs][kOutputs] = {};
  for (int slab = 0; slab < p.k; slab += kSlab) {
    load_strided_tile<kTile, kSlab, kStrideA, kThreads>(a_tile, p.a, a, first.row, slab, p.m, p.k,
                                                        thread);
    load_strided_tile<kSlab, kTile, kStrideB, kThreads>(b_tile, p.b, b, slab, first.column, p.k,
                                                        p.n, thread);
    __syncthreads();
#pragma unroll
    for (int l = 0; l < kSlab; ++l) {
      float left[kOutputs];
      float right[kOutputs];
#pragma unroll
      for (int i = 0; i < kOutputs; ++i) left[i] = a_tile[(y + i) * kStrideA + l];
#pragma unroll
      for (int j = 0; j < kOutputs; ++j) right[j] = b_tile[l * kStrideB + x + j];
#pragma unroll
      for (int i = 0; i < kOutputs; ++i) {
#pragma unroll
        for (int j = 0; j < kOutputs; ++j) sums[i][j] = fmaf(left[i], right[j], sums[i][j]);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < kOutputs; ++i) {
    const int row = first.row + y + i;
    if (row >= p.m) break;
#pragma unroll
    for (int j = 0; j < kOutputs; ++j) {
      const int column = first.column + x + j;
      if (column < p.n) p.c[row * p.ldc + column] = sums[i][j];
    }
  }
}

void start(const Gemm& gemm, void*, const Gpu&, Stream stream) {
  const SgemmProblem p = sgemm_problem(gemm, kTile, kTile);
  constexpr int kBytesA = kTile * kStrideA * static_cast<int>(sizeof(float));
  constexpr int kBytesB = kSlab * kStrideB * static_cast<int>(sizeof(float));
  constexpr int kBytes = ptx::shared_bytes(ptx::shared_bytes(0, kBytesA), kBytesB);
  launch(sgemm_register_2d_kernel, {dim3(blocks(p)), dim3(kThreads), kBytes}, stream, p,
         strides_of(gemm.shape.trans_a, gemm.lda), strides_of(gemm.shape.trans_b, gemm.ldb));
}

}  // namespace

const Rung& sgemm_register_2d() {
  static const Rung rung = {"sgemm_register_2d", Precision::f32, 80,   kAnyCompute,
                            plain_sgemm,         no_workspace,   start};
  return rung;
}

}  // namespace breakeven::matmul
