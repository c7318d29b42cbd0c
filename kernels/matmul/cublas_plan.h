// What cuBLASLt is asked for: plain functions, tested without a GPU.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "reference/precision.h"

namespace breakeven::matmul {

/// C[m,n] = op(A) op(B), row-major and dense, as in reference/matmul.h.
struct GemmShape {
  std::int64_t m;
  std::int64_t n;
  std::int64_t k;
  bool trans_a;
  bool trans_b;
};

/// A dense column-major matrix as cuBLASLt describes it: as it is stored, and whether it is
/// transposed before the product.
struct LtMatrix {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t leading;
  bool transposed;
};

/// D = op(A) op(B), column-major.
struct LtProblem {
  LtMatrix a;
  LtMatrix b;
  LtMatrix d;
};

/// A stored row-major rows x columns matrix in column-major words.
inline LtMatrix column_major_of(std::int64_t rows, std::int64_t columns, bool transposed) {
  return {columns, rows, columns, transposed};
}

/// A row-major matrix is the column-major one of its transpose, so C^T = op(B)^T op(A)^T computes
/// the same bytes: cuBLASLt's A is our B, its B is our A, and nothing moves.
inline LtProblem lt_problem(const GemmShape& shape) {
  const auto& [m, n, k, trans_a, trans_b] = shape;
  LtProblem problem;
  problem.a = trans_b ? column_major_of(n, k, true) : column_major_of(k, n, false);
  problem.b = trans_a ? column_major_of(k, m, true) : column_major_of(m, k, false);
  problem.d = column_major_of(m, n, false);
  return problem;
}

/// Whether both operands are stored with k innermost ("TN" in BLAS words): A[m,k] and B[n,k].
inline bool is_k_major(const GemmShape& shape) { return !shape.trans_a && shape.trans_b; }

/// Why a GPU of `compute_capability` (90 on an H100) can't do this product as it lies in memory, or
/// "". fp8 on Ada, Hopper and consumer Blackwell needs k innermost, and 16-byte rows everywhere
/// (cuBLAS documentation, cublasLtMatmul).
inline std::string unsupported_product(const GemmShape& shape, Precision precision,
                                       int compute_capability) {
  const auto below = [&](int needed, const char* what) {
    return compute_capability < needed
               ? std::string(what) + " needs compute capability " + std::to_string(needed / 10) +
                     "." + std::to_string(needed % 10) + " or newer"
               : std::string();
  };
  switch (precision) {
    case Precision::f64:
    case Precision::f32:
    case Precision::f16:
      return "";
    case Precision::tf32:
      return below(80, "tf32");
    case Precision::bf16:
      return below(80, "bf16");
    case Precision::int8:
      return below(75, "int8");
    case Precision::fp8:
      break;
  }
  constexpr std::int64_t kFp8Multiple = 16;
  if (const std::string reason = below(89, "fp8"); !reason.empty()) return reason;
  // Data-centre Blackwell (10.x) takes every layout.
  if (compute_capability / 10 != 10 && !is_k_major(shape)) {
    return "fp8 needs both operands with k innermost on this GPU; see cublas_packed";
  }
  if (shape.m % kFp8Multiple != 0 || shape.n % kFp8Multiple != 0 || shape.k % kFp8Multiple != 0) {
    return "fp8 needs m, n and k in multiples of 16";
  }
  return "";
}

/// cublasLtNumericalImplFlags_t, as far as they decide.
enum class LtNumerics : std::uint64_t {
  hmma = 0x02,
  imma = 0x04,
  dmma = 0x08,
  accumulator_f16 = 0x01ull << 8,
  input_f16 = 0x01ull << 16,
  input_bf16 = 0x02ull << 16,
  input_tf32 = 0x04ull << 16,
  input_s8 = 0x20ull << 16,
  input_e4m3 = 0x40ull << 16,
  input_e5m2 = 0x80ull << 16,
};

inline bool has_any(std::uint64_t flags, std::initializer_list<LtNumerics> unwanted) {
  return std::any_of(unwanted.begin(), unwanted.end(), [flags](LtNumerics each) {
    return (flags & static_cast<std::uint64_t>(each)) != 0;
  });
}

/// Whether an algorithm with these numerical flags computes in `precision`: f32 without tensor
/// cores (which would mean TF32 or BF16x9), f64 without integer emulation, nothing with f16
/// accumulation.
inline bool numerics_fit(Precision precision, std::uint64_t flags) {
  using enum LtNumerics;
  if (has_any(flags, {accumulator_f16})) return false;
  switch (precision) {
    case Precision::f64:
      return !has_any(flags, {hmma, imma, input_s8, input_f16, input_bf16, input_tf32});
    case Precision::f32:
      return !has_any(flags, {hmma, imma, dmma, input_f16, input_bf16, input_tf32, input_s8,
                              input_e4m3, input_e5m2});
    case Precision::tf32:
      return !has_any(flags, {input_f16, input_bf16, input_s8, input_e4m3, input_e5m2});
    default:
      return true;  // the operands' own type is what the multiplier sees
  }
}

/// The index of the smallest of `seconds`; NaN and infinite ones (failed) never win. Returns
/// seconds.size() if none is finite.
inline std::size_t fastest(std::span<const double> seconds) {
  std::size_t best = seconds.size();
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    if (!std::isfinite(seconds[i])) continue;
    if (best == seconds.size() || seconds[i] < seconds[best]) best = i;
  }
  return best;
}

/// to[column, row] = from[row, column] for one-byte elements; both hold rows x columns bytes.
inline void transpose_bytes(std::span<const std::byte> from, std::int64_t rows,
                            std::int64_t columns, std::span<std::byte> to) {
  // Tiles of a cache line: without them, every store of a large matrix misses.
  constexpr std::int64_t kTile = 64;
  for (std::int64_t row0 = 0; row0 < rows; row0 += kTile) {
    for (std::int64_t column0 = 0; column0 < columns; column0 += kTile) {
      const std::int64_t row_end = std::min(rows, row0 + kTile);
      const std::int64_t column_end = std::min(columns, column0 + kTile);
      for (std::int64_t row = row0; row < row_end; ++row) {
        for (std::int64_t column = column0; column < column_end; ++column) {
          to[static_cast<std::size_t>(column * rows + row)] =
              from[static_cast<std::size_t>(row * columns + column)];
        }
      }
    }
  }
}

}  // namespace breakeven::matmul
