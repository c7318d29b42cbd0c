// Where Hopper's TMA and wgmma find their bytes: boxes of a matrix, swizzled shared memory, operand
// descriptors. Plain functions of addresses, without the emulator.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace breakeven::ptx {

/// How 16-byte pieces of shared memory are permuted: bits 4-6 of an address are XORed with bits
/// 7-9 (b128), bits 4-5 with 7-8 (b64), bit 4 with 7 (b32). The values are those of descriptors.
enum class Swizzle : int { none = 0, b128 = 1, b64 = 2, b32 = 3 };

/// The host's stand-in for CUtensorMap: a row-major matrix and the box that one copy moves.
struct TensorMap {
  const std::byte* global = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_bytes = 0;  ///< from one row to the next
  int element_bytes = 0;
  int box_rows = 0;
  int box_columns = 0;
  Swizzle swizzle = Swizzle::none;
};

}  // namespace breakeven::ptx

namespace breakeven::simt {

/// Its argument; throws std::runtime_error for what cuTensorMapEncodeTiled refuses.
ptx::TensorMap checked_tensor_map(const ptx::TensorMap& map);

inline int box_bytes(const ptx::TensorMap& map) {
  return map.box_rows * map.box_columns * map.element_bytes;
}

/// Bytes of a row that a swizzle permutes; 16, the smallest unit, where there is none.
inline std::uint32_t swizzle_bytes(ptx::Swizzle swizzle) {
  constexpr std::uint32_t kBytes[] = {16, 128, 64, 32};
  return kBytes[static_cast<int>(swizzle)];
}

/// Where the hardware puts the byte that an unswizzled layout has at `address`.
inline std::uint32_t swizzled(std::uint32_t address, ptx::Swizzle swizzle) {
  return address ^ ((address >> 3) & (swizzle_bytes(swizzle) - 16));
}

/// Copies the box at (row, column) to `shared` + `offset`, rows one behind the other; elements
/// outside the matrix become 0. `offset` is an address of shared memory: the swizzle sees it.
void load_box(const ptx::TensorMap& map, int column, int row, std::byte* shared,
              std::uint32_t offset);
/// The way back; elements outside the matrix are left out.
void store_box(const ptx::TensorMap& map, int column, int row, const std::byte* shared,
               std::uint32_t offset);

/// Calls visit(begin, bytes) for what each row of the box at (row, column) covers of the matrix.
template <class Visit>
void for_each_row(const ptx::TensorMap& map, int column, int row, Visit visit) {
  const std::int64_t first = std::max(column, 0);
  const std::int64_t end =
      std::min(static_cast<std::int64_t>(column) + map.box_columns, map.columns);
  if (first >= end) return;
  const std::int64_t end_row = std::min(static_cast<std::int64_t>(row) + map.box_rows, map.rows);
  for (std::int64_t r = std::max(row, 0); r < end_row; ++r) {
    visit(map.global + r * map.row_bytes + first * map.element_bytes,
          static_cast<std::size_t>((end - first) * map.element_bytes));
  }
}

/// A wgmma operand's descriptor, in bytes.
struct Descriptor {
  std::uint32_t start;
  std::uint32_t leading;
  std::uint32_t stride;
  int base_offset;
  ptx::Swizzle swizzle;
};
std::uint64_t encode(const Descriptor& descriptor);
Descriptor decode(std::uint64_t bits);

/// The 16-byte pieces of an operand of `rows` (m or n) and 32 bytes of k, stored along k:
/// visit(address, row, byte of k) for each; or along rows (`transposed`, 2-byte elements):
/// visit(address, first of 8 rows, k).
template <class Visit>
void for_each_piece(const Descriptor& descriptor, int rows, bool transposed, Visit visit) {
  const std::uint32_t width = swizzle_bytes(descriptor.swizzle);
  const bool plain = descriptor.swizzle == ptx::Swizzle::none;
  const auto piece = [&](std::uint32_t offset, int row, int k) {
    visit(swizzled((descriptor.start + offset) & 0x3FFFFu, descriptor.swizzle), row, k);
  };
  if (!transposed) {
    for (int row = 0; row < rows; ++row) {
      const auto r = static_cast<std::uint32_t>(row);
      const std::uint32_t at = r / 8 * descriptor.stride + r % 8 * width;
      piece(at, row, 0);
      piece(at + (plain ? descriptor.leading : 16), row, 16);
    }
    return;
  }
  // Unswizzled, the two strides change places.
  const std::uint32_t k_stride = plain ? descriptor.leading : descriptor.stride;
  const std::uint32_t row_stride = plain ? descriptor.stride : descriptor.leading;
  for (std::uint32_t k = 0; k < 16; ++k) {
    for (std::uint32_t row = 0; row < static_cast<std::uint32_t>(rows); row += 8) {
      const std::uint32_t byte = row * 2;
      piece(byte / width * row_stride + byte % width + k / 8 * k_stride + k % 8 * width,
            static_cast<int>(row), static_cast<int>(k));
    }
  }
}

}  // namespace breakeven::simt
