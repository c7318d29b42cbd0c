// Bounded by memory: forward, x (and the residual) read and y (and the sum) written once; a warp
// keeps its row in registers for the two passes that a variance without cancellation takes.
// Backward reads dy and x twice, for rows and for columns; the second time mostly from L2.
#include <cmath>

#include "kernels/training/block_reduce.h"
#include "kernels/training/column_sums.h"
#include "kernels/training/layer_norm.h"
#include "kernels/training/warp_row.h"

namespace breakeven::training {
namespace {

constexpr int kThreads = 256;  // two blocks an SM: registers for a row without spilling

template <class T, int kVector>
__global__ void __launch_bounds__(kThreads, 2)
    layer_norm_kernel(const __grid_constant__ LayerNorm p) {
  const std::int64_t row =
      static_cast<std::int64_t>(blockIdx.x) * (kThreads / 32) + threadIdx.x / 32;
  if (row >= p.rows) return;
  const int columns = static_cast<int>(p.columns);
  const float per_column = 1.0f / static_cast<float>(columns);
  const T* x = static_cast<const T*>(p.x) + row * columns;
  if (p.residual != nullptr) {
    const T* residual = static_cast<const T*>(p.residual) + row * columns;
    T* sum = static_cast<T*>(p.sum) + row * columns;
    const int first = static_cast<int>(threadIdx.x) % 32 * kVector;
#pragma unroll 4
    for (int column = first; column < columns; column += 32 * kVector) {
      float a[kVector], b[kVector];
      load_vector(a, x + column);
      load_vector(b, residual + column);
#pragma unroll
      for (int i = 0; i < kVector; ++i) a[i] += b[i];
      store_vector(sum + column, a);
    }
    x = sum;  // each lane reads what it wrote itself
  }
  WarpRow<T, kVector> kept(x, columns);
  float sum = 0;
  kept.each([&](int, const float(&v)[kVector]) {
    for (const float value : v) sum += value;
  });
  const float mean = lanes_sum(sum) * per_column;
  float squares = 0;
  kept.each([&](int, const float(&v)[kVector]) {
    for (const float value : v) squares += (value - mean) * (value - mean);
  });
  const float rstd = rsqrtf(lanes_sum(squares) * per_column + p.epsilon);
  if (threadIdx.x % 32 == 0) {
    p.mean[row] = mean;
    p.rstd[row] = rstd;
  }
  T* y = static_cast<T*>(p.y) + row * columns;
  kept.each([&](int column, const float(&v)[kVector]) {
    float gamma[kVector], beta[kVector];
    load_vector(gamma, static_cast<const T*>(p.gamma) + column);
    load_vector(beta, static_cast<const T*>(p.beta) + column);
#pragma unroll
    for (int i = 0; i < kVector; ++i) gamma[i] = gamma[i] * ((v[i] - mean) * rstd) + beta[i];
    store_vector(y + column, gamma);
  });
}

template <class T, int kVector>
__global__ void __launch_bounds__(kThreads, 2)
    layer_norm_dx_kernel(const __grid_constant__ LayerNormBackward p) {
  const std::int64_t row =
      static_cast<std::int64_t>(blockIdx.x) * (kThreads / 32) + threadIdx.x / 32;
  if (row >= p.rows) return;
  const int columns = static_cast<int>(p.columns);
  const T* x = static_cast<const T*>(p.x) + row * columns;
  const T* gammas = static_cast<const T*>(p.gamma);
  const float mean = p.mean[row], rstd = p.rstd[row];
  WarpRow<T, kVector> dy(static_cast<const T*>(p.dy) + row * columns, columns);
  float sum = 0, sum_xhat = 0;
  dy.each([&](int column, const float(&v)[kVector]) {
    float at[kVector], gamma[kVector];
    load_vector(at, x + column);
    load_vector(gamma, gammas + column);
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      const float g = gamma[i] * v[i];
      sum += g;
      sum_xhat += g * ((at[i] - mean) * rstd);
    }
  });
  const float per_column = 1.0f / static_cast<float>(columns);
  sum = lanes_sum(sum) * per_column;
  sum_xhat = lanes_sum(sum_xhat) * per_column;
  const T* residuals = static_cast<const T*>(p.residual);
  T* dx = static_cast<T*>(p.dx) + row * columns;
  dy.each([&](int column, const float(&v)[kVector]) {
    float at[kVector], gamma[kVector], residual[kVector] = {};
    load_vector(at, x + column);
    load_vector(gamma, gammas + column);
    if (residuals != nullptr) load_vector(residual, residuals + row * columns + column);
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      const float xhat = (at[i] - mean) * rstd;
      at[i] = rstd * (gamma[i] * v[i] - sum - xhat * sum_xhat) + residual[i];
    }
    store_vector(dx + column, at);
  });
}

/// What dgamma and dbeta sum.
template <class T>
struct LayerNormColumns {
  static constexpr int kSums = 2;
  const T* dy;
  const T* x;
  const float* mean;
  const float* rstd;
  std::int64_t columns;

  template <int kVector>
  __device__ __forceinline__ void add(std::int64_t row, int column,
                                      float (&sums)[kSums][kVector]) const {
    float gradient[kVector], at[kVector];
    load_vector(gradient, dy + row * columns + column);
    load_vector(at, x + row * columns + column);
    const float shift = mean[row], scale = rstd[row];
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      sums[0][i] += gradient[i] * ((at[i] - shift) * scale);
      sums[1][i] += gradient[i];
    }
  }
};

}  // namespace

PreparedLaunch prepare_layer_norm(const LayerNorm& p, ElementType storage) {
  require_extents("layer norm", {p.rows, p.columns});
  require_aligned("layer norm", {p.x, p.residual, p.sum, p.gamma, p.beta, p.y});
  if (p.residual != nullptr && p.sum == nullptr) {
    throw std::invalid_argument("layer norm: a residual, and nowhere to put the sum");
  }
  const Grid grid = {dim3(static_cast<unsigned>(ceil_div(p.rows, kThreads / 32))), dim3(kThreads)};
  return with_storage(storage, [&](auto element) {
    return with_vectors<4>(p.columns, [&](auto width) {
      return prepare_launch(layer_norm_kernel<decltype(element), decltype(width)::value>, grid, p);
    });
  });
}

std::size_t layer_norm_backward_workspace(const LayerNormBackward& p) {
  return column_sums_workspace(p.rows, p.columns, 2);
}

PreparedLaunch prepare_layer_norm_backward(const LayerNormBackward& p, void* workspace,
                                           ElementType storage) {
  require_extents("layer norm", {p.rows, p.columns});
  require_aligned("layer norm", {p.dy, p.x, p.gamma, p.residual, p.dx, workspace});
  const Grid grid = {dim3(static_cast<unsigned>(ceil_div(p.rows, kThreads / 32))), dim3(kThreads)};
  return with_storage(storage, [&](auto element) {
    using T = decltype(element);
    const LayerNormColumns<T> source = {static_cast<const T*>(p.dy), static_cast<const T*>(p.x),
                                        p.mean, p.rstd, p.columns};
    return with_vectors<4>(p.columns, [&](auto width) {
      constexpr int kVector = decltype(width)::value;
      return in_order(prepare_launch(layer_norm_dx_kernel<T, kVector>, grid, p),
                      prepare_column_sums<kVector>(source, StoreSums<2>{{p.dgamma, p.dbeta}},
                                                   p.rows, p.columns, workspace));
    });
  });
}

}  // namespace breakeven::training
