// The f32 ladder, and which of its rungs a call takes.
#include "kernels/matmul/sgemm_rungs.h"
#include "kernels/matmul/tiles.h"

namespace breakeven::matmul {

const std::vector<Rung>& f32_rungs() {
  static const std::vector<Rung> rungs = {
      sgemm_naive(),       sgemm_coalesced(),   sgemm_shared_tile(),
      sgemm_register_1d(), sgemm_register_2d(), sgemm_vectorized(),
      sgemm_warp_tile(),   sgemm_pipelined(),   sgemm_split_warp_groups(),
      sgemm_split_k(),     sgemm_skinny(),      sgemv()};
  return rungs;
}

const Rung& choose_f32(const Gemm& gemm, const Gpu& gpu) {
  const GemmShape& s = gemm.shape;
  if (s.m == 1 || s.n == 1) return sgemv();
  const SgemmTiles& tiles = sgemm_tiles(gpu.compute_capability);
  struct Candidate {
    const Rung* rung;
    double cycles;
  };
  const auto splitting = [&](const TileCost& tile) {
    return plan_splits(s, tile, gpu.sms, kMostSplits).cycles;
  };
  // Of equals the first one.
  const Candidate candidates[] = {
      {&sgemm_split_warp_groups(), estimated_cycles(s, tiles.split_warp_groups, 1, gpu.sms)},
      {&sgemm_pipelined(), estimated_cycles(s, tiles.pipelined, 1, gpu.sms)},
      {&sgemm_split_k(), splitting(tiles.split_k)},
      {&sgemm_skinny(), splitting(skinny_tile(tiles, s))}};
  const Candidate* best = &candidates[0];
  for (const Candidate& candidate : candidates) {
    if (candidate.cycles < best->cycles && candidate.rung->unsupported(gemm, gpu).empty()) {
      best = &candidate;
    }
  }
  return *best->rung;
}

}  // namespace breakeven::matmul
