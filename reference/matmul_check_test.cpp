// Every check must pass right answers of every precision and fail every planted wrong one.
#include "reference/matmul_check.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "reference/convert.h"

namespace breakeven {
namespace {

using Bytes = std::vector<std::byte>;
using CheckFunction = Check (*)(const Matmul&, Precision, std::span<const std::byte>);
constexpr CheckFunction kChecks[] = {matmul_check_full, matmul_check_samples,
                                     matmul_check_freivalds};

double round_to_tf32(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  return std::bit_cast<float>((bits + 0xfffu + ((bits >> 13) & 1u)) & 0xffffe000u);
}

double truncate_to_tf32(double value) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(static_cast<float>(value)) &
                              0xffffe000u);
}

double round_to_bf16(double value) {
  return bf16_to_float(bf16_from_float(static_cast<float>(value)));
}

double keep(double value) { return value; }

struct Wrong {
  double (*round_operand)(double) = keep;  // on its way into the multiplier
  double (*round_result)(double) = keep;
  double alpha = 1;
  bool flip_trans_a = false;
  bool flip_trans_b = false;
};

// op(X) of input `index` as doubles, row-major [rows,columns].
std::vector<double> operand(const Matmul& matmul, Precision precision, std::size_t index,
                            const Wrong& wrong) {
  const Operand description = matmul.inputs(precision)[index];
  Bytes stored(description.bytes());
  matmul.fill_input(index, precision, stored);
  const bool transposed =
      index == 0 ? matmul.trans_a != wrong.flip_trans_a : matmul.trans_b != wrong.flip_trans_b;
  const std::int64_t rows = index == 0 ? matmul.m : matmul.k;
  const std::int64_t columns = index == 0 ? matmul.k : matmul.n;
  std::vector<double> values(static_cast<std::size_t>(description.elements));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const std::int64_t from = transposed ? c * rows + r : r * columns + c;
      values[r * columns + c] =
          wrong.round_operand(load_element(description.type, stored.data(), from));
    }
  }
  return values;
}

// The plainest implementation: one sum in order, in the precision's accumulator.
template <class Sum>
Bytes multiply(const Matmul& matmul, Precision precision, const Wrong& wrong) {
  const std::vector<double> a_values = operand(matmul, precision, 0, wrong);
  const std::vector<double> b_values = operand(matmul, precision, 1, wrong);
  const std::vector<Sum> a(a_values.begin(), a_values.end());
  const std::vector<Sum> b(b_values.begin(), b_values.end());
  const Operand output = matmul.output(precision);
  Bytes answer(output.bytes());
#pragma omp parallel for schedule(static) if (matmul.cost(precision).flops > 1e6)
  for (std::int64_t i = 0; i < matmul.m; ++i) {
    std::vector<Sum> row(static_cast<std::size_t>(matmul.n));
    for (std::int64_t l = 0; l < matmul.k; ++l) {
      const Sum factor = a[i * matmul.k + l];
      for (std::int64_t j = 0; j < matmul.n; ++j) row[j] += factor * b[l * matmul.n + j];
    }
    for (std::int64_t j = 0; j < matmul.n; ++j) {
      const double result = wrong.round_result(static_cast<double>(row[j]) * wrong.alpha);
      store_element(output.type, answer.data(), i * matmul.n + j, result);
    }
  }
  return answer;
}

Bytes compute(const Matmul& matmul, Precision precision, const Wrong& wrong = {}) {
  const bool wide = precision == Precision::f64 || precision == Precision::int8;
  return wide ? multiply<double>(matmul, precision, wrong)
              : multiply<float>(matmul, precision, wrong);
}

void expect_passes(const Matmul& matmul, Precision precision, const Bytes& answer) {
  for (const CheckFunction check : kChecks) {
    const Check verdict = check(matmul, precision, answer);
    EXPECT_TRUE(verdict.ok()) << traits(precision).name << " " << verdict.method << " error "
                              << verdict.error << " limit " << verdict.limit << " at " << matmul.m
                              << "x" << matmul.n << "x" << matmul.k;
  }
}

void expect_fails(const Matmul& matmul, Precision precision, const Bytes& answer,
                  const std::string& what) {
  for (const CheckFunction check : kChecks) {
    const Check verdict = check(matmul, precision, answer);
    EXPECT_FALSE(verdict.ok()) << what << " passes for " << traits(precision).name << ": "
                               << verdict.method << " error " << verdict.error << " limit "
                               << verdict.limit;
  }
}

TEST(MatmulCheck, RightAnswersPass) {
  const std::int64_t sizes[][3] = {{1, 1, 1},    {1, 1, 2},   {2, 3, 1},    {64, 64, 64},
                                   {1, 37, 300}, {41, 1, 70}, {33, 29, 31}, {5, 7, 2100}};
  for (const auto& [m, n, k] : sizes) {
    for (const int transposes : {0, 1, 2, 3}) {
      const Matmul matmul("x", m, n, k, (transposes & 1) != 0, (transposes & 2) != 0);
      for (const Precision precision : kPrecisions) {
        expect_passes(matmul, precision, compute(matmul, precision));
      }
    }
  }
}

TEST(MatmulCheck, TruncatedTf32OperandsPassForTf32) {
  for (const std::int64_t k : {1, 64, 1000}) {
    const Matmul matmul("x", 70, 300, k);
    expect_passes(matmul, Precision::tf32,
                  compute(matmul, Precision::tf32, {.round_operand = truncate_to_tf32}));
  }
}

TEST(MatmulCheck, OuterProductsWithSubnormalResultsPass) {
  const Matmul matmul("x", 600, 500, 1);  // f16 has results below its normal range here
  for (const Precision precision : kPrecisions) {
    expect_passes(matmul, precision, compute(matmul, precision));
  }
}

TEST(MatmulCheck, LongPlainSumsPass) {
  const Matmul small("x", 2, 3, 500000);
  expect_passes(small, Precision::f32, compute(small, Precision::f32));
  const Matmul transposed("x", 3, 16, 500000, true, true);
  const Bytes answer = compute(transposed, Precision::f32);
  EXPECT_TRUE(transposed.check(Precision::f32, answer).ok());
}

class Planted : public testing::TestWithParam<Precision> {
 protected:
  const Precision precision_ = GetParam();
  const Matmul matmul_{"x", 96, 96, 96, false, true};
  const ElementType type_ = matmul_.output(precision_).type;
  Bytes answer_ = compute(matmul_, precision_);
};

TEST_P(Planted, EveryWrongElementIsSeenByTheFullCheckAndFreivalds) {
  for (const std::int64_t index : {0L, 95L, 96L * 95, 96L * 96 - 1, 1234L, 5000L}) {
    Bytes wrong = answer_;
    const double value = load_element(type_, wrong.data(), index);
    const double sigma = std::sqrt(96.0) / 3 * (precision_ == Precision::int8 ? 127 * 127 : 1);
    store_element(type_, wrong.data(), index, value + sigma);
    EXPECT_FALSE(matmul_check_full(matmul_, precision_, wrong).ok()) << index;
    EXPECT_FALSE(matmul_check_freivalds(matmul_, precision_, wrong).ok()) << index;
    EXPECT_FALSE(matmul_.check(precision_, wrong).ok()) << index;
  }
}

TEST_P(Planted, OneNanOrInfinityIsSeen) {
  if (precision_ == Precision::int8) return;
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    Bytes wrong = answer_;
    store_element(type_, wrong.data(), 4321, value);
    for (const CheckFunction check : {matmul_check_full, matmul_check_freivalds}) {
      const Check verdict = check(matmul_, precision_, wrong);
      EXPECT_FALSE(verdict.ok());
      EXPECT_TRUE(std::isinf(verdict.error));
    }
  }
}

TEST_P(Planted, TransposedOperandsAreSeen) {
  expect_fails(matmul_, precision_, compute(matmul_, precision_, {.flip_trans_a = true}), "A^T");
  expect_fails(matmul_, precision_, compute(matmul_, precision_, {.flip_trans_b = true}), "B^T");
}

TEST_P(Planted, WrongAlphaIsSeen) {
  expect_fails(matmul_, precision_, compute(matmul_, precision_, {.alpha = 2}), "alpha 2");
  expect_fails(matmul_, precision_, compute(matmul_, precision_, {.alpha = -1}), "alpha -1");
  // A thousandth is less than what bf16 and truncated tf32 round away.
  const std::string name(traits(precision_).name);
  if (name == "f64" || name == "f32" || name == "int8") {
    expect_fails(matmul_, precision_, compute(matmul_, precision_, {.alpha = 1.001}), "1.001");
  }
  if (name == "f16") {
    const Bytes wrong = compute(matmul_, precision_, {.alpha = 1.001});
    EXPECT_FALSE(matmul_check_full(matmul_, precision_, wrong).ok());
  }
}

TEST_P(Planted, StaleAndEmptyAnswersAreSeen) {
  expect_fails(matmul_, precision_, Bytes(answer_.size(), std::byte{0xff}), "poison");
  expect_fails(matmul_, precision_, Bytes(answer_.size(), std::byte{0}), "all zeros");
  const Matmul other("x", 96, 96, 96, true, false);
  expect_fails(matmul_, precision_, compute(other, precision_), "another problem's answer");
  Bytes half = answer_;
  std::fill(half.begin() + static_cast<std::ptrdiff_t>(half.size() / 2), half.end(),
            std::byte{0xff});
  expect_fails(matmul_, precision_, half, "half an answer");
}

TEST_P(Planted, SwappedRowsAreSeenByTheFullCheckAndFreivalds) {
  Bytes wrong = answer_;
  const auto row = static_cast<std::ptrdiff_t>(wrong.size() / 96);
  std::swap_ranges(wrong.begin() + 10 * row, wrong.begin() + 11 * row, wrong.begin() + 50 * row);
  EXPECT_FALSE(matmul_check_full(matmul_, precision_, wrong).ok());
  EXPECT_FALSE(matmul_check_freivalds(matmul_, precision_, wrong).ok());
}

TEST_P(Planted, AnAnswerAddedToTheLastOneIsSeen) {  // beta = 1
  Bytes wrong = answer_;
  for (std::size_t i = 0; i < 9216; ++i) {
    store_element(type_, wrong.data(), i, 2 * load_element(type_, wrong.data(), i));
  }
  expect_fails(matmul_, precision_, wrong, "beta 1");
}

INSTANTIATE_TEST_SUITE_P(Precisions, Planted, testing::ValuesIn(kPrecisions),
                         [](const auto& tested) { return std::string(traits(tested.param).name); });

TEST(MatmulCheck, Int8IsExact) {
  const Matmul matmul("x", 50, 60, 70);
  const Bytes answer = compute(matmul, Precision::int8);
  EXPECT_EQ(matmul_check_full(matmul, Precision::int8, answer).error, 0);
  for (const std::size_t index : {0u, 1777u, 2999u}) {
    Bytes wrong = answer;
    store_element(ElementType::s32, wrong.data(), index,
                  load_element(ElementType::s32, wrong.data(), index) + 1);
    EXPECT_FALSE(matmul_check_full(matmul, Precision::int8, wrong).ok());
    EXPECT_FALSE(matmul_check_freivalds(matmul, Precision::int8, wrong).ok());
  }
}

TEST(MatmulCheck, LowerPrecisionsDoNotPassForHigherOnes) {
  for (const std::int64_t k : {64, 300, 4096}) {
    const Matmul matmul("x", 40, 50, k);
    expect_fails(matmul, Precision::f32,
                 compute(matmul, Precision::f32, {.round_operand = round_to_tf32}), "tf32");
    expect_fails(matmul, Precision::f32,
                 compute(matmul, Precision::f32, {.round_operand = truncate_to_tf32}), "tf32");
    expect_fails(matmul, Precision::f32,
                 compute(matmul, Precision::f32, {.round_operand = round_to_bf16}), "bf16 inputs");
    expect_fails(matmul, Precision::f32,
                 compute(matmul, Precision::f32, {.round_result = round_to_bf16}), "bf16 output");
    expect_fails(matmul, Precision::f16,
                 compute(matmul, Precision::f16, {.round_result = round_to_bf16}), "bf16 output");
    Bytes single = compute(matmul, Precision::f64);
    for (std::size_t i = 0; i < single.size() / 8; ++i) {
      const auto value = static_cast<float>(load_element(ElementType::f64, single.data(), i));
      store_element(ElementType::f64, single.data(), i, value);
    }
    expect_fails(matmul, Precision::f64, single, "f32 output");
  }
}

TEST(MatmulCheck, LimitsGrowWithKAndFollowThePrecision) {
  EXPECT_LT(matmul_limit(Precision::f32, 64), matmul_limit(Precision::f32, 4096));
  EXPECT_LT(matmul_limit(Precision::f64, 4096), matmul_limit(Precision::f32, 4096));
  EXPECT_LT(matmul_limit(Precision::f32, 4096), matmul_limit(Precision::f16, 4096));
  EXPECT_LT(matmul_limit(Precision::f16, 4096), matmul_limit(Precision::bf16, 4096));
  EXPECT_EQ(matmul_limit(Precision::int8, 4096), 0);
}

TEST(MatmulCheck, BigAnswersAreSampledAndCheckedWhole) {
  const Matmul matmul("x", 2048, 2047, 16);
  const Bytes answer = compute(matmul, Precision::f32);
  const Check verdict = matmul.check(Precision::f32, answer);
  EXPECT_TRUE(verdict.ok()) << verdict.method;
  EXPECT_EQ(verdict.method, "256 samples in fp64 + Freivalds");
  for (const std::size_t index : {2050u, 1000000u, 4000001u}) {  // where no sample is
    Bytes wrong = answer;
    store_element(ElementType::f32, wrong.data(), index, 0.0);
    const Check failed = matmul.check(Precision::f32, wrong);
    EXPECT_FALSE(failed.ok());
    EXPECT_NE(failed.method.find("the signed sum of c[" + std::to_string(index / 2047)),
              std::string::npos)
        << failed.method;
  }
}

TEST(MatmulCheck, VerdictsDoNotDependOnTheThreadCount) {
  const int threads = omp_get_max_threads();
  const Matmul matmul("x", 100, 700, 900, true, true);
  const Bytes answer = compute(matmul, Precision::f64);
  for (const CheckFunction check : kChecks) {
    omp_set_num_threads(1);
    const Check one = check(matmul, Precision::f64, answer);
    omp_set_num_threads(3);
    const Check three = check(matmul, Precision::f64, answer);
    omp_set_num_threads(threads);
    EXPECT_EQ(one.error, three.error);
  }
}

TEST(MatmulCheck, AnAnswerOfTheWrongSizeIsRefused) {
  const Matmul matmul("x", 4, 4, 4);
  for (const CheckFunction check : kChecks) {
    EXPECT_THROW(check(matmul, Precision::f32, Bytes(60)), std::invalid_argument);
  }
}

TEST(MatmulCheckBytes, CountsWhatTheChecksHold) {
  // Small: both operands in fp64, a transposed one twice.
  EXPECT_EQ(Matmul("s", 2, 3, 5).check_bytes(Precision::f32), (2 * 5 + 5 * 3) * 8u);
  EXPECT_EQ(Matmul("s", 2, 3, 5, true).check_bytes(Precision::f32), (2 * 2 * 5 + 5 * 3) * 8u);
  // Tall: signs, eight sums per row of B, A and C, and A's squares.
  EXPECT_EQ(Matmul("t", 1 << 24, 1, 1).check_bytes(Precision::f32),
            12 + 64 + (64u + 72u) * (1 << 24));
  // Of a transposed A, a set of rows for each 32768 of k, and their sum.
  EXPECT_EQ(Matmul("u", 1 << 10, 1 << 10, 1 << 16, true).check_bytes(Precision::f32),
            12u * 1024 + 64u * (1024 + 65536) + 3 * 72u * 1024);
  // No overflow, however large.
  EXPECT_GT(Matmul("v", std::int64_t{1} << 60, 1, 1).check_bytes(Precision::f32), 1u << 30);
}

}  // namespace
}  // namespace breakeven
