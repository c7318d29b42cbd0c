// C x = A (B x) for random signs x, panel by panel; the method and its bound stand in the header.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "reference/compare.h"
#include "reference/convert.h"
#include "reference/matmul_check.h"
#include "reference/parallel.h"
#include "reference/random.h"

namespace breakeven {
namespace {

constexpr std::int64_t kPanels = 8;
constexpr std::int64_t kSegment = 1024;    // elements made at a time
constexpr std::int64_t kBlock = 256;       // columns of a transposed operand per task
constexpr std::int64_t kRowsPart = 32768;  // rows of a transposed operand per task

constexpr std::uint32_t kSignStream = 0x7e1a5500;  // apart from the operands' 0 and 1

using Panels = std::array<double, kPanels>;

// Columns of C and signs: panel g is [begin[g], begin[g + 1]).
struct Signs {
  explicit Signs(std::int64_t n) : x(n) {
    std::vector<std::uint32_t> words(n);
    random_words({.operand = kSignStream}, 0, words);
    for (std::int64_t j = 0; j < n; ++j) x[j] = (words[j] >> 31) != 0 ? 1.0 : -1.0;
    for (std::int64_t g = 0; g <= kPanels; ++g) begin[g] = g * n / kPanels;
  }

  // sums[g] += row[j] x[j] over the columns first ... first + count - 1, which `row` holds.
  void add_products(const double* row, std::int64_t first, std::int64_t count, Panels& sums) const {
    for (std::int64_t g = 0; g < kPanels; ++g) {
      const std::int64_t low = std::max(first, begin[g]);
      const std::int64_t high = std::min(first + count, begin[g + 1]);
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t j = low; j < high; ++j) sum += row[j - first] * x[j];
      sums[g] += sum;
    }
  }

  std::vector<double> x;
  std::array<std::int64_t, kPanels + 1> begin;
};

// A stored operand [rows,columns], made again piece by piece.
struct Stored {
  std::uint32_t operand;
  ElementType type;
  std::int64_t columns;

  // Calls use(row, column, count, values) for all pieces of rows row_low ... row_high - 1 and
  // columns low ... high - 1, in order. Whole short rows are made several at a time.
  template <class Use>
  void for_each_piece(std::int64_t row_low, std::int64_t row_high, std::int64_t low,
                      std::int64_t high, Use use) const {
    double values[kSegment];
    const RandomStream stream{.operand = operand};
    if (low == 0 && high == columns && columns <= kSegment) {
      const std::int64_t rows_each = kSegment / columns;
      for (std::int64_t row = row_low; row < row_high; row += rows_each) {
        const std::int64_t rows = std::min(rows_each, row_high - row);
        random_values(stream, type, row * columns, rows * columns, values);
        for (std::int64_t r = 0; r < rows; ++r) {
          use(row + r, std::int64_t{0}, columns, values + r * columns);
        }
      }
      return;
    }
    for (std::int64_t row = row_low; row < row_high; ++row) {
      for (std::int64_t column = low; column < high; column += kSegment) {
        const std::int64_t count = std::min(kSegment, high - column);
        random_values(stream, type, row * columns + column, count, values);
        use(row, column, count, static_cast<const double*>(values));
      }
    }
  }
};

// Operations of reading an operand of [rows,columns].
double work_of(std::int64_t rows, std::int64_t columns) {
  return 10.0 * static_cast<double>(rows) * static_cast<double>(columns);
}

// y[l] = op(B) x, one sum per panel.
std::vector<Panels> times_signs(const Matmul& matmul, ElementType type, const Signs& signs) {
  const std::int64_t n = matmul.n;
  const std::int64_t k = matmul.k;
  std::vector<Panels> y(k, Panels{});
  if (!matmul.trans_b) {
    const Stored b{1, type, n};
    const std::int64_t rows_each = std::max<std::int64_t>(1, kSegment / n);
#pragma omp parallel for schedule(static) if (worth_threads(work_of(n, k)))
    for (std::int64_t l = 0; l < k; l += rows_each) {
      b.for_each_piece(
          l, std::min(k, l + rows_each), 0, n,
          [&](std::int64_t row, std::int64_t column, std::int64_t count, const double* values) {
            signs.add_products(values, column, count, y[row]);
          });
    }
    return y;
  }
  const Stored b{1, type, k};
#pragma omp parallel for schedule(static) if (worth_threads(work_of(n, k)))
  for (std::int64_t low = 0; low < k; low += kBlock) {
    const std::int64_t high = std::min(k, low + kBlock);
    for (std::int64_t g = 0; g < kPanels; ++g) {
      double sums[kBlock] = {};
      b.for_each_piece(
          signs.begin[g], signs.begin[g + 1], low, high,
          [&](std::int64_t row, std::int64_t column, std::int64_t count, const double* values) {
            const double x = signs.x[row];
            double* out = sums + (column - low);
#pragma omp simd
            for (std::int64_t l = 0; l < count; ++l) out[l] += x * values[l];
          });
      for (std::int64_t l = low; l < high; ++l) y[l][g] = sums[l - low];
    }
  }
  return y;
}

// One row of op(A) times y, and the row's sum of squares.
struct Row {
  Panels product{};
  double squares = 0;

  void add(double a, const Panels& y) {
    for (std::int64_t g = 0; g < kPanels; ++g) product[g] += a * y[g];
    squares += a * a;
  }
  void add(const Row& other) {
    for (std::int64_t g = 0; g < kPanels; ++g) product[g] += other.product[g];
    squares += other.squares;
  }
};

std::int64_t parts_of(const Matmul& matmul) { return (matmul.k + kRowsPart - 1) / kRowsPart; }

std::vector<Row> times_a(const Matmul& matmul, ElementType type, const std::vector<Panels>& y) {
  const std::int64_t m = matmul.m;
  const std::int64_t k = matmul.k;
  std::vector<Row> rows(m);
  if (!matmul.trans_a) {
    const Stored a{0, type, k};
    const std::int64_t rows_each = std::max<std::int64_t>(1, kSegment / k);
#pragma omp parallel for schedule(static) if (worth_threads(work_of(m, k)))
    for (std::int64_t i = 0; i < m; i += rows_each) {
      a.for_each_piece(
          i, std::min(m, i + rows_each), 0, k,
          [&](std::int64_t row, std::int64_t column, std::int64_t count, const double* values) {
            Row part;  // in parts: less rounding than one long sum
            for (std::int64_t l = 0; l < count; ++l) part.add(values[l], y[column + l]);
            rows[row].add(part);
          });
    }
    return rows;
  }
  // Stored [k,m]: tasks are blocks of columns times parts of rows, whose sums are then added in
  // order, so that the answer doesn't depend on the number of threads.
  const Stored a{0, type, m};
  const std::int64_t parts = parts_of(matmul);
  const std::int64_t blocks = (m + kBlock - 1) / kBlock;
  std::vector<Row> sums(parts * m);
#pragma omp parallel for schedule(static) if (worth_threads(work_of(m, k)))
  for (std::int64_t task = 0; task < parts * blocks; ++task) {
    const std::int64_t part = task / blocks;
    const std::int64_t low = task % blocks * kBlock;
    Row* out = sums.data() + part * m;
    a.for_each_piece(
        part * kRowsPart, std::min(k, (part + 1) * kRowsPart), low, std::min(m, low + kBlock),
        [&](std::int64_t row, std::int64_t column, std::int64_t count, const double* values) {
          for (std::int64_t i = 0; i < count; ++i) out[column + i].add(values[i], y[row]);
        });
  }
  for (std::int64_t part = 0; part < parts; ++part) {
    for (std::int64_t i = 0; i < m; ++i) rows[i].add(sums[part * m + i]);
  }
  return rows;
}

// C x of the answer, one sum per row and panel.
std::vector<Panels> answer_times_signs(const Matmul& matmul, ElementType type, const Signs& signs,
                                       std::span<const std::byte> answer) {
  const std::int64_t m = matmul.m;
  const std::int64_t n = matmul.n;
  std::vector<Panels> sums(m, Panels{});
#pragma omp parallel for schedule(static) if (worth_threads(work_of(m, n)))
  for (std::int64_t i = 0; i < m; ++i) {
    double values[kSegment];
    for (std::int64_t j = 0; j < n; j += kSegment) {
      const std::int64_t count = std::min(kSegment, n - j);
      decode_elements(type, answer.data(), i * n + j, count, values);
      signs.add_products(values, j, count, sums[i]);
    }
  }
  return sums;
}

}  // namespace

// Of an element's rounding errors only the rms counts (6 standard deviations of it, for the worst
// of a million rows): 0.41 u of a rounded output, 0.3 sqrt(k) u of a sum, 0.75 u of products of
// truncated operands. Small panels have longer tails. This check's own sums are in fp64: next to
// nothing but for f64 rows.
double freivalds_limit(Precision precision, std::int64_t k, std::int64_t panel) {
  if (precision == Precision::int8) return 0;  // whole numbers below 2^53: no rounding anywhere
  const PrecisionTraits& t = traits(precision);
  const double root_k = std::sqrt(static_cast<double>(k));
  const double root_p = std::sqrt(static_cast<double>(panel));
  const double own = 4 * 0x1p-53 * (root_k + root_p);
  const double theirs =
      2.5 * root_k * t.accumulate_roundoff + 6 * t.multiply_roundoff + 3 * t.output_roundoff;
  return (1 + 2 / root_p) * theirs + own;
}

Check matmul_check_freivalds(const Matmul& matmul, Precision precision,
                             std::span<const std::byte> answer) {
  const PrecisionTraits& types = traits(precision);
  if (answer.size() != matmul.output(precision).bytes()) {
    throw std::invalid_argument(
        fmt::format("matmul/{}: the answer has {} bytes", matmul.shape(), answer.size()));
  }
  const Signs signs(matmul.n);
  const std::vector<Row> expected =
      times_a(matmul, types.input, times_signs(matmul, types.input, signs));
  const std::vector<Panels> got = answer_times_signs(matmul, types.output, signs, answer);
  ErrorMeasure worst;
  for (std::int64_t i = 0; i < matmul.m; ++i) {
    // f16 answers below the normal range are rounded to a fixed step.
    const double sigma = std::max(std::sqrt(expected[i].squares * mean_square(types.input)),
                                  smallest_normal(types.output));
    for (std::int64_t g = 0; g < kPanels; ++g) {
      const std::int64_t panel = signs.begin[g + 1] - signs.begin[g];
      if (panel == 0) continue;
      worst.add(i * kPanels + g, got[i][g], expected[i].product[g],
                sigma * std::sqrt(static_cast<double>(panel)));
    }
  }
  const double limit = freivalds_limit(precision, matmul.k, (matmul.n + kPanels - 1) / kPanels);
  return worst.verdict(limit, "Freivalds", [&](std::int64_t index) {
    const std::int64_t g = index % kPanels;
    return fmt::format("the signed sum of c[{},{}...{}]", index / kPanels, signs.begin[g],
                       signs.begin[g + 1] - 1);
  });
}

std::size_t matmul_check_freivalds_bytes(const Matmul& matmul) {
  const double signs = static_cast<double>(matmul.n) * (sizeof(double) + sizeof(std::uint32_t));
  const double products = static_cast<double>(matmul.k + matmul.m) * sizeof(Panels);
  const std::int64_t copies = 1 + (matmul.trans_a ? parts_of(matmul) : 0);
  const double rows = static_cast<double>(matmul.m) * static_cast<double>(copies) * sizeof(Row);
  constexpr double kMost = 0x1p62;  // more than any machine has, and exact as std::size_t
  return static_cast<std::size_t>(std::min(signs + products + rows, kMost));
}

}  // namespace breakeven
