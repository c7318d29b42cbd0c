// The mma.sync ladder on the emulator, every element against an fp64 product.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "kernels/matmul/mma_plan.h"
#include "kernels/matmul/mma_rungs.h"
#include "kernels/matmul/rung_check.h"

namespace breakeven::matmul {
namespace {

constexpr Gpu kA100 = {80, 108};

/// The case with the tiling that it asks for where the rung has a kernel of that, else its own
/// choice.
RungCase fitted(const Rung& rung, RungCase test, bool strided) {
  const int bytes = static_cast<int>(element_bytes(traits(rung.precision).input));
  if (rung.tilings.empty() || !has_mma_tile(test.tiling, bytes, strided)) test.tiling = -1;
  return test;
}

const Rung& find(const std::string& name, Precision precision) {
  for (const Rung& rung : mma_rungs()) {
    if (rung.name == name && rung.precision == precision) return rung;
  }
  throw std::invalid_argument("no such rung: " + name);
}

/// Sizes around the edges of tiles, slabs and vectors, in every transposition, with and without
/// gaps and misalignment. The first few are corners; the others are drawn, small ones more often.
std::vector<RungCase> ragged_cases() {
  constexpr int kSizes[] = {1, 2, 7, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 257};
  std::vector<GemmShape> shapes = {{1, 1, 1},     {257, 1, 33},   {1, 257, 65},  {33, 65, 1},
                                   {257, 129, 7}, {129, 257, 31}, {65, 63, 257}, {255, 255, 2}};
  std::mt19937_64 random(3);
  const auto draw = [&] { return kSizes[random() % std::size(kSizes)]; };
  while (shapes.size() < 64) {
    const GemmShape shape = {draw(), draw(), draw()};
    if (shape.m * shape.n * shape.k <= 600'000) shapes.push_back(shape);
  }
  std::vector<RungCase> cases;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    RungCase test{.shape = shapes[i]};
    test.shape.trans_a = i % 2 != 0;
    test.shape.trans_b = i / 2 % 2 != 0;
    if (i / 4 % 3 == 1) test.gap_a = 3, test.gap_b = 16, test.gap_c = 5;
    if (i / 4 % 3 == 2) test.gap_c = 8, test.offset = 1 + static_cast<int>(i % 5);
    test.seed = 1 + i;
    test.tiling = static_cast<int>(i / 4 % kMmaTileNames.size());
    cases.push_back(test);
  }
  return cases;
}

/// Operands that 16-byte vectors reach for every precision, with tiles and slabs that end inside.
std::vector<RungCase> vector_cases() {
  std::vector<RungCase> cases;
  for (const auto& [m, n, k] : {std::array{16, 16, 16}, std::array{144, 80, 48},
                                std::array{48, 272, 112}, std::array{272, 16, 272}}) {
    for (int transposed = 0; transposed < 4; ++transposed) {
      const int i = static_cast<int>(cases.size());
      RungCase test{.shape = {m, n, k, transposed % 2 != 0, transposed / 2 != 0}};
      test.gap_a = i % 3 * 16;
      test.gap_b = i / 3 % 2 * 32;
      test.gap_c = i % 2 * 3;
      test.seed = 100 + i;
      test.tiling = (i + i / 4) % static_cast<int>(kMmaTileNames.size());
      cases.push_back(test);
    }
  }
  // Rows that vectors can't divide: the other operand's are long enough, and the output's odd.
  cases.push_back({.shape = {33, 65, 80, false, true}, .gap_a = 16, .seed = 7, .tiling = 0});
  cases.push_back({.shape = {129, 7, 272, false, true}, .gap_c = 1, .seed = 8, .tiling = 3});
  return cases;
}

class MmaRung : public testing::TestWithParam<std::size_t> {
 protected:
  const Rung& rung() const { return mma_rungs()[GetParam()]; }
};

TEST_P(MmaRung, RaggedShapes) {
  for (const RungCase& test : ragged_cases()) expect_right(rung(), fitted(rung(), test, true));
}

TEST_P(MmaRung, ShapesInVectors) {
  for (const RungCase& test : vector_cases()) expect_right(rung(), fitted(rung(), test, false));
}

TEST_P(MmaRung, SeveralThreadOrders) {
  for (std::uint64_t seed = 1000; seed < 1006; ++seed) {
    expect_right(rung(), {.shape = {80, 96, 208, false, seed % 2 == 0},
                          .gap_b = 16,
                          .seed = seed,
                          .times = seed == 1000 ? 2 : 1});
  }
}

// Where the tensor core's own sums of fp8 would lose percents: see kernels/simt/fp8_sum.h.
TEST_P(MmaRung, SumsALongKInF32) {
  expect_right(rung(), {.shape = {64, 64, 4096 + 64, false, true}, .positive = true});
}

TEST_P(MmaRung, BiasAndActivation) {
  for (const Epilogue epilogue : {Epilogue::bias, Epilogue::bias_relu, Epilogue::bias_gelu}) {
    const RungCase test = {.shape = {48, 72, 80}, .epilogue = epilogue};
    if (rung().precision == Precision::int8) {
      EXPECT_THROW(run_rung(rung(), test), std::invalid_argument);
      continue;
    }
    expect_right(rung(), test);
    expect_right(rung(), {.shape = {33, 67, 19}, .offset = 1, .epilogue = epilogue});
    // Few tiles and a long k: where the rung splits, the epilogue comes after the last sum.
    expect_right(rung(),
                 {.shape = {32, 48, 2048, false, true}, .epilogue = epilogue, .gpu = kA100});
  }
}

std::vector<std::size_t> indices() {
  std::vector<std::size_t> all(mma_rungs().size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

INSTANTIATE_TEST_SUITE_P(Ladder, MmaRung, testing::ValuesIn(indices()),
                         [](const auto& rung) { return name_of(mma_rungs()[rung.param]); });

TEST(MmaTiles, EveryTilingOfALargerProduct) {
  for (const Precision precision : {Precision::bf16, Precision::tf32, Precision::int8}) {
    const Rung& rung = find("mma_tiles", precision);
    for (int tiling = 0; tiling < static_cast<int>(rung.tilings.size()); ++tiling) {
      expect_right(rung, {.shape = {272, 272, 144, true, false}, .tiling = tiling});
      expect_right(rung, {.shape = {288, 260, 144, false, true}, .tiling = tiling});
    }
  }
}

Gemm plain(std::int64_t m, std::int64_t n, std::int64_t k) {
  Gemm gemm;
  gemm.shape = {m, n, k};
  gemm.lda = k;
  gemm.ldb = n;
  gemm.ldc = n;
  return gemm;
}

TEST(MmaPlan, SplitsKOnlyWhereTilesAreFew) {
  EXPECT_GT(plan_mma(plain(64, 64, 16384), kA100, Precision::bf16, false).splits, 4);
  EXPECT_GT(plan_mma(plain(128, 768, 16384), kA100, Precision::bf16, false).splits, 1);
  EXPECT_EQ(plan_mma(plain(64, 64, 64), kA100, Precision::bf16, false).splits, 1);
  EXPECT_EQ(plan_mma(plain(4096, 4096, 4096), kA100, Precision::bf16, false).splits, 1);
}

TEST(MmaPlan, LargeProductsTakeLargeTilesAndSmallOnesSmall) {
  for (const Gpu& gpu : {Gpu{80, 108}, Gpu{86, 84}, Gpu{89, 142}, Gpu{90, 132}, Gpu{120, 188}}) {
    EXPECT_NE(plan_mma(plain(8192, 8192, 8192), gpu, Precision::bf16, false).tile, 1)
        << gpu.compute_capability;
    EXPECT_EQ(plan_mma(plain(512, 512, 512), gpu, Precision::bf16, false).tile, 1)
        << gpu.compute_capability;
  }
}

// 109 tiles of 128x256 on 108 SMs would take two rounds for hardly more than one round's work.
TEST(MmaPlan, AvoidsALastRoundThatIsNearlyEmpty) {
  const Gemm gemm = plain(128 * 109, 256, 4096);
  const MmaPlan plan = plan_mma(gemm, kA100, Precision::bf16, false);
  Gemm forced = gemm;
  forced.tiling = 2;
  EXPECT_LT(plan.cycles, plan_mma(forced, kA100, Precision::bf16, false).cycles);
}

// Of the same bytes: fp8 is as fast as int8 where the tensor core takes it, as f16 elsewhere.
TEST(MmaPlan, Fp8IsOnlyAsFastAsTheInstructionThatItBecomes) {
  const Gemm gemm = plain(8192, 8192, 8192);
  const auto cycles = [&](const Gpu& gpu, Precision precision) {
    return plan_mma(gemm, gpu, precision, false).cycles;
  };
  for (const Gpu& gpu : {Gpu{90, 132}, Gpu{100, 148}}) {
    EXPECT_GT(cycles(gpu, Precision::fp8), 1.9 * cycles(gpu, Precision::int8));
  }
  for (const Gpu& gpu : {Gpu{89, 142}, Gpu{120, 188}}) {
    EXPECT_EQ(cycles(gpu, Precision::fp8), cycles(gpu, Precision::int8));
  }
}

TEST(MmaTiles, ATilingWithoutAKernelIsRefused) {
  alignas(16) static std::byte memory[16];
  const Rung& rung = find("mma_tiles", Precision::bf16);
  Gemm gemm = plain(256, 256, 256);
  gemm.a = gemm.b = memory;
  gemm.tiling = 2;
  EXPECT_EQ(rung.unsupported(gemm, kA100), "");
  gemm.lda = 257;
  EXPECT_EQ(rung.unsupported(gemm, kA100),
            "no kernel with tiles of 128x256 for operands that 16-byte vectors don't reach");
  gemm.tiling = 1;
  EXPECT_EQ(rung.unsupported(gemm, kA100), "");
}

TEST(MmaTiles, SaysHowItCutTheProblem) {
  const Rung& rung = find("mma_tiles", Precision::bf16);
  EXPECT_EQ(run_rung(rung, {.shape = {32, 32, 32}, .tiling = 0}).plan, "128x128, k whole");
  const std::string plan = run_rung(rung, {.shape = {24, 40, 4096}, .gpu = kA100}).plan;
  EXPECT_NE(plan.find("64x64, k in "), std::string::npos) << plan;
}

TEST(MmaPlan, EverySplitHasWork) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 2000; ++i) {
    const auto size = [&] {
      return static_cast<std::int64_t>(1 + random() % (1 << random() % 14));
    };
    const Gemm gemm = plain(size(), size(), size());
    for (const Precision precision : {Precision::int8, Precision::bf16, Precision::tf32}) {
      const int element_bytes = static_cast<int>(breakeven::element_bytes(traits(precision).input));
      const MmaPlan plan = plan_mma(gemm, {90, 132}, precision, i % 2 == 0);
      ASSERT_GE(plan.splits, 1);
      ASSERT_GT(plan.split_k, 0);
      ASSERT_LT((plan.splits - 1) * plan.split_k, gemm.shape.k);
      ASSERT_GE(plan.splits * plan.split_k, gemm.shape.k);
      if (plan.splits > 1) {
        ASSERT_EQ(plan.split_k * element_bytes % kSlabBytes, 0);
      }
      ASSERT_TRUE(has_mma_tile(plan.tile, element_bytes, i % 2 == 0));
    }
  }
}

TEST(MmaTiles, SplitSumsAreTheSameInEveryOrder) {
  const Rung& rung = find("mma_tiles", Precision::bf16);
  RungCase test = {.shape = {24, 40, 4096}, .gpu = kA100};
  const RungRun first = run_rung(rung, test);
  EXPECT_NE(first.plan.find(" parts"), std::string::npos) << "no split to test";
  for (test.seed = 2; test.seed < 5; ++test.seed) EXPECT_EQ(run_rung(rung, test).c, first.c);
}

TEST(MmaBanks, SwizzledSlabsHaveNoConflicts) {
  for (const Precision precision :
       {Precision::bf16, Precision::f16, Precision::tf32, Precision::fp8, Precision::int8}) {
    for (int transposed = 0; transposed < 4; ++transposed) {
      const RungCase test = {.shape = {128, 256, 192, transposed % 2 != 0, transposed / 2 != 0}};
      for (const char* name : {"mma_ldmatrix", "mma_pipelined"}) {
        const simt::Counters counters = counted(find(name, precision), test);
        EXPECT_GT(counters.shared_wavefronts, 1000u);
        EXPECT_EQ(counters.shared_bank_conflicts, 0u)
            << name_of(find(name, precision)) << " " << to_string(test);
      }
    }
  }
}

TEST(MmaBanks, PlainSlabsHaveThem) {
  const simt::Counters counters =
      counted(find("mma_basic", Precision::bf16), {.shape = {128, 128, 128}});
  EXPECT_GT(counters.shared_bank_conflicts, counters.shared_wavefronts / 2);
}

TEST(MmaRungs, TheChoiceIsTheLastRung) {
  for (const Precision precision :
       {Precision::bf16, Precision::f16, Precision::tf32, Precision::fp8, Precision::int8}) {
    const Rung& rung = choose_mma(plain(64, 64, 64), precision, kA100);
    EXPECT_STREQ(rung.name, "mma_tiles");
    EXPECT_EQ(rung.precision, precision);
  }
  EXPECT_THROW(choose_mma(plain(64, 64, 64), Precision::f32, kA100), std::invalid_argument);
}

}  // namespace
}  // namespace breakeven::matmul
