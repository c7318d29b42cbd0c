// How the lower rungs bring a tile of an operand into shared memory: element by element.
#pragma once

#include "kernels/matmul/sgemm_problem.h"

namespace breakeven::matmul {

/// tile[row * kStride + column] = op(X)[first_row + row, first_column + column], 0 outside of its
/// `rows` x `columns`. All kThreads threads take part; neighbouring ones read neighbouring
/// addresses, whichever way X is stored.
template <int kRows, int kColumns, int kStride, int kThreads>
__device__ __forceinline__ void load_strided_tile(float* tile, const float* data, Strides strides,
                                                  int first_row, int first_column, int rows,
                                                  int columns, int thread) {
  static_assert(kRows * kColumns % kThreads == 0);
  const bool down = strides.row == 1;
#pragma unroll 2
  for (int part = 0; part < kRows * kColumns; part += kThreads) {
    const int element = part + thread;
    const int row = down ? element % kRows : element / kColumns;
    const int column = down ? element / kRows : element % kColumns;
    const bool inside = first_row + row < rows && first_column + column < columns;
    tile[row * kStride + column] =
        inside ? data[(first_row + row) * strides.row + (first_column + column) * strides.column]
               : 0.0f;
  }
}

}  // namespace breakeven::matmul
