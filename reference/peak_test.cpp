#include "reference/peak.h"

#include <gtest/gtest.h>

#include <limits>
#include <span>
#include <stdexcept>
#include <vector>

namespace breakeven {
namespace {

Check check(double answer) {
  return Peak().check(Precision::f32, std::as_bytes(std::span(&answer, 1)));
}

TEST(Peak, CountsEveryMultiplyAdd) {
  const Peak peak;
  EXPECT_EQ(peak.op(), "peak");
  EXPECT_EQ(peak.shape(), "fma");
  EXPECT_EQ(peak.cost(Precision::bf16).flops, 0x1p31);
  EXPECT_TRUE(check(0x1p30).ok());
  EXPECT_EQ(check(0x1p30).error, 0);
}

TEST(Peak, MissingWorkFails) {
  EXPECT_FALSE(check(0x1p30 - 1).ok());
  EXPECT_FALSE(check(0x1p30 + 1).ok());
  EXPECT_FALSE(check(0).ok());
  EXPECT_FALSE(check(0x1p31).ok());
  EXPECT_FALSE(check(std::numeric_limits<double>::quiet_NaN()).ok());
  EXPECT_FALSE(check(std::numeric_limits<double>::infinity()).ok());
}

TEST(Peak, InputsAreOneInEveryType) {
  const Peak peak;
  for (const Precision precision : kPrecisions) {
    for (std::size_t index = 0; index < 2; ++index) {
      const Operand operand = peak.inputs(precision)[index];
      std::vector<std::byte> bytes(operand.bytes());
      peak.fill_input(index, precision, bytes);
      EXPECT_EQ(load_element(operand.type, bytes.data(), 0), Peak::kStep);
    }
  }
  EXPECT_THROW(peak.check(Precision::f32, {}), std::invalid_argument);
}

}  // namespace
}  // namespace breakeven
