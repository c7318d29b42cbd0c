// 128 x 256 tiles (85 operations per byte, bf16; wgmma at its full width of 256), and blocks that
// stay: while one tile's sums are stored, the next one's first stages arrive. Bound by L2
// bandwidth, since each block fetches all of its operands for itself.
#include "kernels/matmul/wgmma_pipeline.h"
#include "kernels/matmul/wgmma_rungs.h"

namespace breakeven::matmul {

WgmmaPrepare wgmma_persistent(Precision precision) {
  return wgmma_prepare<WgmmaPipeline<WgmmaTile<128, 256, 4, 2>, true>>(precision);
}

}  // namespace breakeven::matmul
