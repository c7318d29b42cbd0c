#include "kernels/training/host_batch_norm.h"

#include <cmath>

#include "kernels/training/host_isa.h"
#include "reference/training/graph.h"

namespace breakeven::training {
namespace {

constexpr auto kEpsilon = static_cast<float>(kNormEpsilon);

// Merges a block of rows, in at most kTile channels `stride` apart, into the mean and the sum of
// squared differences of the `before` rows that came before. The block is read twice, the second
// time from cache.
template <class T>
struct Statistics {
  [[gnu::always_inline]] static void run(const T* x, std::int64_t stride, std::int64_t rows,
                                         std::int64_t count, std::int64_t before, float* mean,
                                         float* squares) {
    float average[kTile] = {}, differences[kTile] = {};
    for (std::int64_t row = 0; row < rows; ++row) {
#pragma GCC ivdep
      for (std::int64_t c = 0; c < count; ++c) average[c] += widen(x[row * stride + c]);
    }
    const float inverse = 1.0F / static_cast<float>(rows);
    for (std::int64_t c = 0; c < count; ++c) average[c] *= inverse;
    for (std::int64_t row = 0; row < rows; ++row) {
#pragma GCC ivdep
      for (std::int64_t c = 0; c < count; ++c) {
        const float difference = widen(x[row * stride + c]) - average[c];
        differences[c] += difference * difference;
      }
    }
    merge(average, differences, rows, before, count, mean, squares);
  }

  [[gnu::always_inline]] static void merge(const float* average, const float* differences,
                                           std::int64_t rows, std::int64_t before,
                                           std::int64_t count, float* mean, float* squares) {
    const float share = static_cast<float>(rows) / static_cast<float>(before + rows);
    const float weight = static_cast<float>(before) * share;
#pragma GCC ivdep
    for (std::int64_t c = 0; c < count; ++c) {
      const float apart = average[c] - mean[c];
      mean[c] += apart * share;
      squares[c] += differences[c] + apart * apart * weight;
    }
  }
};

template <class T>
struct Normalise {
  [[gnu::always_inline]] static void run(const T* x, const float* mean, const float* scale,
                                         const float* beta, T* y, std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t c = 0; c < count; ++c) {
      y[c] = narrow<T>((widen(x[c]) - mean[c]) * scale[c] + beta[c]);
    }
  }
};

template <class T>
struct GradientSums {
  [[gnu::always_inline]] static void run(const T* dy, const T* x, std::int64_t stride,
                                         std::int64_t rows, std::int64_t count, const float* mean,
                                         float* dbeta, float* product) {
    float sums[kTile] = {}, products[kTile] = {};
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t first = row * stride;
#pragma GCC ivdep
      for (std::int64_t c = 0; c < count; ++c) {
        const float gradient = widen(dy[first + c]);
        sums[c] += gradient;
        products[c] += gradient * (widen(x[first + c]) - mean[c]);
      }
    }
    for (std::int64_t c = 0; c < count; ++c) {
      dbeta[c] += sums[c];
      product[c] += products[c];
    }
  }
};

// scale (dy - offset - slope (x - mean)).
template <class T>
struct Gradient {
  [[gnu::always_inline]] static void run(const T* dy, const T* x, const float* mean,
                                         const float* scale, const float* offset,
                                         const float* slope, T* dx, std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t c = 0; c < count; ++c) {
      dx[c] = narrow<T>(scale[c] * (widen(dy[c]) - offset[c] - slope[c] * (widen(x[c]) - mean[c])));
    }
  }
};

// Calls piece(first row, rows, first channel, channels) for the calling thread's blocks.
template <class Piece>
void for_own_blocks(MatrixSize size, const Piece& piece) {
  const Part own = own_part(size.rows);
  for (std::int64_t first = 0; first < size.cols; first += kTile) {
    for (std::int64_t row = own.begin; row < own.end; row += kBlockRows) {
      piece(row, std::min(kBlockRows, own.end - row), first, std::min(kTile, size.cols - first));
    }
  }
}

// Merges the threads' statistics in their order, for the calling thread's share of channels.
void merge_threads(MatrixSize size, const float* parts, std::int64_t stride, float* mean,
                   float* squares) {
  const Part own = own_part(size.cols);
  const std::int64_t threads = omp_get_num_threads(), count = own.end - own.begin;
  std::fill_n(mean + own.begin, count, 0.0F);
  std::fill_n(squares + own.begin, count, 0.0F);
  for (std::int64_t thread = 0; thread < threads; ++thread) {
    const std::int64_t before = size.rows * thread / threads;
    const std::int64_t rows = size.rows * (thread + 1) / threads - before;
    const float* part = parts + thread * 2 * stride + own.begin;
    if (rows == 0) continue;
    Statistics<float>::merge(part, part + stride, rows, before, count, mean + own.begin,
                             squares + own.begin);
  }
}

void update_running(const RunningStatistics& running, float rows, std::int64_t c, float mean,
                    float squares) {
  constexpr auto kShare = static_cast<float>(kRunningShare);
  const float unbiased = squares / (rows - 1.0F);
  running.next_mean[c] = (1.0F - kShare) * running.mean[c] + kShare * mean;
  running.next_variance[c] = (1.0F - kShare) * running.variance[c] + kShare * unbiased;
}

}  // namespace

// Two sums of each thread, and two vectors of factors.
std::int64_t batch_norm_scratch(std::int64_t cols, int threads) {
  return (2 * threads + 2) * sums_stride(cols);
}

template <class T>
void batch_norm(MatrixSize size, const T* x, const float* gamma, const float* beta, T* y,
                float* mean, float* rstd, const RunningStatistics& running, float* scratch) {
  const std::int64_t cols = size.cols, stride = sums_stride(cols);
  float* scale = scratch;
  float* parts = scratch + 2 * stride;
#pragma omp parallel if (worth_team(size.elements()))
  {
    float* own_mean = parts + omp_get_thread_num() * 2 * stride;
    std::fill_n(own_mean, 2 * stride, 0.0F);
    const std::int64_t begin = own_part(size.rows).begin;
    for_own_blocks(size,
                   [&](std::int64_t row, std::int64_t rows, std::int64_t c, std::int64_t count) {
                     run_loop<Statistics<T>>(x + row * cols + c, cols, rows, count, row - begin,
                                             own_mean + c, own_mean + stride + c);
                   });
#pragma omp barrier
    merge_threads(size, parts, stride, mean, rstd);
    const Part own = own_part(cols);
    const auto all = static_cast<float>(size.rows);
    for (std::int64_t c = own.begin; c < own.end; ++c) {
      update_running(running, all, c, mean[c], rstd[c]);
      rstd[c] = 1.0F / std::sqrt(rstd[c] / all + kEpsilon);
      scale[c] = gamma[c] * rstd[c];
    }
#pragma omp barrier
    const Part rows = own_part(size.rows);
    for (std::int64_t row = rows.begin; row < rows.end; ++row) {
      run_loop<Normalise<T>>(x + row * cols, mean, scale, beta, y + row * cols, cols);
    }
  }
}

template <class T>
void batch_norm_inference(MatrixSize size, const T* x, const float* gamma, const float* beta,
                          const float* mean, const float* variance, T* y, float* scratch) {
  for (std::int64_t c = 0; c < size.cols; ++c) {
    scratch[c] = gamma[c] / std::sqrt(variance[c] + kEpsilon);
  }
#pragma omp parallel for schedule(static) if (worth_team(size.elements()))
  for (std::int64_t row = 0; row < size.rows; ++row) {
    run_loop<Normalise<T>>(x + row * size.cols, mean, scratch, beta, y + row * size.cols,
                           size.cols);
  }
}

template <class T>
void batch_norm_backward(MatrixSize size, const T* dy, const T* x, const float* gamma,
                         const float* mean, const float* rstd, T* dx, float* dgamma, float* dbeta,
                         float* scratch) {
  const std::int64_t cols = size.cols, stride = sums_stride(cols);
  float *scale = scratch, *slope = scratch + stride, *parts = scratch + 2 * stride;
  const float share = 1.0F / static_cast<float>(size.rows);
#pragma omp parallel if (worth_team(size.elements()))
  {
    float* own_sums = parts + omp_get_thread_num() * 2 * stride;
    std::fill_n(own_sums, 2 * stride, 0.0F);
    for_own_blocks(
        size, [&](std::int64_t row, std::int64_t rows, std::int64_t c, std::int64_t count) {
          run_loop<GradientSums<T>>(dy + row * cols + c, x + row * cols + c, cols, rows, count,
                                    mean + c, own_sums + c, own_sums + stride + c);
        });
#pragma omp barrier
    add_parts(parts, 2 * stride, 1, cols, dbeta);
    add_parts(parts + stride, 2 * stride, 1, cols, dgamma);
    const Part own = own_part(cols);  // the channels that this thread has just added up
    for (std::int64_t c = own.begin; c < own.end; ++c) {
      dgamma[c] *= rstd[c];
      scale[c] = gamma[c] * rstd[c];
      slope[c] = dgamma[c] * rstd[c] * share;
    }
    // Every thread's offsets lie where its sums were, in scratch that nobody reads any more.
#pragma omp barrier
    for (std::int64_t c = 0; c < cols; ++c) own_sums[c] = dbeta[c] * share;
    const Part rows = own_part(size.rows);
    for (std::int64_t row = rows.begin; row < rows.end; ++row) {
      const std::int64_t first = row * cols;
      run_loop<Gradient<T>>(dy + first, x + first, mean, scale, own_sums, slope, dx + first, cols);
    }
  }
}

template void batch_norm(MatrixSize, const float*, const float*, const float*, float*, float*,
                         float*, const RunningStatistics&, float*);
template void batch_norm(MatrixSize, const Bf16*, const float*, const float*, Bf16*, float*, float*,
                         const RunningStatistics&, float*);
template void batch_norm_inference(MatrixSize, const float*, const float*, const float*,
                                   const float*, const float*, float*, float*);
template void batch_norm_inference(MatrixSize, const Bf16*, const float*, const float*,
                                   const float*, const float*, Bf16*, float*);
template void batch_norm_backward(MatrixSize, const float*, const float*, const float*,
                                  const float*, const float*, float*, float*, float*, float*);
template void batch_norm_backward(MatrixSize, const Bf16*, const Bf16*, const float*, const float*,
                                  const float*, Bf16*, float*, float*, float*);

}  // namespace breakeven::training
