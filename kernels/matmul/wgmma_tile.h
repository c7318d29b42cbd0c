// The pieces of every wgmma kernel: fetching a tile of A and B by TMA, multiplying it, and storing
// the sums.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/epilogue.h"
#include "kernels/matmul/wgmma_problem.h"

namespace breakeven::matmul {

/// One thread fetches the tile of A at row m0, depth k0 into `stage`, 1024-byte aligned: stored
/// along k as one box of kRows x 128 bytes, along m as kRows / 64 boxes of depth x 128 bytes.
template <class Operands, int kRows>
__device__ __forceinline__ void load_a(char* stage, const ptx::TensorMap& map,
                                       ptx::Mbarrier* barrier, int m0, int k0) {
  if constexpr (Operands::along_m) {
#pragma unroll
    for (int m = 0; m < kRows; m += 64) ptx::tma_load(stage + m * 128, map, barrier, m0 + m, k0);
  } else {
    ptx::tma_load(stage, map, barrier, k0, m0);
  }
}

/// The same for B. In a cluster of two each block fetches half of it for both.
template <class Operands, int kColumns, int kCluster>
__device__ __forceinline__ void load_b(char* stage, const ptx::TensorMap& map,
                                       ptx::Mbarrier* barrier, int n0, int k0, int rank) {
  constexpr int kShare = kColumns / kCluster;
  constexpr std::uint16_t kAll = (1 << kCluster) - 1;
  const auto fetch = [&](int n, int column, int row) {
    if constexpr (kCluster > 1) {
      ptx::tma_load_multicast(stage + n * 128, map, barrier, column, row, kAll);
    } else {
      ptx::tma_load(stage + n * 128, map, barrier, column, row);
    }
  };
  const int first = kCluster > 1 ? rank * kShare : 0;
  if constexpr (Operands::along_n) {
    static_assert(kShare % 64 == 0);
#pragma unroll
    for (int n = 0; n < kShare; n += 64) fetch(first + n, n0 + first + n, k0);
  } else {
    fetch(first, k0, n0 + first);
  }
}

/// Starts d[i][64 x kN] (+)= A B for the 64-row parts i of a warp group, `a` being its first row's
/// tile, and closes the group of them. `first`: d holds nothing yet.
template <class Operands, int kParts, int kN>
__device__ __forceinline__ void multiply_tile(float (&d)[kParts][kN / 2], const char* a,
                                              const char* b, bool first) {
  constexpr int kStepA = Operands::along_m ? 2048 : 32;  // bytes from one step of k to the next
  constexpr int kStepB = Operands::along_n ? 2048 : 32;
  ptx::wgmma_fence();
#pragma unroll
  for (int step = 0; step < 4; ++step) {
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      ptx::wgmma<typename Operands::Element, kN, Operands::along_m, Operands::along_n>(
          d[part], ptx::wgmma_descriptor(a + part * 8192 + step * kStepA, 8192, 1024),
          ptx::wgmma_descriptor(b + step * kStepB, 8192, 1024), !first || step > 0);
    }
  }
  ptx::wgmma_commit();
}

template <int kParts, int kCount>
__device__ __forceinline__ void hold_sums(float (&d)[kParts][kCount]) {
#pragma unroll
  for (int part = 0; part < kParts; ++part) ptx::wgmma_hold(d[part]);
}

template <int kParts, int kCount>
__device__ __forceinline__ void clear_sums(float (&d)[kParts][kCount]) {
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) d[part][i] = 0;
  }
}

/// For promoted operands: d += A B, once it is done. 64 x 128 sums at a time start from nothing in
/// registers of their own; all of 64 x 256 at once, beside d, would leave none for anything else.
/// Meanwhile another warp group's multiplications, of this block or another, fill the tensor core.
template <class Operands, int kParts, int kN>
__device__ __forceinline__ void multiply_promoted(float (&d)[kParts][kN / 2], const char* a,
                                                  const char* b) {
  constexpr int kColumns = kN < 128 ? kN : 128;
  static_assert(!Operands::along_m && !Operands::along_n && kN % kColumns == 0);
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
#pragma unroll
    for (int n = 0; n < kN; n += kColumns) {
      float sums[1][kColumns / 2];
      multiply_tile<Operands, 1, kColumns>(sums, a + part * 8192, b + n * 128, true);
      ptx::wgmma_wait<0>();
      hold_sums(sums);
#pragma unroll
      for (int i = 0; i < kColumns / 2; ++i) d[part][n / 2 + i] += sums[0][i];
    }
  }
}

/// Adds the bias and applies the activation to the sums of columns n0 and on.
template <class Output, int kParts, int kN>
__device__ __forceinline__ void finish_sums(float (&d)[kParts][kN / 2], const WgmmaProblem& p,
                                            int n0) {
  if (p.bias == nullptr) return;
  const auto* const bias = static_cast<const Output*>(p.bias);
  const int column0 = n0 + static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
  for (int j = 0; j < kN / 8; ++j) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int column = column0 + 8 * j + i;
      const float addend = column < p.n ? to_float(bias[column]) : 0.0f;
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
        d[part][4 * j + i] = apply_epilogue(p.epilogue, d[part][4 * j + i], addend);
        d[part][4 * j + 2 + i] = apply_epilogue(p.epilogue, d[part][4 * j + 2 + i], addend);
      }
    }
  }
}

template <class T>
struct alignas(2 * sizeof(T)) OutputPair {
  T low, high;
};

/// Which column of C in memory column n0 + n + within of the product is, where n is known to the
/// compiler; p.n or more where it is none. The second of a pair follows the first.
struct WgmmaSameColumns {
  __device__ __forceinline__ int operator()(int n0, int n, int within) const {
    return n0 + n + within;
  }
};

/// Which row of C in memory a row below p.m is.
struct WgmmaSameRows {
  __device__ __forceinline__ std::int64_t operator()(int row) const { return row; }
};

/// Stores the sums straight from the registers: each quarter warp writes 8 neighbouring outputs.
template <class Output, int kParts, int kN, class Rows = WgmmaSameRows,
          class Columns = WgmmaSameColumns>
__device__ __forceinline__ void store_sums(const float (&d)[kParts][kN / 2], const WgmmaProblem& p,
                                           int m0, int n0, const Rows& rows = {},
                                           const Columns& columns = {}) {
  const int thread = static_cast<int>(threadIdx.x) % 128;
  const int row0 = m0 + thread / 32 * 16 + thread % 32 / 4;
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = row0 + 64 * part + 8 * half;
      if (row >= p.m) continue;
      Output* const to = static_cast<Output*>(p.c) + rows(row) * p.ldc;
#pragma unroll
      for (int j = 0; j < kN / 8; ++j) {
        const int column = columns(n0, 8 * j, thread % 4 * 2);
        const OutputPair<Output> pair = {from_float<Output>(d[part][4 * j + 2 * half]),
                                         from_float<Output>(d[part][4 * j + 2 * half + 1])};
        if (p.store_pairs && column + 1 < p.n) {
          *reinterpret_cast<OutputPair<Output>*>(to + column) = pair;
        } else {
          if (column < p.n) to[column] = pair.low;
          if (column + 1 < p.n) to[column + 1] = pair.high;
        }
      }
    }
  }
}

}  // namespace breakeven::matmul
