#include "kernels/training/lt_call.h"

#include <gtest/gtest.h>

#include <vector>

namespace breakeven::training {
namespace {

constexpr std::int64_t kM = 3, kN = 4, kK = 5;

int numbered(std::int64_t row, std::int64_t column, std::int64_t columns) {
  return static_cast<int>((7 * (row * columns + column) + 3) % 11) - 5;
}
int x(std::int64_t i, std::int64_t p) { return numbered(i, p, kK); }
int w(std::int64_t j, std::int64_t p) { return numbered(j, p, kK); }
int dy(std::int64_t i, std::int64_t j) { return numbered(i, j, kN); }

// What the call computes of matrices whose elements are numbered row by row (see LtCall).
std::vector<int> computed(const LtCall& call) {
  std::vector<int> c;
  for (std::int64_t i = 0; i < call.m; ++i) {
    for (std::int64_t j = 0; j < call.n; ++j) {
      int sum = 0;
      for (std::int64_t p = 0; p < call.k; ++p) {
        sum += (call.trans_a ? numbered(p, i, call.m) : numbered(i, p, call.k)) *
               (call.trans_b ? numbered(j, p, call.k) : numbered(p, j, call.n));
      }
      c.push_back(sum);
    }
  }
  return c;
}

// rows x columns sums of term(row, column, index) over `depth`.
template <class Term>
std::vector<int> sums(std::int64_t rows, std::int64_t columns, std::int64_t depth, Term term) {
  std::vector<int> c;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      int sum = 0;
      for (std::int64_t i = 0; i < depth; ++i) sum += term(row, column, i);
      c.push_back(sum);
    }
  }
  return c;
}

LinearProduct product(Direction direction) {
  LinearProduct p{};
  p.direction = direction;
  p.m = kM, p.n = kN, p.k = kK;
  return p;
}

TEST(LtCall, EachDirectionIsItsTripleLoop) {
  const auto call = [](Direction direction) {
    return computed(lt_call(Precision::bf16, product(direction)));
  };
  const auto y = sums(kM, kN, kK, [](auto i, auto j, auto p) { return x(i, p) * w(j, p); });
  const auto dx = sums(kM, kK, kN, [](auto i, auto p, auto j) { return dy(i, j) * w(j, p); });
  const auto dw = sums(kN, kK, kM, [](auto j, auto p, auto i) { return dy(i, j) * x(i, p); });
  EXPECT_EQ(call(Direction::forward), y);
  EXPECT_EQ(call(Direction::backward_data), dx);
  EXPECT_EQ(call(Direction::backward_weights), dw);
}

TEST(LtCall, OperandsEpilogueAndResult) {
  const float a = 0, b = 0, bias = 0;
  float c = 0;
  LinearProduct p = product(Direction::forward);
  p.a = &a, p.b = &b, p.to = &c;
  p.activation = Activation::relu;
  const LtCall plain = lt_call(Precision::tf32, p);
  EXPECT_EQ(plain.a, &a);
  EXPECT_EQ(plain.b, &b);
  EXPECT_EQ(plain.c, &c);
  EXPECT_EQ(plain.precision, Precision::tf32);
  EXPECT_EQ(plain.epilogue, LtEpilogue::none);
  EXPECT_FALSE(plain.f32_result);
  p.bias = &bias;
  EXPECT_EQ(lt_call(Precision::tf32, p).bias, &bias);
  EXPECT_EQ(lt_call(Precision::tf32, p).epilogue, LtEpilogue::bias_relu);
  p.activation = Activation::gelu;
  EXPECT_EQ(lt_call(Precision::tf32, p).epilogue, LtEpilogue::bias_gelu);
  p.activation = Activation::none;
  EXPECT_EQ(lt_call(Precision::tf32, p).epilogue, LtEpilogue::bias);
  EXPECT_TRUE(lt_call(Precision::bf16, product(Direction::backward_weights)).f32_result);
}

}  // namespace
}  // namespace breakeven::training
