// The wgmma ladder on the emulator, every element against an fp64 product.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "kernels/matmul/rung_check.h"
#include "kernels/matmul/wgmma_tiles.h"

namespace breakeven::matmul {
namespace {

constexpr Gpu kH100 = {90, 132};

bool is_16_bit(Precision precision) {
  return precision == Precision::bf16 || precision == Precision::f16;
}

/// To the next multiple of 16 elements, which every type's TMA can take.
int gap_after(std::int64_t columns) { return static_cast<int>((16 - columns % 16) % 16); }

/// Case number `i` of a shape: transpositions that the precision has, gaps of C that TMA can store
/// with and others, few multiprocessors, so that blocks get several tiles, each tiling.
RungCase make_case(GemmShape shape, const Rung& rung, int i) {
  shape.trans_a = is_16_bit(rung.precision) && i % 2 != 0;
  shape.trans_b = !is_16_bit(rung.precision) || i / 2 % 2 != 0;
  RungCase test{.shape = shape};
  test.gap_a = gap_after(shape.trans_a ? shape.m : shape.k) + i % 3 / 2 * 16;
  test.gap_b = gap_after(shape.trans_b ? shape.k : shape.n) + i % 5 / 4 * 32;
  test.gap_c = i % 4 == 0 ? 1 : i % 4 == 1 ? 0 : gap_after(shape.n) + i % 4 / 3 * 16;
  test.offset = i % 6 == 5 ? 16 : 0;
  test.seed = 1 + i;
  test.gpu = {90, 2 + i % 5};
  if (!rung.tilings.empty()) test.tiling = i % (static_cast<int>(rung.tilings.size()) + 1) - 1;
  return test;
}

std::vector<GemmShape> ragged_shapes() {
  constexpr int kSizes[] = {1, 2, 7, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 257};
  std::vector<GemmShape> shapes = {{1, 1, 1},       {257, 1, 33},   {1, 257, 65},   {33, 65, 1},
                                   {257, 129, 7},   {129, 257, 31}, {65, 63, 257},  {255, 255, 2},
                                   {257, 257, 257}, {128, 256, 64}, {256, 128, 128}};
  std::mt19937_64 random(7);
  const auto draw = [&] { return kSizes[random() % std::size(kSizes)]; };
  while (shapes.size() < 64) {
    const GemmShape shape = {draw(), draw(), draw()};
    if (shape.m * shape.n * shape.k <= 1'000'000) shapes.push_back(shape);
  }
  return shapes;
}

class WgmmaRung : public testing::TestWithParam<int> {
 protected:
  const Rung& rung() const { return wgmma_rungs()[static_cast<std::size_t>(GetParam())]; }
};

TEST_P(WgmmaRung, IsRightOnRaggedShapes) {
  int i = 0;
  for (const GemmShape& shape : ragged_shapes())
    expect_right(rung(), make_case(shape, rung(), i++));
}

TEST_P(WgmmaRung, IsRightWithEveryEpilogue) {
  int i = 0;
  for (const Epilogue epilogue : {Epilogue::bias, Epilogue::bias_relu, Epilogue::bias_gelu}) {
    for (const GemmShape& shape : {GemmShape{65, 129, 33}, GemmShape{130, 264, 70}}) {
      RungCase test = make_case(shape, rung(), i++);
      test.epilogue = epilogue;
      expect_right(rung(), test);
    }
  }
}

TEST_P(WgmmaRung, IsRightInManyThreadOrders) {
  for (int i = 0; i < 12; ++i) {
    RungCase test = make_case({200, 300, 300}, rung(), i);
    test.times = i == 0 ? 2 : 1;
    expect_right(rung(), test);
  }
}

// Where the tensor core's own sums of fp8 would lose percents: see kernels/simt/fp8_sum.h.
TEST_P(WgmmaRung, SumsALongKInF32) {
  RungCase test = make_case({64, 64, 4096}, rung(), 2);
  test.positive = true;
  for (test.tiling = -1; test.tiling < static_cast<int>(rung().tilings.size()); ++test.tiling) {
    expect_right(rung(), test);
  }
}

// Every access of a rung that goes through registers to shared memory: its store's. TMA and wgmma
// move 128-byte rows with the hardware's own swizzle.
TEST_P(WgmmaRung, HasNoBankConflicts) {
  for (int tiling = -1; tiling < static_cast<int>(rung().tilings.size()); ++tiling) {
    RungCase test = make_case({256, 256, 64}, rung(), 2);
    test.tiling = tiling;
    const simt::Counters counters = counted(rung(), test);
    EXPECT_EQ(counters.shared_bank_conflicts, 0u) << to_string(test);
    const std::string name = rung().name;
    if (name == "wgmma_async_store" || name == "wgmma_hilbert") {
      EXPECT_GE(counters.shared_wavefronts, 256u * 256 * 2 / 128) << to_string(test);
    }
  }
}

TEST_P(WgmmaRung, SaysThatItPromotesFp8AndNothingElse) {
  const std::string plan = run_rung(rung(), make_case({64, 64, 64}, rung(), 2)).plan;
  EXPECT_EQ(plan.find("promoted to f32 every 128 k") != std::string::npos,
            rung().precision == Precision::fp8)
      << plan;
}

INSTANTIATE_TEST_SUITE_P(Ladder, WgmmaRung,
                         testing::Range(0, static_cast<int>(wgmma_rungs().size())),
                         [](const auto& rung) {
                           return name_of(wgmma_rungs()[static_cast<std::size_t>(rung.param)]);
                         });

TEST(WgmmaUnsupported, SaysWhy) {
  alignas(16) static char memory[64];
  for (const Rung& rung : wgmma_rungs()) {
    EXPECT_EQ(rung.min_compute_capability, 90);
    EXPECT_EQ(rung.max_compute_capability, 90);
    Gemm gemm;
    gemm.shape = {64, 64, 64, false, true};
    gemm.a = gemm.b = memory;
    gemm.c = memory + 2;
    gemm.lda = gemm.ldb = 64;
    gemm.ldc = 65;
    EXPECT_EQ(rung.unsupported(gemm, kH100), "");
    gemm.lda = 65;
    EXPECT_EQ(rung.unsupported(gemm, kH100), "TMA: A's rows aren't a multiple of 16 bytes apart");
    gemm.lda = 64;
    gemm.b = memory + 4;
    EXPECT_EQ(rung.unsupported(gemm, kH100), "TMA: B isn't 16-byte aligned");
    gemm.b = memory;
    gemm.shape.trans_b = false;
    EXPECT_EQ(rung.unsupported(gemm, kH100).empty(), is_16_bit(rung.precision));
    gemm.shape = {1, 64, 60, false, true};
    gemm.lda = 60 + 1;  // a single row, that is never left
    EXPECT_EQ(rung.unsupported(gemm, kH100), "");
  }
}

TEST(WgmmaTiling, IsLargeWhereTheGpuIsFullAndSmallWhereItIsNot) {
  const auto chosen = [](std::int64_t m, std::int64_t n, std::int64_t k) {
    return std::string(kWgmmaTilings[choose_wgmma_tiling({m, n, k}, 2, 132)].name);
  };
  EXPECT_EQ(chosen(8192, 8192, 8192), "128x256");
  EXPECT_EQ(chosen(1024, 1024, 4096), "128x128");
  EXPECT_EQ(chosen(65536, 128, 4096), "256x128");
  // One row of tiles: the second block of a cluster would have nothing to multiply.
  EXPECT_EQ(chosen(128, 16384, 4096), "128x128_single");
  EXPECT_EQ(chosen(64, 65536, 4096), "128x128_single");
}

}  // namespace
}  // namespace breakeven::matmul
