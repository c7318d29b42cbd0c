// For products with too few tiles to fill the GPU: 64x64 tiles, and k cut into as many parts as the
// wave model finds best, each part's sums written to a workspace and added by a second pass.
// Bounded by latency and by waves: a block has few slabs, and 1.1 waves of blocks take as long as
// 2; 32 multiply-adds for 3 shared loads are fewer than the larger tiles' 64 for 4.
#include "kernels/matmul/sgemm_rungs.h"
#include "kernels/matmul/sgemm_split_k.h"
#include "kernels/matmul/tiles.h"

namespace breakeven::matmul {
namespace {

using Tiles = ThreadTiles<2, 2, 4, 8, 2, 1, 16>;  // 64x64x16, 128 threads
constexpr int kStages = 3;

const TileCost& cost(const Gpu& gpu) { return sgemm_tiles(gpu.compute_capability).split_k; }

std::string unsupported(const Gemm& gemm, const Gpu& gpu) {
  return unsupported_split(gemm, gpu, cost(gpu));
}

std::size_t workspace_bytes(const Gemm& gemm, const Gpu& gpu) {
  return partial_bytes(gemm.shape, splits_of(gemm, gpu, cost(gpu)));
}

PreparedGemm prepare(const Gemm& gemm, void* workspace, const Gpu& gpu) {
  return prepare_split_k<Tiles, kStages>(gemm, workspace, splits_of(gemm, gpu, cost(gpu)));
}

}  // namespace

const Rung& sgemm_split_k() {
  static const Rung rung = {"sgemm_split_k", Precision::f32,  80,      kAnyCompute,
                            unsupported,     workspace_bytes, prepare, split_tilings()};
  return rung;
}

}  // namespace breakeven::matmul
