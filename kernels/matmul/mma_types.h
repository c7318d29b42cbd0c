// The tensor core's instructions, and what the mma.sync kernels are told. Whatever the precision,
// one mma.sync takes 16 rows of A and 8 columns of B by 32 bytes of k; everything up to the
// instruction itself therefore counts in bytes.
#pragma once

#include <cstdint>

#include "kernels/cuda/primitives.h"
#include "kernels/cuda/tile_schedule.h"
#include "kernels/matmul/gemm.h"

namespace breakeven::matmul {

inline constexpr int kMmaRows = 16;
inline constexpr int kMmaColumns = 8;
inline constexpr int kMmaBytes = 32;     // of k
inline constexpr int kVectorBytes = 16;  // what one cp.async copies and one ldmatrix row holds

template <Precision kPrecision>
struct MmaTypes;

template <>
struct MmaTypes<Precision::bf16> {
  using Element = bf16;
  using Output = bf16;
  using Accumulator = float;
  __device__ static void multiply_add(float (&d)[4], const std::uint32_t (&a)[4],
                                      const std::uint32_t (&b)[2]) {
    ptx::mma_m16n8k16<bf16>(d, a, b);
  }
};

template <>
struct MmaTypes<Precision::f16> {
  using Element = f16;
  using Output = f16;
  using Accumulator = float;
  __device__ static void multiply_add(float (&d)[4], const std::uint32_t (&a)[4],
                                      const std::uint32_t (&b)[2]) {
    ptx::mma_m16n8k16<f16>(d, a, b);
  }
};

/// The operands' low 13 bits are dropped by the tensor core, as they are by wgmma, which takes its
/// operands from memory: rounding them first would cost an instruction for each register.
template <>
struct MmaTypes<Precision::tf32> {
  using Element = float;
  using Output = float;
  using Accumulator = float;
  __device__ static void multiply_add(float (&d)[4], const std::uint32_t (&a)[4],
                                      const std::uint32_t (&b)[2]) {
    ptx::mma_m16n8k8_tf32(d, a, b);
  }
};

template <>
struct MmaTypes<Precision::fp8> {
  using Element = e4m3;
  using Output = bf16;
  using Accumulator = float;
  __device__ static void multiply_add(float (&d)[4], const std::uint32_t (&a)[4],
                                      const std::uint32_t (&b)[2]) {
    ptx::mma_m16n8k32_e4m3(d, a, b);
  }
};

template <>
struct MmaTypes<Precision::int8> {
  using Element = std::int8_t;
  using Output = std::int32_t;
  using Accumulator = std::int32_t;
  __device__ static void multiply_add(std::int32_t (&d)[4], const std::uint32_t (&a)[4],
                                      const std::uint32_t (&b)[2]) {
    ptx::mma_m16n8k32_s8(d, a, b);
  }
};

/// How an operand lies in global memory, seen from its rows of length k (rows of A, columns of B).
enum class MmaLayout {
  k_major,   ///< k is contiguous and whole 16-byte vectors can be copied: A, or B transposed
  mn_major,  ///< the rows are: A transposed, or B
  strided    ///< either, at any alignment: element by element
};

/// How a block works. One kernel is compiled for each.
struct MmaConfig {
  int m, n;              ///< the block's tile of C
  int warps_m, warps_n;  ///< how many warps share it each way
  int stages;            ///< slabs of A and B in shared memory; 1: copy, then multiply
  bool ldmatrix;         ///< swizzled tiles and ldmatrix, or plain tiles and 32-bit loads
  bool staged_store;     ///< C goes through shared memory to 16-byte stores
  int blocks_per_sm;     ///< that registers must leave room for

  __host__ __device__ constexpr int warps() const { return warps_m * warps_n; }
  __host__ __device__ constexpr int threads() const { return 32 * warps(); }
  __host__ __device__ constexpr int warp_m() const { return m / warps_m; }
  __host__ __device__ constexpr int warp_n() const { return n / warps_n; }
};

/// Tiles of 128x128 by four warps of 64x64: the squarer a warp's part, the fewer fragments it loads
/// for its multiplying. With 8-bit operands by eight of 64x32: where mma.sync has no fp8 of its own
/// (sm_90, sm_100), converting to f16 takes registers that 64x64 sums don't leave.
__host__ __device__ constexpr MmaConfig mma_config_128x128(int element_bytes, int stages,
                                                           bool staged_store) {
  return {.m = 128,
          .n = 128,
          .warps_m = 2,
          .warps_n = element_bytes == 1 ? 4 : 2,
          .stages = stages,
          .ldmatrix = true,
          .staged_store = staged_store,
          .blocks_per_sm = element_bytes == 1 ? 1 : 2};
}

/// Bytes of k in a slab: two mma.sync deep. 32 elements of 16 bits, 16 of tf32, 64 of 8 bits.
inline constexpr int kSlabBytes = 2 * kMmaBytes;

/// Shared memory of a block, A's and B's stages.
__host__ __device__ constexpr int mma_shared_bytes(const MmaConfig& config) {
  return config.stages * (config.m + config.n) * kSlabBytes;
}

/// Where element (row, k) of an operand lies, in elements; one of the two strides is 1. The rest is
/// what a thread's copies step by, in bytes, filled in at the launch: read from the constant bank,
/// it takes no registers.
struct MmaOperand {
  const void* data;
  std::int64_t row_stride;
  std::int64_t k_stride;
  std::int64_t pass_bytes = 0;
  std::int64_t slab_bytes = 0;
};

/// A kernel's parameter. The grid has schedule.tiles() * splits blocks; split s of a tile sums
/// k from s * split_k on and, where there are several, stores its sums in `partial`.
struct MmaProblem {
  std::int64_t m, n, k;
  MmaOperand a, b;
  void* c;
  std::int64_t ldc;
  bool vector_c;  ///< c and ldc allow 16-byte stores
  const void* bias;
  Epilogue epilogue;
  TileSchedule schedule;
  int splits;
  std::int64_t split_k;     ///< a multiple of a slab's k
  void* partial;            ///< [splits,m,partial_ld] accumulators
  std::int64_t partial_ld;  ///< n rounded up to whole vectors
};

}  // namespace breakeven::matmul
