#include "kernels/training/host_layer_norm.h"

#include <cmath>

#include "kernels/training/host_isa.h"
#include "reference/training/graph.h"

namespace breakeven::training {
namespace {

constexpr auto kEpsilon = static_cast<float>(kNormEpsilon);

template <class T>
struct Forward {
  [[gnu::always_inline]] static void run(const T* x, const float* gamma, const float* beta, T* y,
                                         std::int64_t cols, float* mean, float* rstd) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t c = 0; c < cols; ++c) sum += widen(x[c]);
    const float average = sum / static_cast<float>(cols);
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (std::int64_t c = 0; c < cols; ++c) {
      const float from_mean = widen(x[c]) - average;
      squares += from_mean * from_mean;
    }
    const float scale = 1.0F / std::sqrt(squares / static_cast<float>(cols) + kEpsilon);
#pragma GCC ivdep
    for (std::int64_t c = 0; c < cols; ++c) {
      y[c] = narrow<T>((widen(x[c]) - average) * scale * gamma[c] + beta[c]);
    }
    *mean = average;
    *rstd = scale;
  }
};

// One row of dx, and its share of dgamma and dbeta added to what is there.
template <class T>
struct Backward {
  [[gnu::always_inline]] static void run(const T* dy, const T* x, const float* gamma, float mean,
                                         float rstd, T* dx, std::int64_t cols, float* dgamma,
                                         float* dbeta) {
    float sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
    for (std::int64_t c = 0; c < cols; ++c) {
      const float scaled = widen(dy[c]) * gamma[c];
      sum += scaled;
      product += scaled * ((widen(x[c]) - mean) * rstd);
    }
    const float average = sum / static_cast<float>(cols);
    const float slope = product / static_cast<float>(cols);
#pragma GCC ivdep
    for (std::int64_t c = 0; c < cols; ++c) {
      const float gradient = widen(dy[c]);
      const float normal = (widen(x[c]) - mean) * rstd;
      dgamma[c] += gradient * normal;
      dbeta[c] += gradient;
      dx[c] = narrow<T>(rstd * (gradient * gamma[c] - average - normal * slope));
    }
  }
};

// total += block; block = 0.
struct Flush {
  [[gnu::always_inline]] static void run(float* total, float* block, std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) {
      total[i] += block[i];
      block[i] = 0;
    }
  }
};

}  // namespace

template <class T>
void layer_norm(MatrixSize size, const T* x, const float* gamma, const float* beta, T* y,
                float* mean, float* rstd) {
#pragma omp parallel for schedule(static) if (worth_team(size.elements()))
  for (std::int64_t row = 0; row < size.rows; ++row) {
    const std::int64_t first = row * size.cols;
    run_loop<Forward<T>>(x + first, gamma, beta, y + first, size.cols, mean + row, rstd + row);
  }
}

// Of each thread: the totals of dgamma and dbeta, then those of the current block of rows.
std::int64_t layer_norm_scratch(std::int64_t cols, int threads) {
  return threads * 4 * sums_stride(cols);
}

template <class T>
void layer_norm_backward(MatrixSize size, const T* dy, const T* x, const float* gamma,
                         const float* mean, const float* rstd, T* dx, float* dgamma, float* dbeta,
                         float* scratch) {
  const std::int64_t cols = size.cols, stride = sums_stride(cols);
#pragma omp parallel if (worth_team(size.elements()))
  {
    float* total = scratch + omp_get_thread_num() * 4 * stride;
    float* block = total + 2 * stride;
    std::fill_n(total, 4 * stride, 0.0F);
    const Part own = own_part(size.rows);
    for (std::int64_t row = own.begin; row < own.end; ++row) {
      const std::int64_t first = row * cols;
      run_loop<Backward<T>>(dy + first, x + first, gamma, mean[row], rstd[row], dx + first, cols,
                            block, block + stride);
      const bool ends_block = (row + 1 - own.begin) % kBlockRows == 0 || row + 1 == own.end;
      if (ends_block) run_loop<Flush>(total, block, 2 * stride);
    }
#pragma omp barrier
    add_parts(scratch, 4 * stride, 1, cols, dgamma);
    add_parts(scratch + stride, 4 * stride, 1, cols, dbeta);
  }
}

template void layer_norm(MatrixSize, const float*, const float*, const float*, float*, float*,
                         float*);
template void layer_norm(MatrixSize, const Bf16*, const float*, const float*, Bf16*, float*,
                         float*);
template void layer_norm_backward(MatrixSize, const float*, const float*, const float*,
                                  const float*, const float*, float*, float*, float*, float*);
template void layer_norm_backward(MatrixSize, const Bf16*, const Bf16*, const float*, const float*,
                                  const float*, Bf16*, float*, float*, float*);

}  // namespace breakeven::training
