// What a thread of the upper rungs computes: quadrants of 4x4 outputs, spread over its warp's tile
// so that the lanes which a 128-bit shared load serves at once read runs of neighbours: no bank
// conflicts. Lanes 2i and 2i+1 are neighbours down a column and share their elements of B; lanes i
// and i ^ 2 share those of A. Half a warp's load then takes one pass through the banks, where
// lanes in plain row order would take two (CUTLASS numbers its lanes in this way too).
#pragma once

#include "kernels/matmul/sgemm_problem.h"

namespace breakeven::matmul {

/// A block (or warp group) of kWarpsM x kWarpsN warps, warps of kLanesM x kLanesN lanes, and lanes
/// with kQuadsM x kQuadsN quadrants; slabs of kSlab along k.
template <int kWarpsM, int kWarpsN, int kLanesM, int kLanesN, int kQuadsM, int kQuadsN, int kSlabK>
struct ThreadTiles {
  static_assert(kLanesM * kLanesN == 32);
  static constexpr int kStepM = 4 * kLanesM;  // rows between a lane's quadrants
  static constexpr int kStepN = 4 * kLanesN;
  static constexpr int kM = kWarpsM * kQuadsM * kStepM;
  static constexpr int kN = kWarpsN * kQuadsN * kStepN;
  static constexpr int kSlab = kSlabK;
  static constexpr int kThreads = 32 * kWarpsM * kWarpsN;
  static constexpr int kRows = 4 * kQuadsM;  // outputs of a thread
  static constexpr int kColumns = 4 * kQuadsN;

  /// First row and column of thread `thread`'s first quadrant in the tile.
  __device__ static __forceinline__ int row(int thread) {
    const int lane = thread % 32;
    const int lane_row = lane % 2 + lane / (2 * kLanesN) * 2;
    return thread / 32 / kWarpsN * (kQuadsM * kStepM) + lane_row * 4;
  }
  __device__ static __forceinline__ int column(int thread) {
    const int lane_column = thread % 32 / 2 % kLanesN;
    return thread / 32 % kWarpsN * (kQuadsN * kStepN) + lane_column * 4;
  }

  /// Row or column of output `i` of a thread, from its first one.
  __device__ static constexpr int row_of(int i) { return i / 4 * kStepM + i % 4; }
  __device__ static constexpr int column_of(int j) { return j / 4 * kStepN + j % 4; }
};

/// One step along k of a thread's elements: kCount floats in groups of four that lie kStep apart.
template <int kCount, int kStep>
__device__ __forceinline__ void load_fragment(float (&to)[kCount], const float* from) {
#pragma unroll
  for (int quad = 0; quad < kCount / 4; ++quad) {
    const float4 v = ptx::load_shared(reinterpret_cast<const float4*>(from + quad * kStep));
    to[4 * quad] = v.x;
    to[4 * quad + 1] = v.y;
    to[4 * quad + 2] = v.z;
    to[4 * quad + 3] = v.w;
  }
}

template <int kRows, int kColumns>
__device__ __forceinline__ void add_outer_product(float (&sums)[kRows][kColumns],
                                                  const float (&a)[kRows],
                                                  const float (&b)[kColumns]) {
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
#pragma unroll
    for (int j = 0; j < kColumns; ++j) sums[i][j] = fmaf(a[i], b[j], sums[i][j]);
  }
}

/// Four neighbouring outputs, from `column` on, where they lie inside C.
template <class Rows = SameRows>
__device__ __forceinline__ void store_quad(const SgemmProblem& p, int row, int column,
                                           const float (&values)[4], const Rows& rows = {}) {
  if (row >= p.m) return;
  float out[4];
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const bool biased = p.epilogue != Epilogue::none && column + j < p.n;
    out[j] = apply_epilogue(p.epilogue, values[j], biased ? p.bias[column + j] : 0.0f);
  }
  float* to = p.c + rows(row) * p.ldc + column;
  if (p.vector_c) {
    if (column < p.n) {
      ptx::store_global(reinterpret_cast<float4*>(to), make_float4(out[0], out[1], out[2], out[3]));
    }
    return;
  }
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    if (column + j < p.n) to[j] = out[j];
  }
}

/// All of a thread's outputs. `first`: the tile's first element.
template <class Tiles, class Rows = SameRows>
__device__ __forceinline__ void store_sums(const SgemmProblem& p, TilePosition first, int thread,
                                           const float (&sums)[Tiles::kRows][Tiles::kColumns],
                                           const Rows& rows = {}) {
  const int row = first.row + Tiles::row(thread);
  const int column = first.column + Tiles::column(thread);
#pragma unroll
  for (int i = 0; i < Tiles::kRows; ++i) {
#pragma unroll
    for (int j = 0; j < Tiles::kColumns; j += 4) {
      const float quad[4] = {sums[i][j], sums[i][j + 1], sums[i][j + 2], sums[i][j + 3]};
      store_quad(p, row + Tiles::row_of(i), column + Tiles::column_of(j), quad, rows);
    }
  }
}

}  // namespace breakeven::matmul
