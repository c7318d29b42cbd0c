// From slabs in shared memory to the registers that mma.sync takes. Lane 4g + t of a warp holds row
// g of each 8x8 matrix, 4 bytes of k from 4t on, as ldmatrix deals them out.
//
// ldmatrix moves 16-bit elements. Without .trans it serves any element, since 4 bytes along k stay
// together; with .trans, for slabs that have k as rows, only 16-bit ones. tf32's such slabs are
// read by plain 32-bit loads. For 8 bits, a lane loads the same four rows from four steps of k,
// turns that 4x4 block of bytes in registers, and has a register for each of four 8x8 matrices. So
// a matrix doesn't hold eight neighbouring rows but every fourth of 32; the store of C undoes that.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/matmul/mma_copy.h"

namespace breakeven::matmul {

/// Which of a warp's rows (columns) is `within` in the 8x8 matrices number `octet` of A (B).
template <bool kTurned>
__host__ __device__ constexpr int mma_index(int octet, int within) {
  return kTurned ? octet / 4 * 32 + within * 4 + octet % 4 : octet * 8 + within;
}

/// A lane's place in its warp's part of one slab: `first` is the part's first row (of A) or column
/// (of B), a multiple of its extent. kCount tiles of kRows (16 or 8) lie one after another.
template <class T, class Slab, bool kLdmatrix, int kRows, int kCount>
class MmaFragments {
 public:
  static constexpr int kRegisters = kRows / 4;  // 4 for A's 16x32 bytes, 2 for B's 8x32
  static constexpr bool kTransposes = kLdmatrix && Slab::kRowsAreK && sizeof(T) == 2;
  static constexpr bool kPlainTransposed = Slab::kRowsAreK && sizeof(T) == 4;
  static_assert(kLdmatrix || !Slab::kRowsAreK);

  __device__ explicit MmaFragments(int first) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int g = lane / 4, t = lane % 4;
    if constexpr (Slab::kTurned) {
      at_ = Slab::offset(4 * t, first / 16 + g / 4) + g % 4 * 4;
    } else if constexpr (kPlainTransposed) {
      at_ = Slab::offset(t, first / 4 + g / 4) + g % 4 * 4;
    } else if constexpr (kTransposes) {
      // A takes its matrices down the rows first, B along k: two tiles of B make one ldmatrix.
      const int low = lane % 8, middle = lane / 8 % 2, high = lane / 16;
      const int k = low + 8 * (kRows == 16 ? high : middle);
      const int chunk = first / 8 + (kRows == 16 ? middle : high);
      at_ = Slab::offset(k, chunk);
    } else if constexpr (kLdmatrix) {
      const int low = lane % 8, middle = lane / 8 % 2, high = lane / 16;
      const int row = first + low + 8 * (kRows == 16 ? middle : high);
      at_ = Slab::offset(row, kRows == 16 ? high : middle);
    } else {
      at_ = Slab::offset(first + g, 0) + t * 4;
    }
  }

  /// Registers of step `step` (32 bytes of k) of the slab.
  __device__ __forceinline__ void load(std::uint32_t (&fragments)[kCount][kRegisters],
                                       const std::byte* slab, int step) const {
    if constexpr (Slab::kTurned) {
      load_turned(fragments, slab, step);
    } else if constexpr (kPlainTransposed) {
      load_plain_transposed(fragments, slab, step);
    } else if constexpr (kLdmatrix) {
      load_matrices(fragments, slab, step);
    } else {
      load_plain(fragments, slab, step);
    }
  }

 private:
  // Steps and tiles select bits of the chunk's number that the lane's own part doesn't have, so
  // they go through the swizzle, itself an exclusive or, unchanged.
  static constexpr int kTileRows = 16;  // that one ldmatrix_x4 covers

  __device__ __forceinline__ void load_matrices(std::uint32_t (&fragments)[kCount][kRegisters],
                                                const std::byte* slab, int step) const {
#pragma unroll
    for (int i = 0; i < kCount * kRows / kTileRows; ++i) {
      std::uint32_t r[4];
      if constexpr (kTransposes) {
        constexpr int kStepRows = kMmaBytes / static_cast<int>(sizeof(T));
        const int at = (at_ ^ i * kTileRows * static_cast<int>(sizeof(T))) +
                       step * kStepRows * Slab::kRowBytes;
        ptx::ldmatrix_x4_trans(r, slab + at);
      } else {
        ptx::ldmatrix_x4(r, slab + (at_ ^ step * kMmaBytes) + i * kTileRows * Slab::kRowBytes);
      }
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        fragments[i * kTileRows / kRows + j / kRegisters][j % kRegisters] = r[j];
      }
    }
  }

  __device__ __forceinline__ void load_plain(std::uint32_t (&fragments)[kCount][kRegisters],
                                             const std::byte* slab, int step) const {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
#pragma unroll
      for (int j = 0; j < kRegisters; ++j) {
        // A: rows g and g + 8 of the first 16 bytes, then of the second. B: the two alone.
        const int row = i * kRows + (kRows == 16 ? j % 2 * 8 : 0);
        const int half = kRows == 16 ? j / 2 : j;
        const int at = at_ + row * Slab::kRowBytes + step * kMmaBytes + half * kVectorBytes;
        fragments[i][j] = ptx::load_shared(reinterpret_cast<const std::uint32_t*>(slab + at));
      }
    }
  }

  __device__ __forceinline__ void load_plain_transposed(
      std::uint32_t (&fragments)[kCount][kRegisters], const std::byte* slab, int step) const {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
#pragma unroll
      for (int j = 0; j < kRegisters; ++j) {
        const int row = i * kRows + (kRows == 16 ? j % 2 * 8 : 0);
        const int half = kRows == 16 ? j / 2 : j;
        // The swizzle changes two bits; above them the lane's part has none of these rows' bits, so
        // adding is the same as an exclusive or, and needs no register of its own.
        constexpr int kSwizzle = 3 * 2 * kVectorBytes;
        const int at = (at_ ^ (row * 4 & kSwizzle)) + (row * 4 & ~kSwizzle) +
                       (step * 8 + half * 4) * Slab::kRowBytes;
        fragments[i][j] = ptx::load_shared(reinterpret_cast<const std::uint32_t*>(slab + at));
      }
    }
  }

  __device__ __forceinline__ void load_turned(std::uint32_t (&fragments)[kCount][kRegisters],
                                              const std::byte* slab, int step) const {
    constexpr int kGroups = kCount * kRows / 32;  // of four matrices
    static_assert(kGroups * 32 == kCount * kRows);
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        std::uint32_t rows[4], turned[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int at =
              (at_ ^ group * 32 ^ i * Slab::kRowBytes) + (step * 32 + half * 16) * Slab::kRowBytes;
          rows[i] = ptx::load_shared(reinterpret_cast<const std::uint32_t*>(slab + at));
        }
        turn_bytes(rows, turned);
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int octet = group * 4 + j;
          if constexpr (kRows == 16) {
            fragments[octet / 2][half * 2 + octet % 2] = turned[j];
          } else {
            fragments[octet][half] = turned[j];
          }
        }
      }
    }
  }

  /// Byte i of to[j] is byte j of from[i].
  __device__ __forceinline__ static void turn_bytes(const std::uint32_t (&from)[4],
                                                    std::uint32_t (&to)[4]) {
    constexpr std::uint32_t kEven = 0x00ff00ffu;
    std::uint32_t even[2], odd[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      even[i] = (from[2 * i] & kEven) | (from[2 * i + 1] & kEven) << 8;
      odd[i] = (from[2 * i] >> 8 & kEven) | (from[2 * i + 1] & ~kEven);
    }
    to[0] = (even[0] & 0xffffu) | even[1] << 16;
    to[1] = (odd[0] & 0xffffu) | odd[1] << 16;
    to[2] = even[0] >> 16 | (even[1] & 0xffff0000u);
    to[3] = odd[0] >> 16 | (odd[1] & 0xffff0000u);
  }

  int at_;
};

}  // namespace breakeven::matmul
