// The choice among ladders, with ladders of the test's own.
#include "kernels/matmul/dispatch.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "kernels/matmul/mma_rungs.h"
#include "kernels/matmul/row_chunks.h"
#include "kernels/matmul/tuned_source.h"

namespace breakeven::matmul {
namespace {

constexpr Gpu kAmpere = {80, 108};
constexpr Gpu kHopper = {90, 132};

std::vector<TunedChoice>& table() {
  static std::vector<TunedChoice> entries;
  return entries;
}

PreparedGemm no_launch(const Gemm&, void*, const Gpu&) { return {}; }

std::string needs_even_k(const Gemm& gemm, const Gpu&) {
  return gemm.shape.k % 2 == 0 ? "" : "k must be even";
}

Rung rung(const char* name, Precision precision, int from, int to,
          std::vector<const char*> tilings = {}) {
  return {name, precision, from, to, supports_all, no_workspace, no_launch, std::move(tilings)};
}

Gemm gemm_of(std::int64_t m, std::int64_t n, std::int64_t k) {
  return dense_gemm(Matmul("test", m, n, k));
}

std::string chosen(const Gemm& gemm, Precision precision, const Gpu& gpu) {
  const Choice choice = choose(gemm, precision, gpu);
  return choice.rung ? choice.rung->name : "";
}

}  // namespace

const std::vector<Rung>& f32_rungs() {
  static const std::vector<Rung> rungs = {
      rung("slow_f32", Precision::f32, 80, kAnyCompute),
      rung("fast_f32", Precision::f32, 80, kAnyCompute, {"a", "b"})};
  return rungs;
}

const std::vector<Rung>& mma_rungs() {
  static const std::vector<Rung> rungs = {rung("mma", Precision::bf16, 80, kAnyCompute),
                                          rung("mma", Precision::fp8, 89, kAnyCompute)};
  return rungs;
}

const std::vector<Rung>& wgmma_rungs() {
  static const std::vector<Rung> rungs = [] {
    std::vector<Rung> all = {rung("wgmma_first", Precision::bf16, 90, 90),
                             rung("wgmma_last", Precision::bf16, 90, 90)};
    all.back().unsupported = needs_even_k;
    return all;
  }();
  return rungs;
}

const Rung& choose_f32(const Gemm&, const Gpu&) { return f32_rungs().back(); }

const Rung& choose_mma(const Gemm&, Precision precision, const Gpu&) {
  return precision == Precision::bf16 ? mma_rungs()[0] : mma_rungs()[1];
}

std::span<const TunedChoice> tuned_choices() { return table(); }

namespace {

class Dispatch : public ::testing::Test {
 protected:
  void TearDown() override { table().clear(); }
};

TEST_F(Dispatch, TheLastWgmmaRungThatCanDoItOnHopper) {
  EXPECT_EQ(chosen(gemm_of(4096, 4096, 4096), Precision::bf16, kHopper), "wgmma_last");
  EXPECT_EQ(chosen(gemm_of(4096, 4096, 4095), Precision::bf16, kHopper), "wgmma_first");
}

TEST_F(Dispatch, MmaElsewhereAndWhereWgmmaTilesAreTooFew) {
  EXPECT_EQ(chosen(gemm_of(4096, 4096, 4096), Precision::bf16, kAmpere), "mma");
  EXPECT_EQ(chosen(gemm_of(4096, 4096, 4096), Precision::bf16, {120, 170}), "mma");
  EXPECT_EQ(chosen(gemm_of(128, 128, 65536), Precision::bf16, kHopper), "mma");
}

TEST_F(Dispatch, NothingWherePrecisionOrGpuHaveNoRung) {
  EXPECT_EQ(chosen(gemm_of(64, 64, 64), Precision::f64, kHopper), "");
  EXPECT_EQ(chosen(gemm_of(64, 64, 64), Precision::fp8, kAmpere), "");
  EXPECT_EQ(chosen(gemm_of(64, 64, 64), Precision::fp8, kHopper), "mma");
}

TEST_F(Dispatch, AReasonNamesBothCapabilities) {
  EXPECT_EQ(unsupported_reason(wgmma_rungs()[0], gemm_of(8, 8, 8), kAmpere),
            "needs compute capability 9.0, this GPU has 8.0");
  EXPECT_EQ(unsupported_reason(mma_rungs()[1], gemm_of(8, 8, 8), kAmpere),
            "needs compute capability 8.9 or later, this GPU has 8.0");
  EXPECT_EQ(unsupported_reason(wgmma_rungs()[1], gemm_of(8, 8, 7), kHopper), "k must be even");
}

TEST_F(Dispatch, ATunedEntryWinsNearItsShapeOnItsGpuOnly) {
  table() = {{90, 132, Precision::f32, {1000, 1000, 1000, false, false}, "slow_f32", ""},
             {90, 132, Precision::f32, {1100, 1000, 1000, false, false}, "fast_f32", "b"}};
  EXPECT_EQ(chosen(gemm_of(1000, 1000, 1000), Precision::f32, kHopper), "slow_f32");
  const Choice near = choose(gemm_of(1090, 1000, 1000), Precision::f32, kHopper);
  EXPECT_STREQ(near.rung->name, "fast_f32");
  EXPECT_EQ(near.tiling, 1);
  EXPECT_EQ(choose(gemm_of(1090, 1000, 1300), Precision::f32, kHopper).tiling, -1);
  EXPECT_EQ(chosen(gemm_of(1000, 1000, 1000), Precision::f32, kAmpere), "fast_f32");
  EXPECT_EQ(chosen(gemm_of(1000, 1000, 1000), Precision::f32, {90, 114}), "fast_f32");
  Gemm transposed = gemm_of(1000, 1000, 1000);
  transposed.shape.trans_b = true;
  EXPECT_EQ(chosen(transposed, Precision::f32, kHopper), "fast_f32");
}

TEST_F(Dispatch, ATunedEntryThatCantBeUsedIsPassedOver) {
  table() = {{90, 132, Precision::bf16, {512, 512, 511, false, false}, "wgmma_last", ""},
             {90, 132, Precision::f32, {64, 64, 64, false, false}, "gone", ""},
             {90, 132, Precision::f32, {64, 64, 65, false, false}, "slow_f32", "gone"}};
  EXPECT_EQ(chosen(gemm_of(4096, 512, 511), Precision::bf16, kHopper), "wgmma_first");
  EXPECT_EQ(chosen(gemm_of(512, 512, 511), Precision::bf16, kHopper), "mma");
  EXPECT_EQ(chosen(gemm_of(64, 64, 64), Precision::f32, kHopper), "fast_f32");
}

TEST_F(Dispatch, TilingsByName) {
  EXPECT_EQ(tiling_index(f32_rungs()[1], ""), -1);
  EXPECT_EQ(tiling_index(f32_rungs()[1], "b"), 1);
  EXPECT_THROW(tiling_index(f32_rungs()[1], "c"), std::invalid_argument);
}

TEST_F(Dispatch, DenseOperands) {
  const Gemm plain = dense_gemm(Matmul("test", 3, 5, 7));
  EXPECT_EQ(plain.lda, 7);
  EXPECT_EQ(plain.ldb, 5);
  EXPECT_EQ(plain.ldc, 5);
  const Gemm turned = dense_gemm(Matmul("test", 3, 5, 7, true, true));
  EXPECT_EQ(turned.lda, 3);
  EXPECT_EQ(turned.ldb, 7);
}

TEST(TunedSource, FoundEntriesReplaceOldOnesOfTheSameProductAndGpu) {
  const TunedChoice old_here = {90, 132, Precision::f32, {64, 64, 64, false, false}, "a", ""};
  const TunedChoice old_there = {80, 108, Precision::f32, {64, 64, 64, false, false}, "b", ""};
  const TunedChoice found = {90, 132, Precision::f32, {64, 64, 64, false, false}, "c", "128x128"};
  const std::vector<TunedChoice> merged =
      merged_choices(std::vector{old_here, old_there}, std::vector{found});
  ASSERT_EQ(merged.size(), 2u);
  EXPECT_EQ(merged[0].rung, "b");
  EXPECT_EQ(merged[1].rung, "c");
  const std::string text = tuned_source(merged);
  EXPECT_NE(text.find("{90, 132, Precision::f32, {64, 64, 64, false, false}, \"c\", \"128x128\"},"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("return kTuned;"), std::string::npos);
}

TEST(TunedSource, AnEmptyTableIsAnEmptySpan) {
  EXPECT_NE(tuned_source({}).find("return {};"), std::string::npos);
}

TEST(RowChunks, CoverEveryRowOnce) {
  for (const std::int64_t m : {1, 255, 256, 257, 2047, 2048, 2049, 8192, 100003}) {
    std::int64_t next = 0;
    const std::vector<RowChunk> chunks = row_chunks(m, 8);
    EXPECT_LE(chunks.size(), 8u);
    for (const RowChunk& chunk : chunks) {
      EXPECT_EQ(chunk.first, next);
      EXPECT_EQ(chunk.first % 256, 0);
      EXPECT_GE(chunk.rows, 1);
      next += chunk.rows;
    }
    EXPECT_EQ(next, m);
  }
}

TEST(RowChunks, AddressRowsOfBothStorages) {
  const std::vector<std::byte> memory(1);
  Gemm gemm = gemm_of(512, 16, 32);
  gemm.a = memory.data();
  gemm.c = const_cast<std::byte*>(memory.data());
  const auto offset = [&](const void* at) {
    return reinterpret_cast<std::intptr_t>(at) - reinterpret_cast<std::intptr_t>(memory.data());
  };
  Gemm part = rows_of(gemm, {256, 256}, 2, 4);
  EXPECT_EQ(part.shape.m, 256);
  EXPECT_EQ(offset(part.a), 256 * 32 * 2);
  EXPECT_EQ(offset(part.c), 256 * 16 * 4);
  gemm.shape.trans_a = true;
  gemm.lda = 512;
  part = rows_of(gemm, {256, 256}, 2, 4);
  EXPECT_EQ(offset(part.a), 256 * 2);
}

}  // namespace
}  // namespace breakeven::matmul
