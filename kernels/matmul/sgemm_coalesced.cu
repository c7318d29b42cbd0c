// Rung 2: as the first, but neighbouring threads lie along a row of C. A warp's load from B and its
// store are now four full sectors, and its load from A one address for all (for operands that are
// not transposed). Bounded by the load units: two loads for each multiply-add, nothing is reused
// but by luck in the L1 cache.
#include "kernels/matmul/sgemm_problem.h"
#include "kernels/matmul/sgemm_rungs.h"

namespace breakeven::matmul {
namespace {

constexpr int kTile = 32;
constexpr int kThreadRows = 8;  // a thread computes every eighth of its tile's 32 rows

__global__ void sgemm_coalesced_kernel(SgemmProblem p, Strides a, Strides b) {
  const TilePosition first = first_element(p, kTile, kTile);
  const int column = first.column + static_cast<int>(threadIdx.x);
  if (column >= p.n) return;
  const float* right = p.b + column * b.column;
  for (int part = 0; part < kTile; part += kThreadRows) {
    const int row = first.row + part + static_cast<int>(threadIdx.y);
    if (row >= p.m) return;
    const float* left = p.a + row * a.row;
    float sum = 0;
    for (int l = 0; l < p.k; ++l) sum = fmaf(left[l * a.column], right[l * b.row], sum);
    p.c[row * p.ldc + column] = sum;
  }
}

PreparedGemm prepare(const Gemm& gemm, void*, const Gpu&) {
  return prepare_plain(sgemm_coalesced_kernel, gemm, kTile, dim3(kTile, kThreadRows));
}

}  // namespace

const Rung& sgemm_coalesced() {
  static const Rung rung = plain_rung("sgemm_coalesced", prepare);
  return rung;
}

}  // namespace breakeven::matmul
