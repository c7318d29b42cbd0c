// TMA + wgmma, the plainest form: 64 x 64 outputs by one warp group, one tile in shared memory.
// Bound by latency: the tensor cores idle while a tile is fetched, which only the other blocks of
// the multiprocessor hide; and by L2 bandwidth: 32 operations per byte fetched (bf16).
#include "kernels/matmul/wgmma_rungs.h"
#include "kernels/matmul/wgmma_simple.h"

namespace breakeven::matmul {

WgmmaPrepare wgmma_64x64(Precision precision) {
  return wgmma_prepare<WgmmaSimple<WgmmaTile<64, 64>>>(precision);
}

}  // namespace breakeven::matmul
