// A block's sums on their way from registers to C.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/cuda/epilogue.h"
#include "kernels/matmul/mma_fragments.h"
#include "kernels/matmul/mma_types.h"

namespace breakeven::matmul {

/// The value that is stored: bias and activation, rounded. Integer sums are stored as they are.
template <class Output, class Sum>
__device__ __forceinline__ Output mma_finish(const MmaProblem& p, Sum sum, std::int64_t column) {
  if constexpr (std::is_same_v<Sum, float>) {
    if (p.epilogue == Epilogue::none) return from_float<Output>(sum);
    const float bias = to_float(static_cast<const Output*>(p.bias)[column]);
    return from_float<Output>(apply_epilogue(p.epilogue, sum, bias));
  } else {
    return sum;
  }
}

/// Straight from the registers: a thread's two neighbours in a row, four threads to 16 or 32 bytes.
template <class Types, MmaConfig kConfig, bool kTurnedA, bool kTurnedB, class Sums>
__device__ void mma_store_direct(const MmaProblem& p, const Sums& sums, std::int64_t first_row,
                                 std::int64_t first_column) {
  using Output = typename Types::Output;
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int i = 0; i < kConfig.warp_m() / kMmaRows; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const std::int64_t row = first_row + mma_index<kTurnedA>(i * 2 + half, lane / 4);
      if (row >= p.m) continue;
      Output* to = static_cast<Output*>(p.c) + row * p.ldc;
#pragma unroll
      for (int j = 0; j < kConfig.warp_n() / kMmaColumns; ++j) {
#pragma unroll
        for (int l = 0; l < 2; ++l) {
          const std::int64_t column = first_column + mma_index<kTurnedB>(j, lane % 4 * 2 + l);
          if (column < p.n) {
            to[column] = mma_finish<Output>(p, sums[i][j][half * 2 + l], column);
          }
        }
      }
    }
  }
}

/// Shared memory that mma_store_staged needs: 16 rows of a warp's sums for each warp. Rows are 8
/// words longer than the tile's, so that a fragment's eight rows of pairs fall into 32 banks.
template <MmaConfig kConfig>
inline constexpr int kStagingRow = kConfig.warp_n() + 8;
template <MmaConfig kConfig>
inline constexpr int kStagingBytes = kConfig.warps() * kMmaRows * kStagingRow<kConfig> * 4;

/// A row of mma tiles' sums of this lane into their row, and the one `below` it by 8: pairs of
/// neighbours, or four where turned matrices interleave their columns.
template <bool kTurnedB, int kCount, class Sum>
__device__ __forceinline__ void mma_stage(const Sum (&sums)[kCount][4], Sum* row, int below) {
  struct alignas(8) Pair {
    Sum values[2];
  };
  struct alignas(16) Quad {
    Sum values[4];
  };
  const int t = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    Sum* to = row + half * below;
    if constexpr (kTurnedB) {
#pragma unroll
      for (int j = 0; j < kCount; j += 4) {
#pragma unroll
        for (int l = 0; l < 2; ++l) {
          const int e = half * 2 + l;
          ptx::store_shared(reinterpret_cast<Quad*>(to + mma_index<true>(j, t * 2 + l)),
                            Quad{{sums[j][e], sums[j + 1][e], sums[j + 2][e], sums[j + 3][e]}});
        }
      }
    } else {
#pragma unroll
      for (int j = 0; j < kCount; ++j) {
        ptx::store_shared(reinterpret_cast<Pair*>(to + mma_index<false>(j, t * 2)),
                          Pair{{sums[j][half * 2], sums[j][half * 2 + 1]}});
      }
    }
  }
}

/// Through shared memory, 16 rows at a time, so that each thread finishes and stores 16 bytes of a
/// row and a warp whole rows of its tile. `staging` is this warp's own part; `Output` is C's type
/// or, for partial sums, the accumulator's. The sums go through whole, so that they are rounded
/// once.
template <class Output, MmaConfig kConfig, bool kTurnedA, bool kTurnedB, bool kFinish, class Sum,
          class Sums, class Rows = SameRows>
__device__ void mma_store_staged(const MmaProblem& p, const Sums& sums, Sum* staging, Output* c,
                                 std::int64_t ldc, bool vectors, std::int64_t first_row,
                                 std::int64_t first_column, const Rows& rows = {}) {
  constexpr int kVector = kVectorBytes / static_cast<int>(sizeof(Output));
  constexpr int kLanesARow = kConfig.warp_n() / kVector;
  constexpr int kRowsAPass = 32 / kLanesARow;
  constexpr int kRow = kStagingRow<kConfig>;
  static_assert(kLanesARow <= 32 && kMmaRows % kRowsAPass == 0);
  struct alignas(16) Vector {
    Output values[kVector];
  };
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int within = lane % kLanesARow * kVector;  // this lane's column of the warp's tile
  const std::int64_t column = first_column + within;
#pragma unroll
  for (int i = 0; i < kConfig.warp_m() / kMmaRows; ++i) {
    mma_stage<kTurnedB, kConfig.warp_n() / kMmaColumns>(sums[i], staging + lane / 4 * kRow,
                                                        8 * kRow);
    __syncwarp();
#pragma unroll 1
    for (int row = lane / kLanesARow; row < kMmaRows; row += kRowsAPass) {
      const std::int64_t c_row = first_row + mma_index<kTurnedA>(i * 2 + row / 8, row % 8);
      if (c_row >= p.m || column >= p.n) continue;
      const Sum* from = staging + row * kRow + within;
      Output* to = c + rows(c_row) * ldc + column;
      Vector vector;
#pragma unroll
      for (int l = 0; l < kVector; ++l) {
        if constexpr (kFinish) {
          vector.values[l] = mma_finish<Output>(p, from[l], min(column + l, p.n - 1));
        } else {
          vector.values[l] = from[l];
        }
      }
      if (vectors && column + kVector <= p.n) {
        ptx::store_global(reinterpret_cast<Vector*>(to), vector);
      } else {
#pragma unroll
        for (int l = 0; l < kVector; ++l) {
          if (column + l < p.n) to[l] = vector.values[l];
        }
      }
    }
    __syncwarp();
  }
}

}  // namespace breakeven::matmul
