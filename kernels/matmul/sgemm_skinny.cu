// For a product of few rows or few columns: tiles of 16x128 (or 128x16), so that little of a tile
// is outside of C, and k cut among blocks as in sgemm_split_k. Bounded by memory, since an element
// of the large operand serves 16 multiply-adds at most, and next to that by shared memory: a
// thread's 16 multiply-adds need two loads.
#include "kernels/matmul/sgemm_rungs.h"
#include "kernels/matmul/sgemm_split_k.h"
#include "kernels/matmul/tiles.h"

namespace breakeven::matmul {
namespace {

using RowTiles = ThreadTiles<1, 4, 4, 8, 1, 1, 32>;     // 16x128x32, 128 threads
using ColumnTiles = ThreadTiles<4, 1, 8, 4, 1, 1, 32>;  // 128x16x32
constexpr int kStages = 3;

bool few_rows(const Gemm& gemm) { return gemm.shape.m <= gemm.shape.n; }

TileCost cost(const Gemm& gemm, const Gpu& gpu) {
  return skinny_tile(sgemm_tiles(gpu.compute_capability), gemm.shape);
}

std::string unsupported(const Gemm& gemm, const Gpu& gpu) {
  return unsupported_split(gemm, gpu, cost(gemm, gpu));
}

std::size_t workspace_bytes(const Gemm& gemm, const Gpu& gpu) {
  return partial_bytes(gemm.shape, splits_of(gemm, gpu, cost(gemm, gpu)));
}

PreparedGemm prepare(const Gemm& gemm, void* workspace, const Gpu& gpu) {
  const int splits = splits_of(gemm, gpu, cost(gemm, gpu));
  return few_rows(gemm) ? prepare_split_k<RowTiles, kStages>(gemm, workspace, splits)
                        : prepare_split_k<ColumnTiles, kStages>(gemm, workspace, splits);
}

}  // namespace

const Rung& sgemm_skinny() {
  static const Rung rung = {"sgemm_skinny", Precision::f32,  80,      kAnyCompute,
                            unsupported,    workspace_bytes, prepare, split_tilings()};
  return rung;
}

}  // namespace breakeven::matmul
