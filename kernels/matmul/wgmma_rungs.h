// The rungs of the wgmma ladder, one function per rung, defined in the .cu file of its name: the
// Rung::launch for each precision.
#pragma once

#include "kernels/matmul/gemm.h"

namespace breakeven::matmul {

using WgmmaLaunch = void (*)(const Gemm&, void* workspace, const Gpu&, Stream);

WgmmaLaunch wgmma_64x64(Precision precision);
WgmmaLaunch wgmma_128x128(Precision precision);
WgmmaLaunch wgmma_specialised(Precision precision);
WgmmaLaunch wgmma_persistent(Precision precision);
WgmmaLaunch wgmma_cluster(Precision precision);
WgmmaLaunch wgmma_async_store(Precision precision);
WgmmaLaunch wgmma_hilbert(Precision precision);

// The last one's tiles.
WgmmaLaunch wgmma_hilbert_128x256(Precision precision);
WgmmaLaunch wgmma_hilbert_128x128(Precision precision);
WgmmaLaunch wgmma_hilbert_256x128(Precision precision);

}  // namespace breakeven::matmul
