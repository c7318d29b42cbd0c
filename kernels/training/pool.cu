// Bounded by memory. Windows overlap in the cache. Backward, each pixel of x looks for itself among
// the maxima of the windows that cover it, up to four of nine pixels: that needs neither atomics
// nor stored positions.
#include <cmath>

#include "kernels/training/pool.h"
#include "kernels/training/vectors.h"

namespace breakeven::training {
namespace {

constexpr int kThreads = 256;
constexpr int kBlocksPerSm = 4;          // left to choose, ptxas spills for more of them
constexpr int kBackwardBlocksPerSm = 3;  // so that nothing spills

struct PoolProblem {
  int images, height, width, channels, y_height, y_width, window, stride, padding;
  const void* from;
  const void* x;
  void* to;
};

/// A thread's vector of channels of a pixel; `vectors` are a pixel's.
struct Pixel {
  int image, row, column, channel;
  bool inside;

  __device__ Pixel(int vectors, int vector, int height, int width, int images) {
    const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    const std::int64_t pixel = thread / vectors;
    channel = static_cast<int>(thread - pixel * vectors) * vector;
    const auto line = static_cast<int>(pixel / width);
    column = static_cast<int>(pixel - static_cast<std::int64_t>(line) * width);
    image = line / height;
    row = line - image * height;
    inside = image < images;
  }
};

/// f(row, column, x) for the pixels of window (p, q) that lie in the image, in row-major order.
template <int kVector, class T, class F>
__device__ __forceinline__ void for_window(const PoolProblem& p, const T* image, int window_row,
                                           int window_column, int channel, F f) {
  const int first_row = window_row * p.stride - p.padding;
  const int first_column = window_column * p.stride - p.padding;
  for (int row = max(first_row, 0); row < min(first_row + p.window, p.height); ++row) {
    for (int column = max(first_column, 0); column < min(first_column + p.window, p.width);
         ++column) {
      float x[kVector];
      load_vector(
          x, image + (static_cast<std::int64_t>(row) * p.width + column) * p.channels + channel);
      f(row, column, x);
    }
  }
}

/// Whether x takes the place of the maximum so far; NaN does, so that it isn't lost.
__device__ __forceinline__ bool beats(float x, float most) { return x > most || x != x; }

template <class T, int kVector>
__global__ void __launch_bounds__(kThreads, kBlocksPerSm)
    max_pool_kernel(const __grid_constant__ PoolProblem p) {
  const Pixel own(p.channels / kVector, kVector, p.y_height, p.y_width, p.images);
  if (!own.inside) return;
  const T* image = static_cast<const T*>(p.x) +
                   static_cast<std::int64_t>(own.image) * p.height * p.width * p.channels;
  float most[kVector];
#pragma unroll
  for (float& value : most) value = -INFINITY;
  for_window<kVector>(p, image, own.row, own.column, own.channel,
                      [&](int, int, const float(&x)[kVector]) {
#pragma unroll
                        for (int i = 0; i < kVector; ++i) {
                          if (beats(x[i], most[i])) most[i] = x[i];
                        }
                      });
  const std::int64_t pixel =
      (static_cast<std::int64_t>(own.image) * p.y_height + own.row) * p.y_width + own.column;
  store_vector(static_cast<T*>(p.to) + pixel * p.channels + own.channel, most);
}

template <class T, int kVector>
__global__ void __launch_bounds__(kThreads, kBackwardBlocksPerSm)
    max_pool_backward_kernel(const __grid_constant__ PoolProblem p) {
  const Pixel own(p.channels / kVector, kVector, p.height, p.width, p.images);
  if (!own.inside) return;
  const std::int64_t first = static_cast<std::int64_t>(own.image) * p.height * p.width;
  const T* image = static_cast<const T*>(p.x) + first * p.channels;
  const T* dy = static_cast<const T*>(p.from) +
                static_cast<std::int64_t>(own.image) * p.y_height * p.y_width * p.channels +
                own.channel;
  // The windows that cover the pixel: stride w - padding <= place < stride w - padding + window.
  const int row = own.row + p.padding, column = own.column + p.padding;
  const int first_row = row < p.window ? 0 : (row - p.window) / p.stride + 1;
  const int first_column = column < p.window ? 0 : (column - p.window) / p.stride + 1;
  float sum[kVector] = {};
  for (int r = first_row; r <= min(row / p.stride, p.y_height - 1); ++r) {
    for (int c = first_column; c <= min(column / p.stride, p.y_width - 1); ++c) {
      float most[kVector];
      bool mine[kVector] = {}, begun = false;
      for_window<kVector>(p, image, r, c, own.channel,
                          [&](int at_row, int at_column, const float(&x)[kVector]) {
                            const bool here = at_row == own.row && at_column == own.column;
#pragma unroll
                            for (int i = 0; i < kVector; ++i) {
                              if (begun && !beats(x[i], most[i])) continue;
                              most[i] = x[i];
                              mine[i] = here;
                            }
                            begun = true;
                          });
      float gradient[kVector];
      load_vector(gradient, dy + (static_cast<std::int64_t>(r) * p.y_width + c) * p.channels);
#pragma unroll
      for (int i = 0; i < kVector; ++i) sum[i] += mine[i] ? gradient[i] : 0.0f;
    }
  }
  const std::int64_t pixel = first + static_cast<std::int64_t>(own.row) * p.width + own.column;
  store_vector(static_cast<T*>(p.to) + pixel * p.channels + own.channel, sum);
}

template <class T, int kVector>
__global__ void __launch_bounds__(kThreads)
    average_pool_kernel(const T* x, T* y, int pixels, int channels, std::int64_t vectors) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= vectors) return;
  const std::int64_t image = i * kVector / channels;
  const T* from = x + image * pixels * channels + (i * kVector - image * channels);
  float sum[kVector] = {};
#pragma unroll 4
  for (int pixel = 0; pixel < pixels; ++pixel) {
    float at[kVector];
    load_vector(at, from + static_cast<std::int64_t>(pixel) * channels);
#pragma unroll
    for (int j = 0; j < kVector; ++j) sum[j] += at[j];
  }
#pragma unroll
  for (int j = 0; j < kVector; ++j) sum[j] /= static_cast<float>(pixels);
  store_vector(y + i * kVector, sum);
}

template <class T, int kVector>
__global__ void __launch_bounds__(kThreads)
    average_pool_backward_kernel(const T* dy, T* dx, int pixels, int channels,
                                 std::int64_t vectors) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= vectors) return;
  const std::int64_t pixel = i * kVector / channels;
  float gradient[kVector];
  load_vector(gradient, dy + pixel / pixels * channels + (i * kVector - pixel * channels));
#pragma unroll
  for (int j = 0; j < kVector; ++j) gradient[j] /= static_cast<float>(pixels);
  store_vector(dx + i * kVector, gradient);
}

Grid grid_of(std::int64_t vectors) {
  return {dim3(static_cast<unsigned>(ceil_div(vectors, kThreads))), dim3(kThreads)};
}

PoolProblem problem_of(const MaxPool& p, const void* from, const void* x, void* to) {
  require_extents("max pool", {p.images, p.height, p.width, p.channels, p.window, p.stride,
                               p.y_height(), p.y_width(), p.images * p.height});
  if (p.padding < 0 || p.padding >= p.window || p.height + 2 * p.padding < p.window ||
      p.width + 2 * p.padding < p.window) {
    throw std::invalid_argument("max pool: a padding as wide as the window, or no window inside");
  }
  require_aligned("max pool", {from, x, to});
  const auto narrow = [](std::int64_t extent) { return static_cast<int>(extent); };
  return {narrow(p.images),
          narrow(p.height),
          narrow(p.width),
          narrow(p.channels),
          narrow(p.y_height()),
          narrow(p.y_width()),
          narrow(p.window),
          narrow(p.stride),
          narrow(p.padding),
          from,
          x,
          to};
}

}  // namespace

PreparedLaunch prepare_max_pool(const MaxPool& p, const void* x, void* y, ElementType storage) {
  const PoolProblem problem = problem_of(p, nullptr, x, y);
  const std::int64_t elements = p.images * p.y_height() * p.y_width() * p.channels;
  return with_storage(storage, [&](auto element) {
    return with_vectors<4>(p.channels, [&](auto width) {
      constexpr int kVector = decltype(width)::value;
      return prepare_launch(max_pool_kernel<decltype(element), kVector>,
                            grid_of(elements / kVector), problem);
    });
  });
}

PreparedLaunch prepare_max_pool_backward(const MaxPool& p, const void* dy, const void* x, void* dx,
                                         ElementType storage) {
  const PoolProblem problem = problem_of(p, dy, x, dx);
  const std::int64_t elements = p.images * p.height * p.width * p.channels;
  return with_storage(storage, [&](auto element) {
    return with_vectors<4>(p.channels, [&](auto width) {
      constexpr int kVector = decltype(width)::value;
      return prepare_launch(max_pool_backward_kernel<decltype(element), kVector>,
                            grid_of(elements / kVector), problem);
    });
  });
}

PreparedLaunch prepare_average_pool(std::int64_t images, std::int64_t pixels, std::int64_t channels,
                                    const void* x, void* y, ElementType storage) {
  require_extents("average pool", {images, pixels, channels});
  require_aligned("average pool", {x, y});
  return with_storage(storage, [&](auto element) {
    using T = decltype(element);
    return with_vectors<4>(channels, [&](auto width) {
      constexpr int kVector = decltype(width)::value;
      const std::int64_t vectors = images * channels / kVector;
      return prepare_launch(average_pool_kernel<T, kVector>, grid_of(vectors),
                            static_cast<const T*>(x), static_cast<T*>(y), pixels, channels,
                            vectors);
    });
  });
}

PreparedLaunch prepare_average_pool_backward(std::int64_t images, std::int64_t pixels,
                                             std::int64_t channels, const void* dy, void* dx,
                                             ElementType storage) {
  require_extents("average pool", {images, pixels, channels});
  require_aligned("average pool", {dy, dx});
  return with_storage(storage, [&](auto element) {
    using T = decltype(element);
    return with_vectors<4>(channels, [&](auto width) {
      constexpr int kVector = decltype(width)::value;
      const std::int64_t vectors = images * pixels * channels / kVector;
      return prepare_launch(average_pool_backward_kernel<T, kVector>, grid_of(vectors),
                            static_cast<const T*>(dy), static_cast<T*>(dx), pixels, channels,
                            vectors);
    });
  });
}

}  // namespace breakeven::training
