// What TMA's im2col mode is told of a convolution's images: for each product of a launch, which
// pixels its rows are and where the filter's taps lie from there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "kernels/conv2d/conv.h"
#include "kernels/conv2d/wgmma_conv.h"

namespace breakeven::conv2d {

/// The images that are gathered, and each product's walk through them.
struct ConvWalk {
  const void* data;
  int products;
  PixelProduct product[kMostPixelProducts];  ///< but for m and k_tiles, and what follows from them
  ptx::Im2colView view[kMostPixelProducts];  ///< but for what a copy brings
};

/// One axis of backward data: dx's pixels first, first + stride ... (kernels/conv2d/gather.h's
/// Residue, on the host), with the taps in the order of dy's pixels, which is reversed.
struct GradientAxis {
  int extent = 0;  ///< pixels; 0 where there are none
  int taps = 0;
  int last_tap = 0, tap_step = 1;  ///< of the filter
  int lower = 0;                   ///< dy's pixel under the last tap of the first of them
  int step = 1;                    ///< from one tap to the next, in dy

  GradientAxis(std::int64_t pixels, std::int64_t pad, std::int64_t stride, std::int64_t dilation,
               std::int64_t all_taps, std::int64_t first) {
    if (first >= pixels) return;
    extent = static_cast<int>((pixels - first + stride - 1) / stride);
    for (std::int64_t tap = 0; tap < all_taps; ++tap) {
      if ((first + pad - tap * dilation) % stride != 0) continue;
      if (taps++ > 0) tap_step = static_cast<int>(tap) - last_tap;
      last_tap = static_cast<int>(tap);
    }
    if (taps > 0) lower = static_cast<int>((first + pad - last_tap * dilation) / stride);
    step = static_cast<int>(tap_step * dilation / stride);
  }
};

/// The product for the residue (first_h, first_w).
inline void add_gradient_walk(ConvWalk& walk, const Conv2dSize& s, std::int64_t first_h,
                              std::int64_t first_w) {
  const GradientAxis h(s.h, s.pad_h, s.stride_h, s.dilation_h, s.r, first_h);
  const GradientAxis w(s.w, s.pad_w, s.stride_w, s.dilation_w, s.s, first_w);
  if (h.extent == 0 || w.extent == 0) return;
  const int c = static_cast<int>(s.c), row = static_cast<int>(s.s * s.c);
  PixelProduct& of = walk.product[walk.products];
  of.first_h = static_cast<int>(first_h);
  of.first_w = static_cast<int>(first_w);
  of.grid_h = h.extent;
  of.grid_w = w.extent;
  ptx::Im2colView& view = walk.view[walk.products++];
  view = {s.n, s.p(), s.q(), s.k};
  if (h.taps > 0 && w.taps > 0) {
    of.taps_h = h.taps;
    of.taps_w = w.taps;
    of.tap_h = h.step;
    of.tap_w = w.step;
    of.filter = h.last_tap * row + w.last_tap * c;
    of.filter_h = -h.tap_step * row;
    of.filter_w = -w.tap_step * c;
    view.lower_h = h.lower;
    view.lower_w = w.lower;
  }
  view.upper_h = view.lower_h + h.extent - static_cast<int>(s.p());
  view.upper_w = view.lower_w + w.extent - static_cast<int>(s.q());
}

inline ConvWalk conv_walk(const Conv& conv) {
  const Conv2dSize& s = conv.size;
  const auto to_int = [](std::int64_t value) { return static_cast<int>(value); };
  ConvWalk walk{};
  if (conv.op == Conv2dOp::backward_data) {
    walk.data = y_of(conv);
    // From the residues of the first tap on, which no other has more taps than.
    const auto residue = [](std::int64_t i, std::int64_t pad, std::int64_t stride) {
      return (i + stride - pad % stride) % stride;
    };
    for (std::int64_t h = 0; h < s.stride_h; ++h) {
      for (std::int64_t w = 0; w < s.stride_w; ++w) {
        add_gradient_walk(walk, s, residue(h, s.pad_h, s.stride_h),
                          residue(w, s.pad_w, s.stride_w));
      }
    }
    return walk;
  }
  walk.data = x_of(conv);
  walk.products = 1;
  PixelProduct& of = walk.product[0];
  of.grid_h = to_int(s.p());
  of.grid_w = to_int(s.q());
  of.taps_h = to_int(s.r);
  of.taps_w = to_int(s.s);
  of.tap_h = to_int(s.dilation_h);
  of.tap_w = to_int(s.dilation_w);
  of.filter_h = to_int(s.s * s.c);
  of.filter_w = to_int(s.c);
  ptx::Im2colView& view = walk.view[0];
  view = {s.n, s.h, s.w, s.c};
  view.lower_h = to_int(-s.pad_h);
  view.lower_w = to_int(-s.pad_w);
  view.upper_h = to_int(s.pad_h - s.dilation_h * (s.r - 1));
  view.upper_w = to_int(s.pad_w - s.dilation_w * (s.s - 1));
  view.stride_h = to_int(s.stride_h);
  view.stride_w = to_int(s.stride_w);
  return walk;
}

/// "" or why TMA's im2col mode can't walk the images.
inline std::string no_im2col(const Conv& conv) {
  const Conv2dSize& s = conv.size;
  const std::int64_t reach = std::max(s.dilation_h * (s.r - 1), s.dilation_w * (s.s - 1));
  if (std::max(s.stride_h, s.stride_w) > 8) return "TMA im2col: a stride above 8";
  if (reach > ptx::kMostIm2colOffset) return "TMA im2col: the filter reaches over 255 pixels";
  const std::string too_far =
      "TMA im2col: the padding, or the filter beyond it, is above 128 pixels";
  if (std::max(s.pad_h, s.pad_w) > 1000) return too_far;  // before it is made an int
  const ConvWalk walk = conv_walk(conv);
  for (int i = 0; i < walk.products; ++i) {
    const ptx::Im2colView& view = walk.view[i];
    for (const int corner : {view.lower_h, view.lower_w, view.upper_h, view.upper_w}) {
      if (corner < -128 || corner > 127) return too_far;
    }
  }
  return "";
}

}  // namespace breakeven::conv2d
