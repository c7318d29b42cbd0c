// What the CUDA kernels of training steps share. Tensors are dense device memory, each aligned to
// kAlignment bytes as allocators give it; activations and their gradients are f32 or bf16 ("the
// storage"), reductions, statistics and gradients of parameters are f32. Every sum is taken in an
// order that the sizes alone decide, so that a step gives the same bits each time.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "kernels/cuda/launch.h"
#include "reference/precision.h"

namespace breakeven::training {

inline constexpr int kAlignment = 16;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Throws std::invalid_argument, which begins with `what`, unless all of `tensors` are aligned.
/// A null pointer, a tensor left out, is.
inline void require_aligned(const char* what, std::initializer_list<const void*> tensors) {
  for (const void* tensor : tensors) {
    if (reinterpret_cast<std::uintptr_t>(tensor) % kAlignment != 0) {
      throw std::invalid_argument(std::string(what) + ": a tensor isn't aligned to 16 bytes");
    }
  }
}

/// Throws std::invalid_argument, which begins with `what`, unless 1 <= value < 2^31 for all.
inline void require_extents(const char* what, std::initializer_list<std::int64_t> extents) {
  for (const std::int64_t extent : extents) {
    if (extent < 1 || extent > INT32_MAX) {
      throw std::invalid_argument(std::string(what) + ": an extent of " + std::to_string(extent));
    }
  }
}

/// Calls f(T()) with the storage's element type. Throws std::invalid_argument for another than f32
/// and bf16.
template <class F>
auto with_storage(ElementType storage, F f) {
  if (storage == ElementType::f32) return f(float());
  if (storage == ElementType::bf16) return f(bf16());
  throw std::invalid_argument("training kernels store f32 or bf16");
}

/// Calls f(std::integral_constant<int, kWidest>()) where rows of `columns` elements are whole
/// vectors of as many, with 1 elsewhere.
template <int kWidest, class F>
auto with_vectors(std::int64_t columns, F f) {
  if (columns % kWidest == 0) return f(std::integral_constant<int, kWidest>());
  return f(std::integral_constant<int, 1>());
}

}  // namespace breakeven::training
