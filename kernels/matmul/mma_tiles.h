// Rung 4 of the tensor-core ladder, for any precision: the pipelined main loop with the tile that
// suits the problem, tiles in bands that share the L2 cache, C in 16-byte stores with bias and
// activation, and k split among blocks where there are too few tiles: partial sums are stored and
// added up in their order, so that the result is the same every time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "kernels/matmul/mma_launch.h"
#include "kernels/matmul/mma_plan.h"

namespace breakeven::matmul {

/// C from the partial sums; a thread adds up each of its elements in the order of k.
template <Precision kPrecision>
__global__ void __launch_bounds__(256) mma_reduce_kernel(const __grid_constant__ MmaProblem p) {
  using Output = typename MmaTypes<kPrecision>::Output;
  using Sum = typename MmaTypes<kPrecision>::Accumulator;
  const std::int64_t threads = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  const std::int64_t split_stride = p.m * p.partial_ld;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < p.m * p.n; i += threads) {
    const std::int64_t row = i / p.n;
    const std::int64_t column = i - row * p.n;
    const Sum* from = static_cast<const Sum*>(p.partial) + row * p.partial_ld + column;
    Sum sum = 0;
#pragma unroll 4
    for (int split = 0; split < p.splits; ++split) sum += from[split * split_stride];
    static_cast<Output*>(p.c)[row * p.ldc + column] = mma_finish<Output>(p, sum, column);
  }
}

/// Tile `kTile`, or the next one. There is a kernel of `tile` for these operands.
template <Precision kPrecision, int kTile = 0>
PreparedLaunch mma_prepare_tile(const MmaProblem& p, int tile, const MmaLayouts& layouts) {
  constexpr int kElementBytes = sizeof(typename MmaTypes<kPrecision>::Element);
  constexpr MmaConfig kConfig = mma_tile_config(kTile, kElementBytes);
  if (tile != kTile) {
    constexpr int kNext = kTile + 1;
    if constexpr (has_mma_tile(kNext, kElementBytes, false) && kNext < kMmaTileNames.size()) {
      return mma_prepare_tile<kPrecision, kNext>(p, tile, layouts);
    }
  } else if (!layouts.strided()) {
    return mma_prepare_vectors<kPrecision, kConfig>(p, layouts);
  } else if constexpr (has_mma_tile(kTile, kElementBytes, true)) {
    return mma_prepare_strided<kPrecision, kConfig>(p);
  }
  throw std::logic_error("mma_tiles: a tile without a kernel was planned");
}

template <Precision kPrecision>
MmaPlan mma_tiles_plan(const Gemm& gemm, const Gpu& gpu) {
  constexpr int kElementBytes = sizeof(typename MmaTypes<kPrecision>::Element);
  return plan_mma(gemm, gpu, kPrecision, mma_layouts(gemm, kElementBytes).strided());
}

template <Precision kPrecision>
std::string mma_tiles_unsupported(const Gemm& gemm, const Gpu& gpu) {
  constexpr int kElementBytes = sizeof(typename MmaTypes<kPrecision>::Element);
  const std::string reason = mma_unsupported<kPrecision>(gemm, gpu);
  if (!reason.empty() || gemm.tiling < 0 ||
      has_mma_tile(gemm.tiling, kElementBytes, mma_layouts(gemm, kElementBytes).strided())) {
    return reason;
  }
  return std::string("no kernel with tiles of ") + kMmaTileNames[gemm.tiling] +
         " for operands that 16-byte vectors don't reach";
}

template <Precision kPrecision>
std::size_t mma_tiles_workspace(const Gemm& gemm, const Gpu& gpu) {
  return mma_partial_bytes(gemm, mma_tiles_plan<kPrecision>(gemm, gpu));
}

template <Precision kPrecision>
PreparedGemm mma_tiles_prepare(const Gemm& gemm, void* workspace, const Gpu& gpu) {
  constexpr int kElementBytes = sizeof(typename MmaTypes<kPrecision>::Element);
  const MmaPlan plan = mma_tiles_plan<kPrecision>(gemm, gpu);
  MmaProblem p =
      mma_problem<kPrecision>(gemm, mma_tile_config(plan.tile, kElementBytes), TileOrder::grouped);
  p.splits = plan.splits;
  p.split_k = plan.split_k;
  p.partial = workspace;
  p.partial_ld = mma_partial_ld(gemm.shape.n);
  PreparedLaunch multiply =
      mma_prepare_tile<kPrecision>(p, plan.tile, mma_layouts(gemm, kElementBytes));
  std::string text = std::string(kMmaTileNames[plan.tile]) + ", " + parts_text(plan.splits);
  if (plan.splits == 1) return {std::move(multiply), std::move(text)};
  constexpr int kThreads = 256;
  constexpr std::int64_t kMostBlocks = 1 << 20;
  const std::int64_t blocks = std::min(ceil_div(p.m * p.n, kThreads), kMostBlocks);
  PreparedLaunch reduce = prepare_launch(mma_reduce_kernel<kPrecision>,
                                         {dim3(static_cast<unsigned>(blocks)), dim3(kThreads)}, p);
  return {in_order(std::move(multiply), std::move(reduce)), std::move(text)};
}

template <Precision kPrecision>
Rung mma_tiles_rung() {
  constexpr int kElementBytes = sizeof(typename MmaTypes<kPrecision>::Element);
  Rung rung{"mma_tiles",
            kPrecision,
            mma_min_compute(kPrecision),
            kAnyCompute,
            mma_tiles_unsupported<kPrecision>,
            mma_tiles_workspace<kPrecision>,
            mma_tiles_prepare<kPrecision>};
  for (int tile = 0; tile < static_cast<int>(kMmaTileNames.size()); ++tile) {
    if (has_mma_tile(tile, kElementBytes, false)) rung.tilings.push_back(kMmaTileNames[tile]);
  }
  return rung;
}

}  // namespace breakeven::matmul
