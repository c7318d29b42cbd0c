// How a product is cut into chunks of C's rows, so that copies of one overlap the arithmetic of
// another.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/matmul/gemm.h"

namespace breakeven::matmul {

struct RowChunk {
  std::int64_t first;
  std::int64_t rows;
};

/// Rows [0, m) in at most `most` chunks. All but the last have the same number of rows, a multiple
/// of 256, so that no tile is cut and operands that were aligned stay so.
inline std::vector<RowChunk> row_chunks(std::int64_t m, int most) {
  constexpr std::int64_t kAlignment = 256;
  const std::int64_t rows = ceil_div(ceil_div(m, most), kAlignment) * kAlignment;
  std::vector<RowChunk> chunks;
  for (std::int64_t first = 0; first < m; first += rows) {
    chunks.push_back({first, std::min(rows, m - first)});
  }
  return chunks;
}

/// The part of `gemm` that computes those rows. Elements of A have `a_bytes`, of C `c_bytes`.
inline Gemm rows_of(const Gemm& gemm, const RowChunk& chunk, std::size_t a_bytes,
                    std::size_t c_bytes) {
  Gemm part = gemm;
  part.shape.m = chunk.rows;
  const std::int64_t a_elements = chunk.first * (gemm.shape.trans_a ? 1 : gemm.lda);
  part.a = static_cast<const std::byte*>(gemm.a) + a_elements * static_cast<std::int64_t>(a_bytes);
  part.c =
      static_cast<std::byte*>(gemm.c) + chunk.first * gemm.ldc * static_cast<std::int64_t>(c_bytes);
  return part;
}

}  // namespace breakeven::matmul
