// Where TMA's im2col copies find their bytes: plain functions of addresses, without the emulator.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/cuda/im2col.h"
#include "kernels/simt/hopper_memory.h"

namespace breakeven::ptx {

/// The host's stand-in for a tensor map in im2col mode.
struct Im2colMap {
  const std::byte* global = nullptr;
  Im2colView view;
  int element_bytes = 0;
  Swizzle swizzle = Swizzle::none;
};

}  // namespace breakeven::ptx

namespace breakeven::simt {

/// Its argument; throws std::runtime_error for what cuTensorMapEncodeIm2col refuses, and for pixels
/// that are narrower than the swizzle, which no kernel of ours has.
ptx::Im2colMap checked_im2col_map(const ptx::Im2colMap& map);

inline int box_bytes(const ptx::Im2colMap& map) {
  return map.view.pixels * map.view.box_channels * map.element_bytes;
}

/// One copy's arguments.
struct Im2colCopy {
  ptx::Im2colPlace from;
  int offset_w, offset_h;
};

/// "", or why the instruction is undefined for this copy: where it begins, and its offsets.
const char* im2col_problem(const ptx::Im2colMap& map, const Im2colCopy& copy);

/// Copies the pixels to `shared` + `offset`, one behind the other; what lies outside the tensor
/// becomes 0. `offset` is an address of shared memory: the swizzle sees it.
void load_im2col(const ptx::Im2colMap& map, const Im2colCopy& copy, std::byte* shared,
                 std::uint32_t offset);

/// Calls visit(pixel of the copy, begin) for those that lie in the tensor: where channel 0 is.
template <class Visit>
void for_each_pixel(const ptx::Im2colMap& map, const Im2colCopy& copy, Visit visit) {
  const ptx::Im2colView& view = map.view;
  const std::int64_t pixel_bytes = view.channels * map.element_bytes;
  std::int64_t w = copy.from.w, h = copy.from.h, image = copy.from.image;
  for (int pixel = 0; pixel < view.pixels; ++pixel) {
    const std::int64_t at_w = w + copy.offset_w, at_h = h + copy.offset_h;
    if (image >= 0 && image < view.images && at_h >= 0 && at_h < view.height && at_w >= 0 &&
        at_w < view.width) {
      visit(pixel, map.global + ((image * view.height + at_h) * view.width + at_w) * pixel_bytes);
    }
    w += view.stride_w;
    if (w < view.width + view.upper_w) continue;
    w = view.lower_w;
    h += view.stride_h;
    if (h < view.height + view.upper_h) continue;
    h = view.lower_h;
    ++image;
  }
}

/// Calls visit(begin, bytes) for what each pixel of the copy covers of the tensor.
template <class Visit>
void for_each_run(const ptx::Im2colMap& map, const Im2colCopy& copy, Visit visit) {
  const std::int64_t first = std::max(copy.from.channel, 0);
  const std::int64_t end = std::min(
      static_cast<std::int64_t>(copy.from.channel) + map.view.box_channels, map.view.channels);
  if (first >= end) return;
  for_each_pixel(map, copy, [&](int, const std::byte* begin) {
    visit(begin + first * map.element_bytes,
          static_cast<std::size_t>((end - first) * map.element_bytes));
  });
}

}  // namespace breakeven::simt
