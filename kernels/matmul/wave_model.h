// How long a product takes when it is cut into blocks, as far as arithmetic can tell: the choice
// between tiles, and into how many parts to cut k where tiles alone don't fill the GPU. It is a
// model of proportions, in cycles of a multiprocessor; it is never reported as a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/matmul/gemm.h"

namespace breakeven::matmul {

/// One kernel on one architecture.
struct TileCost {
  int m, n, k;              ///< tile, and slab along k
  int blocks_per_sm;        ///< that fit at once
  int blocks_to_saturate;   ///< on one multiprocessor, until its multipliers are busy
  double multiplier_share;  ///< of the f32 peak, once they are
};

/// Multiply-adds of one multiprocessor in a cycle.
inline constexpr double kFmaPerCycle = 128;
/// A block's start and end, when nothing is computed: the first slabs' way from memory, the stores.
inline constexpr double kBlockCycles = 2000;
/// A second kernel after the first.
inline constexpr double kLaunchCycles = 4000;
/// Bytes that a multiprocessor reads or writes in a cycle, most of them in the L2 cache.
inline constexpr double kBytesPerCycle = 16;

/// Cycles until the last block is done. Blocks come in waves, and a wave takes as long as its
/// fullest multiprocessor: 1.1 waves cost as much as 2.
inline double estimated_cycles(const GemmShape& shape, const TileCost& tile, int splits, int sms) {
  const std::int64_t slabs = ceil_div(shape.k, tile.k);
  const double tiles = static_cast<double>(ceil_div(shape.m, tile.m)) *
                       static_cast<double>(ceil_div(shape.n, tile.n));
  const double multiplying =
      static_cast<double>(tile.m) * tile.n * tile.k / (kFmaPerCycle * tile.multiplier_share);
  const double reading = 4.0 * (tile.m + tile.n) * tile.k / kBytesPerCycle;
  const double block_cycles =
      static_cast<double>(ceil_div(slabs, splits)) * std::max(multiplying, reading);
  // The fullest multiprocessor's blocks run `blocks_per_sm` at a time; the last few may be too few
  // to keep it busy, and then take as long as blocks_to_saturate would.
  const double blocks = tiles * splits;
  const double on_fullest = std::max(1.0, std::ceil(blocks / sms));
  const double full_waves = std::floor(on_fullest / tile.blocks_per_sm);
  const double rest = on_fullest - full_waves * tile.blocks_per_sm;
  const double saturating = tile.blocks_to_saturate;
  double cycles = full_waves * std::max<double>(tile.blocks_per_sm, saturating) * block_cycles;
  if (rest > 0) cycles += std::max(rest, saturating) * block_cycles;
  cycles += std::ceil(on_fullest / tile.blocks_per_sm) * kBlockCycles;
  if (splits > 1) {
    const double bytes =
        4.0 * (2.0 * splits + 1) * static_cast<double>(shape.m) * static_cast<double>(shape.n);
    cycles += kLaunchCycles + bytes / (kBytesPerCycle * sms);
  }
  return cycles;
}

/// More parts than these only move the work into the second pass.
inline constexpr int kMostSplits = 64;

/// Into how many parts to cut k: at least 1, at most `most`, and never a part without a slab.
struct SplitPlan {
  int splits;
  double cycles;
};

inline SplitPlan plan_splits(const GemmShape& shape, const TileCost& tile, int sms, int most) {
  SplitPlan best{1, estimated_cycles(shape, tile, 1, sms)};
  const std::int64_t slabs = ceil_div(shape.k, tile.k);
  const int limit = static_cast<int>(std::min<std::int64_t>(most, slabs));
  for (int splits = 2; splits <= limit; ++splits) {
    const double cycles = estimated_cycles(shape, tile, splits, sms);
    if (cycles < best.cycles) best = {splits, cycles};
  }
  return best;
}

}  // namespace breakeven::matmul
