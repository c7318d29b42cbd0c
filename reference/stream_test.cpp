#include "reference/stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace breakeven {
namespace {

using Kind = Stream::Kind;
constexpr Kind kKinds[] = {Kind::copy, Kind::scale, Kind::add, Kind::triad, Kind::gelu};
constexpr Precision kFloats[] = {Precision::f64, Precision::f32, Precision::bf16, Precision::f16};

// The answer as single precision (or double, for f64) code would have it.
template <class T>
std::vector<std::byte> compute(const Stream& stream, Precision precision) {
  const Operand output = stream.output(precision);
  std::vector<std::byte> a(output.bytes());
  std::vector<std::byte> b(output.bytes());
  std::vector<std::byte> c(output.bytes());
  stream.fill_input(0, precision, a);
  if (stream.has_b()) stream.fill_input(1, precision, b);
  for (std::int64_t i = 0; i < output.elements; ++i) {
    const T x = static_cast<T>(load_element(output.type, a.data(), i));
    const T y = static_cast<T>(load_element(output.type, b.data(), i));
    T z = x;
    if (stream.kind == Kind::scale) z = T{3} * x;
    if (stream.kind == Kind::add) z = x + y;
    if (stream.kind == Kind::triad) z = x + T{3} * y;
    if (stream.kind == Kind::gelu) {
      z = T{0.5} * x * (T{1} + std::tanh(T(0.7978845608028654) * (x + T(0.044715) * x * x * x)));
    }
    store_element(output.type, c.data(), i, static_cast<double>(z));
  }
  return c;
}

std::vector<std::byte> right_answer(const Stream& stream, Precision precision) {
  return precision == Precision::f64 ? compute<double>(stream, precision)
                                     : compute<float>(stream, precision);
}

TEST(Stream, RightAnswersPass) {
  for (const Kind kind : kKinds) {
    const Stream stream("x", kind, 1 << 20);
    for (const Precision precision : kFloats) {
      const Check check = stream.check(precision, right_answer(stream, precision));
      EXPECT_TRUE(check.ok()) << static_cast<int>(kind) << " " << traits(precision).name << " "
                              << check.method << " " << check.error << " > " << check.limit;
    }
  }
}

TEST(Stream, WrongAnswersFail) {
  for (const Kind kind : kKinds) {
    const Stream stream("x", kind, 80008);
    for (const Precision precision : kFloats) {
      const std::vector<std::byte> right = right_answer(stream, precision);
      const Operand output = stream.output(precision);
      const auto fails = [&](const std::vector<std::byte>& answer) {
        return !stream.check(precision, answer).ok();
      };
      EXPECT_TRUE(fails(std::vector<std::byte>(right.size(), std::byte{0xff})));
      EXPECT_TRUE(fails(std::vector<std::byte>(right.size())));
      std::vector<std::byte> shifted = right;
      std::rotate(shifted.begin(), shifted.begin() + 8, shifted.end());
      EXPECT_TRUE(fails(shifted));
      for (const double value : {0.0, std::numeric_limits<double>::quiet_NaN(),
                                 std::numeric_limits<double>::infinity()}) {
        std::vector<std::byte> wrong = right;
        store_element(output.type, wrong.data(), output.elements - 1, value);
        EXPECT_TRUE(fails(wrong)) << value;
      }
      const Stream other("x", kind == Kind::add ? Kind::triad : Kind::add, 80008);
      EXPECT_TRUE(fails(right_answer(other, precision)));
    }
  }
}

TEST(Stream, SinglePrecisionDoesNotPassForDouble) {
  const Stream stream("x", Kind::triad, 8000);
  EXPECT_FALSE(stream.check(Precision::f64, compute<float>(stream, Precision::f64)).ok());
}

TEST(Stream, CountsAsStreamDoes) {
  const Stream copy("x", Kind::copy, 16 << 20);
  EXPECT_EQ(copy.cost(Precision::f64).bytes, 32 << 20);
  EXPECT_EQ(copy.cost(Precision::f64).flops, 0);
  const Stream triad("x", Kind::triad, 16 << 20);
  EXPECT_EQ(triad.cost(Precision::f32).bytes, 48 << 20);
  EXPECT_EQ(triad.cost(Precision::f32).flops, 2 * (4 << 20));
  EXPECT_EQ(triad.elements(Precision::f64), 2 << 20);
  EXPECT_EQ(triad.inputs(Precision::f32).size(), 2u);
  EXPECT_EQ(copy.inputs(Precision::f32).size(), 1u);
}

TEST(Stream, KindsHaveNames) {
  EXPECT_EQ(Stream::parse_kind("triad"), Kind::triad);
  EXPECT_EQ(Stream::parse_kind("quad"), std::nullopt);
}

TEST(Stream, RefusesWhatItCannotBe) {
  EXPECT_THROW(Stream("x", Kind::copy, 0), std::invalid_argument);
  EXPECT_THROW(Stream("x", Kind::copy, 12), std::invalid_argument);
  const Stream stream("x", Kind::copy, 64);
  EXPECT_THROW(stream.inputs(Precision::int8), std::invalid_argument);
  EXPECT_THROW(stream.cost(Precision::fp8), std::invalid_argument);
  EXPECT_THROW(stream.check(Precision::f32, std::vector<std::byte>(60)), std::invalid_argument);
}

}  // namespace
}  // namespace breakeven
