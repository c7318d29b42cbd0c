// Pooling of images in NHWC.
#pragma once

#include <cstdint>

#include "kernels/training/training.h"

namespace breakeven::training {

/// Square windows; the padding, less than a window, is never a maximum.
struct MaxPool {
  std::int64_t images = 1;
  std::int64_t height = 1;  ///< of x
  std::int64_t width = 1;
  std::int64_t channels = 1;
  std::int64_t window = 1;
  std::int64_t stride = 1;
  std::int64_t padding = 0;

  std::int64_t y_height() const { return (height + 2 * padding - window) / stride + 1; }
  std::int64_t y_width() const { return (width + 2 * padding - window) / stride + 1; }
};

/// y[n, p, q, c] is the maximum of its window of x[n, h, w, c], both of the storage. Throws
/// std::invalid_argument for sizes that leave no y and tensors that aren't aligned.
PreparedLaunch prepare_max_pool(const MaxPool& p, const void* x, void* y, ElementType storage);

/// dx gets dy at the first maximum of each window, in row-major order. Throws as
/// prepare_max_pool() does.
PreparedLaunch prepare_max_pool_backward(const MaxPool& p, const void* dy, const void* x, void* dx,
                                         ElementType storage);

/// y[n, c] is the mean of x[n, pixel, c]; dx[n, pixel, c] = dy[n, c] / pixels. Both throw
/// std::invalid_argument for sizes below 1 and tensors that aren't aligned.
PreparedLaunch prepare_average_pool(std::int64_t images, std::int64_t pixels, std::int64_t channels,
                                    const void* x, void* y, ElementType storage);
PreparedLaunch prepare_average_pool_backward(std::int64_t images, std::int64_t pixels,
                                             std::int64_t channels, const void* dy, void* dx,
                                             ElementType storage);

}  // namespace breakeven::training
