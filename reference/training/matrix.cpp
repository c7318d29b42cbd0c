// Blocked as in Goto & van de Geijn, "Anatomy of high-performance matrix multiplication" (TOMS
// 2008): blocks of both operands are packed in the order in which a small kernel reads them, which
// keeps 4 x 16 sums in registers. A thread makes whole tiles of c, so that no two share a sum.
#include "reference/training/matrix.h"

#include <algorithm>
#include <vector>

#include "reference/parallel.h"

namespace breakeven {
namespace {

constexpr std::int64_t kRows = 4;      // of the kernel
constexpr std::int64_t kColumns = 16;  // of the kernel
constexpr std::int64_t kTileRows = 128;
constexpr std::int64_t kTileColumns = 256;
constexpr std::int64_t kDepth = 256;  // of a packed block, 768 kB for both

typedef double Vector [[gnu::vector_size(64)]];

// `lines` lines of `depth` elements as panels of `width` lines, element after element; lines that
// are missing in the last panel are zeros.
void pack(MatrixView from, std::int64_t lines, std::int64_t depth, std::int64_t width,
          double* out) {
  for (std::int64_t first = 0; first < lines; first += width, out += width * depth) {
    const std::int64_t here = std::min(width, lines - first);
    if (here < width) std::fill_n(out, width * depth, 0.0);
    if (from.row_stride == 1) {
      for (std::int64_t p = 0; p < depth; ++p)
        std::copy_n(from.at(first, p), here, out + p * width);
      continue;
    }
    for (std::int64_t i = 0; i < here; ++i) {
      const double* line = from.at(first + i, 0);
      for (std::int64_t p = 0; p < depth; ++p) out[p * width + i] = line[p * from.column_stride];
    }
  }
}

// sums[kRows][kColumns] += a[depth][kRows]^T b[depth][kColumns].
[[gnu::always_inline]] inline void kernel(std::int64_t depth, const double* a, const double* b,
                                          double* sums) {
  Vector sum[kRows][2] = {};
  for (std::int64_t p = 0; p < depth; ++p) {
    Vector left;
    Vector right;
    __builtin_memcpy(&left, b + p * kColumns, sizeof left);
    __builtin_memcpy(&right, b + p * kColumns + 8, sizeof right);
    for (int i = 0; i < kRows; ++i) {
      sum[i][0] += a[p * kRows + i] * left;
      sum[i][1] += a[p * kRows + i] * right;
    }
  }
  __builtin_memcpy(sums, sum, sizeof sum);
}

using Kernel = void (*)(std::int64_t, const double*, const double*, double*);

[[gnu::target("avx512f")]] void kernel_avx512(std::int64_t depth, const double* a, const double* b,
                                              double* sums) {
  kernel(depth, a, b, sums);
}

[[gnu::target("avx2,fma")]] void kernel_avx2(std::int64_t depth, const double* a, const double* b,
                                             double* sums) {
  kernel(depth, a, b, sums);
}

void kernel_plain(std::int64_t depth, const double* a, const double* b, double* sums) {
  kernel(depth, a, b, sums);
}

Kernel best_kernel() {
  if (__builtin_cpu_supports("avx512f")) return kernel_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kernel_avx2;
  return kernel_plain;
}

// One packed block into one tile of c.
void multiply_block(std::int64_t m, std::int64_t n, std::int64_t depth, const double* a,
                    const double* b, double* c, std::int64_t c_stride, bool accumulate) {
  static const Kernel run = best_kernel();
  double sums[kRows * kColumns];
  for (std::int64_t j = 0; j < n; j += kColumns) {
    const std::int64_t columns = std::min(kColumns, n - j);
    for (std::int64_t i = 0; i < m; i += kRows) {
      run(depth, a + i * depth, b + j * depth, sums);
      for (std::int64_t row = 0; row < std::min(kRows, m - i); ++row) {
        double* to = c + (i + row) * c_stride + j;
        const double* sum = sums + row * kColumns;
        for (std::int64_t column = 0; column < columns; ++column) {
          to[column] = accumulate ? to[column] + sum[column] : sum[column];
        }
      }
    }
  }
}

}  // namespace

void multiply(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView a, MatrixView b, double* c,
              std::int64_t c_stride, bool accumulate) {
  const std::int64_t tile_rows = (m + kTileRows - 1) / kTileRows;
  const std::int64_t tile_columns = (n + kTileColumns - 1) / kTileColumns;
  const double products = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
#pragma omp parallel if (worth_threads(products))
  {
    const std::int64_t depth_most = std::min(k, kDepth);
    std::vector<double> packed_a(
        static_cast<std::size_t>((std::min(m, kTileRows) + kRows) * depth_most));
    std::vector<double> packed_b(
        static_cast<std::size_t>((std::min(n, kTileColumns) + kColumns) * depth_most));
#pragma omp for schedule(dynamic)
    for (std::int64_t tile = 0; tile < tile_rows * tile_columns; ++tile) {
      const std::int64_t i = tile % tile_rows * kTileRows;
      const std::int64_t j = tile / tile_rows * kTileColumns;
      const std::int64_t rows = std::min(kTileRows, m - i);
      const std::int64_t columns = std::min(kTileColumns, n - j);
      for (std::int64_t p = 0; p < k; p += kDepth) {
        const std::int64_t depth = std::min(kDepth, k - p);
        pack({a.at(i, p), a.row_stride, a.column_stride}, rows, depth, kRows, packed_a.data());
        pack({b.at(p, j), b.column_stride, b.row_stride}, columns, depth, kColumns,
             packed_b.data());
        multiply_block(rows, columns, depth, packed_a.data(), packed_b.data(), c + i * c_stride + j,
                       c_stride, accumulate || p > 0);
      }
    }
  }
}

}  // namespace breakeven
