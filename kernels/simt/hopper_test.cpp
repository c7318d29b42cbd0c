// What Hopper's primitives must do, and mistakes that the model must show.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/simt/hopper_test_product.h"

namespace breakeven::simt {
namespace {

using testing::HasSubstr;

template <class T, int kN, int kTransA, int kTransB>
void expect_right(int seeds) {
  for (int seed = 1; seed <= seeds; ++seed) {
    EXPECT_EQ((run_product<T, kN, kTransA, kTransB, Mistake::none>(seed, 5)), "") << seed;
  }
}

TEST(HopperProduct, IsRightInEveryTypeAndWidth) {
  expect_right<bf16, 64, 0, 0>(10);
  expect_right<bf16, 256, 0, 0>(2);
  expect_right<f16, 128, 0, 0>(3);
  expect_right<f16, 192, 0, 0>(2);
  expect_right<float, 64, 0, 0>(3);
  expect_right<float, 128, 0, 0>(2);
  expect_right<e4m3, 64, 0, 0>(3);
  expect_right<e4m3, 256, 0, 0>(2);
}

TEST(HopperProduct, IsRightForOperandsStoredAlongRows) {
  expect_right<bf16, 64, 1, 0>(3);
  expect_right<bf16, 128, 0, 1>(3);
  expect_right<f16, 256, 1, 1>(2);
}

/// How many of 20 seeds show the mistake; and every fault says `text`, if there is one.
template <Mistake kMistake>
int seen(const std::string& text = "") {
  int count = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string result = run_product<bf16, 64, 0, 0, kMistake>(seed, 6);
    if (result.empty()) continue;
    ++count;
    EXPECT_THAT(result, HasSubstr(text));
  }
  return count;
}

TEST(HopperMistake, StagesThatAreUsedTooEarly) {
  if (kThreadSanitizer) GTEST_SKIP() << kPlantedRaces;
  EXPECT_GE(seen<Mistake::no_full_wait>("of shared memory, which"), 15);
  EXPECT_GE(seen<Mistake::no_empty_wait>(), 15);
  EXPECT_GE(seen<Mistake::early_release>(), 1);
  EXPECT_EQ(seen<Mistake::same_parity>(), 20);
}

TEST(HopperMistake, SumsThatNobodyWaitedFor) {
  EXPECT_EQ(seen<Mistake::no_wgmma_wait>(), 20);
  EXPECT_EQ(seen<Mistake::late_wgmma_wait>(), 20);
  EXPECT_EQ(seen<Mistake::no_wgmma_fence>("without wgmma_fence"), 20);
}

TEST(HopperMistake, BytesAndArrivalsThatDontAddUp) {
  EXPECT_EQ(seen<Mistake::few_bytes>(), 20);
  EXPECT_EQ(seen<Mistake::many_bytes>("mbarrier_wait"), 20);
  EXPECT_EQ(seen<Mistake::extra_arrival>(), 20);
  EXPECT_EQ(seen<Mistake::no_arrival>("mbarrier_wait"), 20);
}

TEST(HopperMistake, BarriersThatAreNone) {
  EXPECT_EQ(seen<Mistake::no_fence_init>("mbarrier_fence_init"), 20);
  EXPECT_EQ(seen<Mistake::no_init>("no mbarrier_init"), 20);
  EXPECT_EQ(seen<Mistake::barrier_overwritten>("written over"), 20);
}

TEST(HopperMistake, DescriptorsThatDontFitTheLayout) {
  if (kThreadSanitizer) GTEST_SKIP() << kPlantedRaces;
  EXPECT_EQ(seen<Mistake::wrong_stride>(), 20);
  EXPECT_EQ(seen<Mistake::no_swizzle>(), 20);
}

TEST(HopperMistake, WarpGroupsThatDontAgree) {
  EXPECT_EQ(seen<Mistake::half_a_group>(), 20);
  EXPECT_EQ(seen<Mistake::other_operands>("disagree"), 20);
}

}  // namespace
}  // namespace breakeven::simt
