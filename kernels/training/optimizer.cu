// Bounded by memory: AdamW reads 16 bytes a parameter and writes 12, SGD 12 and 8, each 2 more for
// the copy in bf16. One launch for all tensors: most of a model's are far too small to fill a GPU.
#include <algorithm>
#include <cmath>

#include "kernels/training/optimizer.h"
#include "kernels/training/vectors.h"

namespace breakeven::training {
namespace {

constexpr int kThreads = 256;

/// The corrections, on either side.
__host__ __device__ inline void set_corrections(AdamwScalars& s) {
  s.first_correction =
      static_cast<float>(1.0 - pow(static_cast<double>(s.beta1), static_cast<double>(s.step)));
  s.second_correction = static_cast<float>(
      sqrt(1.0 - pow(static_cast<double>(s.beta2), static_cast<double>(s.step))));
}

struct Sgd {
  using Scalars = SgdScalars;
  static constexpr bool kSquares = false;

  __device__ static void update(const Scalars& s, float decay, float g, float& w, float& m,
                                float&) {
    m = s.momentum * m + (g + decay * w);
    w -= s.learning_rate * m;
  }
};

struct Adamw {
  using Scalars = AdamwScalars;
  static constexpr bool kSquares = true;

  __device__ static void update(const Scalars& s, float decay, float g, float& w, float& m,
                                float& v) {
    m = s.beta1 * m + (1.0f - s.beta1) * g;
    v = s.beta2 * v + (1.0f - s.beta2) * (g * g);
    const float denominator = sqrtf(v) / s.second_correction + s.epsilon;
    w = w * (1.0f - s.learning_rate * decay) -
        s.learning_rate / s.first_correction * (m / denominator);
  }
};

template <class Rule, int kVector>
__device__ __forceinline__ void update_vector(const OptimizerTensor& tensor,
                                              const typename Rule::Scalars& scalars,
                                              std::int64_t at) {
  float g[kVector], w[kVector], m[kVector], v[kVector] = {};
  load_vector(g, tensor.gradient + at);
  load_vector(w, tensor.weights + at);
  load_vector(m, tensor.momentum + at);
  if constexpr (Rule::kSquares) load_vector(v, tensor.square + at);
#pragma unroll
  for (int i = 0; i < kVector; ++i) Rule::update(scalars, tensor.decay, g[i], w[i], m[i], v[i]);
  store_vector(tensor.next_weights + at, w);
  store_vector(tensor.next_momentum + at, m);
  if constexpr (Rule::kSquares) store_vector(tensor.next_square + at, v);
  if (tensor.copy != nullptr) store_vector(tensor.copy + at, w);
}

template <class Rule>
__global__ void __launch_bounds__(kThreads)
    optimizer_kernel(const OptimizerTensor* tensors, const OptimizerChunk* chunks,
                     const typename Rule::Scalars* device_scalars) {
  const OptimizerChunk chunk = chunks[blockIdx.x];
  const OptimizerTensor tensor = tensors[chunk.tensor];
  const typename Rule::Scalars scalars = *device_scalars;
  const int thread = static_cast<int>(threadIdx.x);
  const int whole = chunk.elements / 4 * 4;
#pragma unroll 2
  for (int i = thread * 4; i < whole; i += kThreads * 4) {
    update_vector<Rule, 4>(tensor, scalars, chunk.first + i);
  }
  if (whole + thread < chunk.elements) {
    update_vector<Rule, 1>(tensor, scalars, chunk.first + whole + thread);
  }
}

__global__ void next_step_kernel(AdamwScalars* scalars) {
  AdamwScalars next = *scalars;
  ++next.step;
  set_corrections(next);
  *scalars = next;
}

Grid chunk_grid(std::int64_t chunk_count) {
  require_extents("optimizer", {chunk_count});
  return {dim3(static_cast<unsigned>(chunk_count)), dim3(kThreads)};
}

}  // namespace

std::vector<OptimizerChunk> optimizer_chunks(std::span<const OptimizerTensor> tensors) {
  std::vector<OptimizerChunk> chunks;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const OptimizerTensor& t = tensors[i];
    require_aligned("optimizer", {t.gradient, t.weights, t.momentum, t.square, t.next_weights,
                                  t.next_momentum, t.next_square, t.copy});
    if (t.elements < 1) throw std::invalid_argument("optimizer: a tensor without elements");
    for (std::int64_t first = 0; first < t.elements; first += kOptimizerChunk) {
      const auto elements = std::min<std::int64_t>(kOptimizerChunk, t.elements - first);
      chunks.push_back({static_cast<std::int32_t>(i), static_cast<std::int32_t>(elements), first});
    }
  }
  return chunks;
}

AdamwScalars adamw_scalars(float learning_rate, float beta1, float beta2, float epsilon, int step) {
  if (step < 1) throw std::invalid_argument("AdamW's first step is 1");
  AdamwScalars scalars = {learning_rate, beta1, beta2, epsilon, step, 0, 0};
  set_corrections(scalars);
  return scalars;
}

PreparedLaunch prepare_next_step(AdamwScalars* scalars) {
  return prepare_launch(next_step_kernel, {dim3(1), dim3(1)}, scalars);
}

PreparedLaunch prepare_sgd(const OptimizerTensor* tensors, const OptimizerChunk* chunks,
                           std::int64_t chunk_count, const SgdScalars* scalars) {
  return prepare_launch(optimizer_kernel<Sgd>, chunk_grid(chunk_count), tensors, chunks, scalars);
}

PreparedLaunch prepare_adamw(const OptimizerTensor* tensors, const OptimizerChunk* chunks,
                             std::int64_t chunk_count, const AdamwScalars* scalars) {
  return prepare_launch(optimizer_kernel<Adamw>, chunk_grid(chunk_count), tensors, chunks, scalars);
}

}  // namespace breakeven::training
