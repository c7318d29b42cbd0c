// Clusters of two blocks, one below the other: each fetches half of the B that both need and sends
// it to both, so L2 is read at 128 operations per byte (bf16). Bound by the stores of C, which hold
// up the warp group that makes them while its tensor core waits.
#include "kernels/matmul/wgmma_pipeline.h"
#include "kernels/matmul/wgmma_rungs.h"

namespace breakeven::matmul {

WgmmaPrepare wgmma_cluster(Precision precision) {
  return wgmma_prepare<WgmmaPipeline<WgmmaTile<128, 256, 4, 2, 2>, true>>(precision);
}

}  // namespace breakeven::matmul
