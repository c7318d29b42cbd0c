// Storing a warp group's sums asynchronously: 64 rows x 128 bytes at a time go to shared memory,
// swizzled so that no two lanes meet in a bank, and on by TMA, while the next are being converted.
#pragma once

#include <cstdint>

#include "kernels/matmul/wgmma_problem.h"

namespace breakeven::matmul {

inline constexpr int kWgmmaStagingBytes = 2 * 64 * 128;  // two buffers for each warp group

/// Writes this thread's share of columns 128 / sizeof(Output) * `chunk` and on to `buffer`.
template <class Output, int kSums>
__device__ __forceinline__ void stage_chunk(const float (&d)[kSums], char* buffer, int chunk) {
  const int thread = static_cast<int>(threadIdx.x) % 128;
  const int lane = thread % 32;
  if constexpr (sizeof(Output) == 2) {
    // Four 8x8 matrices at a time: upper and lower rows of two neighbouring groups of 8 columns.
    const int row = thread / 32 * 16 + lane % 16;
#pragma unroll
    for (int j = 0; j < 8; j += 2) {
      const int i = 4 * (8 * chunk + j);
      const std::uint32_t packed[4] = {
          ptx::pack<Output>(d[i], d[i + 1]), ptx::pack<Output>(d[i + 2], d[i + 3]),
          ptx::pack<Output>(d[i + 4], d[i + 5]), ptx::pack<Output>(d[i + 6], d[i + 7])};
      ptx::stmatrix_x4(buffer + row * 128 + ((j + lane / 16) ^ row % 8) * 16, packed);
    }
  } else {
    // Half a warp's pairs, of four rows, go at once. The swizzle gives neighbouring rows the same
    // 32 bytes of banks for the same columns, so odd rows store their columns in another order.
    const bool odd = lane / 4 % 2 != 0;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = thread / 32 * 16 + half * 8 + lane / 4;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int even_at = 4 * (4 * chunk + j) + 2 * half;
        const int odd_at = 4 * (4 * chunk + (j ^ 2)) + 2 * half;
        const int piece = (2 * (odd ? j ^ 2 : j) + lane % 4 / 2) ^ row % 8;
        ptx::store_shared(
            reinterpret_cast<float2*>(buffer + row * 128 + piece * 16 + lane % 2 * 8),
            odd ? make_float2(d[odd_at], d[odd_at + 1]) : make_float2(d[even_at], d[even_at + 1]));
      }
    }
  }
}

/// Stores d, 64 kParts rows from (m0, n0) on, through the two buffers at `staging`. `barrier` is a
/// named barrier of the warp group's own.
template <class Output, int kParts, int kN>
__device__ __forceinline__ void stage_sums(const float (&d)[kParts][kN / 2],
                                           const ptx::TensorMap& map_c, const WgmmaProblem& p,
                                           char* staging, int m0, int n0, int barrier) {
  constexpr int kColumns = 128 / static_cast<int>(sizeof(Output));
  // An even number of chunks takes the buffers in turn, an odd one the first twice in a row.
  constexpr int kPending = kN / kColumns % 2 == 0 ? 1 : 0;
  const bool first_thread = threadIdx.x % 128 == 0;
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
#pragma unroll
    for (int chunk = 0; chunk < kN / kColumns; ++chunk) {
      char* const buffer = staging + chunk % 2 * (kWgmmaStagingBytes / 2);
      if (first_thread) ptx::tma_store_wait_read<kPending>();  // of this buffer's last use
      ptx::named_barrier_sync(barrier, 128);
      stage_chunk<Output>(d[part], buffer, chunk);
      ptx::fence_async_proxy();
      ptx::named_barrier_sync(barrier, 128);
      if (first_thread) {
        const int row = m0 + 64 * part, column = n0 + kColumns * chunk;
        if (row < p.m && column < p.n) ptx::tma_store(map_c, buffer, column, row);
        ptx::tma_store_commit();
      }
    }
  }
}

}  // namespace breakeven::matmul
