// Tiles of attention in bf16 for mma.sync: four warps, of which each has 16 rows of a tile of 64
// and all columns, so that a row's softmax stays in the four lanes that share it.
#pragma once

#include <cstdint>

#include "kernels/training/attention_problem.h"

namespace breakeven::training {

inline constexpr int kMmaThreads = 128;

/// Elements from row to row of a tile of queries, keys or values: 16 bytes more than a head, so
/// that eight rows' 16 bytes, which ldmatrix reads at once, lie in different banks.
template <int kHead>
inline constexpr int kMmaStride = kHead + 8;
template <int kHead>
inline constexpr int kMmaTileElements = kAttentionTile * kMmaStride<kHead>;

struct MmaLane {
  int warp_row;  ///< the first of the warp's 16 rows
  int lane;
  int row;     ///< of an accumulator: this and this + 8 behind warp_row
  int column;  ///< of an accumulator: this and the next of each eight

  __device__ MmaLane()
      : warp_row(static_cast<int>(threadIdx.x) / 32 * 16),
        lane(static_cast<int>(threadIdx.x) % 32),
        row(lane / 4),
        column(lane % 4 * 2) {}
};

/// Begins to copy rows `first` to first + 63 of a head, zeros from row `length` on.
template <int kHead>
__device__ __forceinline__ void copy_head_tile(bf16* to, const bf16* from, std::int64_t stride,
                                               int first, int length) {
  constexpr int kVectors = kHead / 8;
#pragma unroll
  for (int i = 0; i < kAttentionTile * kVectors / kMmaThreads; ++i) {
    const int vector = static_cast<int>(threadIdx.x) + i * kMmaThreads;
    const int row = vector / kVectors, column = vector % kVectors * 8;
    const bool valid = first + row < length;
    ptx::cp_async<16>(to + row * kMmaStride<kHead> + column,
                      from + (valid ? (first + row) * stride + column : 0), valid);
  }
}

/// Begins to copy 64 numbers, zeros from `length` on.
__device__ __forceinline__ void copy_numbers(float* to, const float* from, int first, int length) {
  const int i = static_cast<int>(threadIdx.x);
  if (i >= kAttentionTile) return;
  const bool valid = first + i < length;
  ptx::cp_async<4>(to + i, from + (valid ? first + i : 0), valid);
}

/// 16 rows of a tile by kHead as operand a.
template <int kHead>
__device__ __forceinline__ void load_rows(std::uint32_t (&a)[kHead / 16][4], const bf16* tile,
                                          const MmaLane& own) {
  const bf16* from = tile + (own.warp_row + own.lane % 16) * kMmaStride<kHead> + own.lane / 16 * 8;
#pragma unroll
  for (int step = 0; step < kHead / 16; ++step) ptx::ldmatrix_x4(a[step], from + step * 16);
}

/// sums[16 rows, kColumns rows of the tile from `first` on] += a times the tile's rows.
template <int kHead, int kColumns>
__device__ __forceinline__ void multiply_rows(float (&sums)[kColumns / 8][4],
                                              const std::uint32_t (&a)[kHead / 16][4],
                                              const bf16* tile, int first, const MmaLane& own) {
  const bf16* from =
      tile + (first + own.lane % 8 + own.lane / 16 * 8) * kMmaStride<kHead> + own.lane / 8 % 2 * 8;
#pragma unroll
  for (int step = 0; step < kHead / 16; ++step) {
#pragma unroll
    for (int pair = 0; pair < kColumns / 16; ++pair) {
      std::uint32_t r[4];
      ptx::ldmatrix_x4(r, from + pair * 16 * kMmaStride<kHead> + step * 16);
      const std::uint32_t b[2][2] = {{r[0], r[1]}, {r[2], r[3]}};
      ptx::mma_m16n8k16<bf16>(sums[2 * pair], a[step], b[0]);
      ptx::mma_m16n8k16<bf16>(sums[2 * pair + 1], a[step], b[1]);
    }
  }
}

/// sums[16 rows, kHead] += scores[16 rows, kScores] times kScores rows of the tile from `first` on.
/// The accumulators of two eights of columns are, rounded, operand a of one step.
template <int kHead, int kScores>
__device__ __forceinline__ void multiply_scores(float (&sums)[kHead / 8][4],
                                                const float (&scores)[kScores / 8][4],
                                                const bf16* tile, int first, const MmaLane& own) {
  const bf16* from = tile + (first + own.lane % 16) * kMmaStride<kHead> + own.lane / 16 * 8;
#pragma unroll
  for (int step = 0; step < kScores / 16; ++step) {
    const float(&low)[4] = scores[2 * step];
    const float(&high)[4] = scores[2 * step + 1];
    const std::uint32_t a[4] = {ptx::pack<bf16>(low[0], low[1]), ptx::pack<bf16>(low[2], low[3]),
                                ptx::pack<bf16>(high[0], high[1]),
                                ptx::pack<bf16>(high[2], high[3])};
#pragma unroll
    for (int pair = 0; pair < kHead / 16; ++pair) {
      std::uint32_t r[4];
      ptx::ldmatrix_x4_trans(r, from + step * 16 * kMmaStride<kHead> + pair * 16);
      const std::uint32_t b[2][2] = {{r[0], r[1]}, {r[2], r[3]}};
      ptx::mma_m16n8k16<bf16>(sums[2 * pair], a, b[0]);
      ptx::mma_m16n8k16<bf16>(sums[2 * pair + 1], a, b[1]);
    }
  }
}

/// The warp's 16 rows of sums, each times its scale, without those from `length` on.
template <int kHead>
__device__ __forceinline__ void store_rows(bf16* to, std::int64_t stride, int first, int length,
                                           const float (&sums)[kHead / 8][4],
                                           const float (&scale)[2], const MmaLane& own) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = first + own.warp_row + own.row + 8 * half;
    if (row >= length) return;
#pragma unroll
    for (int octet = 0; octet < kHead / 8; ++octet) {
      ptx::store_global(
          reinterpret_cast<std::uint32_t*>(to + row * stride + octet * 8 + own.column),
          ptx::pack<bf16>(sums[octet][2 * half] * scale[half],
                          sums[octet][2 * half + 1] * scale[half]));
    }
  }
}

}  // namespace breakeven::training
