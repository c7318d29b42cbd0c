// The f32 rungs, one in each sgemm_*.cu; f32_rungs() lists them.
#pragma once

#include "kernels/matmul/gemm.h"

namespace breakeven::matmul {

const Rung& sgemm_naive();
const Rung& sgemm_coalesced();
const Rung& sgemm_shared_tile();
const Rung& sgemm_register_1d();
const Rung& sgemm_register_2d();
const Rung& sgemm_vectorized();
const Rung& sgemm_warp_tile();
const Rung& sgemm_pipelined();
const Rung& sgemm_split_warp_groups();
const Rung& sgemm_split_k();
const Rung& sgemm_skinny();
const Rung& sgemv();

}  // namespace breakeven::matmul
