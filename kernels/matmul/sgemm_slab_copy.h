// Slabs of an operand on their way to shared memory by cp.async, behind the threads' backs. They
// lie there as [kSlab][kOuter], where `outer` is the row of op(A) or the column of op(B).
//
// Whether an `outer` is inside the matrix is asked once, and what isn't becomes zeros. Along k only
// the first slab can be partial, so that the main loop asks for nothing there.
#pragma once

#include "kernels/matmul/sgemm_problem.h"

namespace breakeven::matmul {

/// Copies its threads' share of each slab. kAlongK: neighbours in memory are neighbours along k, so
/// every float is copied to its place by itself, whatever its alignment. Otherwise kVector: 16
/// bytes at a time, for stored rows that fall into aligned groups of four floats; or else 4.
template <int kOuter, int kSlab, int kThreads, bool kAlongK, bool kVector>
class SlabCopy {
 public:
  /// Floats from one row of the slab to the next. With four more than a row has, a warp's
  /// transposing stores, 8 along k by 4, fall into 32 banks.
  static constexpr int kStride = kOuter + (kAlongK ? 4 : 0);
  static constexpr int kFloats = kSlab * kStride;

  /// The operand has `outer_size` rows of op(A) or columns of op(B), `stride` apart in memory or
  /// neighbours there; this tile's begin at `first_outer`, and the first slab at `first_k`.
  __device__ SlabCopy(const float* data, std::int64_t stride, int first_outer, int outer_size,
                      int first_k, int thread)
      : thread_(thread), stride_(stride) {
    const std::int64_t outer = first_outer + outer_of(0);
    const std::int64_t l = first_k + k_of(0);
    from_ = data + (kAlongK ? outer * stride + l : l * stride + outer);
    // A group of four floats that begins inside the matrix also ends there.
#pragma unroll
    for (int i = 0; i < kGroups; ++i) {
      inside_ |= static_cast<unsigned>(first_outer + outer_of(i) < outer_size) << i;
    }
  }

  /// Copies the slab at hand, all of it.
  __device__ __forceinline__ void copy(float* slab) const { copy_rows<false>(slab, kSlab); }

  /// Copies its first `rows` rows and makes the others zero.
  __device__ __forceinline__ void copy_partial(float* slab, int rows) const {
    copy_rows<true>(slab, rows);
  }

  /// Goes `rows` along k.
  __device__ __forceinline__ void advance(int rows) { from_ += kAlongK ? rows : rows * stride_; }

 private:
  static constexpr int kWidth = !kAlongK && kVector ? 4 : 1;
  // How a pass of all threads lies in the slab. Along k, 8 threads read a sector of 32 bytes.
  static constexpr int kAcross = kVector || kOuter < 32 ? kOuter : 32;
  static constexpr int kLanesK = kAlongK ? 8 : kThreads * kWidth / kAcross;
  static constexpr int kLanesOuter = kThreads / kLanesK;
  static constexpr int kGroups = kOuter / (kLanesOuter * kWidth);  // passes across
  static constexpr int kSteps = kSlab / kLanesK;                   // passes along k
  static_assert(kLanesK * kLanesOuter == kThreads && kSteps * kLanesK == kSlab &&
                kGroups * kLanesOuter * kWidth == kOuter);

  __device__ int outer_of(int group) const {
    const int lane = kAlongK ? thread_ / kLanesK : thread_ % kLanesOuter;
    return (lane + group * kLanesOuter) * kWidth;
  }
  __device__ int k_of(int step) const {
    return (kAlongK ? thread_ % kLanesK : thread_ / kLanesOuter) + step * kLanesK;
  }

  template <bool kPartial>
  __device__ __forceinline__ void copy_rows(float* slab, int rows) const {
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
#pragma unroll
      for (int i = 0; i < kGroups; ++i) {
        const bool valid = (inside_ >> i & 1u) != 0 && (!kPartial || k_of(step) < rows);
        float* to = slab + k_of(step) * kStride + outer_of(i);
        const std::int64_t across = i * kLanesOuter * kWidth * (kAlongK ? stride_ : 1);
        const std::int64_t along = step * kLanesK * (kAlongK ? 1 : stride_);
        ptx::cp_async<kWidth * 4>(to, from_ + across + along, valid);
      }
    }
  }

  int thread_;
  std::int64_t stride_;
  const float* from_;
  unsigned inside_ = 0;  ///< a bit for each pass across
};

/// Whether the operands that are copied in groups of four floats can be.
inline bool vector_copies(const Gemm& gemm) {
  const GemmShape& s = gemm.shape;
  return (!s.trans_a || whole_vectors(gemm.a, s.m, gemm.lda)) &&
         (s.trans_b || whole_vectors(gemm.b, s.n, gemm.ldb));
}

}  // namespace breakeven::matmul
