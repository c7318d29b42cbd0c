// What Winograd's passes are called with, for kernels/conv2d/winograd.cu and its tests.
#pragma once

#include "kernels/conv2d/conv.h"
#include "kernels/conv2d/fast_divisor.h"

namespace breakeven::conv2d {

inline constexpr int kWinogradPlaces = 16;  // of a 4x4 transform

/// y from x, or dx from dy. Filters are w [k, 3, 3, c] either way; backward they are turned round
/// and sum over k.
struct WinogradProblem {
  int in_h, in_w, in_channels;
  int out_h, out_w, out_channels;
  int pad_h, pad_w;
  int tiles_h, tiles_w;  ///< of 2x2 outputs, of an image
  int all_tiles;
  int chunk;              ///< tiles of a chunk; the last one may have fewer
  int first_tile, tiles;  ///< of the chunk at hand
  int k, c;               ///< of w
  bool backward;
  const float* in;
  const float* w;
  const float* bias;  ///< nullptr: none, and no ReLU
  float* out;
  float* filters;      ///< [16, k, c]
  float* transformed;  ///< [16, tiles, in_channels]
  float* products;     ///< [16, tiles, out_channels]
  FastDivisor by_tiles_h, by_tiles_w, by_in_channels, by_out_channels;
};

/// A supported call; the chunk at hand isn't set. Chunks may be made smaller.
WinogradProblem winograd_problem(const Conv& conv, void* workspace);

/// The passes of all its chunks. `tiling`: as Conv's.
PreparedConv prepare_winograd(WinogradProblem p, int tiling, const Gpu& gpu);

}  // namespace breakeven::conv2d
