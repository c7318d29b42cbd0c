// Which tile the last rung of the wgmma ladder takes: a model of the time of each, in cycles.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "kernels/matmul/gemm.h"

namespace breakeven::matmul {

struct WgmmaTiling {
  const char* name;
  int m, n;
  int cluster;  ///< blocks, one below the other, which share B
};

/// In the order of Gemm::tiling.
inline constexpr std::array kWgmmaTilings = {
    WgmmaTiling{"128x256", 128, 256, 2}, WgmmaTiling{"128x128", 128, 128, 2},
    WgmmaTiling{"256x128", 256, 128, 2}, WgmmaTiling{"128x128_single", 128, 128, 1}};

/// Cycles that one multiprocessor of an H100 needs for a problem of `waves` tiles in a row, 128
/// bytes of k at a time: the tensor cores multiply 64 x 256 outputs of 32 bytes in 128 cycles, the
/// L2 cache gives a multiprocessor about 32 bytes a cycle, of which half of B comes by way of the
/// other block, where there is one. To that, once a wave, the pipeline's filling and the last
/// stores. What promoting fp8's sums adds is left out: about the same for each output.
inline double wgmma_cycles(const WgmmaTiling& tile, const GemmShape& shape, int element_bytes,
                           int sms) {
  const std::int64_t clusters =
      ceil_div(shape.m, tile.cluster * tile.m) * ceil_div(shape.n, tile.n);
  const std::int64_t waves = ceil_div(clusters, std::max(1, sms / tile.cluster));
  const double multiply = tile.m * tile.n / (64.0 * 256.0) * 4 * 128;
  const double fetch = (tile.m + tile.n / tile.cluster) * 128.0 / 32;
  const std::int64_t k_tiles = ceil_div(shape.k * element_bytes, 128);
  constexpr double kFill = 1500;
  return static_cast<double>(waves) *
         (std::max(multiply, fetch) * static_cast<double>(k_tiles) + kFill);
}

/// The index of the fastest by that model; of equals the one with the least to multiply, which is
/// the single one where the second block of a cluster would multiply nothing.
inline int choose_wgmma_tiling(const GemmShape& shape, int element_bytes, int sms) {
  const auto cost = [&](int i) {
    const WgmmaTiling& tile = kWgmmaTilings[i];
    return std::pair(wgmma_cycles(tile, shape, element_bytes, sms), tile.m * tile.n);
  };
  int best = 0;
  for (int i = 1; i < static_cast<int>(kWgmmaTilings.size()); ++i) {
    if (cost(i) < cost(best)) best = i;
  }
  return best;
}

}  // namespace breakeven::matmul
