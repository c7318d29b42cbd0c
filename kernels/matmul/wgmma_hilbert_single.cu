// The last rung's tile where its clusters of two, one tile below the other, would have nothing for
// the second to do, as in products of up to 128 rows: blocks by themselves. Bound by L2 bandwidth,
// since each block fetches all of its B.
#include "kernels/matmul/wgmma_pipeline.h"
#include "kernels/matmul/wgmma_rungs.h"

namespace breakeven::matmul {

WgmmaPrepare wgmma_hilbert_single(Precision precision) {
  using Tile = WgmmaTile<128, 128, 6, 2, 1, true, TileOrder::hilbert>;
  return wgmma_prepare<WgmmaPipeline<Tile, true>>(precision);
}

}  // namespace breakeven::matmul
