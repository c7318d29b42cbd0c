// Rung 4: a thread computes a column of eight outputs, so that an element of B, once in a register,
// serves eight multiply-adds. Bounded by shared memory still: nine loads for eight multiply-adds,
// though those of A are one address for the whole warp.
#include "kernels/matmul/sgemm_register_tile.h"
#include "kernels/matmul/sgemm_rungs.h"

namespace breakeven::matmul {

const Rung& sgemm_register_1d() {
  static const Rung rung =
      plain_rung("sgemm_register_1d", prepare_register_tile<RegisterTile<64, 8, 1>, 0>);
  return rung;
}

}  // namespace breakeven::matmul
