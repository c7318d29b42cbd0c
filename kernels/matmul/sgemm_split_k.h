// Kernels that cut k among blocks, deterministically: each block's sums go to a workspace, and a
// second pass adds them. Shared by the rungs that differ in their tiles.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "kernels/matmul/sgemm_pipeline.h"
#include "kernels/matmul/sgemm_reduce.h"
#include "kernels/matmul/wave_model.h"

namespace breakeven::matmul {

/// Block number tile * splits + part computes that part of k. `p.c` and `p.ldc` are C's where
/// `splits` is 1, else the dense partials.
template <class Tiles, int kStages, bool kTransA, bool kTransB, bool kVector>
__global__ void __launch_bounds__(Tiles::kThreads, 4)
    sgemm_split_k_kernel(SgemmProblem p, int splits) {
  using Loop = Pipeline<Tiles, kStages, kTransA, kTransB, kVector>;
  ptx::SharedMemory shared;
  float* stages = shared.take<float>(Loop::kFloats);
  const int part = static_cast<int>(blockIdx.x) % splits;
  const TilePosition tile = p.schedule.at(static_cast<int>(blockIdx.x) / splits);
  const TilePosition first = {tile.row * Tiles::kM, tile.column * Tiles::kN};
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t slabs = slab_count(p.k, Tiles::kSlab);
  const int begin = static_cast<int>(slabs * part / splits);
  const int end = static_cast<int>(slabs * (part + 1) / splits);
  float sums[Tiles::kRows][Tiles::kColumns] = {};
  Loop::run(p, first, {begin, 1, end - begin}, stages, thread, BlockBarrier(), sums);
  p.c += static_cast<std::int64_t>(part) * p.m * p.n;
  store_sums<Tiles>(p, first, thread, sums);
}

/// Into how many parts a call is cut. A tiling forces them, for a tuner: index i means 2^i.
inline int splits_of(const Gemm& gemm, const Gpu& gpu, const TileCost& tile) {
  if (gemm.tiling >= 0) return 1 << gemm.tiling;
  return plan_splits(gemm.shape, tile, gpu.sms, kMostSplits).splits;
}

inline std::vector<const char*> split_tilings() {
  return {"split_1", "split_2", "split_4", "split_8", "split_16", "split_32", "split_64"};
}

inline std::string unsupported_split(const Gemm& gemm, const Gpu& gpu, const TileCost& tile) {
  const std::string reason = sgemm_sizes(gemm, gpu);
  if (!reason.empty()) return reason;
  const std::int64_t slabs = ceil_div(gemm.shape.k, tile.k);
  if (gemm.tiling >= 0 && std::int64_t{1} << gemm.tiling > slabs) {
    return "k has " + std::to_string(slabs) + " slabs of " + std::to_string(tile.k) +
           ", too few for " + std::to_string(1 << gemm.tiling) + " parts";
  }
  const std::int64_t tiles = ceil_div(gemm.shape.m, tile.m) * ceil_div(gemm.shape.n, tile.n);
  return tiles < (std::int64_t{1} << 31) / kMostSplits ? ""
                                                       : "too many tiles to number their parts";
}

template <class Tiles, int kStages>
PreparedGemm prepare_split_k(const Gemm& gemm, void* workspace, int splits) {
  const SgemmProblem whole = sgemm_problem(gemm, Tiles::kM, Tiles::kN);
  SgemmProblem p = whole;
  if (splits > 1) {
    p.c = static_cast<float*>(workspace);
    p.ldc = p.n;
    p.epilogue = Epilogue::none;
    p.vector_c = p.n % 4 == 0;
  }
  PreparedLaunch multiply = with_layout(
      gemm.shape.trans_a, gemm.shape.trans_b, vector_copies(gemm),
      [&](auto trans_a, auto trans_b, auto vector) {
        constexpr bool kVector = vector || (!trans_a && trans_b);
        using Loop = Pipeline<Tiles, kStages, trans_a, trans_b, kVector>;
        return prepare_launch(sgemm_split_k_kernel<Tiles, kStages, trans_a, trans_b, kVector>,
                              {dim3(blocks(p) * static_cast<unsigned>(splits)),
                               dim3(Tiles::kThreads), Loop::kFloats * sizeof(float)},
                              p, splits);
      });
  std::string plan =
      std::to_string(Tiles::kM) + "x" + std::to_string(Tiles::kN) + ", " + parts_text(splits);
  if (splits == 1) return {std::move(multiply), std::move(plan)};
  return {in_order(std::move(multiply), reduce_partials(whole, p.c, splits)), std::move(plan)};
}

}  // namespace breakeven::matmul
