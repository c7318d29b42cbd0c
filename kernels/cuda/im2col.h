// How TMA walks the pixels of images for a convolution: the same description for the GPU's tensor
// maps and the emulator's.
#pragma once

#include <cstdint>

namespace breakeven::ptx {

/// What one im2col copy brings of an NHWC tensor: `box_channels` channels of `pixels` pixels, one
/// pixel behind the other. It begins at a pixel of the bounding box, which is rows lower_h to
/// height - 1 + upper_h and columns lower_w to width - 1 + upper_w of every image, and steps
/// through the box: stride_w columns on while that stays inside, then back to column lower_w and
/// stride_h rows on, then to the first place of the next image. Each pixel is taken at its place
/// plus the copy's offsets; the walk doesn't see them. What then lies outside the tensor, and
/// channels or images beyond it, are zeros.
///
/// A convolution's lower corner is -padding, its upper corner padding - dilation (taps - 1): the
/// box is where the filter's first tap can lie, ceil(box / stride) is the output's extent, and the
/// offsets are tap x dilation. PTX ISA 9.0, "im2col mode"; cuTensorMapEncodeIm2col's corners have
/// the order {w, h}.
struct Im2colView {
  std::int64_t images = 1, height = 1, width = 1, channels = 1;
  int lower_h = 0, lower_w = 0;    ///< -128 ... 127
  int upper_h = 0, upper_w = 0;    ///< -128 ... 127; 0: the box ends with the image
  int stride_h = 1, stride_w = 1;  ///< 1 ... 8
  int pixels = 1;                  ///< 1 ... 1024
  int box_channels = 8;            ///< at most 256; as wide as the swizzle, if there is one
};

/// Where an im2col copy begins: a pixel of the walk, and the first channel.
struct Im2colPlace {
  int channel, w, h, image;
};

/// The largest offset that a copy can add to either coordinate.
inline constexpr int kMostIm2colOffset = 255;

}  // namespace breakeven::ptx
