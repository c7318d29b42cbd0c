// Depthwise convolutions with one filter a channel, directly: by im2col each channel would be a
// matrix times a vector, with r s times the input written and read again for it. Bound by memory
// bandwidth where images exceed the caches and filters are small (3x3: 18 flops for 8 bytes in
// f32), else by loads and stores: every product reads its sum and writes it back.
//
// In nhwc every direction is one loop, z += a b over channels, once for each weight of a filter and
// run of pixels; in nchw the weight is a scalar and the loop runs over columns.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

#include "kernels/conv2d/host_loops.h"
#include "kernels/conv2d/im2col.h"
#include "kernels/host/host_kernel.h"
#include "kernels/kernel.h"
#include "reference/conv2d.h"

namespace breakeven::conv2d {

/// Whether DepthwiseHost takes this problem.
inline bool one_filter_a_channel(const Conv2dSize& size) {
  return size.depthwise() && size.k == size.c;
}

/// Elements of its scratch: filters transposed to [r,s,c], or each thread's sums of them.
inline std::int64_t depthwise_scratch(const Conv2d& conv, int threads) {
  const std::int64_t weights = conv.size.r * conv.size.s * conv.size.c;
  if (conv.layout == Conv2dLayout::nchw) return 0;
  return conv.direction == Conv2dOp::backward_weights ? weights * threads : weights;
}

template <class T>
class DepthwiseHost final : public HostKernel {
 public:
  /// Requires one_filter_a_channel().
  DepthwiseHost(const Conv2d& conv, Precision precision, int threads)
      : HostKernel(conv, precision),
        conv_(conv),
        size_(conv.size),
        scratch_(static_cast<std::size_t>(depthwise_scratch(conv, threads)) * sizeof(T)),
        loops_(host_loops<T>()) {
    poison(scratch_.span());
  }

  void run() override {
    const bool weights = conv_.direction == Conv2dOp::backward_weights;
    if (conv_.layout == Conv2dLayout::nhwc) return weights ? nhwc_weights() : nhwc_rows();
    // A gradient of weights sums over images; everything else has a plane of each.
    const std::int64_t images = weights ? 1 : size_.n;
#pragma omp parallel for collapse(2) schedule(static)
    for (std::int64_t n = 0; n < images; ++n) {
      for (std::int64_t c = 0; c < size_.c; ++c) {
        weights ? nchw_weights(c) : nchw_plane(n, c);
      }
    }
  }

  Facts facts() const override {
    return {{"algorithm", "direct depthwise loop of our own, no call of OpenBLAS"}};
  }

 private:
  const T* x() { return input(0).template as<T>(); }
  const T* w() { return input(1).template as<T>(); }
  const T* dy() {
    return input(conv_.direction == Conv2dOp::backward_data ? 0 : 1).template as<T>();
  }
  const T* bias(std::int64_t c) { return input(2).template as<T>() + c; }

  // The input's row and column under a filter's, for an output's row and for output column 0.
  std::int64_t tap_row(std::int64_t p, std::int64_t r) const {
    return p * size_.stride_h - size_.pad_h + r * size_.dilation_h;
  }
  std::int64_t tap_column(std::int64_t s) const { return s * size_.dilation_w - size_.pad_w; }

  // The outputs of a row whose input under filter column s lies inside the image.
  Range columns(std::int64_t s) const {
    return inside(tap_column(s), size_.stride_w, size_.q(), size_.w);
  }

  void nhwc_rows() {
    const std::int64_t taps = size_.r * size_.s, channels = size_.c;
    T* filters = scratch_.as<T>();
    const T* weights = w();
    const bool backward = conv_.direction == Conv2dOp::backward_data;
    const std::int64_t rows = size_.n * (backward ? size_.h : size_.p());
#pragma omp parallel
    {
#pragma omp for schedule(static)
      for (std::int64_t c = 0; c < channels; ++c) {
        for (std::int64_t tap = 0; tap < taps; ++tap) {
          filters[tap * channels + c] = weights[c * taps + tap];
        }
      }
#pragma omp for schedule(static)
      for (std::int64_t row = 0; row < rows; ++row) {
        backward ? nhwc_backward_row(row) : nhwc_forward_row(row);
      }
    }
  }

  void nhwc_forward_row(std::int64_t row) {
    const std::int64_t n = row / size_.p(), p = row % size_.p(), channels = size_.c;
    T* y = result().template as<T>() + row * size_.q() * channels;
    const bool bias_relu = conv_.direction == Conv2dOp::bias_relu;
    for (std::int64_t q = 0; q < size_.q(); ++q) {
      if (bias_relu) {
        std::copy_n(bias(0), channels, y + q * channels);
      } else {
        std::fill_n(y + q * channels, channels, T{0});
      }
    }
    for (std::int64_t r = 0; r < size_.r; ++r) {
      const std::int64_t h = tap_row(p, r);
      if (h < 0 || h >= size_.h) continue;
      for (std::int64_t s = 0; s < size_.s; ++s) {
        const Range q = columns(s);
        const std::int64_t first = q.begin * size_.stride_w + tap_column(s);
        loops_.multiply_add(
            y + q.begin * channels, channels,
            x() + ((n * size_.h + h) * size_.w + first) * channels, size_.stride_w * channels,
            scratch_.as<T>() + (r * size_.s + s) * channels, 0, channels, q.end - q.begin);
      }
    }
    if (bias_relu) loops_.relu(y, size_.q() * channels);
  }

  void nhwc_backward_row(std::int64_t row) {
    const std::int64_t n = row / size_.h, h = row % size_.h, channels = size_.c;
    T* dx = result().template as<T>() + row * size_.w * channels;
    std::fill_n(dx, size_.w * channels, T{0});
    for (std::int64_t r = 0; r < size_.r; ++r) {
      const std::int64_t below = h + size_.pad_h - r * size_.dilation_h;
      if (below < 0 || below % size_.stride_h != 0 || below / size_.stride_h >= size_.p()) continue;
      const T* from = dy() + (n * size_.p() + below / size_.stride_h) * size_.q() * channels;
      for (std::int64_t s = 0; s < size_.s; ++s) {
        const Range q = columns(s);
        const std::int64_t first = q.begin * size_.stride_w + tap_column(s);
        loops_.multiply_add(
            dx + first * channels, size_.stride_w * channels, from + q.begin * channels, channels,
            scratch_.as<T>() + (r * size_.s + s) * channels, 0, channels, q.end - q.begin);
      }
    }
  }

  // Each thread sums over its rows, then the threads' sums are added in their order.
  void nhwc_weights() {
    const std::int64_t taps = size_.r * size_.s, channels = size_.c, rows = size_.n * size_.p();
    T* sums = scratch_.as<T>();
    T* dw = result().template as<T>();
#pragma omp parallel
    {
      T* own = sums + omp_get_thread_num() * taps * channels;
      std::fill_n(own, taps * channels, T{0});
#pragma omp for schedule(static)
      for (std::int64_t row = 0; row < rows; ++row) nhwc_weights_row(row, own);
#pragma omp for schedule(static)
      for (std::int64_t c = 0; c < channels; ++c) {
        for (std::int64_t tap = 0; tap < taps; ++tap) {
          T sum = 0;
          for (int thread = 0; thread < omp_get_num_threads(); ++thread) {
            sum += sums[(thread * taps + tap) * channels + c];
          }
          dw[c * taps + tap] = sum;
        }
      }
    }
  }

  void nhwc_weights_row(std::int64_t row, T* sums) {
    const std::int64_t n = row / size_.p(), p = row % size_.p(), channels = size_.c;
    for (std::int64_t r = 0; r < size_.r; ++r) {
      const std::int64_t h = tap_row(p, r);
      if (h < 0 || h >= size_.h) continue;
      for (std::int64_t s = 0; s < size_.s; ++s) {
        const Range q = columns(s);
        const std::int64_t first = q.begin * size_.stride_w + tap_column(s);
        loops_.multiply_add(
            sums + (r * size_.s + s) * channels, 0,
            x() + ((n * size_.h + h) * size_.w + first) * channels, size_.stride_w * channels,
            dy() + (row * size_.q() + q.begin) * channels, channels, channels, q.end - q.begin);
      }
    }
  }

  // The output plane of a channel, or the gradient of its input plane.
  void nchw_plane(std::int64_t n, std::int64_t c) {
    const bool backward = conv_.direction == Conv2dOp::backward_data;
    const bool bias_relu = conv_.direction == Conv2dOp::bias_relu;
    const std::int64_t in = (n * size_.c + c) * size_.h * size_.w;
    const std::int64_t out = (n * size_.c + c) * size_.p() * size_.q();
    T* to = result().template as<T>() + (backward ? in : out);
    const std::int64_t elements = backward ? size_.h * size_.w : size_.p() * size_.q();
    std::fill_n(to, elements, bias_relu ? *bias(c) : T{0});
    for (std::int64_t p = 0; p < size_.p(); ++p) {
      for (std::int64_t tap = 0; tap < size_.r * size_.s; ++tap) {
        const std::int64_t h = tap_row(p, tap / size_.s), s = tap % size_.s;
        if (h < 0 || h >= size_.h) continue;
        const Range q = columns(s);
        const std::int64_t count = q.end - q.begin, stride = size_.stride_w;
        const std::int64_t under = h * size_.w + q.begin * stride + tap_column(s);
        const std::int64_t above = p * size_.q() + q.begin;
        const T weight = w()[c * size_.r * size_.s + tap];
        if (backward) {
          loops_.scale_add(to + under, stride, dy() + out + above, 1, weight, count);
        } else {
          loops_.scale_add(to + above, 1, x() + in + under, stride, weight, count);
        }
      }
    }
    if (bias_relu) loops_.relu(to, elements);
  }

  void nchw_weights(std::int64_t c) {
    T* dw = result().template as<T>() + c * size_.r * size_.s;
    for (std::int64_t tap = 0; tap < size_.r * size_.s; ++tap) {
      const Range q = columns(tap % size_.s);
      const std::int64_t first = q.begin * size_.stride_w + tap_column(tap % size_.s);
      T sum = 0;
      for (std::int64_t row = 0; row < size_.n * size_.p(); ++row) {
        const std::int64_t p = row % size_.p(), plane = row / size_.p() * size_.c + c;
        const std::int64_t h = tap_row(p, tap / size_.s);
        if (h < 0 || h >= size_.h) continue;
        sum += loops_.dot(x() + (plane * size_.h + h) * size_.w + first, size_.stride_w,
                          dy() + (plane * size_.p() + p) * size_.q() + q.begin, q.end - q.begin);
      }
      dw[tap] = sum;
    }
  }

  const Conv2d& conv_;
  const Conv2dSize& size_;
  HostBuffer scratch_;
  HostLoops<T> loops_;
};

}  // namespace breakeven::conv2d
