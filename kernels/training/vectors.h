// Several neighbouring elements in one access, computed on in f32.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/primitives.h"

namespace breakeven::training {

template <class T, int kCount>
struct alignas(sizeof(T) * kCount) Vector {
  T values[kCount];
};

template <int kCount, class T>
__device__ __forceinline__ void load_vector(float (&x)[kCount], const T* from) {
  const auto vector = ptx::load_global(reinterpret_cast<const Vector<T, kCount>*>(from));
#pragma unroll
  for (int i = 0; i < kCount; ++i) x[i] = to_float(vector.values[i]);
}

template <int kCount, class T>
__device__ __forceinline__ void store_vector(T* to, const float (&x)[kCount]) {
  Vector<T, kCount> vector;
#pragma unroll
  for (int i = 0; i < kCount; ++i) vector.values[i] = from_float<T>(x[i]);
  ptx::store_global(reinterpret_cast<Vector<T, kCount>*>(to), vector);
}

/// Shares a row that begins anywhere among a block's threads: f(column, width) for the single
/// elements up to the first 16-byte boundary, the whole 16-byte vectors, and the single ones behind
/// them. `width` is a std::integral_constant. A thread gets the same columns each time.
template <class T, class F>
__device__ __forceinline__ void for_row(const T* row, int columns, F f) {
  constexpr int kVector = 16 / static_cast<int>(sizeof(T));
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const int past = static_cast<int>(reinterpret_cast<std::uintptr_t>(row) % 16 / sizeof(T));
  const int head = min((kVector - past) % kVector, columns);
  const int vectors = (columns - head) / kVector;
  if (thread < head) f(thread, std::integral_constant<int, 1>());
  for (int i = thread; i < vectors; i += threads) {
    f(head + i * kVector, std::integral_constant<int, kVector>());
  }
  const int tail = head + vectors * kVector + thread;
  if (tail < columns) f(tail, std::integral_constant<int, 1>());
}

}  // namespace breakeven::training
