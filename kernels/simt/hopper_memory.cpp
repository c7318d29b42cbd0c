#include "kernels/simt/hopper_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace breakeven::simt {

namespace {

/// visit(where in the matrix or null, address in shared memory, count of bytes) for runs of at most
/// 16 bytes that lie in the matrix or outside as a whole.
template <class Visit>
void for_each_run(const ptx::TensorMap& map, int column, int row, std::uint32_t offset,
                  Visit visit) {
  const int row_bytes = map.box_columns * map.element_bytes;
  const std::int64_t first_byte = static_cast<std::int64_t>(column) * map.element_bytes;
  const std::int64_t end_byte = map.columns * map.element_bytes;
  for (int r = 0; r < map.box_rows; ++r) {
    const std::int64_t matrix_row = static_cast<std::int64_t>(row) + r;
    const bool row_inside = matrix_row >= 0 && matrix_row < map.rows;
    for (int at = 0; at < row_bytes; at += 16) {
      const std::uint32_t address =
          swizzled(offset + static_cast<std::uint32_t>(r * row_bytes + at), map.swizzle);
      const std::int64_t byte = first_byte + at;
      // Of the piece's 16 bytes, [begin, end) lie in the matrix.
      const std::int64_t begin = row_inside ? std::clamp<std::int64_t>(-byte, 0, 16) : 16;
      const std::int64_t end =
          row_inside ? std::clamp<std::int64_t>(end_byte - byte, begin, 16) : 16;
      const auto run = [&](std::int64_t from, std::int64_t to, bool inside) {
        if (from == to) return;
        visit(inside ? map.global + (matrix_row * map.row_bytes + byte + from) : nullptr,
              address + static_cast<std::uint32_t>(from), static_cast<std::size_t>(to - from));
      };
      run(0, begin, false);
      run(begin, end, true);
      run(end, 16, false);
    }
  }
}

}  // namespace

ptx::TensorMap checked_tensor_map(const ptx::TensorMap& map) {
  const auto require = [&](bool holds, const char* rule) {
    if (holds) return;
    throw std::runtime_error(fmt::format(
        "no TMA for a matrix of {} x {} elements of {} bytes, rows {} bytes apart, box {} x {}: {}",
        map.rows, map.columns, map.element_bytes, map.row_bytes, map.box_rows, map.box_columns,
        rule));
  };
  const int inner_bytes = map.box_columns * map.element_bytes;
  require(reinterpret_cast<std::uintptr_t>(map.global) % 16 == 0, "it must be 16-byte aligned");
  require(map.row_bytes > 0 && map.row_bytes % 16 == 0 && map.row_bytes < (std::int64_t{1} << 40),
          "rows must be a multiple of 16 bytes apart, less than 2^40");
  constexpr std::int64_t kMost = std::int64_t{1} << 32;
  require(map.rows >= 1 && map.rows <= kMost && map.columns >= 1 && map.columns <= kMost,
          "dimensions must be in 1 ... 2^32");
  require(
      map.box_rows >= 1 && map.box_rows <= 256 && map.box_columns >= 1 && map.box_columns <= 256,
      "box dimensions must be in 1 ... 256");
  require(inner_bytes % 16 == 0, "a row of the box must be a multiple of 16 bytes");
  require(map.swizzle == ptx::Swizzle::none ||
              inner_bytes == static_cast<int>(swizzle_bytes(map.swizzle)),
          "a row of the box must be as wide as the swizzle");
  return map;
}

void load_box(const ptx::TensorMap& map, int column, int row, std::byte* shared,
              std::uint32_t offset) {
  for_each_run(map, column, row, offset,
               [&](const std::byte* from, std::uint32_t address, std::size_t bytes) {
                 if (from != nullptr) {
                   std::memcpy(shared + address, from, bytes);
                 } else {
                   std::memset(shared + address, 0, bytes);
                 }
               });
}

void store_box(const ptx::TensorMap& map, int column, int row, const std::byte* shared,
               std::uint32_t offset) {
  for_each_run(map, column, row, offset,
               [&](const std::byte* to, std::uint32_t address, std::size_t bytes) {
                 if (to != nullptr)
                   std::memcpy(const_cast<std::byte*>(to), shared + address, bytes);
               });
}

std::uint64_t encode(const Descriptor& descriptor) {
  const auto field = [](std::uint32_t bytes) {
    return static_cast<std::uint64_t>((bytes & 0x3FFFFu) >> 4);
  };
  return field(descriptor.start) | field(descriptor.leading) << 16 |
         field(descriptor.stride) << 32 |
         static_cast<std::uint64_t>(descriptor.base_offset & 7) << 49 |
         static_cast<std::uint64_t>(descriptor.swizzle) << 62;
}

Descriptor decode(std::uint64_t bits) {
  const auto field = [bits](int shift) {
    return static_cast<std::uint32_t>((bits >> shift) & 0x3FFFu) << 4;
  };
  return {field(0), field(16), field(32), static_cast<int>(bits >> 49 & 7),
          static_cast<ptx::Swizzle>(bits >> 62)};
}

}  // namespace breakeven::simt
