// Products of matrices that may be stored transposed, the result too.
#pragma once

#include <cblas.h>

#include <cstdint>

namespace breakeven::conv2d {

/// op(X) of a row-major matrix whose stored rows are `stride` apart.
template <class T>
struct Matrix {
  T* data;
  std::int64_t stride;
  bool transposed = false;

  Matrix transpose() const { return {data, stride, !transposed}; }
  CBLAS_TRANSPOSE op() const { return transposed ? CblasTrans : CblasNoTrans; }
  blasint ld() const { return static_cast<blasint>(stride); }
};

inline void gemm(blasint m, blasint n, blasint k, Matrix<const float> a, Matrix<const float> b,
                 float beta, Matrix<float> c) {
  cblas_sgemm(CblasRowMajor, a.op(), b.op(), m, n, k, 1, a.data, a.ld(), b.data, b.ld(), beta,
              c.data, c.ld());
}

inline void gemm(blasint m, blasint n, blasint k, Matrix<const double> a, Matrix<const double> b,
                 double beta, Matrix<double> c) {
  cblas_dgemm(CblasRowMajor, a.op(), b.op(), m, n, k, 1, a.data, a.ld(), b.data, b.ld(), beta,
              c.data, c.ld());
}

/// C[m,n] = A[m,k] B[k,n] + beta C. A transposed C is the product of transposes.
template <class T>
void multiply(std::int64_t m, std::int64_t n, std::int64_t k, Matrix<T> a, Matrix<T> b, T beta,
              Matrix<T> c) {
  if (c.transposed) return multiply(n, m, k, b.transpose(), a.transpose(), beta, c.transpose());
  gemm(static_cast<blasint>(m), static_cast<blasint>(n), static_cast<blasint>(k),
       Matrix<const T>{a.data, a.stride, a.transposed},
       Matrix<const T>{b.data, b.stride, b.transposed}, beta, c);
}

}  // namespace breakeven::conv2d
