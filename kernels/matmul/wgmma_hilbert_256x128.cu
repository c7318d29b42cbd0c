// The last rung's tile for narrow products, where 256 columns would not be filled: each warp group
// multiplies 128 x 128, and reads B half as often as 128 x 256 does.
#include "kernels/matmul/wgmma_pipeline.h"
#include "kernels/matmul/wgmma_rungs.h"

namespace breakeven::matmul {

WgmmaPrepare wgmma_hilbert_256x128(Precision precision) {
  using Tile = WgmmaTile<256, 128, 4, 2, 2, true, TileOrder::hilbert>;
  return wgmma_prepare<WgmmaPipeline<Tile, true>>(precision);
}

}  // namespace breakeven::matmul
