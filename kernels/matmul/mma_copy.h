// A block's slabs of A and B on their way from global to shared memory, and where they lie there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/matmul/mma_types.h"

namespace breakeven::matmul {

/// One operand's slab in shared memory: rows of 16-byte chunks. k_major and strided operands lie
/// with their rows as rows, 64 bytes of k each; mn_major ones as they come, with k as rows.
///
/// Eight threads read a 16-byte chunk each from eight rows at the same place, which plain rows of
/// 64 bytes or more would put into the same banks. So the chunks, numbered row by row, are
/// swizzled: number l goes to place l ^ f(row), with an f that spreads those eight rows over all
/// eight chunks of 128 bytes. mn_major slabs of 32-bit and 8-bit elements are read without
/// ldmatrix, two chunks of each of four rows at a time (for 8 bits, of every fourth row), hence
/// their own f.
template <class T, int kExtent, MmaLayout kLayout, bool kSwizzled>
struct MmaSlab {
  static constexpr bool kRowsAreK = kLayout == MmaLayout::mn_major;
  static constexpr int kDepth = kSlabBytes / static_cast<int>(sizeof(T));  // elements of k
  static constexpr int kRows = kRowsAreK ? kDepth : kExtent;
  static constexpr int kRowBytes = kRowsAreK ? kExtent * static_cast<int>(sizeof(T)) : kSlabBytes;
  static constexpr int kChunks = kRowBytes / kVectorBytes;
  static constexpr int kBytes = kRows * kRowBytes;
  /// 8-bit elements that lie along the rows, although the tensor core takes them four along k.
  static constexpr bool kTurned = kRowsAreK && sizeof(T) == 1;
  static_assert(kRowBytes >= 64 && (kRowBytes & (kRowBytes - 1)) == 0);
  static_assert(kRowBytes >= 128 || !kRowsAreK || kTurned);

  __device__ static constexpr int swizzle(int row) {
    if (!kSwizzled) return 0;
    if (kTurned) return 2 * (row >> 2 & 3);
    if (kRowsAreK && sizeof(T) == 4) return 2 * (row & 3);
    return kRowsAreK ? row & 7 : row >> 1 & 3;  // 64-byte rows: two of them to 128 bytes
  }
  /// Rows after which the swizzle repeats.
  static constexpr int kPeriod = kTurned ? 16 : kRowsAreK && sizeof(T) == 4 ? 4 : 8;

  __device__ static constexpr int offset(int row, int chunk) {
    return ((row * kChunks + chunk) ^ swizzle(row)) * kVectorBytes;
  }
};

/// Copies whole 16-byte vectors asynchronously. Both the operand's start and the distance between
/// its stored rows are multiples of 16 bytes, and so is a stored row's length, so that a vector
/// lies inside or outside as a whole.
template <class T, int kExtent, MmaLayout kLayout, bool kSwizzled, int kThreads>
class MmaCopy {
 public:
  using Slab = MmaSlab<T, kExtent, kLayout, kSwizzled>;

  /// Rows from `first` on of an operand of `extent` rows, k from `k` on.
  __device__ MmaCopy(const MmaOperand& operand, std::int64_t first, std::int64_t extent,
                     std::int64_t k)
      : operand_(operand) {
    const int row = static_cast<int>(threadIdx.x) / Slab::kChunks;
    const int chunk = static_cast<int>(threadIdx.x) % Slab::kChunks;
    const std::int64_t ld = Slab::kRowsAreK ? operand.k_stride : operand.row_stride;
    to_ = Slab::offset(row, chunk);
    const std::int64_t first_row = (Slab::kRowsAreK ? k : first) + row;
    const std::int64_t first_column = (Slab::kRowsAreK ? first : k) + chunk * kVector;
    from_ = static_cast<const std::byte*>(operand.data) +
            (first_row * ld + first_column) * static_cast<std::int64_t>(sizeof(T));
    k_ = Slab::kRowsAreK ? row : chunk * kVector;
    for (int pass = 0; pass < kPasses; ++pass) {
      const bool inside =
          Slab::kRowsAreK ? first_column < extent : first_row + pass * kRowsAPass < extent;
      inside_ |= static_cast<unsigned>(inside) << pass;
    }
  }

  /// Starts copying the next slab, of which `depth` elements of k count; the rest is zeros.
  __device__ void next(std::byte* slab, int depth) {
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const int k = Slab::kRowsAreK ? k_ + pass * kRowsAPass : k_;
      const bool valid = k < depth && (inside_ >> pass & 1u) != 0;
      ptx::cp_async<kVectorBytes>(slab + to_ + pass * kRowsAPass * Slab::kRowBytes,
                                  from_ + pass * operand_.pass_bytes, valid);
    }
    from_ += Slab::kRowsAreK ? operand_.slab_bytes : kSlabBytes;
  }

  /// Of the launch: what the constructor expects to find.
  static void prepare(MmaOperand& operand) {
    const std::int64_t ld = Slab::kRowsAreK ? operand.k_stride : operand.row_stride;
    operand.pass_bytes = kRowsAPass * ld * static_cast<std::int64_t>(sizeof(T));
    operand.slab_bytes = Slab::kDepth * ld * static_cast<std::int64_t>(sizeof(T));
  }

 private:
  static constexpr int kVector = kVectorBytes / static_cast<int>(sizeof(T));
  static constexpr int kRowsAPass = kThreads / Slab::kChunks;
  static constexpr int kPasses = Slab::kRows / kRowsAPass;
  static_assert(kThreads % Slab::kChunks == 0 && Slab::kRows % kRowsAPass == 0);
  static_assert(kRowsAPass % Slab::kPeriod == 0);  // so that to_ serves every pass

  const MmaOperand& operand_;
  const std::byte* from_;
  int to_;
  int k_;
  unsigned inside_ = 0;
};

/// Element by element, for operands that 16-byte vectors can't reach. Each thread gathers a chunk
/// of k of one row, which also turns operands that lie the other way round.
template <class T, int kExtent, bool kSwizzled, int kThreads>
class MmaCopy<T, kExtent, MmaLayout::strided, kSwizzled, kThreads> {
 public:
  using Slab = MmaSlab<T, kExtent, MmaLayout::strided, kSwizzled>;

  __device__ MmaCopy(const MmaOperand& operand, std::int64_t first, std::int64_t extent,
                     std::int64_t k)
      : operand_(operand),
        from_(static_cast<const Bits*>(operand.data) + first * operand.row_stride +
              k * operand.k_stride),
        rows_(static_cast<int>(min(extent - first, static_cast<std::int64_t>(kExtent)))) {}

  __device__ void next(std::byte* slab, int depth) {
    // Neighbouring threads read neighbouring addresses, along k or along the rows.
    const bool along_k = operand_.k_stride == 1;
#pragma unroll 1
    for (int i = static_cast<int>(threadIdx.x); i < kExtent * Slab::kChunks; i += kThreads) {
      const int row = along_k ? i / Slab::kChunks : i % kExtent;
      const int chunk = along_k ? i % Slab::kChunks : i / kExtent;
      const Bits* from = from_ + row * operand_.row_stride + chunk * kVector * operand_.k_stride;
      const int count = row < rows_ ? depth - chunk * kVector : 0;
      std::uint32_t words[4] = {};
#pragma unroll
      for (int j = 0; j < kVector; ++j) {
        const std::uint32_t bits = j < count ? from[j * operand_.k_stride] : Bits{0};
        words[j * 4 / kVector] |= bits << (j * static_cast<int>(sizeof(T)) % 4 * 8);
      }
      ptx::store_shared(reinterpret_cast<uint4*>(slab + Slab::offset(row, chunk)),
                        make_uint4(words[0], words[1], words[2], words[3]));
    }
    from_ += Slab::kDepth * operand_.k_stride;
  }

  static void prepare(MmaOperand&) {}

 private:
  static constexpr int kVector = kVectorBytes / static_cast<int>(sizeof(T));
  using Bits = std::conditional_t<sizeof(T) == 1, std::uint8_t,
                                  std::conditional_t<sizeof(T) == 2, std::uint16_t, std::uint32_t>>;

  const MmaOperand& operand_;
  const Bits* from_;
  int rows_;
};

}  // namespace breakeven::matmul
