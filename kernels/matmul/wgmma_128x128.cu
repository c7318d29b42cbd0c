// The same loop on 128 x 128 outputs: twice the operations per byte (64 for bf16) and four times
// those per tile fetched, so the fetch is a smaller share; 128 sums per thread leave room for two
// or three blocks on a multiprocessor to hide it. Still bound by its latency.
#include "kernels/matmul/wgmma_rungs.h"
#include "kernels/matmul/wgmma_simple.h"

namespace breakeven::matmul {

WgmmaPrepare wgmma_128x128(Precision precision) {
  return wgmma_prepare<WgmmaSimple<WgmmaTile<128, 128>>>(precision);
}

}  // namespace breakeven::matmul
