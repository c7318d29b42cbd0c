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

std::string name_of(const Rung& rung) {
  return std::string(rung.name) + "_" + std::string(traits(rung.precision).name);
}

bool has_tilings(const Rung& rung) { return !rung.tilings.empty(); }

const Rung& find(const std::string& name, Precision precision) {
  for (const Rung& rung : mma_rungs()) {
    if (rung.name == name && rung.precision == precision) return rung;
  }
  throw std::invalid_argument("no such rung: " + name);
}

void expect_right(const Rung& rung, const RungCase& test) {
  SCOPED_TRACE(name_of(rung) + " " + to_string(test));
  try {
    const Check check = run_rung(rung, test);
    EXPECT_LE(check.error, check.limit) << check.method;
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
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
  for (RungCase test : ragged_cases()) {
    if (!has_tilings(rung())) test.tiling = -1;
    expect_right(rung(), test);
  }
}

TEST_P(MmaRung, ShapesInVectors) {
  for (RungCase test : vector_cases()) {
    if (!has_tilings(rung())) test.tiling = -1;
    expect_right(rung(), test);
  }
}

TEST_P(MmaRung, SeveralThreadOrders) {
  for (std::uint64_t seed = 1000; seed < 1006; ++seed) {
    expect_right(rung(), {.shape = {80, 96, 208, false, seed % 2 == 0}, .gap_b = 16, .seed = seed});
  }
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
      expect_right(rung, {.shape = {257, 272, 144, true, false}, .tiling = tiling});
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
  EXPECT_GT(plan_mma(plain(64, 64, 16384), kA100, 2, false).splits, 4);
  EXPECT_GT(plan_mma(plain(128, 768, 16384), kA100, 2, false).splits, 1);
  EXPECT_EQ(plan_mma(plain(64, 64, 64), kA100, 2, false).splits, 1);
  EXPECT_EQ(plan_mma(plain(4096, 4096, 4096), kA100, 2, false).splits, 1);
}

TEST(MmaPlan, LargeProductsTakeLargeTilesAndSmallOnesSmall) {
  for (const Gpu& gpu : {Gpu{80, 108}, Gpu{86, 84}, Gpu{89, 142}, Gpu{90, 132}, Gpu{120, 188}}) {
    EXPECT_NE(plan_mma(plain(8192, 8192, 8192), gpu, 2, false).tile, 1) << gpu.compute_capability;
    EXPECT_EQ(plan_mma(plain(512, 512, 512), gpu, 2, false).tile, 1) << gpu.compute_capability;
  }
}

// 109 tiles of 128x256 on 108 SMs would take two rounds for hardly more than one round's work.
TEST(MmaPlan, AvoidsALastRoundThatIsNearlyEmpty) {
  const Gemm gemm = plain(128 * 109, 256, 4096);
  const MmaPlan plan = plan_mma(gemm, kA100, 2, false);
  Gemm forced = gemm;
  forced.tiling = 2;
  EXPECT_LT(plan.cycles, plan_mma(forced, kA100, 2, false).cycles);
}

TEST(MmaPlan, EverySplitHasWork) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 2000; ++i) {
    const auto size = [&] {
      return static_cast<std::int64_t>(1 + random() % (1 << random() % 14));
    };
    const Gemm gemm = plain(size(), size(), size());
    for (const int element_bytes : {1, 2, 4}) {
      const MmaPlan plan = plan_mma(gemm, {90, 132}, element_bytes, i % 2 == 0);
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

/// The bytes of C under one thread order.
std::vector<std::byte> bits_of(const Rung& rung, GemmShape shape, std::uint64_t seed) {
  detail::TestMatrix a(ElementType::bf16, shape.m, shape.k, 0, 0);
  detail::TestMatrix b(ElementType::bf16, shape.k, shape.n, 0, 0);
  detail::TestMatrix c(ElementType::bf16, shape.m, shape.n, 0, 0);
  a.fill(0);
  b.fill(1);
  Gemm gemm = plain(shape.m, shape.n, shape.k);
  gemm.a = a.start();
  gemm.b = b.start();
  gemm.c = c.start();
  detail::TestBuffer workspace(rung.workspace_bytes(gemm, kA100));
  EXPECT_GT(workspace.bytes(), 0u) << "no split to test";
  simt::settings().seed = seed;
  rung.launch(gemm, workspace.data(), kA100, Stream{});
  return {c.start(), c.start() + c.buffer.bytes()};
}

TEST(MmaTiles, SplitSumsAreTheSameInEveryOrder) {
  const Rung& rung = find("mma_tiles", Precision::bf16);
  const GemmShape shape = {24, 40, 4096};
  const auto first = bits_of(rung, shape, 1);
  for (std::uint64_t seed = 2; seed < 5; ++seed) EXPECT_EQ(bits_of(rung, shape, seed), first);
}

/// Conflicts on the banks of shared memory in one product.
simt::Counters counted(const Rung& rung, const RungCase& test) {
  simt::reset_counters();
  simt::settings().count_accesses = true;
  expect_right(rung, test);
  simt::settings().count_accesses = false;
  return simt::counters();
}

TEST(MmaBanks, SwizzledSlabsHaveNoConflicts) {
  for (const Precision precision :
       {Precision::bf16, Precision::f16, Precision::tf32, Precision::fp8, Precision::int8}) {
    for (int transposed = 0; transposed < 4; ++transposed) {
      const RungCase test = {.shape = {128, 256, 192, transposed % 2 != 0, transposed / 2 != 0}};
      for (const char* name : {"mma_ldmatrix", "mma_pipelined"}) {
        const simt::Counters counters = counted(find(name, precision), test);
        EXPECT_GT(counters.shared_wavefronts, 1000u);
        EXPECT_EQ(counters.shared_bank_conflicts, 0u) << name << " " << to_string(test);
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
