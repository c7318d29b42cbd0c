#include "kernels/training/host_pointwise.h"

#include <gtest/gtest.h>

#include <tuple>

#include "kernels/training/host_testing.h"

namespace breakeven::training {
namespace {

constexpr MatrixSize kSizes[] = {{1, 1},    {7, 3},     {300, 6},   {129, 10},
                                 {5, 1500}, {2000, 64}, {513, 127}, {260, 128},
                                 {33, 513}, {1, 40000}, {20000, 1}};

constexpr double kSlopeError = 16 * 0x1p-24;  // absolute

double gelu_exact(double x) {
  return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

double gelu_slope_exact(double x) {
  const double h = 1e-5;
  return (gelu_exact(x + h) - gelu_exact(x - h)) / (2 * h);
}

template <class Pair>
class Pointwise : public testing::Test {};
using Pairs =
    testing::Types<std::tuple<float, float>, std::tuple<float, Bf16>, std::tuple<Bf16, Bf16>>;
TYPED_TEST_SUITE(Pointwise, Pairs);

TYPED_TEST(Pointwise, ForwardIsRight) {
  using Z = std::tuple_element_t<0, TypeParam>;
  using T = std::tuple_element_t<1, TypeParam>;
  std::mt19937_64 random(1);
  for (const MatrixSize size : kSizes) {
    const auto z = random_values<Z>(size.elements(), random, 4);
    const auto bias = random_values<float>(size.cols, random);
    for (const bool biased : {true, false}) {
      const float* b = biased ? bias.data() : nullptr;
      std::vector<double> sums, relus, gelus;
      for (std::int64_t i = 0; i < size.elements(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        const auto column = static_cast<std::size_t>(i % size.cols);
        sums.push_back(static_cast<double>(widen(z[at])) +
                       (biased ? static_cast<double>(bias[column]) : 0));
        relus.push_back(std::max(sums.back(), 0.0));
        gelus.push_back(gelu_exact(sums.back()));
      }
      for_every_isa([&] {
        auto x = unwritten<T>(size.elements()), y = x, only = x;
        add_bias(size, z.data(), b, y.data());
        expect_near(y, sums, kRoundoff<T>, 0, "z + bias");
        bias_relu(size, z.data(), b, y.data());
        expect_near(y, relus, kRoundoff<T>, 0, "relu");
        bias_gelu(size, z.data(), b, x.data(), y.data());
        expect_near(x, sums, kRoundoff<T>, 0, "x");
        // Slopes up to 1.13 carry the rounding of x, up to 5, into y.
        expect_near(y, gelus, 10 * kRoundoff<T>, 1, "gelu");
        bias_gelu(size, z.data(), b, static_cast<T*>(nullptr), only.data());
        expect_same_bits(only, y, "gelu without x");
      });
    }
  }
}

template <class T>
class PointwiseBackward : public testing::Test {};
using Stored = testing::Types<float, Bf16>;
TYPED_TEST_SUITE(PointwiseBackward, Stored);

TYPED_TEST(PointwiseBackward, IsRightAndRepeatable) {
  using T = TypeParam;
  std::mt19937_64 random(2);
  for (const MatrixSize size : kSizes) {
    const auto dy = random_values<T>(size.elements(), random);
    const auto saved = random_values<T>(size.elements(), random, 5);
    std::vector<double> relu, gelus, sums(static_cast<std::size_t>(size.cols)), relu_db = sums,
                                                                                gelu_db = sums;
    for (std::int64_t i = 0; i < size.elements(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      const auto column = static_cast<std::size_t>(i % size.cols);
      const auto gradient = static_cast<double>(widen(dy[at]));
      const auto x = static_cast<double>(widen(saved[at]));
      relu.push_back(x > 0 ? gradient : 0);
      gelus.push_back(gradient * gelu_slope_exact(x));
      sums[column] += gradient;
      relu_db[column] += relu.back();
      gelu_db[column] += gelus.back();
    }
    const double summed = 4 * std::sqrt(static_cast<double>(size.rows)) * 0x1p-24;
    for_every_isa([&] {
      std::vector<float> scratch(static_cast<std::size_t>(column_scratch(size.cols, kMostThreads)),
                                 kNan);
      auto dx = unwritten<T>(size.elements()), alone = dx;
      auto db = unwritten<float>(size.cols);
      expect_repeatable([&] { column_sums(size, dy.data(), db.data(), scratch.data()); }, &db);
      expect_near(db, sums, summed, 1, "column sums");
      expect_repeatable(
          [&] {
            relu_backward(size, dy.data(), saved.data(), dx.data(), db.data(), scratch.data());
          },
          &dx, &db);
      expect_near(dx, relu, 0, 0, "relu");
      expect_near(db, relu_db, summed, 1, "relu db");
      expect_repeatable(
          [&] {
            gelu_backward(size, dy.data(), saved.data(), dx.data(), db.data(), scratch.data());
          },
          &dx, &db);
      expect_near(dx, gelus, kRoundoff<T>, kSlopeError / kRoundoff<T>, "gelu");
      expect_near(db, gelu_db, 16 * summed, 1, "gelu db");
      gelu_backward(size, dy.data(), saved.data(), alone.data(), nullptr, nullptr);
      expect_near(alone, gelus, kRoundoff<T>, kSlopeError / kRoundoff<T>, "without db");
    });
  }
}

TYPED_TEST(PointwiseBackward, WorksInPlace) {
  using T = TypeParam;
  std::mt19937_64 random(3);
  const MatrixSize size{300, 130};
  const auto bias = random_values<float>(size.cols, random);
  auto z = random_values<T>(size.elements(), random);
  auto y = unwritten<T>(size.elements()), dx = y, sum = y;
  const int threads = omp_get_max_threads();
  std::vector<float> db(130), scratch(static_cast<std::size_t>(column_scratch(130, threads)));
  bias_relu(size, z.data(), bias.data(), y.data());
  relu_backward(size, z.data(), y.data(), dx.data(), db.data(), scratch.data());
  add(size.elements(), y.data(), dx.data(), sum.data());
  auto in_place = z;
  bias_relu(size, in_place.data(), bias.data(), in_place.data());
  expect_same_bits(in_place, y, "bias_relu");
  relu_backward(size, z.data(), y.data(), z.data(), db.data(), scratch.data());
  expect_same_bits(z, dx, "relu_backward");
  add(size.elements(), y.data(), dx.data(), dx.data());
  expect_same_bits(dx, sum, "add");
}

TEST(PointwiseBackwardNan, ReluKeepsIt) {
  for_every_isa([] {
    std::vector<float> x(40, kNan), y(40, 0.0F);
    bias_relu({1, 40}, x.data(), nullptr, y.data());
    for (const float value : y) EXPECT_TRUE(std::isnan(value));
  });
}

}  // namespace
}  // namespace breakeven::training
