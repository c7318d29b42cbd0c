// A row of a matrix in the hands of one warp.
#pragma once

#include "kernels/training/vectors.h"

namespace breakeven::training {

/// Lane l of the warp has the vectors l, l + 32, ...; the first kKept of a lane stay in registers
/// between passes, which are 1024 columns in vectors of 4, and later ones are read again, mostly
/// from the L1 cache.
template <class T, int kVector>
class WarpRow {
 public:
  static constexpr int kKept = 8;

  __device__ WarpRow(const T* row, int columns) : row_(row), columns_(columns) {
#pragma unroll
    for (int i = 0; i < kKept; ++i) {
      const int column = column_of(i);
      if (column < columns_) load_vector(kept_[i], row_ + column);
    }
  }

  /// f(column, values) for each of the lane's vectors, values a float (&)[kVector].
  template <class F>
  __device__ __forceinline__ void each(F f) {
#pragma unroll
    for (int i = 0; i < kKept; ++i) {
      const int column = column_of(i);
      if (column < columns_) f(column, kept_[i]);
    }
    for (int column = column_of(kKept); column < columns_; column += 32 * kVector) {
      float values[kVector];
      load_vector(values, row_ + column);
      f(column, values);
    }
  }

 private:
  __device__ static int column_of(int i) {
    return (static_cast<int>(threadIdx.x) % 32 + 32 * i) * kVector;
  }

  const T* row_;
  int columns_;
  float kept_[kKept][kVector];
};

}  // namespace breakeven::training
