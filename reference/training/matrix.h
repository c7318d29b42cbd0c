// Matrix products in fp64, quick enough to run a large model's step in minutes.
#pragma once

#include <cstdint>

namespace breakeven {

/// Element (i, j) is data[i * row_stride + j * column_stride].
struct MatrixView {
  const double* data;
  std::int64_t row_stride;
  std::int64_t column_stride;

  MatrixView transposed() const { return {data, column_stride, row_stride}; }
  const double* at(std::int64_t i, std::int64_t j) const {
    return data + i * row_stride + j * column_stride;
  }
};

/// A dense row-major matrix with rows of `columns` elements.
inline MatrixView rows_of(const double* data, std::int64_t columns) { return {data, columns, 1}; }

/// c[m,n] = a[m,k] b[k,n], or c += with `accumulate`; c has rows of `c_stride` elements. Each
/// element is summed in one order that depends on k alone: the same bits for any thread count.
void multiply(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView a, MatrixView b, double* c,
              std::int64_t c_stride, bool accumulate = false);

}  // namespace breakeven
