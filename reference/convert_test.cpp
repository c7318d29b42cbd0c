#include "reference/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <vector>

namespace breakeven {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::uint32_t stored_bits(ElementType type, double value) {
  std::byte data[8] = {};
  store_element(type, data, 0, value);
  std::uint32_t bits = 0;
  std::memcpy(&bits, data, element_bytes(type));
  return bits;
}

double value_of(ElementType type, std::uint32_t bits) {
  std::byte data[8] = {};
  std::memcpy(data, &bits, element_bytes(type));
  return load_element(type, data, 0);
}

// The narrow format as a table: every finite magnitude and its bits. Rounding by search in it
// shares nothing with the code under test.
std::map<double, std::uint32_t> magnitudes(ElementType type) {
  std::map<double, std::uint32_t> table;
  const std::uint32_t sign = type == ElementType::e4m3 ? 0x80 : 0x8000;
  for (std::uint32_t bits = 0; bits < sign; ++bits) {
    const double value = value_of(type, bits);
    if (std::isfinite(value)) table[value] = bits;
  }
  return table;
}

std::uint32_t search_nearest(const std::map<double, std::uint32_t>& table, double magnitude) {
  const auto above = table.lower_bound(magnitude);
  if (above == table.begin() || above->first == magnitude) return above->second;
  const auto below = std::prev(above);
  const double up = above->first - magnitude;
  const double down = magnitude - below->first;
  if (up == down) return above->second % 2 == 0 ? above->second : below->second;
  return up < down ? above->second : below->second;
}

class Narrow : public testing::TestWithParam<ElementType> {};

TEST_P(Narrow, EveryBitPatternSurvivesARoundTrip) {
  const std::uint32_t patterns = 1u << (8 * element_bytes(GetParam()));
  for (std::uint32_t bits = 0; bits < patterns; ++bits) {
    const double value = value_of(GetParam(), bits);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(value_of(GetParam(), stored_bits(GetParam(), value))));
    } else {
      ASSERT_EQ(stored_bits(GetParam(), value), bits) << value;
    }
  }
}

TEST_P(Narrow, HalfwayAndItsNeighboursRoundToNearestEven) {
  if (GetParam() == ElementType::s8) return;
  const auto table = magnitudes(GetParam());
  for (auto low = table.begin(), high = std::next(low); high != table.end(); ++low, ++high) {
    const double halfway = (low->first + high->first) / 2;
    const std::uint32_t even = low->second % 2 == 0 ? low->second : high->second;
    ASSERT_EQ(stored_bits(GetParam(), halfway), even) << halfway;
    // One unit of f64 off: a rounding by way of f32 would lose it.
    ASSERT_EQ(stored_bits(GetParam(), std::nextafter(halfway, 0)), low->second) << halfway;
    ASSERT_EQ(stored_bits(GetParam(), std::nextafter(halfway, 1e300)), high->second) << halfway;
  }
}

TEST_P(Narrow, RandomValuesRoundAsASearchDoes) {
  if (GetParam() == ElementType::s8) return;
  const auto table = magnitudes(GetParam());
  const double largest = table.rbegin()->first;
  std::mt19937_64 generator(7);
  std::uniform_real_distribution<double> exponent(std::log2(table.upper_bound(0)->first) - 3,
                                                  std::log2(largest));
  for (int i = 0; i < 20000; ++i) {
    const double value = std::exp2(exponent(generator));
    const std::uint32_t bits = search_nearest(table, value);
    ASSERT_EQ(stored_bits(GetParam(), value), bits) << value;
    const std::uint32_t sign = GetParam() == ElementType::e4m3 ? 0x80 : 0x8000;
    ASSERT_EQ(stored_bits(GetParam(), -value), bits | sign) << value;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Narrow,
                         testing::Values(ElementType::bf16, ElementType::f16, ElementType::e4m3,
                                         ElementType::s8));

TEST(Convert, KnownValues) {
  EXPECT_EQ(stored_bits(ElementType::bf16, 1.0), 0x3f80u);
  EXPECT_EQ(stored_bits(ElementType::f16, 1.0), 0x3c00u);
  EXPECT_EQ(stored_bits(ElementType::f16, -65504.0), 0xfbffu);
  EXPECT_EQ(stored_bits(ElementType::f16, 0x1p-24), 0x0001u);
  EXPECT_EQ(stored_bits(ElementType::e4m3, 1.0), 0x38u);
  EXPECT_EQ(stored_bits(ElementType::e4m3, 448.0), 0x7eu);
  EXPECT_EQ(stored_bits(ElementType::e4m3, 0x1p-9), 0x01u);
  EXPECT_EQ(stored_bits(ElementType::f16, -0.0), 0x8000u);
}

TEST(Convert, OverflowSaturatesOrBecomesInfinite) {
  EXPECT_EQ(value_of(ElementType::f16, stored_bits(ElementType::f16, 65519.99)), 65504.0);
  EXPECT_EQ(value_of(ElementType::f16, stored_bits(ElementType::f16, 65520.0)), kInfinity);
  EXPECT_EQ(value_of(ElementType::f16, stored_bits(ElementType::f16, -1e300)), -kInfinity);
  EXPECT_EQ(value_of(ElementType::bf16, stored_bits(ElementType::bf16, 1e300)), kInfinity);
  EXPECT_EQ(value_of(ElementType::e4m3, stored_bits(ElementType::e4m3, 1e300)), 448.0);
  EXPECT_EQ(value_of(ElementType::e4m3, stored_bits(ElementType::e4m3, -kInfinity)), -448.0);
  EXPECT_EQ(value_of(ElementType::s8, stored_bits(ElementType::s8, 1000.0)), 127.0);
  EXPECT_EQ(value_of(ElementType::s8, stored_bits(ElementType::s8, -1000.0)), -128.0);
  EXPECT_EQ(value_of(ElementType::s32, stored_bits(ElementType::s32, 1e10)), 2147483647.0);
  EXPECT_EQ(value_of(ElementType::s32, stored_bits(ElementType::s32, 2.5)), 2.0);
}

TEST(Convert, NanStaysNan) {
  for (const ElementType type :
       {ElementType::f32, ElementType::bf16, ElementType::f16, ElementType::e4m3}) {
    EXPECT_TRUE(std::isnan(value_of(type, stored_bits(type, kNan))));
    EXPECT_TRUE(std::isnan(value_of(type, stored_bits(type, -kNan))));
  }
  EXPECT_EQ(stored_bits(ElementType::e4m3, std::fabs(kNan)), 0x7fu);
  // A NaN whose payload lies in the bits that bf16 drops must not turn into infinity.
  EXPECT_TRUE(std::isnan(bf16_to_float(bf16_from_float(std::bit_cast<float>(0x7f800001u)))));
}

TEST(Convert, PoisonBytesAreNoAnswer) {
  for (const ElementType type : {ElementType::f64, ElementType::f32, ElementType::bf16,
                                 ElementType::f16, ElementType::e4m3}) {
    const std::vector<std::byte> poison(8, std::byte{0xff});
    EXPECT_TRUE(std::isnan(load_element(type, poison.data(), 0)));
  }
}

TEST(Convert, ArraysDecodeFromAnyOffset) {
  std::vector<std::byte> data(10);
  for (std::size_t i = 0; i < 5; ++i)
    store_element(ElementType::f16, data.data(), i, 0.5 * static_cast<double>(i));
  double values[3];
  decode_elements(ElementType::f16, data.data(), 2, 3, values);
  EXPECT_EQ(values[0], 1.0);
  EXPECT_EQ(values[2], 2.0);
}

TEST(Precision, NamesParseBack) {
  for (const Precision precision : kPrecisions) {
    EXPECT_EQ(parse_precision(traits(precision).name), precision);
  }
  EXPECT_EQ(parse_precision("f31"), std::nullopt);
  EXPECT_EQ(parse_precision(""), std::nullopt);
}

// A unit roundoff is half the gap above 1: 1 + u rounds to 1, anything more rounds up.
TEST(Precision, OutputRoundoffsMatchTheirTypes) {
  for (const Precision precision : {Precision::bf16, Precision::f16, Precision::fp8}) {
    const PrecisionTraits& t = traits(precision);
    const double u = t.output_roundoff;
    EXPECT_EQ(value_of(t.output, stored_bits(t.output, 1 + u)), 1.0) << t.name;
    EXPECT_EQ(value_of(t.output, stored_bits(t.output, 1 + 1.01 * u)), 1 + 2 * u) << t.name;
  }
}

}  // namespace
}  // namespace breakeven
