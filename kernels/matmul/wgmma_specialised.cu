// Warp specialisation: one warp group fetches, two multiply 64 x 128 each, six stages apart, so a
// fetch has as long as five multiplications to arrive. setmaxnreg moves the fetcher's registers to
// the others. Bound by L2 bandwidth (64 operations per byte, bf16) and by the start and the end of
// each block, in which the tensor cores idle: one block of this size fits on a multiprocessor.
#include "kernels/matmul/wgmma_pipeline.h"
#include "kernels/matmul/wgmma_rungs.h"

namespace breakeven::matmul {

WgmmaPrepare wgmma_specialised(Precision precision) {
  return wgmma_prepare<WgmmaPipeline<WgmmaTile<128, 128, 6, 2>, false>>(precision);
}

}  // namespace breakeven::matmul
