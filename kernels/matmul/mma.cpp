// The mma.sync ladder as a list, and the choice among it.
#include <array>
#include <stdexcept>

#include "kernels/matmul/mma_rungs.h"

namespace breakeven::matmul {

const std::vector<Rung>& mma_rungs() {
  static const std::vector<Rung> rungs = [] {
    std::vector<Rung> all;
    for (const auto& each : {mma_basic_rungs(), mma_ldmatrix_rungs(), mma_pipelined_rungs()}) {
      all.insert(all.end(), each.begin(), each.end());
    }
    for (const auto& each :
         {mma_tiles_bf16(), mma_tiles_f16(), mma_tiles_tf32(), mma_tiles_fp8(), mma_tiles_int8()}) {
      all.push_back(each);
    }
    return all;
  }();
  return rungs;
}

// The last rung has all that the others have; its own model chooses the tile.
const Rung& choose_mma(const Gemm&, Precision precision, const Gpu&) {
  const std::vector<Rung>& rungs = mma_rungs();
  for (auto rung = rungs.rbegin(); rung != rungs.rend(); ++rung) {
    if (rung->precision == precision) return *rung;
  }
  throw std::invalid_argument("choose_mma: a precision without tensor-core rungs");
}

}  // namespace breakeven::matmul
