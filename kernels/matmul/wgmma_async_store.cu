// Sums leave through shared memory: stmatrix writes them there without bank conflicts, TMA takes
// them on in whole 128-byte rows while the warp group goes on to its next tile. Bound, in large
// products, by misses in L2: tiles that run at the same time lie in one row, and share only A.
#include "kernels/matmul/wgmma_pipeline.h"
#include "kernels/matmul/wgmma_rungs.h"

namespace breakeven::matmul {

WgmmaPrepare wgmma_async_store(Precision precision) {
  return wgmma_prepare<WgmmaPipeline<WgmmaTile<128, 256, 4, 2, 2, true>, true>>(precision);
}

}  // namespace breakeven::matmul
