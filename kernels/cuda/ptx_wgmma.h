// wgmma, the matrix instruction of a warp group (128 threads) on Hopper, as inline PTX: operands in
// shared memory through descriptors, sums in registers, asynchronous until wgmma_wait. The macros
// spell out the register lists that the assembler needs; nothing else uses them.
#pragma once

#include "kernels/cuda/ptx_tma.h"

namespace breakeven::ptx {

/// Describes an operand in shared memory. Stored along k (rows of 128 bytes under Swizzle::b128):
/// `stride_bytes` is from 8 rows to the next 8, `leading_bytes` is unused; a step of 32 bytes along
/// k adds 32 to the address. Stored along m or n (16-bit types only): each row of 128 bytes holds
/// 64 of them, `stride_bytes` is from 8 steps of k to the next 8, `leading_bytes` from 64 to the
/// next 64. PTX ISA 9.0, "Asynchronous Warpgroup Level Matrix Shared Memory Layout".
__device__ __forceinline__ std::uint64_t wgmma_descriptor(const void* shared, int leading_bytes,
                                                          int stride_bytes,
                                                          Swizzle swizzle = Swizzle::b128) {
  const auto field = [](std::uint32_t bytes) {
    return static_cast<std::uint64_t>((bytes & 0x3FFFFu) >> 4);
  };
  return field(shared_address(shared)) | field(static_cast<std::uint32_t>(leading_bytes)) << 16 |
         field(static_cast<std::uint32_t>(stride_bytes)) << 32 |
         static_cast<std::uint64_t>(swizzle) << 62;
}

/// Before the first wgmma, and again after any other use of its registers.
__device__ __forceinline__ void wgmma_fence() {
  BREAKEVEN_HOPPER(asm volatile("wgmma.fence.sync.aligned;" ::: "memory"));
}

/// Closes the group of all wgmma since the last one.
__device__ __forceinline__ void wgmma_commit() {
  BREAKEVEN_HOPPER(asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"));
}

/// Until at most kPending groups are unfinished.
template <int kPending>
__device__ __forceinline__ void wgmma_wait() {
  BREAKEVEN_HOPPER(asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory"));
}

/// Keeps the compiler from moving uses of `d` across this place: after wgmma_wait, and between
/// writing `d` and wgmma_fence.
template <int kCount>
__device__ __forceinline__ void wgmma_hold(float (&d)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

#define BREAKEVEN_D8(i)                                                                       \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), \
      "+f"(d[i + 6]), "+f"(d[i + 7])
#define BREAKEVEN_D32(i) \
  BREAKEVEN_D8(i), BREAKEVEN_D8(i + 8), BREAKEVEN_D8(i + 16), BREAKEVEN_D8(i + 24)
#define BREAKEVEN_R0                                                                           \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, " \
  "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define BREAKEVEN_R1                                                                           \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, " \
  "%50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define BREAKEVEN_R2                                                                           \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, " \
  "%82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define BREAKEVEN_R3                                                                             \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, "   \
  "%127"

#define BREAKEVEN_D64(i) BREAKEVEN_D32(i), BREAKEVEN_D32(i + 32)

// `LIST` is the sums' registers as text, `A` to `Y` the numbers of the operands behind them, the
// last argument the sums as operands.
#define BREAKEVEN_WGMMA(N, K, TYPE, LIST, A, B, S, TRANSPOSES, ...)                        \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" S                                      \
               ", 0;\n"                                                                    \
               "wgmma.mma_async.sync.aligned.m64n" N "k" K ".f32." TYPE "." TYPE " {" LIST \
               "}, %" A ", %" B ", p, 1, 1" TRANSPOSES ";\n}\n"                            \
               : __VA_ARGS__                                                               \
               : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)), "n"(kTransA), "n"(kTransB))

// Every type at one N. Only the 16-bit types can be stored along m or n.
#define BREAKEVEN_WGMMA_N(N, LIST, A, B, S, X, Y, ...)                             \
  if constexpr (std::is_same_v<T, bf16>) {                                         \
    BREAKEVEN_WGMMA(N, "16", "bf16", LIST, A, B, S, ", %" X ", %" Y, __VA_ARGS__); \
  } else if constexpr (std::is_same_v<T, f16>) {                                   \
    BREAKEVEN_WGMMA(N, "16", "f16", LIST, A, B, S, ", %" X ", %" Y, __VA_ARGS__);  \
  } else if constexpr (std::is_same_v<T, float>) {                                 \
    BREAKEVEN_WGMMA(N, "8", "tf32", LIST, A, B, S, "", __VA_ARGS__);               \
  } else {                                                                         \
    BREAKEVEN_WGMMA(N, "32", "e4m3", LIST, A, B, S, "", __VA_ARGS__);              \
  }

/// d[64,kN] = op(A)[64,k] op(B)[k,kN] (+ d if `accumulate`), k 32 bytes deep, by all 128 threads of
/// a warp group; nothing may touch `d` until wgmma_wait. T: bf16, f16, e4m3, or float for tf32, of
/// which the low 13 bits are ignored. B counts as stored along k; kTransA and kTransB say that an
/// operand is stored along m or n. Thread t holds in d[i] row 16 (t / 32) + 8 (i / 2 % 2) +
/// t % 32 / 4 and column 8 (i / 4) + 2 (t % 4) + i % 2.
template <class T, int kN, int kTransA = 0, int kTransB = 0>
__device__ __forceinline__ void wgmma(float (&d)[kN / 2], std::uint64_t a, std::uint64_t b,
                                      bool accumulate) {
  static_assert(kN == 64 || kN == 128 || kN == 192 || kN == 256);
  static_assert(sizeof(T) == 2 || (kTransA == 0 && kTransB == 0));
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  if constexpr (kN == 64) {
    BREAKEVEN_WGMMA_N("64", BREAKEVEN_R0, "32", "33", "34", "35", "36", BREAKEVEN_D32(0))
  } else if constexpr (kN == 128) {
    BREAKEVEN_WGMMA_N("128", BREAKEVEN_R0 ", " BREAKEVEN_R1, "64", "65", "66", "67", "68",
                      BREAKEVEN_D64(0))
  } else if constexpr (kN == 192) {
    BREAKEVEN_WGMMA_N("192", BREAKEVEN_R0 ", " BREAKEVEN_R1 ", " BREAKEVEN_R2, "96", "97", "98",
                      "99", "100", BREAKEVEN_D64(0), BREAKEVEN_D32(64))
  } else {
    BREAKEVEN_WGMMA_N("256", BREAKEVEN_R0 ", " BREAKEVEN_R1 ", " BREAKEVEN_R2 ", " BREAKEVEN_R3,
                      "128", "129", "130", "131", "132", BREAKEVEN_D64(0), BREAKEVEN_D64(64))
  }
#else
  __trap();
#endif
}

#undef BREAKEVEN_D8
#undef BREAKEVEN_D32
#undef BREAKEVEN_D64
#undef BREAKEVEN_R0
#undef BREAKEVEN_R1
#undef BREAKEVEN_R2
#undef BREAKEVEN_R3
#undef BREAKEVEN_WGMMA
#undef BREAKEVEN_WGMMA_N
#undef BREAKEVEN_HOPPER

}  // namespace breakeven::ptx
