#include "kernels/simt/hopper_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <set>
#include <stdexcept>
#include <vector>

namespace breakeven::simt {
namespace {

using ptx::Swizzle;

TEST(Swizzled, ExchangesSixteenBytePiecesByTheRow) {
  // Row 3 of 128 bytes: piece 0 lies where piece 3 would.
  EXPECT_EQ(swizzled(3 * 128, Swizzle::b128), 3 * 128 + 3 * 16u);
  EXPECT_EQ(swizzled(3 * 128 + 5 * 16 + 7, Swizzle::b128), 3 * 128 + 6 * 16 + 7u);
  EXPECT_EQ(swizzled(9 * 128, Swizzle::b128), 9 * 128 + 1 * 16u);  // repeats after 8 rows
  // Rows of 64 bytes: two make 128, so the row's bits 1 and 2 choose.
  EXPECT_EQ(swizzled(2 * 64, Swizzle::b64), 2 * 64 + 16u);
  EXPECT_EQ(swizzled(1 * 64, Swizzle::b64), 64u);
  EXPECT_EQ(swizzled(4 * 32, Swizzle::b32), 4 * 32 + 16u);
  EXPECT_EQ(swizzled(12345, Swizzle::none), 12345u);
}

TEST(Swizzled, IsItsOwnInverse) {
  for (const Swizzle swizzle : {Swizzle::b128, Swizzle::b64, Swizzle::b32}) {
    for (std::uint32_t address = 0; address < 4096; ++address) {
      ASSERT_EQ(swizzled(swizzled(address, swizzle), swizzle), address);
    }
  }
}

/// [rows,columns] of 2-byte elements, 1, 2, 3 ..., with a gap of `gap` elements between rows.
struct Matrix {
  Matrix(int row_count, int column_count, int gap)
      : rows(row_count), columns(column_count), stride(column_count + gap) {
    void* memory = nullptr;
    const std::size_t bytes = static_cast<std::size_t>(rows) * stride * 2;
    if (posix_memalign(&memory, 16, bytes) != 0) throw std::bad_alloc();
    elements.reset(static_cast<std::uint16_t*>(memory));
    std::iota(elements.get(), elements.get() + rows * stride, std::uint16_t{1});
  }
  ptx::TensorMap map(int box_rows, int box_columns, Swizzle swizzle) const {
    return checked_tensor_map({reinterpret_cast<const std::byte*>(elements.get()), rows, columns,
                               stride * 2, 2, box_rows, box_columns, swizzle});
  }
  struct Free {
    void operator()(void* memory) const { free(memory); }
  };
  int rows, columns, stride;
  std::unique_ptr<std::uint16_t, Free> elements;
};

std::uint16_t at(const std::vector<std::byte>& memory, std::uint32_t address) {
  std::uint16_t value = 0;
  std::memcpy(&value, memory.data() + address, 2);
  return value;
}

TEST(LoadBox, PlacesRowsBehindEachOtherSwizzled) {
  const Matrix matrix(32, 128, 8);
  std::vector<std::byte> shared(8192, std::byte{0xEE});
  load_box(matrix.map(16, 64, Swizzle::b128), 8, 3, shared.data(), 1024);
  for (std::uint32_t r = 0; r < 16; ++r) {
    for (std::uint32_t c = 0; c < 64; ++c) {
      ASSERT_EQ(at(shared, swizzled(1024 + r * 128 + c * 2, Swizzle::b128)),
                matrix.elements.get()[(3 + r) * matrix.stride + 8 + c]);
    }
  }
  EXPECT_EQ(at(shared, 1022), 0xEEEE);
  EXPECT_EQ(at(shared, 1024 + 16 * 128), 0xEEEE);
}

TEST(LoadBox, FillsWithZerosOutsideTheMatrix) {
  const Matrix matrix(5, 11, 5);
  for (const auto& [column, row] : {std::pair{3, 2}, {-2, -1}, {8, 4}, {11, 0}, {64, 64}}) {
    std::vector<std::byte> shared(8 * 16 * 2, std::byte{0xEE});
    load_box(matrix.map(8, 16, Swizzle::none), column, row, shared.data(), 0);
    for (int r = 0; r < 8; ++r) {
      for (int c = 0; c < 16; ++c) {
        const bool inside = row + r >= 0 && row + r < 5 && column + c >= 0 && column + c < 11;
        ASSERT_EQ(at(shared, (r * 16 + c) * 2),
                  inside ? matrix.elements.get()[(row + r) * matrix.stride + column + c] : 0)
            << column << "," << row << ": " << c << "," << r;
      }
    }
  }
}

TEST(StoreBox, WritesOnlyTheMatrix) {
  Matrix from(8, 64, 0);
  const Matrix to(6, 70, 2);
  std::vector<std::byte> shared(1024);
  load_box(from.map(8, 64, Swizzle::b128), 0, 0, shared.data(), 0);
  std::memset(to.elements.get(), 0xEE, static_cast<std::size_t>(6) * 72 * 2);
  store_box(to.map(8, 64, Swizzle::b128), 8, 1, shared.data(), 0);
  for (int r = 0; r < 6; ++r) {
    for (int c = 0; c < 72; ++c) {
      const bool inside = r >= 1 && c >= 8 && c < 70;
      ASSERT_EQ(to.elements.get()[r * 72 + c],
                inside ? from.elements.get()[(r - 1) * 64 + c - 8] : 0xEEEE);
    }
  }
}

TEST(CheckedTensorMap, RefusesWhatTheDriverRefuses) {
  const Matrix matrix(32, 64, 0);
  EXPECT_NO_THROW(matrix.map(32, 64, Swizzle::b128));
  EXPECT_THROW(matrix.map(257, 64, Swizzle::b128), std::runtime_error);
  EXPECT_THROW(matrix.map(32, 0, Swizzle::none), std::runtime_error);
  EXPECT_THROW(matrix.map(32, 4, Swizzle::none), std::runtime_error);    // 8 bytes
  EXPECT_THROW(matrix.map(32, 128, Swizzle::b128), std::runtime_error);  // 256 bytes
  EXPECT_THROW(Matrix(32, 63, 0).map(32, 64, Swizzle::b128), std::runtime_error);
  ptx::TensorMap shifted = matrix.map(32, 64, Swizzle::b128);
  shifted.global += 2;
  EXPECT_THROW(checked_tensor_map(shifted), std::runtime_error);
}

TEST(Descriptor, HasTheHardwaresFields) {
  // CUTLASS, include/cute/arch/mma_sm90_desc.hpp: start 0-13, leading 16-29, stride 32-45, base
  // offset 49-51, layout 62-63, all byte counts in units of 16.
  EXPECT_EQ(encode({0x12340, 16, 1024, 5, Swizzle::b128}),
            0x1234u | 1ull << 16 | 64ull << 32 | 5ull << 49 | 1ull << 62);
  const Descriptor back = decode(encode({0x3FFF0, 8192, 2048, 0, Swizzle::b64}));
  EXPECT_EQ(back.start, 0x3FFF0u);
  EXPECT_EQ(back.leading, 8192u);
  EXPECT_EQ(back.stride, 2048u);
  EXPECT_EQ(back.swizzle, Swizzle::b64);
}

/// What an operand of 64 x 16 elements reads, against where a TMA load put them.
TEST(Pieces, AlongKFindWhatTmaLoaded) {
  const Matrix matrix(64, 64, 0);
  std::vector<std::byte> shared(8192);
  load_box(matrix.map(64, 64, Swizzle::b128), 0, 0, shared.data(), 0);
  for (std::uint32_t step = 0; step < 4; ++step) {
    std::set<std::uint32_t> addresses;
    for_each_piece({32 * step, 16, 1024, 0, Swizzle::b128}, 64, false,
                   [&](std::uint32_t address, int row, int k_byte) {
                     addresses.insert(address);
                     for (int i = 0; i < 8; ++i) {
                       ASSERT_EQ(at(shared, address + 2 * i),
                                 matrix.elements.get()[row * 64 + 16 * step + k_byte / 2 + i]);
                     }
                   });
    EXPECT_EQ(addresses.size(), 128u);
  }
}

TEST(Pieces, AlongRowsFindWhatTmaLoaded) {
  const Matrix matrix(64, 128, 0);  // [k][n], in two boxes of 64 columns
  std::vector<std::byte> shared(16384);
  for (int box = 0; box < 2; ++box) {
    load_box(matrix.map(64, 64, Swizzle::b128), 64 * box, 0, shared.data(), 8192 * box);
  }
  for (std::uint32_t step = 0; step < 4; ++step) {
    int pieces = 0;
    for_each_piece({2048 * step, 8192, 1024, 0, Swizzle::b128}, 128, true,
                   [&](std::uint32_t address, int column, int k) {
                     ++pieces;
                     for (int i = 0; i < 8; ++i) {
                       ASSERT_EQ(at(shared, address + 2 * i),
                                 matrix.elements.get()[(16 * step + k) * 128 + column + i]);
                     }
                   });
    EXPECT_EQ(pieces, 16 * 16);
  }
}

TEST(Pieces, UnswizzledOnesAreEightByEightMatrices) {
  // PTX ISA, "Matrix Descriptor Format": along k, 8 rows of 16 bytes in a row; `leading` to the
  // other half of k, `stride` to the next 8 rows.
  for_each_piece({256, 128, 512, 0, Swizzle::none}, 64, false,
                 [](std::uint32_t address, int row, int k_byte) {
                   ASSERT_EQ(address, 256u + row / 8 * 512 + row % 8 * 16 + k_byte / 16 * 128);
                 });
  for_each_piece({256, 128, 512, 0, Swizzle::none}, 64, true,
                 [](std::uint32_t address, int row, int k) {
                   ASSERT_EQ(address, 256u + row / 8 * 512 + k % 8 * 16 + k / 8 * 128);
                 });
}

}  // namespace
}  // namespace breakeven::simt
