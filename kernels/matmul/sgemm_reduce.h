// Partial products in a workspace, added in a fixed order: the second pass of everything that cuts
// k among blocks. No atomics, so that the same call gives the same bits.
#pragma once

#include "kernels/matmul/sgemm_problem.h"

namespace breakeven::matmul {

/// C = epilogue(sum over s of partials[s, m, n]), `partials` dense. Bounded by memory: it reads
/// (splits) and writes (1) each element once.
PreparedLaunch reduce_partials(const SgemmProblem& p, const float* partials, int splits);

/// Bytes of the partials of `splits` parts; none where C is written at once.
inline std::size_t partial_bytes(const GemmShape& shape, int splits) {
  return splits > 1 ? static_cast<std::size_t>(shape.m * shape.n) * splits * sizeof(float) : 0;
}

}  // namespace breakeven::matmul
