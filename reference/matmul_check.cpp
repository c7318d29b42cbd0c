#include "reference/matmul_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "reference/compare.h"
#include "reference/convert.h"
#include "reference/parallel.h"
#include "reference/random.h"

namespace breakeven {
namespace {

// Sums of more products than this are made in parts, so that the oracle's own rounding stays well
// below that of the f64 rows which it judges.
constexpr std::int64_t kPart = 64;
constexpr std::size_t kChunk = 1024;  // elements made at a time by the samples

constexpr std::uint32_t kSampleStream = 0x5a3b1e00;  // apart from the operands' 0 and 1

RandomStream operand_stream(std::uint32_t operand) { return {.operand = operand}; }

void require_answer(const Matmul& matmul, Precision precision, std::span<const std::byte> answer) {
  const std::size_t bytes = matmul.output(precision).bytes();
  if (answer.size() == bytes) return;
  throw std::invalid_argument(fmt::format("matmul/{}: an answer has {} bytes, this one {}",
                                          matmul.shape(), bytes, answer.size()));
}

// What an element's error is relative to. The floor matters for f16 outputs of a few products.
double error_scale(ElementType output, double exact, double squares) {
  return std::max(std::fabs(exact) + std::sqrt(squares), smallest_normal(output));
}

// Input `operand` as doubles, row-major [rows,columns]; stored as its transpose if `transposed`.
std::vector<double> load_operand(std::uint32_t operand, ElementType type, std::int64_t rows,
                                 std::int64_t columns, bool transposed) {
  std::vector<double> stored(static_cast<std::size_t>(rows * columns));
  random_values(operand_stream(operand), type, 0, stored.size(), stored.data());
  if (!transposed) return stored;
  std::vector<double> values(stored.size());
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      values[row * columns + column] = stored[column * rows + row];
    }
  }
  return values;
}

// Row vector times matrix: sums[j] = sum_l a[l] b[l,j] and squares[j] = sum_l (a[l] b[l,j])^2.
void row_times_matrix(const double* a, const std::vector<double>& b, std::int64_t n, std::int64_t k,
                      std::vector<double>& part, std::vector<double>& sums,
                      std::vector<double>& squares) {
  std::fill(sums.begin(), sums.end(), 0.0);
  std::fill(squares.begin(), squares.end(), 0.0);
  for (std::int64_t first = 0; first < k; first += kPart) {
    std::fill(part.begin(), part.end(), 0.0);
    const std::int64_t last = std::min(k, first + kPart);
    for (std::int64_t l = first; l < last; ++l) {
      const double factor = a[l];
      const double* row = b.data() + l * n;
#pragma omp simd
      for (std::int64_t j = 0; j < n; ++j) {
        const double product = factor * row[j];
        part[j] += product;
        squares[j] += product * product;
      }
    }
    for (std::int64_t j = 0; j < n; ++j) sums[j] += part[j];
  }
}

// Elements `first` ... of a row or column of a stored operand that are `stride` apart.
void strided_values(std::uint32_t operand, ElementType type, std::uint64_t first,
                    std::uint64_t stride, std::size_t count, double* out) {
  if (stride == 1) return random_values(operand_stream(operand), type, first, count, out);
  for (std::size_t i = 0; i < count; ++i) {
    random_values(operand_stream(operand), type, first + i * stride, 1, out + i);
  }
}

struct Exact {
  double value;
  double squares;  // sigma^2
};

Exact exact_element(const Matmul& matmul, ElementType type, std::int64_t i, std::int64_t j) {
  const auto k = static_cast<std::uint64_t>(matmul.k);
  const std::uint64_t a_first = matmul.trans_a ? i : i * k;
  const std::uint64_t a_stride = matmul.trans_a ? matmul.m : 1;
  const std::uint64_t b_first = matmul.trans_b ? j * k : j;
  const std::uint64_t b_stride = matmul.trans_b ? 1 : matmul.n;
  double a[kChunk];
  double b[kChunk];
  double sum = 0;
  double squares = 0;
  for (std::uint64_t first = 0; first < k; first += kChunk) {
    const std::size_t count = std::min<std::uint64_t>(kChunk, k - first);
    strided_values(0, type, a_first + first * a_stride, a_stride, count, a);
    strided_values(1, type, b_first + first * b_stride, b_stride, count, b);
    double part = 0;
#pragma omp simd reduction(+ : part, squares)
    for (std::size_t l = 0; l < count; ++l) {
      const double product = a[l] * b[l];
      part += product;
      squares += product * product;
    }
    sum += part;
  }
  return {sum, squares};
}

// Flat indices of C: its corners, where tiles end, then seeded random ones.
std::vector<std::int64_t> sample_indices(const Matmul& matmul) {
  const std::int64_t size = matmul.m * matmul.n;
  std::vector<std::int64_t> indices = {0, matmul.n - 1, size - matmul.n, size - 1};
  const auto count =
      static_cast<std::size_t>(std::clamp<std::int64_t>((1 << 22) / matmul.k, 8, 256));
  std::vector<std::uint32_t> words(2 * count);
  random_words({.operand = kSampleStream}, 0, words);
  for (std::size_t i = 0; indices.size() < count; ++i) {
    const std::uint64_t random = (std::uint64_t{words[2 * i]} << 32) | words[2 * i + 1];
    indices.push_back(static_cast<std::int64_t>(random % static_cast<std::uint64_t>(size)));
  }
  return indices;
}

}  // namespace

double matmul_limit(Precision precision, std::int64_t k) {
  const PrecisionTraits& t = traits(precision);
  return 3 * std::sqrt(static_cast<double>(k)) * t.accumulate_roundoff + 4 * t.multiply_roundoff +
         t.output_roundoff;
}

Check matmul_check_full(const Matmul& matmul, Precision precision,
                        std::span<const std::byte> answer) {
  require_answer(matmul, precision, answer);
  const std::int64_t m = matmul.m;
  const std::int64_t n = matmul.n;
  const std::int64_t k = matmul.k;
  const PrecisionTraits& types = traits(precision);
  const std::vector<double> a = load_operand(0, types.input, m, k, matmul.trans_a);
  const std::vector<double> b = load_operand(1, types.input, k, n, matmul.trans_b);
  ErrorMeasure worst;
#pragma omp parallel if (worth_threads(matmul.cost(precision).flops))
  {
    std::vector<double> part(n), sums(n), squares(n), got(n);
    ErrorMeasure mine;
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < m; ++i) {
      row_times_matrix(a.data() + i * k, b, n, k, part, sums, squares);
      decode_elements(types.output, answer.data(), i * n, n, got.data());
      for (std::int64_t j = 0; j < n; ++j) {
        mine.add(i * n + j, got[j], sums[j], error_scale(types.output, sums[j], squares[j]));
      }
    }
#pragma omp critical
    worst.merge(mine);
  }
  return worst.verdict(matmul_limit(precision, k), "full fp64", [n](std::int64_t index) {
    return fmt::format("c[{},{}]", index / n, index % n);
  });
}

std::size_t matmul_check_full_bytes(const Matmul& matmul) {
  const std::int64_t a = matmul.m * matmul.k * (matmul.trans_a ? 2 : 1);
  const std::int64_t b = matmul.k * matmul.n * (matmul.trans_b ? 2 : 1);
  return static_cast<std::size_t>(a + b) * sizeof(double);
}

Check matmul_check_samples(const Matmul& matmul, Precision precision,
                           std::span<const std::byte> answer) {
  require_answer(matmul, precision, answer);
  const PrecisionTraits& types = traits(precision);
  const std::int64_t n = matmul.n;
  const std::vector<std::int64_t> indices = sample_indices(matmul);
  std::vector<Exact> exact(indices.size());
  const double products = static_cast<double>(matmul.k) * static_cast<double>(indices.size());
#pragma omp parallel for schedule(static) if (worth_threads(20 * products))
  for (std::size_t s = 0; s < indices.size(); ++s) {
    exact[s] = exact_element(matmul, types.input, indices[s] / n, indices[s] % n);
  }
  ErrorMeasure worst;
  for (std::size_t s = 0; s < indices.size(); ++s) {
    const double got = load_element(types.output, answer.data(), indices[s]);
    worst.add(indices[s], got, exact[s].value,
              error_scale(types.output, exact[s].value, exact[s].squares));
  }
  return worst.verdict(
      matmul_limit(precision, matmul.k), fmt::format("{} samples in fp64", indices.size()),
      [n](std::int64_t index) { return fmt::format("c[{},{}]", index / n, index % n); });
}

}  // namespace breakeven
