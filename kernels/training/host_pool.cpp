#include "kernels/training/host_pool.h"

#include <limits>

#include "kernels/training/host_isa.h"
#include "kernels/training/host_team.h"

namespace breakeven::training {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// Channels of an image's gradient that one thread adds up, so that single images keep several
// threads busy: a cache line of f32 and more.
constexpr std::int64_t kChannels = 64;

// The inputs of an axis under window `output`.
[[gnu::always_inline]] inline Part under(const Window& window, std::int64_t output,
                                         std::int64_t extent) {
  const std::int64_t first = output * window.stride - window.pad;
  return {std::max<std::int64_t>(first, 0), std::min(first + window.side, extent)};
}

// As PyTorch: a NaN wins, and the last one of several.
[[gnu::always_inline]] inline bool exceeds(float value, float best) {
  return (value > best) | (value != value);
}

// Row p of an image's output.
template <class T>
struct MaxRow {
  [[gnu::always_inline]] static void run(const ImageSize* size, const Window* window,
                                         std::int64_t p, const T* x, T* y) {
    const std::int64_t channels = size->c, outputs = window->outputs(size->w);
    const Part rows = under(*window, p, size->h);
    for (std::int64_t q = 0; q < outputs; ++q, y += channels) {
      const Part columns = under(*window, q, size->w);
      for (std::int64_t c = 0; c < channels; ++c) y[c] = narrow<T>(kLowest);
      for (std::int64_t h = rows.begin; h < rows.end; ++h) {
        for (std::int64_t w = columns.begin; w < columns.end; ++w) {
          const T* pixel = x + (h * size->w + w) * channels;
#pragma GCC ivdep
          for (std::int64_t c = 0; c < channels; ++c) {
            y[c] = exceeds(widen(pixel[c]), widen(y[c])) ? pixel[c] : y[c];
          }
        }
      }
    }
  }
};

// Up to kChannels channels of an image: sum[pixel sum_stride + c] of the gradients that reach it.
template <class T>
struct MaxBackward {
  [[gnu::always_inline]] static void run(const ImageSize* size, const Window* window,
                                         std::int64_t count, const T* dy, const T* x, float* sum,
                                         std::int64_t sum_stride) {
    const std::int64_t channels = size->c, outputs = window->outputs(size->w);
    for (std::int64_t pixel = 0; pixel < size->h * size->w; ++pixel) {
      for (std::int64_t c = 0; c < count; ++c) sum[pixel * sum_stride + c] = 0;
    }
    for (std::int64_t p = 0; p < window->outputs(size->h); ++p) {
      const Part rows = under(*window, p, size->h);
      for (std::int64_t q = 0; q < outputs; ++q, dy += channels) {
        const Part columns = under(*window, q, size->w);
        float best[kChannels];
        std::int32_t best_pixel[kChannels];
        for (std::int64_t c = 0; c < kChannels; ++c) {
          best[c] = kLowest;  // where everything is -infinity, the first pixel is the maximum
          best_pixel[c] = static_cast<std::int32_t>(rows.begin * size->w + columns.begin);
        }
        for (std::int64_t h = rows.begin; h < rows.end; ++h) {
          for (std::int64_t w = columns.begin; w < columns.end; ++w) {
            const auto pixel = static_cast<std::int32_t>(h * size->w + w);
            const T* values = x + pixel * channels;
#pragma GCC ivdep
            for (std::int64_t c = 0; c < count; ++c) {
              const float value = widen(values[c]);
              const bool better = exceeds(value, best[c]);
              best[c] = better ? value : best[c];
              best_pixel[c] = better ? pixel : best_pixel[c];
            }
          }
        }
        for (std::int64_t h = rows.begin; h < rows.end; ++h) {
          for (std::int64_t w = columns.begin; w < columns.end; ++w) {
            const auto pixel = static_cast<std::int32_t>(h * size->w + w);
            float* to = sum + pixel * sum_stride;
#pragma GCC ivdep
            for (std::int64_t c = 0; c < count; ++c) {
              const float gradient = widen(dy[c]);
              to[c] += best_pixel[c] == pixel ? gradient : 0.0F;
            }
          }
        }
      }
    }
  }
};

// Images of few channels under windows that share no pixel and leave out none: the rows under a
// row of windows are compared as whole lines first, which makes long vectors, then the columns of
// each window.
constexpr std::int64_t kLine = 1024;  // elements of a line at most

bool goes_by_lines(const ImageSize& size, const Window& window) {
  constexpr std::int64_t kFewChannels = 15;  // from 16 on a pixel is a vector
  return size.c <= kFewChannels && size.w * size.c <= kLine && window.pad == 0 &&
         window.stride == window.side && size.h % window.side == 0 && size.w % window.side == 0;
}

// The maximum of each column of `side` lines, and in which of them it is first.
template <class T>
[[gnu::always_inline]] inline void line_maximum(const T* x, std::int64_t length, std::int64_t side,
                                                float* best, std::int32_t* row) {
  for (std::int64_t i = 0; i < length; ++i) {
    best[i] = widen(x[i]);
    row[i] = 0;
  }
  for (std::int64_t h = 1; h < side; ++h) {
    const T* line = x + h * length;
#pragma GCC ivdep
    for (std::int64_t i = 0; i < length; ++i) {
      const float value = widen(line[i]);
      const bool better = exceeds(value, best[i]);
      best[i] = better ? value : best[i];
      row[i] = better ? static_cast<std::int32_t>(h) : row[i];
    }
  }
}

// A row of outputs from the lines under it.
template <class T>
struct MaxLines {
  [[gnu::always_inline]] static void run(std::int64_t length, std::int64_t channels,
                                         std::int64_t side, const T* x, T* y) {
    float best[kLine];
    std::int32_t row[kLine];
    line_maximum(x, length, side, best, row);
    for (std::int64_t first = 0; first < length; first += side * channels, y += channels) {
      for (std::int64_t c = 0; c < channels; ++c) {
        float most = best[first + c];
        for (std::int64_t w = 1; w < side; ++w) {
          const float value = best[first + w * channels + c];
          most = exceeds(value, most) ? value : most;
        }
        y[c] = narrow<T>(most);
      }
    }
  }
};

// The gradient of the lines under a row of outputs. Of equal maxima the first in row-major order
// counts, of NaNs the last.
template <class T>
struct MaxLinesBackward {
  [[gnu::always_inline]] static void run(std::int64_t length, std::int64_t channels,
                                         std::int64_t side, const T* dy, const T* x, T* dx) {
    float best[kLine];
    std::int32_t row[kLine];
    T gradient[kLine];
    line_maximum(x, length, side, best, row);
    for (std::int64_t first = 0; first < length; first += side * channels, dy += channels) {
      for (std::int64_t c = 0; c < channels; ++c) {
        std::int64_t winner = first + c;
        for (std::int64_t w = 1; w < side; ++w) {
          const std::int64_t other = first + w * channels + c;
          const float value = best[other], most = best[winner];
          const bool later = row[other] >= row[winner];
          const bool better =
              value != value ? most == most || later : value > most || (value == most && !later);
          row[better ? winner : other] = -1;
          winner = better ? other : winner;
        }
        for (std::int64_t w = 0; w < side; ++w) gradient[first + w * channels + c] = dy[c];
      }
    }
    for (std::int64_t h = 0; h < side; ++h) {
      T* line = dx + h * length;
#pragma GCC ivdep
      for (std::int64_t i = 0; i < length; ++i) {
        line[i] = row[i] == static_cast<std::int32_t>(h) ? gradient[i] : T{0};
      }
    }
  }
};

template <class T>
struct Store {
  [[gnu::always_inline]] static void run(const float* from, std::int64_t from_stride, T* to,
                                         std::int64_t to_stride, std::int64_t rows,
                                         std::int64_t count) {
    for (std::int64_t row = 0; row < rows; ++row) {
#pragma GCC ivdep
      for (std::int64_t c = 0; c < count; ++c) {
        to[row * to_stride + c] = narrow<T>(from[row * from_stride + c]);
      }
    }
  }
};

template <class T>
struct Average {
  [[gnu::always_inline]] static void run(const T* x, std::int64_t pixels, std::int64_t stride,
                                         std::int64_t count, T* y) {
    float sums[kChannels] = {};
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
#pragma GCC ivdep
      for (std::int64_t c = 0; c < count; ++c) sums[c] += widen(x[pixel * stride + c]);
    }
    for (std::int64_t c = 0; c < count; ++c) {
      y[c] = narrow<T>(sums[c] / static_cast<float>(pixels));
    }
  }
};

template <class T>
struct Spread {
  [[gnu::always_inline]] static void run(const T* dy, float pixels, T* dx, std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t c = 0; c < count; ++c) dx[c] = narrow<T>(widen(dy[c]) / pixels);
  }
};

}  // namespace

template <class T>
void max_pool(const ImageSize& size, const Window& window, const T* x, T* y) {
  const std::int64_t rows = window.outputs(size.h), row = window.outputs(size.w) * size.c;
  const bool lines = goes_by_lines(size, window);
#pragma omp parallel for schedule(static) if (worth_team(size.n * rows * row))
  for (std::int64_t i = 0; i < size.n * rows; ++i) {
    if (lines) {
      const std::int64_t length = size.w * size.c;
      run_loop<MaxLines<T>>(length, size.c, window.side, x + i * window.side * length, y + i * row);
    } else {
      run_loop<MaxRow<T>>(&size, &window, i % rows, x + i / rows * size.h * size.w * size.c,
                          y + i * row);
    }
  }
}

template <class T>
std::int64_t max_pool_scratch(const ImageSize& size, int threads) {
  return sizeof(T) == sizeof(float) ? 0 : threads * size.h * size.w * kChannels;
}

template <class T>
void max_pool_backward(const ImageSize& size, const Window& window, const T* dy, const T* x, T* dx,
                       float* scratch) {
  const std::int64_t pixels = size.h * size.w;
  const std::int64_t outputs = window.outputs(size.h) * window.outputs(size.w);
  const std::int64_t groups = (size.c + kChannels - 1) / kChannels;
  if (goes_by_lines(size, window)) {
    const std::int64_t length = size.w * size.c, row = length / window.side;
#pragma omp parallel for schedule(static) if (worth_team(size.n * pixels * size.c))
    for (std::int64_t i = 0; i < size.n * size.h / window.side; ++i) {
      const std::int64_t first = i * window.side * length;
      run_loop<MaxLinesBackward<T>>(length, size.c, window.side, dy + i * row, x + first,
                                    dx + first);
    }
    return;
  }
#pragma omp parallel for schedule(static) if (worth_team(size.n * pixels * size.c))
  for (std::int64_t i = 0; i < size.n * groups; ++i) {
    const std::int64_t image = i / groups, c = i % groups * kChannels;
    const std::int64_t count = std::min(kChannels, size.c - c);
    const T* own_dy = dy + image * outputs * size.c + c;
    const T* own_x = x + image * pixels * size.c + c;
    T* own_dx = dx + image * pixels * size.c + c;
    if constexpr (sizeof(T) == sizeof(float)) {
      run_loop<MaxBackward<T>>(&size, &window, count, own_dy, own_x, own_dx, size.c);
    } else {
      float* sum = scratch + omp_get_thread_num() * pixels * kChannels;
      run_loop<MaxBackward<T>>(&size, &window, count, own_dy, own_x, sum, kChannels);
      run_loop<Store<T>>(sum, kChannels, own_dx, size.c, pixels, count);
    }
  }
}

template <class T>
void average_pool(const ImageSize& size, const T* x, T* y) {
  const std::int64_t pixels = size.h * size.w, groups = (size.c + kChannels - 1) / kChannels;
#pragma omp parallel for schedule(static) if (worth_team(size.n * pixels * size.c))
  for (std::int64_t i = 0; i < size.n * groups; ++i) {
    const std::int64_t image = i / groups, c = i % groups * kChannels;
    run_loop<Average<T>>(x + image * pixels * size.c + c, pixels, size.c,
                         std::min(kChannels, size.c - c), y + image * size.c + c);
  }
}

template <class T>
void average_pool_backward(const ImageSize& size, const T* dy, T* dx) {
  const std::int64_t pixels = size.h * size.w;
#pragma omp parallel for schedule(static) if (worth_team(size.n * pixels * size.c))
  for (std::int64_t i = 0; i < size.n * pixels; ++i) {
    run_loop<Spread<T>>(dy + i / pixels * size.c, static_cast<float>(pixels), dx + i * size.c,
                        size.c);
  }
}

template void max_pool(const ImageSize&, const Window&, const float*, float*);
template void max_pool(const ImageSize&, const Window&, const Bf16*, Bf16*);
template std::int64_t max_pool_scratch<float>(const ImageSize&, int);
template std::int64_t max_pool_scratch<Bf16>(const ImageSize&, int);
template void max_pool_backward(const ImageSize&, const Window&, const float*, const float*, float*,
                                float*);
template void max_pool_backward(const ImageSize&, const Window&, const Bf16*, const Bf16*, Bf16*,
                                float*);
template void average_pool(const ImageSize&, const float*, float*);
template void average_pool(const ImageSize&, const Bf16*, Bf16*);
template void average_pool_backward(const ImageSize&, const float*, float*);
template void average_pool_backward(const ImageSize&, const Bf16*, Bf16*);

}  // namespace breakeven::training
