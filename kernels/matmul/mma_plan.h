// Which tile the best mma.sync rung cuts a problem into, and into how many parts of k: a model of
// the cycles that each choice takes. It is a model of proportions, never reported as a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/matmul/gemm.h"
#include "kernels/matmul/mma_table.h"
#include "kernels/matmul/mma_types.h"

namespace breakeven::matmul {

/// Tile number `tile` of kMmaTileNames for operands of `element_bytes`. Three stages of 128x128 are
/// 48 KB, so that two blocks fit where an SM has 100 KB.
__host__ __device__ constexpr MmaConfig mma_tile_config(int tile, int element_bytes) {
  if (tile == 0) return mma_config_128x128(element_bytes, 3, true);
  const bool small = tile == 1;
  return {.m = small       ? 64
               : tile == 2 ? 128
                           : 256,
          .n = small       ? 64
               : tile == 2 ? 256
                           : 128,
          .warps_m = tile == 3 ? 4 : 2,
          .warps_n = tile == 2 ? 4 : 2,
          .stages = 4,
          .ldmatrix = true,
          .staged_store = true,
          .blocks_per_sm = small ? 3 : 1};
}

/// Whether there is a kernel: see kMmaBaseTiles.
constexpr bool has_mma_tile(int tile, int element_bytes, bool strided) {
  return tile < kMmaBaseTiles || (element_bytes > 1 && !strided);
}

struct MmaPlan {
  int tile = 0;    ///< index into kMmaTileNames
  int splits = 1;  ///< parts of k, each a whole number of slabs and none empty
  std::int64_t split_k = 0;
  double cycles = 0;  ///< what the model expects
};

/// The cheapest plan, of tile `gemm.tiling` alone where that isn't -1; has_mma_tile() it, then.
MmaPlan plan_mma(const Gemm& gemm, const Gpu& gpu, Precision precision, bool strided);

/// Accumulators (4 bytes each) in a row of partial sums, and the bytes of all; 0 without splits.
inline std::int64_t mma_partial_ld(std::int64_t n) { return ceil_div(n, 4) * 4; }
inline std::size_t mma_partial_bytes(const Gemm& gemm, const MmaPlan& plan) {
  if (plan.splits == 1) return 0;
  return static_cast<std::size_t>(plan.splits * gemm.shape.m * mma_partial_ld(gemm.shape.n)) * 4;
}

}  // namespace breakeven::matmul
