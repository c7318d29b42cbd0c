// Bounded by memory: each tensor is read or written once, the sums down the columns included.
#include <algorithm>
#include <cmath>

#include "kernels/cuda/epilogue.h"
#include "kernels/training/activation.h"
#include "kernels/training/column_sums.h"

namespace breakeven::training {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMostBlocks = 1 << 16;

template <Activation kActivation>
__device__ __forceinline__ float activate(float x) {
  if constexpr (kActivation == Activation::relu) return relu(x);
  if constexpr (kActivation == Activation::gelu) return gelu(x);
  return x;
}

/// dy times the derivative, at y for ReLU and at x for GELU: with s = 1 / (1 + exp(-2u)) as in
/// gelu(), d/dx (x s) = s + 2 x s (1 - s) du/dx, which has no cancellation in the tails.
template <Activation kActivation>
__device__ __forceinline__ float activate_backward(float dy, float saved) {
  if constexpr (kActivation == Activation::relu) return saved > 0 ? dy : 0.0f;
  if constexpr (kActivation == Activation::gelu) {
    constexpr float kTwoRootTwoOverPi = 1.5957691216057308f;
    const float square = saved * saved;
    const float s = 1.0f / (1.0f + expf(-kTwoRootTwoOverPi * (saved + 0.044715f * saved * square)));
    const float twice_slope = kTwoRootTwoOverPi * (1.0f + 3 * 0.044715f * square);
    return dy * (s + saved * s * (1.0f - s) * twice_slope);
  }
  return dy;
}

template <class T, Activation kActivation, int kVector>
__global__ void __launch_bounds__(kThreads)
    bias_activation_kernel(const __grid_constant__ BiasActivation p) {
  // A block takes neighbouring columns of several rows: no thread divides to find its column.
  const int lanes = static_cast<int>(blockDim.x), columns = static_cast<int>(p.columns);
  const int column =
      (static_cast<int>(blockIdx.x) * lanes + static_cast<int>(threadIdx.x)) * kVector;
  if (column >= columns) return;
  float bias[kVector] = {};
  if (p.bias != nullptr) load_vector(bias, static_cast<const T*>(p.bias) + column);
  const std::int64_t step = static_cast<std::int64_t>(gridDim.y) * blockDim.y;
#pragma unroll 4
  for (std::int64_t row = static_cast<std::int64_t>(blockIdx.y) * blockDim.y + threadIdx.y;
       row < p.rows; row += step) {
    const std::int64_t at = row * columns + column;
    float x[kVector];
    load_vector(x, static_cast<const T*>(p.x) + at);
#pragma unroll
    for (int i = 0; i < kVector; ++i) x[i] += bias[i];
    if (p.sum != nullptr) {
      store_vector(static_cast<T*>(p.sum) + at, x);
      // The gradient will see the rounded sum; so shall y.
#pragma unroll
      for (int i = 0; i < kVector; ++i) x[i] = to_float(from_float<T>(x[i]));
    }
#pragma unroll
    for (int i = 0; i < kVector; ++i) x[i] = activate<kActivation>(x[i]);
    store_vector(static_cast<T*>(p.y) + at, x);
  }
}

/// Stores dx and has the columns of the same dx summed.
template <class T, Activation kActivation>
struct BackwardColumns {
  static constexpr int kSums = 1;
  const T* dy;
  const T* saved;
  T* dx;
  std::int64_t columns;

  template <int kVector>
  __device__ __forceinline__ void add(std::int64_t row, int column,
                                      float (&sums)[kSums][kVector]) const {
    const std::int64_t at = row * columns + column;
    float gradient[kVector], value[kVector] = {};
    load_vector(gradient, dy + at);
    if constexpr (kActivation != Activation::none) load_vector(value, saved + at);
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      gradient[i] = activate_backward<kActivation>(gradient[i], value[i]);
      sums[0][i] += gradient[i];
    }
    if (dx != nullptr) store_vector(dx + at, gradient);
  }
};

template <class T, Activation kActivation, int kVector>
__global__ void __launch_bounds__(kThreads)
    backward_kernel(const __grid_constant__ BackwardColumns<T, kActivation> source,
                    std::int64_t vectors) {
  const std::int64_t threads = static_cast<std::int64_t>(gridDim.x) * kThreads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < vectors;
       i += threads) {
    float sums[1][kVector] = {};
    const BackwardColumns<T, kActivation> from = {
        source.dy + i * kVector, source.saved + i * kVector, source.dx + i * kVector, 0};
    from.template add<kVector>(0, 0, sums);
  }
}

template <class T, int kVector>
__global__ void __launch_bounds__(kThreads)
    add_kernel(const T* a, const T* b, T* c, std::int64_t vectors) {
  const std::int64_t threads = static_cast<std::int64_t>(gridDim.x) * kThreads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < vectors;
       i += threads) {
    float x[kVector], y[kVector];
    load_vector(x, a + i * kVector);
    load_vector(y, b + i * kVector);
#pragma unroll
    for (int j = 0; j < kVector; ++j) x[j] += y[j];
    store_vector(c + i * kVector, x);
  }
}

Grid flat_grid(std::int64_t vectors) {
  const std::int64_t blocks = std::min(ceil_div(vectors, kThreads), kMostBlocks);
  return {dim3(static_cast<unsigned>(blocks)), dim3(kThreads)};
}

template <class F>
PreparedLaunch with_activation(Activation activation, F f) {
  switch (activation) {
    case Activation::none:
      return f(std::integral_constant<Activation, Activation::none>());
    case Activation::relu:
      return f(std::integral_constant<Activation, Activation::relu>());
    case Activation::gelu:
      return f(std::integral_constant<Activation, Activation::gelu>());
  }
  throw std::invalid_argument("no such activation");
}

}  // namespace

PreparedLaunch prepare_bias_activation(const BiasActivation& p, ElementType storage) {
  require_extents("activation", {p.rows, p.columns});
  require_aligned("activation", {p.x, p.bias, p.sum, p.y});
  return with_storage(storage, [&](auto element) {
    return with_vectors<4>(p.columns, [&](auto width) {
      return with_activation(p.activation, [&](auto kind) {
        constexpr int kVector = decltype(width)::value;
        const std::int64_t vectors = p.columns / kVector;
        int lanes = 1;
        while (lanes < kThreads && lanes < vectors) lanes *= 2;
        const int rows = kThreads / lanes;
        const std::int64_t across = ceil_div(vectors, lanes);
        const std::int64_t down = std::min<std::int64_t>(ceil_div(p.rows, rows * 4), 4096);
        return prepare_launch(
            bias_activation_kernel<decltype(element), decltype(kind)::value, kVector>,
            {dim3(static_cast<unsigned>(across), static_cast<unsigned>(down)),
             dim3(static_cast<unsigned>(lanes), static_cast<unsigned>(rows))},
            p);
      });
    });
  });
}

std::size_t bias_activation_backward_workspace(const BiasActivationBackward& p) {
  return p.dbias == nullptr ? 0 : column_sums_workspace(p.rows, p.columns, 1);
}

PreparedLaunch prepare_bias_activation_backward(const BiasActivationBackward& p, void* workspace,
                                                ElementType storage) {
  require_extents("activation", {p.rows, p.columns});
  require_aligned("activation", {p.dy, p.saved, p.dx, p.dbias, workspace});
  if (p.dx == nullptr && p.dbias == nullptr) {
    throw std::invalid_argument("activation: neither dx nor dbias is asked for");
  }
  const void* saved = p.saved != nullptr ? p.saved : p.dy;  // for none, which doesn't read it
  return with_storage(storage, [&](auto element) {
    return with_activation(p.activation, [&](auto kind) {
      using T = decltype(element);
      constexpr Activation kActivation = decltype(kind)::value;
      const BackwardColumns<T, kActivation> source = {static_cast<const T*>(p.dy),
                                                      static_cast<const T*>(saved),
                                                      static_cast<T*>(p.dx), p.columns};
      if (p.dbias != nullptr) {
        return with_vectors<4>(p.columns, [&](auto width) {
          return prepare_column_sums<decltype(width)::value>(source, StoreSums<1>{{p.dbias}},
                                                             p.rows, p.columns, workspace);
        });
      }
      return with_vectors<4>(p.rows * p.columns, [&](auto width) {
        constexpr int kVector = decltype(width)::value;
        const std::int64_t vectors = p.rows * p.columns / kVector;
        return prepare_launch(backward_kernel<T, kActivation, kVector>, flat_grid(vectors), source,
                              vectors);
      });
    });
  });
}

PreparedLaunch prepare_add(const void* a, const void* b, void* c, std::int64_t elements,
                           ElementType storage) {
  if (elements < 1) throw std::invalid_argument("add: no elements");
  require_aligned("add", {a, b, c});
  return with_storage(storage, [&](auto element) {
    using T = decltype(element);
    return with_vectors<16 / sizeof(T)>(elements, [&](auto width) {
      constexpr int kVector = decltype(width)::value;
      return prepare_launch(add_kernel<T, kVector>, flat_grid(elements / kVector),
                            static_cast<const T*>(a), static_cast<const T*>(b), static_cast<T*>(c),
                            elements / kVector);
    });
  });
}

}  // namespace breakeven::training
