#include "kernels/simt/hopper_im2col.h"

#include <fmt/format.h>

#include <cstring>
#include <stdexcept>

namespace breakeven::simt {

ptx::Im2colMap checked_im2col_map(const ptx::Im2colMap& map) {
  const ptx::Im2colView& v = map.view;
  const auto require = [&](bool holds, const char* rule) {
    if (holds) return;
    throw std::runtime_error(fmt::format(
        "no im2col TMA for {} images of {} x {} x {} elements of {} bytes, box from "
        "{} {} to {} {} by {} {}, {} pixels of {} channels: {}",
        v.images, v.height, v.width, v.channels, map.element_bytes, v.lower_h, v.lower_w, v.upper_h,
        v.upper_w, v.stride_h, v.stride_w, v.pixels, v.box_channels, rule));
  };
  const auto within = [](std::int64_t low, std::int64_t value, std::int64_t high) {
    return low <= value && value <= high;
  };
  constexpr std::int64_t kMost = std::int64_t{1} << 32;
  constexpr std::int64_t kMostStride = (std::int64_t{1} << 40) - 1;
  require(reinterpret_cast<std::uintptr_t>(map.global) % 16 == 0, "it must be 16-byte aligned");
  require(within(1, v.images, kMost) && within(1, v.height, kMost) && within(1, v.width, kMost) &&
              within(1, v.channels, kMost),
          "dimensions must be in 1 ... 2^32");
  require(v.channels * map.element_bytes % 16 == 0, "a pixel must be a multiple of 16 bytes");
  require(static_cast<double>(v.height) * static_cast<double>(v.width) *
                  static_cast<double>(v.channels * map.element_bytes) <=
              static_cast<double>(kMostStride),
          "an image must be less than 2^40 bytes");
  for (const int corner : {v.lower_h, v.lower_w, v.upper_h, v.upper_w}) {
    require(within(-128, corner, 127), "corners must be in -128 ... 127");
  }
  require(v.height + v.upper_h > v.lower_h && v.width + v.upper_w > v.lower_w,
          "its bounding box must not be empty");
  require(within(1, v.stride_h, 8) && within(1, v.stride_w, 8), "strides must be in 1 ... 8");
  require(within(1, v.pixels, 1024), "pixels must be in 1 ... 1024");
  require(within(1, v.box_channels, 256), "the box's channels must be in 1 ... 256");
  const int inner_bytes = v.box_channels * map.element_bytes;
  require(inner_bytes % 16 == 0, "the box's channels must be a multiple of 16 bytes");
  require(map.swizzle == ptx::Swizzle::none ||
              inner_bytes == static_cast<int>(swizzle_bytes(map.swizzle)),
          "the box's channels must be as wide as the swizzle");
  return map;
}

const char* im2col_problem(const ptx::Im2colMap& map, const Im2colCopy& copy) {
  const ptx::Im2colView& v = map.view;
  const std::int64_t w = copy.from.w, h = copy.from.h;
  if (w < v.lower_w || w >= v.width + v.upper_w || h < v.lower_h || h >= v.height + v.upper_h) {
    return "it begins outside the bounding box";
  }
  // The manual doesn't say where a row goes on that wasn't begun in steps from its corner.
  if ((w - v.lower_w) % v.stride_w != 0 || (h - v.lower_h) % v.stride_h != 0) {
    return "it begins between two steps of the stride";
  }
  if (copy.offset_w > ptx::kMostIm2colOffset || copy.offset_h > ptx::kMostIm2colOffset) {
    return "its offsets are above 255";
  }
  return "";
}

void load_im2col(const ptx::Im2colMap& map, const Im2colCopy& copy, std::byte* shared,
                 std::uint32_t offset) {
  const int inner_bytes = map.view.box_channels * map.element_bytes;
  const std::int64_t first_byte = static_cast<std::int64_t>(copy.from.channel) * map.element_bytes;
  const std::int64_t end_byte = map.view.channels * map.element_bytes;
  for (int at = 0; at < box_bytes(map); at += 16) {
    std::memset(shared + swizzled(offset + static_cast<std::uint32_t>(at), map.swizzle), 0, 16);
  }
  for_each_pixel(map, copy, [&](int pixel, const std::byte* begin) {
    for (int at = 0; at < inner_bytes; at += 16) {
      const std::uint32_t address =
          swizzled(offset + static_cast<std::uint32_t>(pixel * inner_bytes + at), map.swizzle);
      const std::int64_t byte = first_byte + at;
      const std::int64_t from = std::clamp<std::int64_t>(-byte, 0, 16);
      const std::int64_t to = std::clamp<std::int64_t>(end_byte - byte, from, 16);
      if (from < to) {
        std::memcpy(shared + address + from, begin + byte + from,
                    static_cast<std::size_t>(to - from));
      }
    }
  });
}

}  // namespace breakeven::simt
