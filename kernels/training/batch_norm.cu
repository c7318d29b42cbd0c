// Bounded by memory: x is read for the statistics, read again and written; backward reads dy and x
// twice. The variance is taken in the same pass as the mean, of x less the channel's first element:
// that is a sample of it, so that no more than a few bits cancel however far off zero a channel is.
#include <algorithm>
#include <cmath>

#include "kernels/cuda/epilogue.h"
#include "kernels/training/batch_norm.h"
#include "kernels/training/column_sums.h"

namespace breakeven::training {
namespace {

constexpr int kThreads = 256;

template <class T>
struct ShiftedMoments {
  static constexpr int kSums = 2;
  const T* x;
  std::int64_t columns;

  template <int kVector>
  __device__ __forceinline__ void add(std::int64_t row, int column,
                                      float (&sums)[kSums][kVector]) const {
    float shift[kVector], at[kVector];
    load_vector(shift, x + column);
    load_vector(at, x + row * columns + column);
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      const float off = at[i] - shift[i];
      sums[0][i] += off;
      sums[1][i] += off * off;
    }
  }
};

template <class T>
struct Statistics {
  BatchNorm p;

  __device__ void operator()(int column, const float (&sums)[2]) const {
    const float rows = static_cast<float>(p.rows);
    const float off = sums[0] / rows;
    const float mean = to_float(static_cast<const T*>(p.x)[column]) + off;
    const float variance = max(sums[1] / rows - off * off, 0.0f);
    p.mean[column] = mean;
    p.rstd[column] = 1.0f / sqrtf(variance + p.epsilon);
    const float unbiased = variance * (rows / max(rows - 1.0f, 1.0f));
    p.next_running_mean[column] = (1.0f - p.momentum) * p.running_mean[column] + p.momentum * mean;
    p.next_running_variance[column] =
        (1.0f - p.momentum) * p.running_variance[column] + p.momentum * unbiased;
  }
};

/// A block takes neighbouring columns of several rows, as column_parts_kernel does.
struct Place {
  int column;
  std::int64_t row, step;

  __device__ explicit Place(int vector)
      : column((static_cast<int>(blockIdx.x * blockDim.x) + static_cast<int>(threadIdx.x)) *
               vector),
        row(static_cast<std::int64_t>(blockIdx.y) * blockDim.y + threadIdx.y),
        step(static_cast<std::int64_t>(gridDim.y) * blockDim.y) {}
};

template <int kVector>
Grid row_grid(std::int64_t rows, std::int64_t columns) {
  const std::int64_t vectors = columns / kVector;
  int lanes = 1;
  while (lanes < 64 && lanes < vectors) lanes *= 2;
  const int down = kThreads / lanes;
  return {dim3(static_cast<unsigned>(ceil_div(vectors, lanes)),
               static_cast<unsigned>(std::min<std::int64_t>(ceil_div(rows, down * 8), 4096))),
          dim3(static_cast<unsigned>(lanes), static_cast<unsigned>(down))};
}

template <class T, int kVector, bool kInference>
__global__ void __launch_bounds__(kThreads) batch_norm_kernel(const __grid_constant__ BatchNorm p) {
  const Place at(kVector);
  if (at.column >= p.columns) return;
  float scale[kVector], beta[kVector], mean[kVector];
  load_vector(scale, static_cast<const T*>(p.gamma) + at.column);
  load_vector(beta, static_cast<const T*>(p.beta) + at.column);
#pragma unroll
  for (int i = 0; i < kVector; ++i) {
    const int column = at.column + i;
    mean[i] = kInference ? p.running_mean[column] : p.mean[column];
    scale[i] *= kInference ? 1.0f / sqrtf(p.running_variance[column] + p.epsilon) : p.rstd[column];
  }
#pragma unroll 4
  for (std::int64_t row = at.row; row < p.rows; row += at.step) {
    const std::int64_t from = row * p.columns + at.column;
    float x[kVector], residual[kVector] = {};
    load_vector(x, static_cast<const T*>(p.x) + from);
    if (p.residual != nullptr) load_vector(residual, static_cast<const T*>(p.residual) + from);
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      x[i] = (x[i] - mean[i]) * scale[i] + beta[i] + residual[i];
      if (p.relu) x[i] = relu(x[i]);
    }
    store_vector(static_cast<T*>(p.y) + from, x);
  }
}

template <class T>
struct GradientSums {
  static constexpr int kSums = 2;
  BatchNormBackward p;

  template <int kVector>
  __device__ __forceinline__ void add(std::int64_t row, int column,
                                      float (&sums)[kSums][kVector]) const {
    float dy[kVector], x[kVector], mean[kVector], rstd[kVector];
    load_vector(dy, static_cast<const T*>(p.dy) + row * p.columns + column);
    load_vector(x, static_cast<const T*>(p.x) + row * p.columns + column);
    load_vector(mean, p.mean + column);
    load_vector(rstd, p.rstd + column);
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      sums[0][i] += dy[i] * ((x[i] - mean[i]) * rstd[i]);
      sums[1][i] += dy[i];
    }
  }
};

template <class T, int kVector>
__global__ void __launch_bounds__(kThreads)
    batch_norm_dx_kernel(const __grid_constant__ BatchNormBackward p) {
  const Place at(kVector);
  if (at.column >= p.columns) return;
  const float per_row = 1.0f / static_cast<float>(p.rows);
  float gamma[kVector], mean[kVector], rstd[kVector], mean_dy[kVector], mean_dy_xhat[kVector];
  load_vector(gamma, static_cast<const T*>(p.gamma) + at.column);
  load_vector(mean, p.mean + at.column);
  load_vector(rstd, p.rstd + at.column);
  load_vector(mean_dy, p.dbeta + at.column);
  load_vector(mean_dy_xhat, p.dgamma + at.column);
#pragma unroll 4
  for (std::int64_t row = at.row; row < p.rows; row += at.step) {
    const std::int64_t from = row * p.columns + at.column;
    float dy[kVector], x[kVector];
    load_vector(dy, static_cast<const T*>(p.dy) + from);
    load_vector(x, static_cast<const T*>(p.x) + from);
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      const float xhat = (x[i] - mean[i]) * rstd[i];
      dy[i] =
          gamma[i] * rstd[i] * (dy[i] - mean_dy[i] * per_row - xhat * (mean_dy_xhat[i] * per_row));
    }
    store_vector(static_cast<T*>(p.dx) + from, dy);
  }
}

void require_batch_norm(const BatchNorm& p) {
  require_extents("batch norm", {p.rows, p.columns});
  require_aligned("batch norm", {p.x, p.gamma, p.beta, p.residual, p.y});
}

template <bool kInference>
PreparedLaunch prepare_normalise(const BatchNorm& p, ElementType storage) {
  return with_storage(storage, [&](auto element) {
    return with_vectors<4>(p.columns, [&](auto width) {
      constexpr int kVector = decltype(width)::value;
      return prepare_launch(batch_norm_kernel<decltype(element), kVector, kInference>,
                            row_grid<kVector>(p.rows, p.columns), p);
    });
  });
}

}  // namespace

std::size_t batch_norm_workspace(const BatchNorm& p) {
  return column_sums_workspace(p.rows, p.columns, 2);
}

PreparedLaunch prepare_batch_norm(const BatchNorm& p, void* workspace, ElementType storage) {
  require_batch_norm(p);
  PreparedLaunch statistics = with_storage(storage, [&](auto element) {
    using T = decltype(element);
    return with_vectors<4>(p.columns, [&](auto width) {
      return prepare_column_sums<decltype(width)::value>(
          ShiftedMoments<T>{static_cast<const T*>(p.x), p.columns}, Statistics<T>{p}, p.rows,
          p.columns, workspace);
    });
  });
  return in_order(std::move(statistics), prepare_normalise<false>(p, storage));
}

PreparedLaunch prepare_batch_norm_inference(const BatchNorm& p, ElementType storage) {
  require_batch_norm(p);
  return prepare_normalise<true>(p, storage);
}

std::size_t batch_norm_backward_workspace(const BatchNormBackward& p) {
  return column_sums_workspace(p.rows, p.columns, 2);
}

PreparedLaunch prepare_batch_norm_backward(const BatchNormBackward& p, void* workspace,
                                           ElementType storage) {
  require_extents("batch norm", {p.rows, p.columns});
  require_aligned("batch norm", {p.dy, p.x, p.gamma, p.mean, p.rstd, p.dx, p.dgamma, p.dbeta});
  return with_storage(storage, [&](auto element) {
    using T = decltype(element);
    return with_vectors<4>(p.columns, [&](auto width) {
      constexpr int kVector = decltype(width)::value;
      return in_order(
          prepare_column_sums<kVector>(GradientSums<T>{p}, StoreSums<2>{{p.dgamma, p.dbeta}},
                                       p.rows, p.columns, workspace),
          prepare_launch(batch_norm_dx_kernel<T, kVector>, row_grid<kVector>(p.rows, p.columns),
                         p));
    });
  });
}

}  // namespace breakeven::training
