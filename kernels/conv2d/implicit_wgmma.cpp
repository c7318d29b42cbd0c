#include "kernels/conv2d/implicit_wgmma_rungs.h"

namespace breakeven::conv2d {

std::vector<Rung> implicit_wgmma_rungs() {
  return {implicit_wgmma_bf16_rung(), implicit_wgmma_f16_rung(), implicit_wgmma_tf32_rung()};
}

}  // namespace breakeven::conv2d
