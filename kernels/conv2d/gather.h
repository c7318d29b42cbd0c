// A tensor in NHWC as an operand of a matrix product (implicit GEMM): nothing is copied out, the
// kernels compute where an element lies. Forward, A is x: a row for each pixel of y, and along k
// the pixels of x under the filter, tap by tap, channels within. Backward, A is dy in the same way,
// or B is x with pixels along k.
#pragma once

#include <cstdint>

#include "kernels/conv2d/fast_divisor.h"
#include "kernels/cuda/primitives.h"

namespace breakeven::conv2d {

/// Pixel (n, i, j) of a grid of images x grid_h x grid_w sees, under tap (a, b), the tensor's pixel
/// (n, i step_h + origin_h + a tap_h, j step_w + origin_w + b tap_w): zeros where that lies
/// outside height x width.
struct GatherView {
  int height, width;
  int pixel;     ///< elements from one pixel of the tensor to the next
  int channels;  ///< of a group: what k runs through within a tap
  int grid_h, grid_w;
  int step_h, step_w;
  int origin_h, origin_w;
  int tap_h, tap_w;
  int taps_h, taps_w;
};

/// A grid's pixel under tap (0, 0).
struct GridPixel {
  int image, h, w;
};

__device__ __forceinline__ GridPixel grid_pixel(const GatherView& view, int index) {
  const int row = index / view.grid_w;
  const int image = row / view.grid_h;
  return {image, (row - image * view.grid_h) * view.step_h + view.origin_h,
          (index - row * view.grid_w) * view.step_w + view.origin_w};
}

/// In elements; of a pixel outside, where it would lie.
__device__ __forceinline__ int pixel_offset(const GatherView& view, const GridPixel& at) {
  return ((at.image * view.height + at.h) * view.width + at.w) * view.pixel;
}

__device__ __forceinline__ bool is_inside(const GatherView& view, int h, int w) {
  return static_cast<unsigned>(h) < static_cast<unsigned>(view.height) &&
         static_cast<unsigned>(w) < static_cast<unsigned>(view.width);
}

/// A place along k, where each tap has `period` places, of which the first view.channels count. Of
/// a period that is longer, those beyond are to be zeros.
struct TapWalk {
  int channel, a, b;

  TapWalk() = default;
  __device__ __forceinline__ TapWalk(const GatherView& view, int k, int period) {
    const int tap = k / period;
    channel = k - tap * period;
    a = tap / view.taps_w;
    b = tap - a * view.taps_w;
  }

  /// Goes `places` on; whether the tap has changed.
  __device__ __forceinline__ bool advance(const GatherView& view, int places, int period) {
    channel += places;
    if (channel < period) return false;
    do {
      channel -= period;
      if (++b == view.taps_w) {
        b = 0;
        ++a;
      }
    } while (channel >= period);
    return true;
  }

  __device__ __forceinline__ int dh(const GatherView& view) const { return a * view.tap_h; }
  __device__ __forceinline__ int dw(const GatherView& view) const { return b * view.tap_w; }
};

/// The filters that backward data takes: rows of k are filters, tap by tap, columns are channels.
struct FilterView {
  int filters;           ///< of a group: what k runs through within a tap
  int filter;            ///< elements from one filter to the next
  int channels;          ///< of a group: columns
  int width;             ///< taps in a row of the filter
  int first_a, first_b;  ///< the first tap that counts
  int tap_step_h, tap_step_w;

  __device__ __forceinline__ int tap_offset(int a, int b) const {
    return ((first_a + a * tap_step_h) * width + first_b + b * tap_step_w) * channels;
  }
};

/// What backward data is, for one residue of the rows of dx modulo the stride (of the columns
/// likewise): those rows, `first` + i stride, are reached by every tap_step-th filter row from
/// first_tap on, and under the next of those taps by the dy before.
struct Residue {
  int extent;     ///< rows with this residue; 0 where there are none
  int first_tap;  ///< of the filter
  int taps;       ///< 0: these rows are zeros
  int origin;     ///< row of dy under the first tap, for i = 0
};

/// The axis' extent in dx, padding, stride, dilation and filter taps. tap_step: stride /
/// gcd(stride, dilation).
struct BackwardAxis {
  int extent, pad, stride, dilation, taps, tap_step;

  /// The residue that block number `index` of a grid takes: that of the filter's first tap, which
  /// has the most taps, comes first; without dilation the others follow in the order of their
  /// taps. A grid that began with its short blocks would wait for a long one at its end.
  __device__ __forceinline__ int residue_at(int index) const {
    return ((index - pad) % stride + stride) % stride;
  }

  __device__ __forceinline__ Residue residue(int first) const {
    Residue result = {0, 0, 0, 0};
    if (first >= extent) return result;
    result.extent = (extent - first + stride - 1) / stride;
    const int last = tap_step < taps ? tap_step : taps;
    while (result.first_tap < last && (first + pad - result.first_tap * dilation) % stride != 0) {
      ++result.first_tap;
    }
    if (result.first_tap == last) return result;
    result.taps = (taps - 1 - result.first_tap) / tap_step + 1;
    result.origin = (first + pad - result.first_tap * dilation) / stride;
    return result;
  }
};

}  // namespace breakeven::conv2d
