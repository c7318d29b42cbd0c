// The main loop of the first rungs: one warp group fetches a tile, waits for it, multiplies, waits,
// fetches the next.
#pragma once

#include "kernels/matmul/wgmma_tile.h"

namespace breakeven::matmul {

template <class Operands, class Tile>
__global__ void __launch_bounds__(128) wgmma_simple(const __grid_constant__ ptx::TensorMap map_a,
                                                    const __grid_constant__ ptx::TensorMap map_b,
                                                    const __grid_constant__ WgmmaProblem p) {
  using Output = typename Operands::Output;
  ptx::SharedMemory shared;
  char* const a = shared.take<char>(Tile::m * 128, 1024);
  char* const b = shared.take<char>(Tile::n * 128, 1024);
  ptx::Mbarrier* const full = shared.take<ptx::Mbarrier>(1);
  if (threadIdx.x == 0) {
    ptx::tma_prefetch_descriptor(map_a);
    ptx::tma_prefetch_descriptor(map_b);
    ptx::mbarrier_init(full, 1);
    ptx::mbarrier_fence_init();
  }
  __syncthreads();
  const TilePosition tile = TileSchedule{p.tile_rows, p.tile_columns, Tile::order}.at(blockIdx.x);
  const int m0 = tile.row * Tile::m, n0 = tile.column * Tile::n;
  float d[Tile::m / 64][Tile::n / 2];
  if constexpr (Operands::promoted) clear_sums(d);
  for (int k_tile = 0; k_tile < p.k_tiles; ++k_tile) {
    if (threadIdx.x == 0) {
      const int k0 = k_tile * Operands::depth;
      ptx::mbarrier_arrive_expect_tx(full, Tile::stage_bytes);
      load_a<Operands, Tile::m>(a, map_a, full, m0, k0);
      load_b<Operands, Tile::n, 1>(b, map_b, full, n0, k0, 0);
    }
    ptx::mbarrier_wait(full, k_tile & 1);
    if constexpr (Operands::promoted) {
      multiply_promoted<Operands, Tile::m / 64, Tile::n>(d, a, b);
    } else {
      multiply_tile<Operands, Tile::m / 64, Tile::n>(d, a, b, k_tile == 0);
      ptx::wgmma_wait<0>();
      hold_sums(d);
    }
    __syncthreads();  // every warp has read the tile
  }
  finish_sums<Output, Tile::m / 64, Tile::n>(d, p, n0);
  store_sums<Output, Tile::m / 64, Tile::n>(d, p, m0, n0);
}

/// For wgmma_prepare().
template <class Tile>
struct WgmmaSimple {
  template <class Operands>
  static PreparedLaunch prepare(const Gemm& gemm, const Gpu&) {
    const WgmmaProblem p = wgmma_problem<Operands, Tile>(gemm);
    constexpr int kBytes = ptx::shared_bytes(Tile::stage_bytes, 8, 8);
    const auto blocks =
        static_cast<unsigned>(static_cast<std::int64_t>(p.tile_rows) * p.tile_columns);
    return prepare_launch(wgmma_simple<Operands, Tile>, Grid{dim3(blocks), dim3(128), kBytes, 1},
                          wgmma_map_a<Operands, Tile>(gemm), wgmma_map_b<Operands, Tile>(gemm), p);
  }
};

}  // namespace breakeven::matmul
