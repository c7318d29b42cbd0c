// Bounded by memory: logits are read once from memory and once more from the cache, the gradient
// is written once. A row of 50257 logits starts at any address, hence for_row().
#include <cmath>

#include "kernels/training/block_reduce.h"
#include "kernels/training/cross_entropy.h"
#include "kernels/training/vectors.h"

namespace breakeven::training {
namespace {

constexpr int kMostThreads = 512;
constexpr float kLowest = -3.402823466e38f;  // not minus infinity, whose difference is NaN

/// Of the elements so far their maximum and the sum of exp(element - maximum).
struct Softmax {
  float maximum = kLowest;
  float sum = 0;

  __device__ void add(const Softmax& other) {
    const float both = max(maximum, other.maximum);
    sum = sum * expf(maximum - both) + other.sum * expf(other.maximum - both);
    maximum = both;
  }
};

/// A block's, from those of its threads, in an order that is the same for all of them.
__device__ __forceinline__ Softmax block_softmax(Softmax own, Softmax* scratch) {
  const int thread = static_cast<int>(threadIdx.x), warps = static_cast<int>(blockDim.x) / 32;
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    Softmax other;
    other.maximum = __shfl_xor_sync(kWholeWarp, own.maximum, distance);
    other.sum = __shfl_xor_sync(kWholeWarp, own.sum, distance);
    own.add(other);
  }
  if (thread % 32 == 0) scratch[thread / 32] = own;
  __syncthreads();
  Softmax all = scratch[0];
  for (int warp = 1; warp < warps; ++warp) all.add(scratch[warp]);
  return all;
}

template <class T>
__global__ void __launch_bounds__(kMostThreads)
    cross_entropy_kernel(const __grid_constant__ CrossEntropy p) {
  ptx::SharedMemory memory;
  Softmax* scratch = memory.take<Softmax>(kMostThreads / 32);
  const std::int64_t row = blockIdx.x;
  const int columns = static_cast<int>(p.columns);
  const T* logits = static_cast<const T*>(p.logits) + row * columns;
  const int target = p.targets[row];
  // Before the gradient may overwrite it: block_softmax()'s barrier lies between.
  const float target_logit = threadIdx.x == 0 ? to_float(logits[target]) : 0.0f;

  Softmax own;
  for_row(logits, columns, [&](int column, auto width) {
    float x[decltype(width)::value];
    load_vector(x, logits + column);
    float most = own.maximum;
    for (const float value : x) most = max(most, value);
    own.sum *= expf(own.maximum - most);
    for (const float value : x) own.sum += expf(value - most);
    own.maximum = most;
  });
  const Softmax all = block_softmax(own, scratch);
  if (threadIdx.x == 0) p.row_losses[row] = logf(all.sum) + (all.maximum - target_logit);
  if (p.gradient == nullptr) return;

  T* gradient = static_cast<T*>(p.gradient) + row * columns;
  const float factor = p.gradient_scale / all.sum;
  for_row(logits, columns, [&](int column, auto width) {
    constexpr int kWidth = decltype(width)::value;
    float x[kWidth];
    load_vector(x, logits + column);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      x[i] = expf(x[i] - all.maximum) * factor;
      if (column + i == target) x[i] -= p.gradient_scale;
    }
    store_vector(gradient + column, x);
  });
}

constexpr int kMeanThreads = 256;

__global__ void __launch_bounds__(kMeanThreads)
    mean_kernel(const float* values, int count, float* mean) {
  ptx::SharedMemory memory;
  float* scratch = memory.take<float>(kMeanThreads / 32);
  float sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kMeanThreads) sum += values[i];
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) *mean = sum / static_cast<float>(count);
}

}  // namespace

PreparedLaunch prepare_cross_entropy(const CrossEntropy& problem, ElementType storage) {
  CrossEntropy p = problem;
  require_extents("cross entropy", {p.rows, p.columns});
  require_aligned("cross entropy", {p.logits, p.targets, p.gradient, p.row_losses, p.loss});
  if (p.gradient_scale == 0) p.gradient_scale = 1.0f / static_cast<float>(p.rows);
  // Ten classes are a warp's work, a vocabulary a large block's.
  int threads = 32;
  while (threads < kMostThreads && threads * 16 < p.columns) threads *= 2;
  const Grid grid = {dim3(static_cast<unsigned>(p.rows)), dim3(static_cast<unsigned>(threads)),
                     kMostThreads / 32 * sizeof(Softmax)};
  PreparedLaunch rows = with_storage(storage, [&](auto element) {
    return prepare_launch(cross_entropy_kernel<decltype(element)>, grid, p);
  });
  return in_order(
      std::move(rows),
      prepare_launch(mean_kernel, {dim3(1), dim3(kMeanThreads), kMeanThreads / 32 * sizeof(float)},
                     p.row_losses, static_cast<int>(p.rows), p.loss));
}

}  // namespace breakeven::training
