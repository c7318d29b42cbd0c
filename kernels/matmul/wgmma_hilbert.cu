// The whole ladder, with tiles along a Hilbert curve: whatever runs at the same time covers a
// compact patch of C, so that its rows of A and columns of B stay in L2. Smaller tiles where those
// of 128 x 256 would leave multiprocessors without work, by the model in wgmma_tiles.h, or as the
// caller's table says. Expected to be bound by the tensor cores, or by the power that they draw.
#include <iterator>

#include "kernels/matmul/wgmma_pipeline.h"
#include "kernels/matmul/wgmma_rungs.h"
#include "kernels/matmul/wgmma_tiles.h"

namespace breakeven::matmul {
namespace {

template <Precision kPrecision>
PreparedGemm prepare_chosen(const Gemm& gemm, void* workspace, const Gpu& gpu) {
  const int bytes = static_cast<int>(element_bytes(traits(kPrecision).input));
  const int tiling =
      gemm.tiling >= 0 ? gemm.tiling : choose_wgmma_tiling(gemm.shape, bytes, gpu.sms);
  constexpr WgmmaPrepare (*kTilings[])(Precision) = {wgmma_hilbert_128x256, wgmma_hilbert_128x128,
                                                     wgmma_hilbert_256x128, wgmma_hilbert_single};
  static_assert(std::size(kTilings) == kWgmmaTilings.size());
  PreparedGemm prepared = kTilings[tiling](kPrecision)(gemm, workspace, gpu);
  prepared.plan = kWgmmaTilings[tiling].name + (prepared.plan.empty() ? "" : ", " + prepared.plan);
  return prepared;
}

}  // namespace

WgmmaPrepare wgmma_hilbert_128x256(Precision precision) {
  using Tile = WgmmaTile<128, 256, 4, 2, 2, true, TileOrder::hilbert>;
  return wgmma_prepare<WgmmaPipeline<Tile, true>>(precision);
}

WgmmaPrepare wgmma_hilbert(Precision precision) {
  switch (precision) {
    case Precision::bf16:
      return prepare_chosen<Precision::bf16>;
    case Precision::f16:
      return prepare_chosen<Precision::f16>;
    case Precision::tf32:
      return prepare_chosen<Precision::tf32>;
    default:
      return prepare_chosen<Precision::fp8>;
  }
}

}  // namespace breakeven::matmul
