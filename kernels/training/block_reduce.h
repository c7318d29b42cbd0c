// Sums and maxima over a warp or a block, in a fixed order; every thread gets the result.
#pragma once

#include <cstdint>

#include "kernels/cuda/primitives.h"

namespace breakeven::training {

inline constexpr unsigned kWholeWarp = 0xffffffffu;

/// Over `kLanes` neighbouring lanes, a power of two. An exclusive-or pattern: all lanes add the
/// same pairs, so all get the same bits.
template <int kLanes = 32>
__device__ __forceinline__ float lanes_sum(float value) {
#pragma unroll
  for (int distance = kLanes / 2; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(kWholeWarp, value, distance);
  }
  return value;
}

template <int kLanes = 32>
__device__ __forceinline__ float lanes_max(float value) {
#pragma unroll
  for (int distance = kLanes / 2; distance > 0; distance /= 2) {
    value = max(value, __shfl_xor_sync(kWholeWarp, value, distance));
  }
  return value;
}

struct BlockBarrier {
  __device__ void operator()() const { __syncthreads(); }
};

/// The sum of a one-dimensional block of whole warps. `scratch` has a float for each warp and may
/// be used again at once. (`Barrier`: so that a test can leave it out.)
template <class Barrier = BlockBarrier>
__device__ __forceinline__ float block_sum(float value, float* scratch) {
  const int warps = static_cast<int>(blockDim.x) / 32;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  value = lanes_sum(value);
  Barrier()();  // whoever still reads the scratch of the call before
  if (lane == 0) ptx::store_shared(scratch + warp, value);
  Barrier()();
  float sum = 0;
  for (int i = 0; i < warps; ++i) sum += ptx::load_shared(scratch + i);
  return sum;
}

}  // namespace breakeven::training
