// The rungs of the wgmma ladder, one function per rung, defined in the .cu file of its name: the
// Rung::prepare for each precision.
#pragma once

#include "kernels/matmul/gemm.h"

namespace breakeven::matmul {

using WgmmaPrepare = PreparedGemm (*)(const Gemm&, void* workspace, const Gpu&);

WgmmaPrepare wgmma_64x64(Precision precision);
WgmmaPrepare wgmma_128x128(Precision precision);
WgmmaPrepare wgmma_specialised(Precision precision);
WgmmaPrepare wgmma_persistent(Precision precision);
WgmmaPrepare wgmma_cluster(Precision precision);
WgmmaPrepare wgmma_async_store(Precision precision);
WgmmaPrepare wgmma_hilbert(Precision precision);

// The last one's tiles.
WgmmaPrepare wgmma_hilbert_128x256(Precision precision);
WgmmaPrepare wgmma_hilbert_128x128(Precision precision);
WgmmaPrepare wgmma_hilbert_256x128(Precision precision);
WgmmaPrepare wgmma_hilbert_single(Precision precision);

}  // namespace breakeven::matmul
