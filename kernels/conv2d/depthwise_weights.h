// The gradient of depthwise filters: for each filter and tap a sum over all pixels. Bounded by
// memory, x and dy once, as long as the nine taps of a pass find x in the L1 cache. A block takes
// 32 or 64 filters and a slice of the pixels, its rows of threads every eighth of them; the rows'
// sums are added through shared memory, the slices' by a second pass, both in a fixed order.
#pragma once

#include <cstdint>

#include "kernels/conv2d/depthwise.h"

namespace breakeven::conv2d {

inline constexpr int kWeightsLanes = 32;
inline constexpr int kWeightsRows = 8;
inline constexpr int kWeightsTaps = 9;  // of a pass: a block's number in z says which

struct DepthwiseWeights {
  Depthwise conv;
  int pixels;
  int slices;      ///< slice s is pixels from s pixels / slices to (s + 1) pixels / slices
  float* partial;  ///< [slices, k, taps], where there are several
};

/// kChannels neighbouring filters a thread, which have a channel each where there are several.
/// Barrier()() is __syncthreads().
template <class T, int kChannels, class Barrier>
__global__ void __launch_bounds__(kWeightsLanes* kWeightsRows)
    depthwise_weights_kernel(const __grid_constant__ DepthwiseWeights p) {
  ptx::SharedMemory memory;
  float* rows = memory.take<float>(kWeightsRows * kWeightsLanes);
  const Depthwise& d = p.conv;
  const int lane = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
  const int k = (static_cast<int>(blockIdx.x) * kWeightsLanes + lane) * kChannels;
  const int slice = static_cast<int>(blockIdx.y);
  const int first_tap = static_cast<int>(blockIdx.z) * kWeightsTaps;
  const int taps = d.r * d.s;
  const auto edge = [&](int i) {
    return static_cast<int>(static_cast<std::int64_t>(p.pixels) * i / p.slices);
  };
  const T* x = static_cast<const T*>(d.first) + (kChannels > 1 ? k : k / d.multiplier);
  const T* dy = static_cast<const T*>(d.second) + k;

  float sums[kWeightsTaps][kChannels] = {};
  for (int pixel = edge(slice) + row; k < d.k && pixel < edge(slice + 1); pixel += kWeightsRows) {
    const int line = pixel / d.q;
    const int image = line / d.p;
    const int h0 = (line - image * d.p) * d.stride_h - d.pad_h;
    const int w0 = (pixel - line * d.q) * d.stride_w - d.pad_w;
    const auto gradient = ptx::load_global(reinterpret_cast<const Elements<T, kChannels>*>(
        dy + static_cast<std::int64_t>(pixel) * d.k));
    int r = first_tap / d.s;
    int s = first_tap - r * d.s;
#pragma unroll
    for (int tap = 0; tap < kWeightsTaps; ++tap) {
      const int h = h0 + r * d.dilation_h, w = w0 + s * d.dilation_w;
      if (r < d.r && h >= 0 && w >= 0 && h < d.h && w < d.w) {
        const auto value = ptx::load_global(reinterpret_cast<const Elements<T, kChannels>*>(
            x + static_cast<std::int64_t>((image * d.h + h) * d.w + w) * d.c));
#pragma unroll
        for (int v = 0; v < kChannels; ++v) {
          sums[tap][v] =
              fmaf(to_float(value.values[v]), to_float(gradient.values[v]), sums[tap][v]);
        }
      }
      if (++s == d.s) {
        s = 0;
        ++r;
      }
    }
  }

#pragma unroll
  for (int tap = 0; tap < kWeightsTaps; ++tap) {
#pragma unroll
    for (int v = 0; v < kChannels; ++v) {
      ptx::store_shared(rows + row * kWeightsLanes + lane, sums[tap][v]);
      Barrier()();
      if (row == 0 && k < d.k && first_tap + tap < taps) {
        float sum = 0;
#pragma unroll
        for (int i = 0; i < kWeightsRows; ++i)
          sum += ptx::load_shared(rows + i * kWeightsLanes + lane);
        const std::int64_t at = static_cast<std::int64_t>(k + v) * taps + first_tap + tap;
        if (p.slices > 1) {
          p.partial[static_cast<std::int64_t>(slice) * d.k * taps + at] = sum;
        } else {
          static_cast<T*>(d.output)[at] = from_float<T>(sum);
        }
      }
      Barrier()();
    }
  }
}

}  // namespace breakeven::conv2d
