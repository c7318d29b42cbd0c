// Rung 1: one thread per element of C, neighbouring threads down a column. Bounded by memory
// transactions: the 32 loads of a warp from A lie a whole row apart, so each is a sector of its own
// of which 4 bytes in 32 are used, and so are its stores to C.
#include "kernels/matmul/sgemm_problem.h"
#include "kernels/matmul/sgemm_rungs.h"

namespace breakeven::matmul {
namespace {

constexpr int kTile = 32;
constexpr int kThreadRows = 8;  // a thread computes every eighth of its tile's 32 columns

__global__ void sgemm_naive_kernel(SgemmProblem p, Strides a, Strides b) {
  const TilePosition first = first_element(p, kTile, kTile);
  const int row = first.row + static_cast<int>(threadIdx.x);
  if (row >= p.m) return;
  const float* left = p.a + row * a.row;
  for (int part = 0; part < kTile; part += kThreadRows) {
    const int column = first.column + part + static_cast<int>(threadIdx.y);
    if (column >= p.n) return;
    const float* right = p.b + column * b.column;
    float sum = 0;
    for (int l = 0; l < p.k; ++l) sum = fmaf(left[l * a.column], right[l * b.row], sum);
    p.c[row * p.ldc + column] = sum;
  }
}

PreparedGemm prepare(const Gemm& gemm, void*, const Gpu&) {
  return prepare_plain(sgemm_naive_kernel, gemm, kTile, dim3(kTile, kThreadRows));
}

}  // namespace

const Rung& sgemm_naive() {
  static const Rung rung = plain_rung("sgemm_naive", prepare);
  return rung;
}

}  // namespace breakeven::matmul
