// CUDA C++ as a kernel sees it, for a host compiler: keywords, built-in variables, intrinsics.
// There is no __shared__ on purpose: shared memory is ptx::SharedMemory's and
// ptx::static_shared's.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <source_location>

#include "kernels/simt/collectives.h"
#include "kernels/simt/types.h"

// NOLINTBEGIN(bugprone-reserved-identifier): these are CUDA's names.
#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) alignas(bytes)
#define __restrict__ __restrict

// Set at each switch of fibers.
extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
inline constexpr int warpSize = 32;

/// All threads of the block, none returned, at one place in the source; anything else faults.
inline void __syncthreads(std::source_location where = std::source_location::current()) {
  breakeven::simt::block_barrier(where);
}
inline void __syncwarp(unsigned mask = 0xffffffffu) { breakeven::simt::warp_barrier(mask); }
inline void __threadfence() { breakeven::simt::thread_fence(); }
inline void __threadfence_block() { breakeven::simt::thread_fence(); }

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  const int lane = breakeven::simt::current_thread().lane();
  return breakeven::simt::shuffle(mask, value, (lane & ~(width - 1)) | (source & (width - 1)));
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = breakeven::simt::current_thread().lane();
  const int source = lane - static_cast<int>(delta);
  return breakeven::simt::shuffle(mask, value, source < (lane & ~(width - 1)) ? lane : source);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = breakeven::simt::current_thread().lane();
  const int source = lane + static_cast<int>(delta);
  return breakeven::simt::shuffle(mask, value, source > (lane | (width - 1)) ? lane : source);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32) {
  const int lane = breakeven::simt::current_thread().lane();
  const int source = lane ^ lane_mask;
  return breakeven::simt::shuffle(mask, value, source > (lane | (width - 1)) ? lane : source);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  return breakeven::simt::ballot(mask, predicate != 0);
}
inline int __any_sync(unsigned mask, int predicate) {
  return breakeven::simt::ballot(mask, predicate != 0) != 0;
}
inline int __all_sync(unsigned mask, int predicate) {
  return breakeven::simt::ballot(mask, predicate == 0) == 0;
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value) {
  static_assert(sizeof(T) <= 8);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return breakeven::simt::match_any(mask, bits);
}
inline unsigned __activemask() = delete;  // says nothing dependable on a GPU either

inline int __popc(unsigned value) { return std::popcount(value); }
inline int __clz(int value) { return std::countl_zero(static_cast<unsigned>(value)); }
inline int __ffs(int value) {
  return value == 0 ? 0 : std::countr_zero(static_cast<unsigned>(value)) + 1;
}
inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline float __uint_as_float(unsigned value) { return std::bit_cast<float>(value); }
inline int __float_as_int(float value) { return std::bit_cast<int>(value); }
inline float __int_as_float(int value) { return std::bit_cast<float>(value); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }

template <class T>
T __ldg(const T* from) {
  return *from;
}
template <class T>
T __ldcg(const T* from) {
  return *from;
}
template <class T>
T __ldcs(const T* from) {
  return *from;
}
template <class T>
void __stcs(T* to, T value) {
  *to = value;
}
template <class T>
void __stcg(T* to, T value) {
  *to = value;
}

// Atomics order no other memory, as CUDA's, unless there is a __threadfence beside them; a thread
// may lose its turn at one.
template <class T>
T atomicAdd(T* to, T value) {
  return breakeven::simt::atomic_update(to, [value](T old) { return static_cast<T>(old + value); });
}
template <class T>
T atomicMax(T* to, T value) {
  return breakeven::simt::atomic_update(to, [value](T old) { return std::max(old, value); });
}
template <class T>
T atomicMin(T* to, T value) {
  return breakeven::simt::atomic_update(to, [value](T old) { return std::min(old, value); });
}
template <class T>
T atomicExch(T* to, T value) {
  return breakeven::simt::atomic_update(to, [value](T) { return value; });
}
template <class T>
T atomicCAS(T* to, T expected, T value) {
  return breakeven::simt::atomic_update(
      to, [expected, value](T old) { return old == expected ? value : old; });
}

// CUDA has these outside std, for the integer types and float.
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
inline std::int64_t min(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
inline std::int64_t max(std::int64_t a, std::int64_t b) { return a > b ? a : b; }
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline float rsqrtf(float value) { return 1.0f / std::sqrt(value); }
// NOLINTEND(bugprone-reserved-identifier)
