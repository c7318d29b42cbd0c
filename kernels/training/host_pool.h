// Pooling of NHWC images on the CPU. Bound by memory bandwidth: each element of an image is read
// once for average pooling and a few times, from cache, under overlapping windows. Elements are
// float or Bf16.
#pragma once

#include "kernels/training/host_math.h"
#include "reference/training/graph.h"

namespace breakeven::training {

struct ImageSize {
  std::int64_t n, h, w, c;
};

/// y[n,p,q,c] = the maximum under each window; a NaN wins. Every window holds a pixel.
template <class T>
void max_pool(const ImageSize& size, const Window& window, const T* x, T* y);

/// Floats of scratch for max_pool_backward() by up to `threads` threads; 0 for float.
template <class T>
std::int64_t max_pool_scratch(const ImageSize& size, int threads);

/// dx[n,h,w,c] = the sum of dy over the windows whose first maximum, in row-major order, it is;
/// added in f32 and in the windows' order.
template <class T>
void max_pool_backward(const ImageSize& size, const Window& window, const T* dy, const T* x, T* dx,
                       float* scratch);

/// y[n,c] = the mean of each image's channel.
template <class T>
void average_pool(const ImageSize& size, const T* x, T* y);

/// dx[n,h,w,c] = dy[n,c] / (h w).
template <class T>
void average_pool_backward(const ImageSize& size, const T* dy, T* dx);

}  // namespace breakeven::training
