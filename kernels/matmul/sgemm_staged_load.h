// A slab of an operand on its way from global to shared memory through registers, four floats at a
// time. In shared memory it always lies as [kSlab][kOuter], where `outer` is the row of op(A) or
// the column of op(B): an operand that runs along k in memory is transposed on the way.
#pragma once

#include "kernels/matmul/sgemm_problem.h"

namespace breakeven::matmul {

/// kAlongK: neighbours in memory are neighbours along k. kVector: rows of the stored matrix fall
/// into aligned groups of four floats; otherwise floats are loaded one by one.
template <int kOuter, int kSlab, int kThreads, bool kAlongK, bool kVector>
class StagedLoad {
 public:
  static constexpr int kParts = kOuter * kSlab / 4 / kThreads;
  static_assert(kParts * 4 * kThreads == kOuter * kSlab && kSlab % 8 == 0);
  /// Floats from one row of the slab to the next. With four more than a row has, the transposing
  /// stores of a warp, 2 groups of four along k by 16 rows, fall into 32 banks.
  static constexpr int kStride = kOuter + (kAlongK ? 4 : 0);
  static constexpr int kFloats = kSlab * kStride;

  /// The operand has `outer_size` rows of op(A) or columns of op(B), `stride` apart in memory or
  /// neighbours there; this tile's begin at `first_outer`.
  __device__ StagedLoad(const float* data, std::int64_t stride, int first_outer, int outer_size,
                        int thread)
      : thread_(thread),
        outer_left_(outer_size - first_outer),
        step_(kAlongK ? kSlab : kSlab * stride) {
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      const std::int64_t outer = first_outer + outer_of(part);
      next_[part] = data + (kAlongK ? outer * stride + k_of(part) : k_of(part) * stride + outer);
    }
  }

  /// Reads the next slab, of which `k_left` rows lie inside the matrix; zeros outside of it.
  __device__ __forceinline__ void fetch(int k_left) {
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      const float* from = next_[part];
      const int outer_left = outer_left_ - outer_of(part);
      const int left = k_left - k_of(part);
      if constexpr (kVector) {
        staged_[part] = outer_left > 0 && left > 0
                            ? ptx::load_global(reinterpret_cast<const float4*>(from))
                            : make_float4(0, 0, 0, 0);
      } else {
        const int inside = outer_left <= 0 || left <= 0 ? 0 : kAlongK ? left : outer_left;
        staged_[part] = make_float4(inside > 0 ? from[0] : 0.0f, inside > 1 ? from[1] : 0.0f,
                                    inside > 2 ? from[2] : 0.0f, inside > 3 ? from[3] : 0.0f);
      }
      next_[part] += step_;
    }
  }

  /// Writes it to shared memory.
  __device__ __forceinline__ void store(float* slab) const {
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      float* to = slab + k_of(part) * kStride + outer_of(part);
      const float4 v = staged_[part];
      if constexpr (kAlongK) {
        ptx::store_shared(to, v.x);
        ptx::store_shared(to + kStride, v.y);
        ptx::store_shared(to + 2 * kStride, v.z);
        ptx::store_shared(to + 3 * kStride, v.w);
      } else {
        ptx::store_shared(reinterpret_cast<float4*>(to), v);
      }
    }
  }

 private:
  // Along k two neighbouring threads read a sector of 32 bytes, and a warp 16 rows of them.
  __device__ int outer_of(int part) const {
    const int vector = thread_ + part * kThreads;
    return kAlongK ? vector / 2 % kOuter : vector % (kOuter / 4) * 4;
  }
  __device__ int k_of(int part) const {
    const int vector = thread_ + part * kThreads;
    return kAlongK ? vector / (2 * kOuter) * 8 + vector % 2 * 4 : vector / (kOuter / 4);
  }

  int thread_;
  int outer_left_;
  std::int64_t step_;
  const float* next_[kParts];
  float4 staged_[kParts];
};

/// Whether both operands of a call can be read in groups of four floats.
inline bool vector_operands(const Gemm& gemm) {
  const GemmShape& s = gemm.shape;
  return whole_vectors(gemm.a, s.trans_a ? s.m : s.k, gemm.lda) &&
         whole_vectors(gemm.b, s.trans_b ? s.k : s.n, gemm.ldb);
}

}  // namespace breakeven::matmul
