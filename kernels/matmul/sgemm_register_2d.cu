// Rung 5: a thread computes 8x8 outputs from eight elements of A and eight of B: 16 loads for 64
// multiply-adds. Bounded by the number of instructions and by conflicts: the loads are of single
// floats, and those of B, eight columns apart, meet in four ways in a bank.
#include "kernels/matmul/sgemm_register_tile.h"
#include "kernels/matmul/sgemm_rungs.h"

namespace breakeven::matmul {

const Rung& sgemm_register_2d() {
  static const Rung rung =
      plain_rung("sgemm_register_2d", prepare_register_tile<RegisterTile<128, 8, 8>, 2>);
  return rung;
}

}  // namespace breakeven::matmul
