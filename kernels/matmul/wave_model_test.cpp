#include "kernels/matmul/wave_model.h"

#include <gtest/gtest.h>

#include "kernels/matmul/tiles.h"

namespace breakeven::matmul {
namespace {

constexpr TileCost kTile = {64, 64, 16, 4, 4, 1.0};
constexpr int kSms = 100;

// `tiles` tiles, each of `slabs` slabs.
GemmShape shape_of(int tiles, int slabs) { return {64, 64 * tiles, 16 * slabs}; }

TEST(WaveModel, PutsABlockMoreThanAWaveIntoASecondOne) {
  const double full = estimated_cycles(shape_of(400, 100), kTile, 1, kSms);
  const double one_more = estimated_cycles(shape_of(401, 100), kTile, 1, kSms);
  EXPECT_GT(one_more, 1.9 * full);
  EXPECT_DOUBLE_EQ(estimated_cycles(shape_of(301, 100), kTile, 1, kSms), full);
}

// The case that made such a model necessary: 1.26 waves ran 45 % slower than 0.95.
TEST(WaveModel, PrefersJustUnderAWaveToALittleMore) {
  const GemmShape under = {64, 64 * 95, 16 * 252};  // 4 parts: 380 blocks of 63 slabs
  const double split_4 = estimated_cycles(under, kTile, 4, kSms);
  const double split_5 = estimated_cycles(under, kTile, 5, kSms);
  EXPECT_GT(split_5, 1.3 * split_4);
  EXPECT_EQ(plan_splits(under, kTile, kSms, 6).splits, 4);
}

TEST(WaveModel, CostsInProportionToTheWorkOfFullWaves) {
  const double once = estimated_cycles(shape_of(400, 1000), kTile, 1, kSms);
  EXPECT_NEAR(estimated_cycles(shape_of(400, 2000), kTile, 1, kSms) / once, 2, 0.01);
  EXPECT_NEAR(estimated_cycles(shape_of(1200, 1000), kTile, 1, kSms) / once, 3, 0.01);
}

TEST(WaveModel, CountsWhatASmallTileReads) {
  const TileCost thin = {4, 1024, 16, 4, 4, 1.0};  // as many multiply-adds as kTile
  EXPECT_GT(estimated_cycles({4, 1024 * 400, 1600}, thin, 1, kSms),
            5 * estimated_cycles(shape_of(400, 100), kTile, 1, kSms));
}

TEST(WaveModel, DoesNotSplitWhatFillsTheGpu) {
  EXPECT_EQ(plan_splits(shape_of(400, 256), kTile, kSms, 64).splits, 1);
  EXPECT_EQ(plan_splits(shape_of(4000, 64), kTile, kSms, 64).splits, 1);
}

TEST(WaveModel, SplitsALongSumOfFewTiles) {
  const SplitPlan plan = plan_splits(shape_of(1, 4096), kTile, kSms, 64);
  EXPECT_GT(plan.splits, 16);
  EXPECT_LT(plan.cycles, estimated_cycles(shape_of(1, 4096), kTile, 1, kSms) / 8);
}

TEST(WaveModel, NeverMakesAPartWithoutASlabAndNeverMoreThanAllowed) {
  for (const int tiles : {1, 3, 50, 399}) {
    for (const int k : {1, 16, 17, 100, 5000}) {
      for (const int most : {1, 2, 7, 64}) {
        const GemmShape shape = {64, 64 * tiles, k};
        const SplitPlan plan = plan_splits(shape, kTile, kSms, most);
        EXPECT_GE(plan.splits, 1);
        EXPECT_LE(plan.splits, most);
        EXPECT_LE(plan.splits, ceil_div(k, kTile.k));
        EXPECT_LE(plan.cycles, estimated_cycles(shape, kTile, 1, kSms));
      }
    }
  }
}

TEST(WaveModel, KnowsEveryArchitectureByTheNextLowerEntry) {
  EXPECT_EQ(sgemm_tiles(80).compute_capability, 80);
  EXPECT_EQ(sgemm_tiles(89).compute_capability, 86);
  EXPECT_EQ(sgemm_tiles(100).compute_capability, 90);
  EXPECT_EQ(sgemm_tiles(121).compute_capability, 120);
}

std::string chosen(std::int64_t m, std::int64_t n, std::int64_t k) {
  Gemm gemm;
  gemm.shape = {m, n, k};
  return choose_f32(gemm, {90, 132}).name;
}

TEST(Choice, FollowsTheShape) {
  EXPECT_EQ(chosen(1, 4096, 4096), "sgemv");
  EXPECT_EQ(chosen(4096, 1, 4096), "sgemv");
  EXPECT_EQ(chosen(16, 4096, 4096), "sgemm_skinny");
  EXPECT_EQ(chosen(4096, 16, 4096), "sgemm_skinny");
  EXPECT_EQ(chosen(64, 1024, 4096), "sgemm_split_k");
  EXPECT_EQ(chosen(512, 512, 512), "sgemm_split_k");
  EXPECT_EQ(chosen(1024, 1024, 1024), "sgemm_split_k");
  EXPECT_EQ(chosen(8192, 8192, 8192), "sgemm_split_warp_groups");
}

TEST(Choice, SupportsWhateverItIsGiven) {
  for (const std::int64_t m : {1, 2, 33, 500, 5000}) {
    for (const std::int64_t n : {1, 7, 128, 3000}) {
      for (const int compute_capability : {80, 86, 90, 100, 120}) {
        Gemm gemm;
        gemm.shape = {m, n, 1000};
        gemm.epilogue = Epilogue::bias_gelu;
        const Gpu gpu = {compute_capability, 100};
        EXPECT_EQ(choose_f32(gemm, gpu).unsupported(gemm, gpu), "");
      }
    }
  }
}

}  // namespace
}  // namespace breakeven::matmul
