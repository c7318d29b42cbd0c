#include "reference/matmul.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

namespace breakeven {
namespace {

template <class T>
std::vector<T> input(const Matmul& matmul, std::size_t index, Precision precision) {
  std::vector<T> values(matmul.inputs(precision)[index].bytes() / sizeof(T));
  matmul.fill_input(index, precision, std::as_writable_bytes(std::span(values)));
  return values;
}

bool passes(const Matmul& matmul, const std::vector<std::int32_t>& answer) {
  return matmul.check(Precision::int8, std::as_bytes(std::span(answer))).ok();
}

TEST(Matmul, OperandsAndCost) {
  const Matmul matmul("layer", 3, 5, 7, true, false);
  EXPECT_EQ(matmul.op(), "matmul");
  EXPECT_EQ(matmul.shape(), "layer");
  EXPECT_EQ(matmul.inputs(Precision::bf16)[0].elements, 21);
  EXPECT_EQ(matmul.inputs(Precision::bf16)[1].elements, 35);
  EXPECT_EQ(matmul.output(Precision::bf16).elements, 15);
  EXPECT_EQ(matmul.cost(Precision::f32).flops, 210);
  EXPECT_EQ(matmul.cost(Precision::f32).bytes, 4 * (21 + 35 + 15));
  EXPECT_EQ(matmul.cost(Precision::int8).bytes, 21 + 35 + 4 * 15);
  EXPECT_EQ(matmul.cost(Precision::fp8).bytes, 21 + 35 + 2 * 15);
  const auto dimensions = matmul.dimensions();
  ASSERT_EQ(dimensions.size(), 3u);
  EXPECT_EQ(dimensions[2], (std::pair<std::string, std::int64_t>{"k", 7}));
}

TEST(Matmul, InputsAreTheSameBytesEverywhere) {
  const Matmul matmul("x", 2, 2, 3);
  EXPECT_EQ(input<std::int8_t>(matmul, 0, Precision::int8),
            (std::vector<std::int8_t>{100, 101, 22, 54, 44, 95}));
  EXPECT_EQ(input<std::int8_t>(matmul, 1, Precision::int8),
            (std::vector<std::int8_t>{-120, -61, -71, -18, -68, 112}));
  const std::vector<float> a = input<float>(matmul, 0, Precision::f32);
  EXPECT_EQ(a[0], -3682291 * 0x1p-24f);
  EXPECT_EQ(a[3], -9688235 * 0x1p-24f);
  EXPECT_EQ(input<float>(matmul, 0, Precision::tf32), a);
}

// Multiplied out by hand from the numbers above.
TEST(Matmul, OracleAgreesWithProductsByHand) {
  const Matmul plain("x", 2, 2, 3);
  EXPECT_TRUE(passes(plain, {-20667, -5454, -16064, 6554}));
  EXPECT_FALSE(passes(plain, {-20667, -5454, -16064, 6555}));
  const Matmul both("x", 2, 2, 3, true, true);
  EXPECT_TRUE(passes(both, {-16466, 1632, -22159, 5150}));
  EXPECT_FALSE(passes(both, {-20667, -5454, -16064, 6554}));
}

TEST(Matmul, RefusesWhatItCannotBe) {
  EXPECT_THROW(Matmul("x", 0, 1, 1), std::invalid_argument);
  EXPECT_THROW(Matmul("x", 1, -1, 1), std::invalid_argument);
  EXPECT_THROW(Matmul("x", 1, 1, 0), std::invalid_argument);
  const Matmul matmul("x", 2, 2, 2);
  std::vector<std::byte> small(15);
  EXPECT_THROW(matmul.fill_input(0, Precision::f32, small), std::invalid_argument);
  EXPECT_THROW(matmul.fill_input(2, Precision::f32, small), std::out_of_range);
}

}  // namespace
}  // namespace breakeven
