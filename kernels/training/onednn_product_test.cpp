// Every way that oneDNN has of a product, against loops over the definition in fp64.
#include "kernels/training/onednn_product.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/training/host_testing.h"
#include "kernels/training/onednn_ways.h"

namespace breakeven::training {
namespace {

template <class T>
constexpr bool kIsBf16 = sizeof(T) == 2;

// Tensors of a product by role; those that are f32 in every precision apart.
template <class T>
struct Tensors {
  std::vector<T> x, w, y, residual;
  std::vector<float> dw, bias, scale, shift;

  ProductTensors of(bool weights_gradient) {
    ProductTensors tensors;
    tensors[Role::x] = x.data();
    tensors[Role::w] = weights_gradient ? static_cast<void*>(dw.data()) : w.data();
    tensors[Role::y] = y.data();
    tensors[Role::residual] = residual.data();
    tensors[Role::bias] = bias.data();
    tensors[Role::scale] = scale.data();
    tensors[Role::shift] = shift.data();
    return tensors;
  }
};

void run(const ProductWay& way, const ProductTensors& tensors) {
  OnednnProduct product(way, tensors);
  EXPECT_LE(product.scratch_bytes(), scratch_bytes(way));
  HostBuffer scratch(std::max<std::size_t>(product.scratch_bytes(), 1));
  poison(scratch.span());
  product.run(scratch.data());
}

std::string name_of(const ProductWay& way, std::size_t index) {
  return "way " + std::to_string(index) + ", " + way.description.impl_info_str();
}

double activate(double value, Epilogue::Activation activation) {
  switch (activation) {
    case Epilogue::Activation::relu:
      return std::max(value, 0.0);
    case Epilogue::Activation::gelu:
      return value / 2 *
             (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) *
                            (value + 0.044715 * value * value * value)));
    default:
      return value;
  }
}

// A convolution's plain loops in fp64 with a linear layer as one of 1x1. Calls
// product(y's element, x's element, w's element) for every one that is inside the image.
template <class Product>
void for_each_product(const Conv2dSize& s, const Product& product) {
  for (std::int64_t n = 0; n < s.n; ++n) {
    for (std::int64_t p = 0; p < s.p(); ++p) {
      for (std::int64_t q = 0; q < s.q(); ++q) {
        for (std::int64_t k = 0; k < s.k; ++k) {
          for (std::int64_t r = 0; r < s.r; ++r) {
            for (std::int64_t t = 0; t < s.s; ++t) {
              const std::int64_t row = p * s.stride_h - s.pad_h + r;
              const std::int64_t column = q * s.stride_w - s.pad_w + t;
              if (row < 0 || row >= s.h || column < 0 || column >= s.w) continue;
              for (std::int64_t c = 0; c < s.c; ++c) {
                product(((n * s.p() + p) * s.q() + q) * s.k + k,
                        ((n * s.h + row) * s.w + column) * s.c + c,
                        ((k * s.r + r) * s.s + t) * s.c + c);
              }
            }
          }
        }
      }
    }
  }
}

std::int64_t x_elements(const Conv2dSize& s) { return s.n * s.h * s.w * s.c; }
std::int64_t w_elements(const Conv2dSize& s) { return s.k * s.r * s.s * s.c; }
std::int64_t y_elements(const Conv2dSize& s) { return s.n * s.p() * s.q() * s.k; }

// Roundings of f32 sums of `terms` products of about 1/3 each, and of the stored result.
template <class T>
double tolerance(std::int64_t terms, bool stored_f32) {
  return 16 * std::sqrt(static_cast<double>(terms)) * kRoundoff<float> +
         (stored_f32 ? 0 : 2 * kRoundoff<T>);
}

template <class T>
void check_forward(const Conv2dSize& size, const Epilogue& epilogue,
                   const std::vector<ProductWay>& ways, std::mt19937_64& random) {
  Tensors<T> t;
  t.x = random_values<T>(x_elements(size), random);
  t.w = random_values<T>(w_elements(size), random);
  t.residual = random_values<T>(y_elements(size), random);
  t.bias = random_values<float>(size.k, random);
  t.scale = random_values<float>(size.k, random);
  t.shift = random_values<float>(size.k, random);
  std::vector<double> expected(static_cast<std::size_t>(y_elements(size)));
  for_each_product(size, [&](std::int64_t y, std::int64_t x, std::int64_t w) {
    expected[y] += static_cast<double>(widen(t.x[x])) * widen(t.w[w]);
  });
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::size_t k = i % static_cast<std::size_t>(size.k);
    if (epilogue.bias) expected[i] += t.bias[k];
    if (epilogue.normalise) expected[i] = expected[i] * t.scale[k] + t.shift[k];
    if (epilogue.residual) expected[i] += widen(t.residual[i]);
    expected[i] = activate(expected[i], epilogue.activation);
  }
  const std::int64_t terms = size.c * size.r * size.s;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    t.y = unwritten<T>(y_elements(size));
    run(ways[i], t.of(false));
    expect_near(t.y, expected, tolerance<T>(terms, false), 1,
                name_of(ways[i], i) + " " + epilogue.name());
  }
}

template <class T>
void check_backward_data(const Conv2dSize& size, const std::vector<ProductWay>& ways,
                         std::mt19937_64& random) {
  Tensors<T> t;
  t.y = random_values<T>(y_elements(size), random);
  t.w = random_values<T>(w_elements(size), random);
  std::vector<double> expected(static_cast<std::size_t>(x_elements(size)));
  for_each_product(size, [&](std::int64_t y, std::int64_t x, std::int64_t w) {
    expected[x] += static_cast<double>(widen(t.y[y])) * widen(t.w[w]);
  });
  for (std::size_t i = 0; i < ways.size(); ++i) {
    t.x = unwritten<T>(x_elements(size));
    run(ways[i], t.of(false));
    expect_near(t.x, expected, tolerance<T>(size.k * size.r * size.s, false), 1,
                name_of(ways[i], i));
  }
}

template <class T>
void check_backward_weights(const Conv2dSize& size, bool bias, const std::vector<ProductWay>& ways,
                            std::mt19937_64& random) {
  Tensors<T> t;
  t.y = random_values<T>(y_elements(size), random);
  t.x = random_values<T>(x_elements(size), random);
  std::vector<double> expected(static_cast<std::size_t>(w_elements(size)));
  std::vector<double> sums(static_cast<std::size_t>(size.k));
  for_each_product(size, [&](std::int64_t y, std::int64_t x, std::int64_t w) {
    expected[w] += static_cast<double>(widen(t.y[y])) * widen(t.x[x]);
  });
  for (std::size_t i = 0; i < t.y.size(); ++i) sums[i % sums.size()] += widen(t.y[i]);
  const std::int64_t terms = size.n * size.p() * size.q();
  for (std::size_t i = 0; i < ways.size(); ++i) {
    SCOPED_TRACE(name_of(ways[i], i));
    t.dw = unwritten<float>(w_elements(size));
    t.bias = unwritten<float>(size.k);
    run(ways[i], t.of(true));
    expect_near(t.dw, expected, tolerance<float>(terms, true), 1, "dw");
    if (bias) expect_near(t.bias, sums, tolerance<float>(terms, true), 1, "db");
  }
}

std::vector<Epilogue> epilogues(bool norm) {
  using Activation = Epilogue::Activation;
  std::vector<Epilogue> all = {{},
                               {.bias = true},
                               {.bias = true, .activation = Activation::relu},
                               {.bias = true, .activation = Activation::gelu},
                               {.bias = true, .residual = true},
                               {.residual = true, .activation = Activation::relu}};
  if (norm) {
    all.push_back({.normalise = true, .activation = Activation::relu});
    all.push_back({.normalise = true, .residual = true, .activation = Activation::relu});
  }
  return all;
}

template <class T>
class OnednnProducts : public testing::Test {
 protected:
  void SetUp() override {
    if (kIsBf16<T> && linear_forward({64, 64, 64}, true, {}).empty()) {
      GTEST_SKIP() << "oneDNN has no bf16 here";
    }
    omp_set_num_threads(2);
  }
  std::mt19937_64 random_{5};
};

using Elements = testing::Types<float, Bf16>;
TYPED_TEST_SUITE(OnednnProducts, Elements);

TYPED_TEST(OnednnProducts, LinearLayersAreRightInEveryWay) {
  constexpr bool kBf16 = kIsBf16<TypeParam>;
  std::size_t most = 0;
  for (const auto& [m, n, k] : std::vector<std::array<std::int64_t, 3>>{
           {1, 1, 1}, {5, 10, 17}, {64, 10, 84}, {33, 65, 1}, {128, 64, 96}, {70, 131, 259}}) {
    SCOPED_TRACE(std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k));
    const LinearSize size{m, n, k};
    const Conv2dSize as_conv{.n = m, .c = k, .k = n};
    for (const Epilogue& epilogue : epilogues(false)) {
      const auto ways = linear_forward(size, kBf16, epilogue);
      EXPECT_FALSE(ways.empty()) << epilogue.name();
      most = std::max(most, ways.size());
      check_forward<TypeParam>(as_conv, epilogue, ways, this->random_);
    }
    const auto data = linear_backward_data(size, kBf16);
    EXPECT_FALSE(data.empty());
    check_backward_data<TypeParam>(as_conv, data, this->random_);
    for (const bool bias : {false, true}) {
      const auto weights = linear_backward_weights(size, kBf16, bias);
      EXPECT_FALSE(weights.empty());
      check_backward_weights<TypeParam>(as_conv, bias, weights, this->random_);
    }
  }
  EXPECT_GE(most, 2u) << "nothing to choose from";
}

TYPED_TEST(OnednnProducts, ConvolutionsAreRightInEveryWay) {
  constexpr bool kBf16 = kIsBf16<TypeParam>;
  for (const Conv2dSize& size : std::vector<Conv2dSize>{
           {.n = 3, .c = 1, .h = 9, .w = 8, .k = 6, .r = 5, .s = 5, .pad_h = 2, .pad_w = 2},
           {.n = 2, .c = 6, .h = 7, .w = 7, .k = 16, .r = 5, .s = 5},
           {.n = 2, .c = 16, .h = 8, .w = 8, .k = 32, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1},
           {.n = 2,
            .c = 3,
            .h = 9,
            .w = 9,
            .k = 8,
            .r = 7,
            .s = 7,
            .pad_h = 3,
            .pad_w = 3,
            .stride_h = 2,
            .stride_w = 2},
           {.n = 2, .c = 32, .h = 7, .w = 7, .k = 48, .stride_h = 2, .stride_w = 2}}) {
    SCOPED_TRACE(std::to_string(size.c) + " channels, " + std::to_string(size.r) + "x" +
                 std::to_string(size.s));
    const ConvolutionWays ways(size, kBf16);
    for (const Epilogue& epilogue : epilogues(true)) {
      const auto forward = ways.forward(epilogue);
      EXPECT_FALSE(forward.empty()) << epilogue.name();
      check_forward<TypeParam>(size, epilogue, forward, this->random_);
    }
    const auto data = ways.backward_data();
    EXPECT_FALSE(data.empty());
    check_backward_data<TypeParam>(size, data, this->random_);
    for (const bool bias : {false, true}) {
      const auto weights = ways.backward_weights(bias);
      EXPECT_FALSE(weights.empty());
      check_backward_weights<TypeParam>(size, bias, weights, this->random_);
    }
  }
}

TEST(OnednnProduct, IsChosenOncePerSizeAndTeam) {
  omp_set_num_threads(2);
  const auto ways = linear_forward({64, 64, 64}, false, {});
  const std::size_t chosen = fastest_product("test", ways);
  EXPECT_LT(chosen, ways.size());
  const long before = allocation_count();
  EXPECT_EQ(fastest_product("test", ways), chosen);
  EXPECT_LT(allocation_count() - before, 8) << "times the ways again";
}

// The faults that the tests above must see.
void forget_bias() {
  std::mt19937_64 random(5);
  const auto ways = linear_forward({8, 16, 32}, false, {});
  check_forward<float>({.n = 8, .c = 32, .k = 16}, {.bias = true}, {ways.front()}, random);
}

void forget_its_gradient() {
  std::mt19937_64 random(5);
  const auto ways = linear_backward_weights({8, 16, 32}, false, false);
  check_backward_weights<float>({.n = 8, .c = 32, .k = 16}, true, {ways.front()}, random);
}

TEST(OnednnProduct, TestsSeeWhatIsLeftOut) {
  EXPECT_FATAL_FAILURE(forget_bias(), "not");
  EXPECT_FATAL_FAILURE(forget_its_gradient(), "not");
}

}  // namespace
}  // namespace breakeven::training
