// Every f32 rung on the emulator, against an fp64 product.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/matmul/rung_check.h"
#include "kernels/matmul/sgemm_rungs.h"

namespace breakeven::matmul {
namespace {

constexpr int kSizes[] = {1, 2, 7, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 257};
constexpr int kSizeCount = static_cast<int>(std::size(kSizes));

bool only_vectors(const Rung& rung) { return rung.name == std::string("sgemv"); }

class SgemmRung : public testing::TestWithParam<int> {
 protected:
  const Rung& rung() const { return f32_rungs()[GetParam()]; }

  // For the rung that takes vectors only, the case with one row or, at odd `which`, one column.
  RungCase fitted(RungCase test, int which) const {
    if (only_vectors(rung())) (which % 2 == 0 ? test.shape.m : test.shape.n) = 1;
    return test;
  }
};

// Each size meets many others in each place; transpositions, gaps, offsets and seeds go round.
TEST_P(SgemmRung, IsRightOnRaggedShapes) {
  int which = 0;
  for (int i = 0; i < kSizeCount; ++i) {
    for (int j = 0; j < 5; ++j, ++which) {
      RungCase test;
      test.shape = {kSizes[i], kSizes[(3 * i + 5 * j) % kSizeCount],
                    kSizes[(5 * i + 3 * j + 1) % kSizeCount], which % 4 == 1 || which % 4 == 3,
                    which % 4 >= 2};
      test.gap_a = which % 3;
      test.gap_b = which % 5 == 0 ? 4 : 0;
      test.gap_c = which % 2 * 3;
      test.offset = which % 7 == 0 ? 1 : 0;
      test.seed = 1 + which;
      expect_right(rung(), fitted(test, which / 4));
    }
  }
}

TEST_P(SgemmRung, IsRightWithOneRowOneColumnAndOneStep) {
  int which = 0;
  for (const bool trans_a : {false, true}) {
    for (const bool trans_b : {false, true}) {
      for (const GemmShape s : {GemmShape{1, 1, 1},
                                {1, 129, 33},
                                {129, 1, 33},
                                {65, 33, 1},
                                {1, 1, 257},
                                {2, 128, 1}}) {
        RungCase test;
        test.shape = {s.m, s.n, s.k, trans_a, trans_b};
        expect_right(rung(), fitted(test, ++which));
      }
    }
  }
}

// Aligned or not, dense or not, in every layout: the paths by vectors and by single floats.
TEST_P(SgemmRung, IsRightInEveryLayout) {
  struct Placing {
    int gap_a, gap_b, gap_c, offset;
  };
  int which = 0;
  for (const bool trans_a : {false, true}) {
    for (const bool trans_b : {false, true}) {
      for (const Placing& at : {Placing{0, 0, 0, 0},
                                {0, 0, 0, 1},
                                {4, 8, 12, 0},
                                {1, 2, 3, 0},
                                {0, 1, 0, 0},
                                {5, 4, 4, 3}}) {
        RungCase test;
        test.shape = {136, 72, 40, trans_a, trans_b};
        test.gap_a = at.gap_a;
        test.gap_b = at.gap_b;
        test.gap_c = at.gap_c;
        test.offset = at.offset;
        expect_right(rung(), fitted(test, ++which));
      }
    }
  }
}

TEST_P(SgemmRung, IsRightInAnyOrderOfThreads) {
  for (std::uint64_t seed = 100; seed < 110; ++seed) {
    RungCase test;
    test.shape = {65, 129, 67};
    test.seed = seed;
    expect_right(rung(), fitted(test, static_cast<int>(seed)));
  }
}

// The same bits whatever the order of threads, blocks and copies.
TEST_P(SgemmRung, IsDeterministic) {
  RungCase test;
  test.shape = {130, 66, 1100};
  test = fitted(test, 0);
  test.seed = 1;
  const std::vector<std::byte> first = run_rung(rung(), test).c;
  test.seed = 2;
  test.times = 2;
  EXPECT_EQ(run_rung(rung(), test).c, first);
}

TEST_P(SgemmRung, AppliesEveryEpilogueOrSaysThatItHasNone) {
  for (const Epilogue epilogue : {Epilogue::bias, Epilogue::bias_relu, Epilogue::bias_gelu}) {
    for (const bool aligned : {true, false}) {
      RungCase test;
      test.shape = {67, aligned ? 132 : 129, 48};
      test.epilogue = epilogue;
      test.offset = aligned ? 0 : 1;
      test = fitted(test, aligned);
      Gemm gemm;
      gemm.shape = test.shape;
      gemm.epilogue = epilogue;
      if (!rung().unsupported(gemm, test.gpu).empty()) {
        EXPECT_THROW(run_rung(rung(), test), std::invalid_argument);
      } else {
        expect_right(rung(), test);
      }
    }
  }
}

TEST_P(SgemmRung, SaysWhichSizesItCantTake) {
  Gemm gemm;
  gemm.shape = {std::int64_t{1} << 31, 1, 1};
  EXPECT_NE(rung().unsupported(gemm, {90, 132}), "");
  gemm.shape = {1 << 30, 1 << 30, 1};
  EXPECT_NE(rung().unsupported(gemm, {90, 132}), "");
}

std::string rung_name(const testing::TestParamInfo<int>& tested) {
  return f32_rungs()[tested.param].name;
}

INSTANTIATE_TEST_SUITE_P(Ladder, SgemmRung, testing::Range(0, static_cast<int>(f32_rungs().size())),
                         rung_name);

TEST(SgemmLadder, GivesEveryUpperRungItsEpilogues) {
  Gemm gemm;
  gemm.shape = {1, 64, 64};
  gemm.epilogue = Epilogue::bias_gelu;
  for (const Rung* rung : {&sgemm_pipelined(), &sgemm_split_warp_groups(), &sgemm_split_k(),
                           &sgemm_skinny(), &sgemv()}) {
    EXPECT_EQ(rung->unsupported(gemm, {90, 132}), "") << rung->name;
  }
}

TEST(SgemmLadder, SplitsKIntoAnyNumberOfParts) {
  for (const Rung* rung : {&sgemm_split_k(), &sgemm_skinny()}) {
    for (int tiling = 0; tiling < static_cast<int>(rung->tilings.size()); ++tiling) {
      for (const int k : {1, 33, 257, 1031, 2049}) {
        const RungCase test = {.shape = {65, 66, k, false, true},
                               .gap_c = 2,
                               .epilogue = Epilogue::bias_relu,
                               .tiling = tiling};
        const int slab = rung == &sgemm_split_k() ? 16 : 32;
        if (1 << tiling > (k + slab - 1) / slab) {  // more parts than slabs
          EXPECT_THROW(run_rung(*rung, test), std::invalid_argument);
          continue;
        }
        expect_right(*rung, test);
      }
    }
  }
}

TEST(SgemmLadder, SaysHowItCutTheProblem) {
  EXPECT_EQ(run_rung(sgemm_split_k(), {.shape = {65, 66, 257}, .tiling = 2}).plan,
            "64x64, k in 4 parts");
  EXPECT_EQ(run_rung(sgemm_skinny(), {.shape = {8, 66, 257}, .tiling = 0}).plan, "16x128, k whole");
}

TEST(SgemmLadder, SplitsKOfLongVectors) {
  for (const int k : {511, 512, 513, 5000}) {
    for (const bool transposed : {false, true}) {
      RungCase test;
      test.shape = {1, 40, k, transposed, !transposed};
      expect_right(sgemv(), test);
      test.shape = {40, 1, k, transposed, transposed};
      test.gap_c = 1;
      test.epilogue = Epilogue::bias;
      expect_right(sgemv(), test);
    }
  }
}

// What the quadrants and the padding are for. `vector`: shapes that copy in groups of four floats.
std::uint64_t conflicts(const Rung& rung, bool trans_a, bool trans_b, bool vector) {
  const simt::Counters counters =
      counted(rung, {.shape = {128, 128, 48, trans_a, trans_b}, .offset = vector ? 0 : 1});
  EXPECT_GT(counters.shared_wavefronts, 0u);
  return counters.shared_bank_conflicts;
}

TEST(SgemmBanks, HaveNoConflictsInTheUpperRungs) {
  for (const Rung* rung : {&sgemm_warp_tile(), &sgemm_pipelined(), &sgemm_split_warp_groups(),
                           &sgemm_split_k(), &sgemm_skinny()}) {
    for (int layout = 0; layout < 8; ++layout) {
      const bool trans_a = layout & 1, trans_b = layout & 2, vector = layout & 4;
      // Single floats brought through registers come four to a thread, in conflict.
      if (rung == &sgemm_warp_tile() && !vector) continue;
      EXPECT_EQ(conflicts(*rung, trans_a, trans_b, vector), 0u)
          << rung->name << (trans_a ? " trans_a" : "") << (trans_b ? " trans_b" : "")
          << (vector ? " by vectors" : " by floats");
    }
  }
}

TEST(SgemmBanks, ConflictWhereAThreadsColumnsAreNeighbours) {
  EXPECT_GT(conflicts(sgemm_vectorized(), false, false, true), 0u);
}

}  // namespace
}  // namespace breakeven::matmul
