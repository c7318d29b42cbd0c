// The mma.sync ladder's files, each with its rung for every precision.
#pragma once

#include <vector>

#include "kernels/matmul/gemm.h"

namespace breakeven::matmul {

std::vector<Rung> mma_basic_rungs();
std::vector<Rung> mma_ldmatrix_rungs();
std::vector<Rung> mma_pipelined_rungs();

Rung mma_tiles_bf16();
Rung mma_tiles_f16();
Rung mma_tiles_tf32();
Rung mma_tiles_fp8();
Rung mma_tiles_int8();

/// The mma.sync rung that is expected to be the fastest for this call, sm_80 and later (sm_89 for
/// fp8). Throws std::invalid_argument for f32 and f64, which have no tensor-core rung.
const Rung& choose_mma(const Gemm& gemm, Precision precision, const Gpu& gpu);

}  // namespace breakeven::matmul
