// What the f32 rungs' choice needs to know of each architecture. No share is measured: they are
// estimates after the parts of the main loop's instructions that are multiply-adds. What a tuner
// measured stands in tuned.cpp and goes before this table.
#pragma once

#include <utility>

#include "kernels/matmul/wave_model.h"

namespace breakeven::matmul {

/// The rungs that the choice is between, on one architecture.
struct SgemmTiles {
  int compute_capability;  ///< the entry holds from here to the next one
  TileCost split_warp_groups;
  TileCost pipelined;
  TileCost split_k;
  TileCost skinny;  ///< for few rows; with m and n exchanged for few columns
};

// Shared memory decides how many blocks of split_k and skinny fit: 26 and 58 KB each, of 164 KB on
// sm_80, 228 KB on sm_90 and sm_100, 100 KB on sm_86, sm_89 and sm_120; registers allow 4.
inline constexpr SgemmTiles kSgemmTiles[] = {
    {80,
     {128, 128, 16, 1, 1, 0.90},
     {128, 128, 16, 2, 2, 0.86},
     {64, 64, 16, 4, 3, 0.80},
     {16, 128, 32, 2, 2, 0.50}},
    {86,
     {128, 128, 16, 1, 1, 0.90},
     {128, 128, 16, 2, 2, 0.86},
     {64, 64, 16, 3, 3, 0.80},
     {16, 128, 32, 1, 1, 0.50}},
    {90,
     {128, 128, 16, 1, 1, 0.90},
     {128, 128, 16, 2, 2, 0.86},
     {64, 64, 16, 4, 3, 0.80},
     {16, 128, 32, 3, 2, 0.50}},
    {120,
     {128, 128, 16, 1, 1, 0.90},
     {128, 128, 16, 2, 2, 0.86},
     {64, 64, 16, 3, 3, 0.80},
     {16, 128, 32, 1, 1, 0.50}},
};

inline const SgemmTiles& sgemm_tiles(int compute_capability) {
  const SgemmTiles* found = &kSgemmTiles[0];
  for (const SgemmTiles& tiles : kSgemmTiles) {
    if (tiles.compute_capability <= compute_capability) found = &tiles;
  }
  return *found;
}

/// The cost of the skinny rung's tile for a shape.
inline TileCost skinny_tile(const SgemmTiles& tiles, const GemmShape& shape) {
  TileCost tile = tiles.skinny;
  if (shape.m > shape.n) std::swap(tile.m, tile.n);
  return tile;
}

}  // namespace breakeven::matmul
