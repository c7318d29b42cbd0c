#include "kernels/simt/types.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/cuda/primitives.h"

namespace breakeven {
namespace {

TEST(Types, LieInMemoryAsCudas) {
  EXPECT_EQ(sizeof(float4), 16u);
  EXPECT_EQ(alignof(float4), 16u);
  EXPECT_EQ(alignof(uint4), 16u);
  EXPECT_EQ(alignof(int2), 8u);
  EXPECT_EQ(sizeof(bf16), 2u);
  EXPECT_EQ(sizeof(f16), 2u);
  EXPECT_EQ(sizeof(e4m3), 1u);
}

TEST(Types, RoundToNearestEven) {
  EXPECT_EQ(to_float(from_float<bf16>(1.0f + 0x1p-8f)), 1.0f);
  EXPECT_EQ(to_float(from_float<bf16>(1.0f + 3 * 0x1p-8f)), 1.0f + 4 * 0x1p-8f);
  EXPECT_EQ(to_float(from_float<f16>(1.0f + 0x1p-11f)), 1.0f);
  EXPECT_EQ(to_float(from_float<f16>(1e6f)), std::numeric_limits<float>::infinity());
  EXPECT_EQ(to_float(from_float<e4m3>(17.0f)), 16.0f);
  EXPECT_EQ(to_float(from_float<e4m3>(1e6f)), 448.0f);
  EXPECT_EQ(from_float<float>(0.1f), 0.1f);
}

TEST(Types, PacksTheLowElementLow) {
  EXPECT_EQ(ptx::pack<bf16>(1.0f, 2.0f), 0x40003f80u);
  EXPECT_EQ(ptx::pack<f16>(1.0f, -2.0f), 0xc0003c00u);
}

TEST(Types, Tf32RoundsTiesAwayFromZero) {
  const auto rounded = [](float value) { return __uint_as_float(ptx::round_to_tf32(value)); };
  EXPECT_EQ(rounded(1.0f + 0x1p-11f), 1.0f + 0x1p-10f);
  EXPECT_EQ(rounded(-1.0f - 0x1p-11f), -1.0f - 0x1p-10f);
  EXPECT_EQ(rounded(1.0f + 0x1p-12f), 1.0f);
  EXPECT_EQ(rounded(std::numeric_limits<float>::infinity()),
            std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(rounded(__uint_as_float(0x7f800001u))));
}

TEST(Types, SharedBytesSumsArraysUp) {
  static_assert(ptx::shared_bytes(0, 100) == 100);
  static_assert(ptx::shared_bytes(100, 8, 8) == 112);
  static_assert(ptx::shared_bytes(1, 5, 1024) == 1029);
}

}  // namespace
}  // namespace breakeven
