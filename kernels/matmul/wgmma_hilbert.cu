// The whole ladder, with tiles along a Hilbert curve: whatever runs at the same time covers a
// compact patch of C, so that its rows of A and columns of B stay in L2. Smaller tiles where those
// of 128 x 256 would leave multiprocessors without work, by the model in wgmma_tiles.h, or as the
// caller's table says. Expected to be bound by the tensor cores, or by the power that they draw.
#include "kernels/matmul/wgmma_pipeline.h"
#include "kernels/matmul/wgmma_rungs.h"
#include "kernels/matmul/wgmma_tiles.h"

namespace breakeven::matmul {

namespace {

template <Precision kPrecision>
void launch_chosen(const Gemm& gemm, void* workspace, const Gpu& gpu, Stream stream) {
  const int tiling =
      gemm.tiling >= 0
          ? gemm.tiling
          : choose_wgmma_tiling(gemm.shape,
                                static_cast<int>(element_bytes(traits(kPrecision).input)), gpu.sms);
  const auto launch_rung = tiling == 0   ? wgmma_hilbert_128x256(kPrecision)
                           : tiling == 1 ? wgmma_hilbert_128x128(kPrecision)
                                         : wgmma_hilbert_256x128(kPrecision);
  launch_rung(gemm, workspace, gpu, stream);
}

}  // namespace

WgmmaLaunch wgmma_hilbert_128x256(Precision precision) {
  using Tile = WgmmaTile<128, 256, 4, 2, 2, true, TileOrder::hilbert>;
  return wgmma_launch<WgmmaPipeline<Tile, true>>(precision);
}

WgmmaLaunch wgmma_hilbert(Precision precision) {
  switch (precision) {
    case Precision::bf16:
      return launch_chosen<Precision::bf16>;
    case Precision::f16:
      return launch_chosen<Precision::f16>;
    case Precision::tf32:
      return launch_chosen<Precision::tf32>;
    default:
      return launch_chosen<Precision::fp8>;
  }
}

}  // namespace breakeven::matmul
