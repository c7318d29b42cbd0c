// The wgmma ladder of a build without sm_90a, which alone has these instructions.
#include "kernels/matmul/gemm.h"

namespace breakeven::matmul {

const std::vector<Rung>& wgmma_rungs() {
  static const std::vector<Rung> none;
  return none;
}

}  // namespace breakeven::matmul
