// The wgmma ladder: every rung in every precision, plainest first.
#include "kernels/matmul/wgmma_problem.h"
#include "kernels/matmul/wgmma_rungs.h"
#include "kernels/matmul/wgmma_tiles.h"

namespace breakeven::matmul {

const std::vector<Rung>& wgmma_rungs() {
  static const std::vector<Rung> rungs = [] {
    struct Named {
      const char* name;
      WgmmaPrepare (*prepare)(Precision);
    };
    constexpr Named kLadder[] = {{"wgmma_64x64", wgmma_64x64},
                                 {"wgmma_128x128", wgmma_128x128},
                                 {"wgmma_specialised", wgmma_specialised},
                                 {"wgmma_persistent", wgmma_persistent},
                                 {"wgmma_cluster", wgmma_cluster},
                                 {"wgmma_async_store", wgmma_async_store},
                                 {"wgmma_hilbert", wgmma_hilbert}};
    std::vector<Rung> all;
    for (const Precision precision :
         {Precision::bf16, Precision::f16, Precision::tf32, Precision::fp8}) {
      const auto unsupported = precision == Precision::bf16   ? wgmma_unsupported<Precision::bf16>
                               : precision == Precision::f16  ? wgmma_unsupported<Precision::f16>
                               : precision == Precision::tf32 ? wgmma_unsupported<Precision::tf32>
                                                              : wgmma_unsupported<Precision::fp8>;
      for (const Named& rung : kLadder) {
        all.push_back(
            {rung.name, precision, 90, 90, unsupported, no_workspace, rung.prepare(precision), {}});
      }
      for (const WgmmaTiling& tiling : kWgmmaTilings) all.back().tilings.push_back(tiling.name);
    }
    return all;
  }();
  return rungs;
}

}  // namespace breakeven::matmul
