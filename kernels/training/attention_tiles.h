// Tiles of attention in f32: 64 queries by 64 keys by a block of 256 threads, each of which has 4x4
// of the scores. Thread (i, j), i = thread / 16, has queries 4i to 4i + 3 and keys j, j + 16, ...,
// so that a vector of a key's columns comes from another bank for each lane of a quarter warp.
#pragma once

#include <cstdint>

#include "kernels/training/attention_problem.h"
#include "kernels/training/vectors.h"

namespace breakeven::training {

inline constexpr int kF32Threads = 256;
inline constexpr int kScoreStride = kAttentionTile + 4;  // floats from row to row of a score tile
template <int kHead>
inline constexpr int kHeadStride = kHead + 4;  // of a tile of queries, keys or values

__device__ inline int tile_row() { return static_cast<int>(threadIdx.x) / 16 * 4; }
__device__ inline int tile_lane() { return static_cast<int>(threadIdx.x) % 16; }

/// Rows `first` to first + 63 of a head into shared memory, zeros from row `length` on.
template <int kHead>
__device__ __forceinline__ void load_head_tile(float* to, const float* from, std::int64_t stride,
                                               int first, int length) {
  constexpr int kVectors = kHead / 4;
  for (int i = static_cast<int>(threadIdx.x); i < kAttentionTile * kVectors; i += kF32Threads) {
    const int row = i / kVectors, column = i % kVectors * 4;
    Vector<float, 4> vector = {};
    if (first + row < length) {
      vector = ptx::load_global(
          reinterpret_cast<const Vector<float, 4>*>(from + (first + row) * stride + column));
    }
    ptx::store_shared(reinterpret_cast<Vector<float, 4>*>(to + row * kHeadStride<kHead> + column),
                      vector);
  }
}

template <int kCount>
__device__ __forceinline__ Vector<float, kCount> shared_vector(const float* from) {
  return ptx::load_shared(reinterpret_cast<const Vector<float, kCount>*>(from));
}

/// scores[i][j] += row 4.. + i of a times row lane + 16 j of b.
template <int kHead>
__device__ __forceinline__ void rows_by_rows(const float* a, const float* b,
                                             float (&scores)[4][4]) {
  constexpr int kStride = kHeadStride<kHead>;
#pragma unroll 1  // more would take more registers than two blocks an SM leave
  for (int column = 0; column < kHead; column += 4) {
    Vector<float, 4> x[4], y[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      x[i] = shared_vector<4>(a + (tile_row() + i) * kStride + column);
      y[i] = shared_vector<4>(b + (tile_lane() + 16 * i) * kStride + column);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          scores[i][j] = fmaf(x[i].values[k], y[j].values[k], scores[i][j]);
        }
      }
    }
  }
}

/// sums[i][c] += row 4.. + i of the scores, or their column where kTransposed, times column c of
/// this thread's kHead / 16 of b.
template <int kHead, bool kTransposed>
__device__ __forceinline__ void scores_by_rows(const float* scores, const float* b,
                                               float (&sums)[4][kHead / 16]) {
  constexpr int kColumns = kHead / 16;
#pragma unroll 2
  for (int k = 0; k < kAttentionTile; k += 4) {
    float weights[4][4];  // [k][i]
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const auto vector =
          shared_vector<4>(kTransposed ? scores + (k + i) * kScoreStride + tile_row()
                                       : scores + (tile_row() + i) * kScoreStride + k);
#pragma unroll
      for (int j = 0; j < 4; ++j)
        weights[kTransposed ? i : j][kTransposed ? j : i] = vector.values[j];
    }
#pragma unroll
    for (int kk = 0; kk < 4; ++kk) {
      const auto row =
          shared_vector<kColumns>(b + (k + kk) * kHeadStride<kHead> + tile_lane() * kColumns);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int c = 0; c < kColumns; ++c) {
          sums[i][c] = fmaf(weights[kk][i], row.values[c], sums[i][c]);
        }
      }
    }
  }
}

__device__ __forceinline__ void store_scores(float* to, const float (&scores)[4][4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      ptx::store_shared(to + (tile_row() + i) * kScoreStride + tile_lane() + 16 * j, scores[i][j]);
    }
  }
}

/// Rows first + 4.. of sums * scale to global memory, without those from `length` on.
template <int kHead>
__device__ __forceinline__ void store_head_rows(float* to, std::int64_t stride, int first,
                                                int length, const float (&sums)[4][kHead / 16],
                                                float scale) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int row = first + tile_row() + i;
    if (row >= length) return;
    float scaled[kHead / 16];
#pragma unroll
    for (int c = 0; c < kHead / 16; ++c) scaled[c] = sums[i][c] * scale;
    store_vector(to + row * stride + tile_lane() * (kHead / 16), scaled);
  }
}

}  // namespace breakeven::training
