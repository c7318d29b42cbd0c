// The kernel of the register tiles: a thread computes kRows x kColumns outputs, element by element
// from strided operands and from shared memory.
#pragma once

#include "kernels/matmul/sgemm_strided_tile.h"

namespace breakeven::matmul {

template <int kTileSize, int kRowsOfThread, int kColumnsOfThread>
struct RegisterTile {
  static constexpr int kTile = kTileSize;  // of the block, square
  static constexpr int kSlab = 8;
  static constexpr int kRows = kRowsOfThread;
  static constexpr int kColumns = kColumnsOfThread;
  static constexpr int kThreads = kTile * kTile / (kRows * kColumns);
  // One more than the row's length: stores that run down a column fall into different banks.
  static constexpr int kStrideA = kSlab + 1;
  static constexpr int kStrideB = kTile + 1;
  static constexpr int kSharedBytes =
      ptx::shared_bytes(ptx::shared_bytes(0, kTile* kStrideA* static_cast<int>(sizeof(float))),
                        kSlab* kStrideB* static_cast<int>(sizeof(float)));
};

/// kBlocksPerSm: what registers must leave room for; 0: what the compiler likes.
template <class Tile, int kBlocksPerSm>
__global__ void __launch_bounds__(Tile::kThreads, kBlocksPerSm)
    sgemm_register_tile_kernel(SgemmProblem p, Strides a, Strides b) {
  constexpr int kAcross = Tile::kTile / Tile::kColumns;  // threads in a row of them
  ptx::SharedMemory shared;
  float* a_tile = shared.take<float>(Tile::kTile * Tile::kStrideA);
  float* b_tile = shared.take<float>(Tile::kSlab * Tile::kStrideB);
  const TilePosition first = first_element(p, Tile::kTile, Tile::kTile);
  const int thread = static_cast<int>(threadIdx.x);
  const int x = thread % kAcross * Tile::kColumns;
  const int y = thread / kAcross * Tile::kRows;
  float sums[Tile::kRows][Tile::kColumns] = {};
  for (int slab = 0; slab < p.k; slab += Tile::kSlab) {
    load_strided_tile<Tile::kTile, Tile::kSlab, Tile::kStrideA, Tile::kThreads>(
        a_tile, p.a, a, first.row, slab, p.m, p.k, thread);
    load_strided_tile<Tile::kSlab, Tile::kTile, Tile::kStrideB, Tile::kThreads>(
        b_tile, p.b, b, slab, first.column, p.k, p.n, thread);
    __syncthreads();
#pragma unroll
    for (int l = 0; l < Tile::kSlab; ++l) {
      float right[Tile::kColumns];
#pragma unroll
      for (int j = 0; j < Tile::kColumns; ++j) right[j] = b_tile[l * Tile::kStrideB + x + j];
#pragma unroll
      for (int i = 0; i < Tile::kRows; ++i) {
        const float left = a_tile[(y + i) * Tile::kStrideA + l];
#pragma unroll
        for (int j = 0; j < Tile::kColumns; ++j) sums[i][j] = fmaf(left, right[j], sums[i][j]);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < Tile::kRows; ++i) {
    const int row = first.row + y + i;
#pragma unroll
    for (int j = 0; j < Tile::kColumns; ++j) {
      const int column = first.column + x + j;
      if (row < p.m && column < p.n) p.c[row * p.ldc + column] = sums[i][j];
    }
  }
}

template <class Tile, int kBlocksPerSm>
PreparedGemm prepare_register_tile(const Gemm& gemm, void*, const Gpu&) {
  return prepare_plain(sgemm_register_tile_kernel<Tile, kBlocksPerSm>, gemm, Tile::kTile,
                       dim3(Tile::kThreads), Tile::kSharedBytes);
}

}  // namespace breakeven::matmul
