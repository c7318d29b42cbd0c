#include "kernels/matmul/mma_plan.h"

#include <algorithm>

namespace breakeven::matmul {
namespace {

/// Until a block's first slab is there, and for its sums to leave.
constexpr double kBlockCycles = 1500;
/// A second kernel after the first.
constexpr double kLaunchCycles = 4000;
/// The share of the rate that a block keeps up alone on its SM, where several would fill each
/// other's waits for barriers.
constexpr double kAlone = 0.8;
/// Element-wise copies take about as many issue slots again as the multiplying.
constexpr double kStrided = 2.0;
constexpr int kMostSplits = 16;

int bytes_of(Precision precision) {
  return static_cast<int>(element_bytes(traits(precision).input));
}

/// One way to cut the problem.
struct Cut {
  int tile;
  int splits;
  std::int64_t split_k;
};

/// Blocks that fit on an SM at once; each also takes 1 KB of shared memory for the system.
int resident_blocks(const MmaArchitecture& architecture, const MmaConfig& config) {
  const int by_shared = architecture.shared_bytes / (mma_shared_bytes(config) + 1024);
  return std::clamp(by_shared, 1, config.blocks_per_sm);
}

/// Cycles until the last block is done. The fullest SM decides: 1.1 waves cost as much as 2.
double cycles_of(const GemmShape& s, const MmaArchitecture& architecture, int sms,
                 Precision precision, bool strided, const Cut& cut) {
  const int element_bytes = bytes_of(precision);
  const MmaConfig config = mma_tile_config(cut.tile, element_bytes);
  const std::int64_t blocks = ceil_div(s.m, config.m) * ceil_div(s.n, config.n) * cut.splits;
  const auto on_fullest = static_cast<double>(ceil_div(blocks, sms));
  const int resident = resident_blocks(architecture, config);
  const double peak = precision == Precision::fp8 ? architecture.fp8_rate
                                                  : architecture.mma_rate * 2 / element_bytes;
  const double rate = peak * architecture.shares[cut.tile] * (on_fullest < resident ? kAlone : 1.0);
  const double products = static_cast<double>(config.m) * config.n * kSlabBytes / element_bytes;
  const double copied = static_cast<double>(config.m + config.n) * kSlabBytes;
  const double slab =
      std::max(products / rate, copied / architecture.l2_bytes) * (strided ? kStrided : 1.0);
  const auto slabs = static_cast<double>(ceil_div(cut.split_k * element_bytes, kSlabBytes));
  // Blocks that share an SM hide each other's start, all but the first one's.
  const double starts = 1 + (on_fullest - 1) / (2 * resident);
  double cycles = on_fullest * slabs * slab + starts * kBlockCycles;
  if (cut.splits > 1) {
    const double sums = static_cast<double>(s.m) * static_cast<double>(s.n);
    cycles += kLaunchCycles + 4 * (2.0 * cut.splits + 1) * sums / architecture.memory_bytes;
  }
  return cycles;
}

}  // namespace

MmaPlan plan_mma(const Gemm& gemm, const Gpu& gpu, Precision precision, bool strided) {
  const int element_bytes = bytes_of(precision);
  const MmaArchitecture& architecture = mma_architecture(gpu.compute_capability);
  const int sms = std::max(gpu.sms, 1);
  const std::int64_t depth = kSlabBytes / element_bytes;
  const std::int64_t slabs = ceil_div(gemm.shape.k, depth);
  MmaPlan best;
  for (int tile = 0; tile < static_cast<int>(kMmaTileNames.size()); ++tile) {
    if (!has_mma_tile(tile, element_bytes, strided)) continue;
    if (gemm.tiling >= 0 && tile != gemm.tiling) continue;
    for (int wanted = 1; wanted <= kMostSplits && wanted <= slabs; ++wanted) {
      const std::int64_t split_k = wanted == 1 ? gemm.shape.k : ceil_div(slabs, wanted) * depth;
      // Rounding up to whole slabs can leave fewer parts; that cut has come before, then.
      if (ceil_div(gemm.shape.k, split_k) != wanted) continue;
      const double cycles =
          cycles_of(gemm.shape, architecture, sms, precision, strided, {tile, wanted, split_k});
      if (best.split_k == 0 || cycles < best.cycles) best = {tile, wanted, split_k, cycles};
    }
  }
  return best;
}

}  // namespace breakeven::matmul
