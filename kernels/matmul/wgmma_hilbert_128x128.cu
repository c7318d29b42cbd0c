// The last rung's tile for small products: half the operations per byte of 128 x 256, twice the
// tiles. Bound by L2 bandwidth.
#include "kernels/matmul/wgmma_pipeline.h"
#include "kernels/matmul/wgmma_rungs.h"

namespace breakeven::matmul {

WgmmaPrepare wgmma_hilbert_128x128(Precision precision) {
  using Tile = WgmmaTile<128, 128, 6, 2, 2, true, TileOrder::hilbert>;
  return wgmma_prepare<WgmmaPipeline<Tile, true>>(precision);
}

}  // namespace breakeven::matmul
