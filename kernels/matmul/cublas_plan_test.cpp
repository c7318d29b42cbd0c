#include "kernels/matmul/cublas_plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace breakeven::matmul {
namespace {

// A column-major product as cuBLASLt defines it.
std::vector<int> lt_product(const LtProblem& problem, const std::vector<int>& a,
                            const std::vector<int>& b) {
  const auto at = [](const LtMatrix& matrix, const std::vector<int>& data, std::int64_t row,
                     std::int64_t column) {
    if (matrix.transposed) std::swap(row, column);
    EXPECT_LT(row, matrix.rows);
    EXPECT_LT(column, matrix.columns);
    EXPECT_GE(matrix.leading, matrix.rows);
    return data.at(static_cast<std::size_t>(column * matrix.leading + row));
  };
  const LtMatrix& d = problem.d;
  const std::int64_t depth = problem.a.transposed ? problem.a.rows : problem.a.columns;
  std::vector<int> out(static_cast<std::size_t>(d.rows * d.columns));
  for (std::int64_t column = 0; column < d.columns; ++column) {
    for (std::int64_t row = 0; row < d.rows; ++row) {
      for (std::int64_t i = 0; i < depth; ++i) {
        out[static_cast<std::size_t>(column * d.leading + row)] +=
            at(problem.a, a, row, i) * at(problem.b, b, i, column);
      }
    }
  }
  return out;
}

std::vector<int> row_major_product(const GemmShape& s, const std::vector<int>& a,
                                   const std::vector<int>& b) {
  std::vector<int> c(static_cast<std::size_t>(s.m * s.n));
  for (std::int64_t i = 0; i < s.m; ++i) {
    for (std::int64_t j = 0; j < s.n; ++j) {
      for (std::int64_t p = 0; p < s.k; ++p) {
        const int left = a.at(static_cast<std::size_t>(s.trans_a ? p * s.m + i : i * s.k + p));
        const int right = b.at(static_cast<std::size_t>(s.trans_b ? j * s.k + p : p * s.n + j));
        c[static_cast<std::size_t>(i * s.n + j)] += left * right;
      }
    }
  }
  return c;
}

TEST(LtProblem, ComputesTheRowMajorProduct) {
  for (const auto& [m, n, k] : {std::tuple{3, 5, 7}, {1, 4, 6}, {4, 1, 3}, {2, 3, 1}, {1, 1, 1}}) {
    for (const bool trans_a : {false, true}) {
      for (const bool trans_b : {false, true}) {
        const GemmShape shape = {m, n, k, trans_a, trans_b};
        std::vector<int> a(static_cast<std::size_t>(m * k)), b(static_cast<std::size_t>(k * n));
        for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<int>(7 * i % 11) - 5;
        for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<int>(5 * i % 13) - 6;
        // cuBLASLt's A is our B.
        EXPECT_EQ(lt_product(lt_problem(shape), b, a), row_major_product(shape, a, b))
            << m << "x" << n << "x" << k << " " << trans_a << trans_b;
      }
    }
  }
}

TEST(LtProblem, KMajorOperandsAreTheLibrarysTN) {
  const LtProblem problem = lt_problem({16, 32, 48, false, true});
  EXPECT_TRUE(problem.a.transposed);
  EXPECT_FALSE(problem.b.transposed);
  EXPECT_EQ(problem.a.leading, 48);
  EXPECT_EQ(problem.b.leading, 48);
}

TEST(Unsupported, Fp8NeedsNewGpusKMajorOperandsAndMultiplesOf16) {
  const GemmShape good = {64, 64, 64, false, true};
  EXPECT_EQ(unsupported_product(good, Precision::fp8, 90), "");
  EXPECT_EQ(unsupported_product(good, Precision::fp8, 80),
            "fp8 needs compute capability 8.9 or newer");
  for (const GemmShape bad :
       {GemmShape{64, 64, 64, false, false}, GemmShape{64, 64, 64, true, true},
        GemmShape{64, 64, 64, true, false}}) {
    EXPECT_NE(unsupported_product(bad, Precision::fp8, 90), "");
    EXPECT_NE(unsupported_product(bad, Precision::fp8, 120), "");
    EXPECT_EQ(unsupported_product(bad, Precision::fp8, 100), "");
  }
  EXPECT_NE(unsupported_product({8, 64, 64, false, true}, Precision::fp8, 90), "");
  EXPECT_NE(unsupported_product({64, 8, 64, false, true}, Precision::fp8, 90), "");
  EXPECT_NE(unsupported_product({64, 64, 72, false, true}, Precision::fp8, 100), "");
  EXPECT_EQ(unsupported_product({3, 5, 7, true, false}, Precision::f32, 60), "");
  EXPECT_NE(unsupported_product(good, Precision::bf16, 75), "");
}

std::uint64_t flags(std::initializer_list<LtNumerics> all) {
  std::uint64_t sum = 0;
  for (const LtNumerics each : all) sum |= static_cast<std::uint64_t>(each);
  return sum;
}

TEST(Numerics, F32TakesNoTensorCoreAlgorithm) {
  constexpr std::uint64_t kFmaF32 = 0x01 | 0x02 << 8 | 0x08 << 16;
  EXPECT_TRUE(numerics_fit(Precision::f32, kFmaF32));
  EXPECT_FALSE(numerics_fit(Precision::f32, flags({LtNumerics::hmma, LtNumerics::input_tf32})));
  EXPECT_FALSE(numerics_fit(Precision::f32, flags({LtNumerics::hmma, LtNumerics::input_bf16})));
  EXPECT_TRUE(numerics_fit(Precision::tf32, flags({LtNumerics::hmma, LtNumerics::input_tf32})));
  EXPECT_FALSE(numerics_fit(Precision::tf32, flags({LtNumerics::hmma, LtNumerics::input_bf16})));
  EXPECT_TRUE(numerics_fit(Precision::f64, flags({LtNumerics::dmma})));
  EXPECT_FALSE(numerics_fit(Precision::f64, flags({LtNumerics::imma})));
  EXPECT_TRUE(numerics_fit(Precision::f16, flags({LtNumerics::hmma, LtNumerics::input_f16})));
  EXPECT_FALSE(numerics_fit(Precision::f16, flags({LtNumerics::accumulator_f16})));
}

TEST(Choice, TheFastestThatDidNotFail) {
  const double nan = std::nan("");
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(fastest(std::vector{3.0, 1.0, 2.0}), 1u);
  EXPECT_EQ(fastest(std::vector{nan, infinity, 2.0}), 2u);
  EXPECT_EQ(fastest(std::vector{2.0, nan, 1.0, 1.0}), 2u);
  EXPECT_EQ(fastest(std::vector{nan, nan}), 2u);
  EXPECT_EQ(fastest({}), 0u);
}

TEST(Transpose, MovesEveryElement) {
  for (const auto& [rows, columns] : {std::pair{3, 5}, {64, 64}, {65, 130}, {1, 200}, {200, 1}}) {
    std::vector<std::byte> from(static_cast<std::size_t>(rows * columns)), to(from.size());
    for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::byte>(i * 31 % 251);
    transpose_bytes(from, rows, columns, to);
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < columns; ++column) {
        ASSERT_EQ(to[static_cast<std::size_t>(column * rows + row)],
                  from[static_cast<std::size_t>(row * columns + column)]);
      }
    }
  }
}

}  // namespace
}  // namespace breakeven::matmul
