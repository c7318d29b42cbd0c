// The inner loops of the convolutions on the CPU, compiled for SSE2, AVX2 and AVX-512: the
// project's baseline has none of the wide units, and a target attribute belongs to a function.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/host/features.h"

namespace breakeven::conv2d {

/// Steps are in elements from one pixel to the next; a step may be 0.
template <class T>
struct HostLoops {
  /// z[i z_step + c] += a[i a_step + c] b[i b_step + c] for each pixel i and channel c.
  void (*multiply_add)(T* z, std::int64_t z_step, const T* a, std::int64_t a_step, const T* b,
                       std::int64_t b_step, std::int64_t channels, std::int64_t pixels);
  /// z[i z_step] += a[i a_step] factor.
  void (*scale_add)(T* z, std::int64_t z_step, const T* a, std::int64_t a_step, T factor,
                    std::int64_t pixels);
  /// The sum of a[i a_step] b[i].
  T (*dot)(const T* a, std::int64_t a_step, const T* b, std::int64_t pixels);
  /// z[i] = max(z[i] + bias[i bias_step], 0); a NaN stays. bias_step is 0 or 1.
  void (*bias_relu)(T* z, const T* bias, std::int64_t bias_step, std::int64_t count);
  /// z[i] = max(z[i], 0); a NaN stays.
  void (*relu)(T* z, std::int64_t count);
};

namespace detail {

template <class T>
[[gnu::always_inline]] inline void multiply_add(T* z, std::int64_t z_step, const T* a,
                                                std::int64_t a_step, const T* b,
                                                std::int64_t b_step, std::int64_t channels,
                                                std::int64_t pixels) {
  for (std::int64_t i = 0; i < pixels; ++i, z += z_step, a += a_step, b += b_step) {
#pragma GCC ivdep
    for (std::int64_t c = 0; c < channels; ++c) z[c] += a[c] * b[c];
  }
}

template <class T>
[[gnu::always_inline]] inline void scale_add(T* z, std::int64_t z_step, const T* a,
                                             std::int64_t a_step, T factor, std::int64_t pixels) {
  if (z_step != 1 || a_step != 1) {
    for (std::int64_t i = 0; i < pixels; ++i) z[i * z_step] += a[i * a_step] * factor;
    return;
  }
#pragma GCC ivdep
  for (std::int64_t i = 0; i < pixels; ++i) z[i] += a[i] * factor;
}

template <class T>
[[gnu::always_inline]] inline T dot(const T* a, std::int64_t a_step, const T* b,
                                    std::int64_t pixels) {
  T sum = 0;
  if (a_step != 1) {
    for (std::int64_t i = 0; i < pixels; ++i) sum += a[i * a_step] * b[i];
    return sum;
  }
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < pixels; ++i) sum += a[i] * b[i];
  return sum;
}

template <class T>
[[gnu::always_inline]] inline void bias_relu(T* z, const T* bias, std::int64_t bias_step,
                                             std::int64_t count) {
  if (bias_step == 0) {
    const T one = *bias;
    for (std::int64_t i = 0; i < count; ++i) z[i] = std::max(z[i] + one, T{0});
    return;
  }
#pragma GCC ivdep
  for (std::int64_t i = 0; i < count; ++i) z[i] = std::max(z[i] + bias[i], T{0});
}

template <class T>
[[gnu::always_inline]] inline void relu(T* z, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) z[i] = std::max(z[i], T{0});
}

template <class T>
struct Avx512 {
  [[gnu::target("avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")]] static void
  multiply_add(T* z, std::int64_t z_step, const T* a, std::int64_t a_step, const T* b,
               std::int64_t b_step, std::int64_t channels, std::int64_t pixels) {
    detail::multiply_add(z, z_step, a, a_step, b, b_step, channels, pixels);
  }
  [[gnu::target("avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")]] static void
  scale_add(T* z, std::int64_t z_step, const T* a, std::int64_t a_step, T factor,
            std::int64_t pixels) {
    detail::scale_add(z, z_step, a, a_step, factor, pixels);
  }
  [[gnu::target("avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")]] static T dot(
      const T* a, std::int64_t a_step, const T* b, std::int64_t pixels) {
    return detail::dot(a, a_step, b, pixels);
  }
  [[gnu::target("avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")]] static void
  bias_relu(T* z, const T* bias, std::int64_t bias_step, std::int64_t count) {
    detail::bias_relu(z, bias, bias_step, count);
  }
};

template <class T>
struct Avx2 {
  [[gnu::target("avx2,fma")]] static void multiply_add(T* z, std::int64_t z_step, const T* a,
                                                       std::int64_t a_step, const T* b,
                                                       std::int64_t b_step, std::int64_t channels,
                                                       std::int64_t pixels) {
    detail::multiply_add(z, z_step, a, a_step, b, b_step, channels, pixels);
  }
  [[gnu::target("avx2,fma")]] static void scale_add(T* z, std::int64_t z_step, const T* a,
                                                    std::int64_t a_step, T factor,
                                                    std::int64_t pixels) {
    detail::scale_add(z, z_step, a, a_step, factor, pixels);
  }
  [[gnu::target("avx2,fma")]] static T dot(const T* a, std::int64_t a_step, const T* b,
                                           std::int64_t pixels) {
    return detail::dot(a, a_step, b, pixels);
  }
  [[gnu::target("avx2,fma")]] static void bias_relu(T* z, const T* bias, std::int64_t bias_step,
                                                    std::int64_t count) {
    detail::bias_relu(z, bias, bias_step, count);
  }
};

}  // namespace detail

/// The fastest that this CPU can execute. relu, a pass over what is in cache, has one version.
template <class T>
HostLoops<T> host_loops() {
  if (cpu_features().avx512) {
    using Loops = detail::Avx512<T>;
    return {Loops::multiply_add, Loops::scale_add, Loops::dot, Loops::bias_relu, detail::relu<T>};
  }
  if (cpu_features().avx2) {
    using Loops = detail::Avx2<T>;
    return {Loops::multiply_add, Loops::scale_add, Loops::dot, Loops::bias_relu, detail::relu<T>};
  }
  return {detail::multiply_add<T>, detail::scale_add<T>, detail::dot<T>, detail::bias_relu<T>,
          detail::relu<T>};
}

}  // namespace breakeven::conv2d
