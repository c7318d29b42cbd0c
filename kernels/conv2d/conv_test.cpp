// The hand-written convolutions on the emulator, judged by the reference: what holds for all rungs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "kernels/conv2d/conv_expect.h"
#include "kernels/conv2d/gather.h"
#include "reference/conv2d_testing.h"

namespace breakeven::conv2d {
namespace {

class ConvRung : public testing::TestWithParam<std::size_t> {
 protected:
  const Rung& rung() const { return rungs()[GetParam()]; }
};

// Each rung takes its own part of the sizes, every operation in turn, so that each size meets
// several rungs and each rung every operation.
TEST_P(ConvRung, RaggedSizes) {
  const std::vector<Conv2dSize> sizes = ragged_conv2d_sizes(120, 7);
  const std::string name = rung().name;
  const bool needs_alignment = name == "implicit_wgmma";  // whose TMA wants 16 bytes
  int done = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    ConvCase test{.size = sizes[i], .op = kOps[(i + i / 4) % 4], .seed = 1 + i};
    test.layout = i % 5 == 4 ? Conv2dLayout::nchw : Conv2dLayout::nhwc;
    test.offset = needs_alignment ? 0 : static_cast<int>(i / 8 % 3);
    test.tiling = i % 7 < rung().tilings.size() ? static_cast<int>(i % 7) : -1;
    if (!takes(rung(), test)) continue;
    expect_right(rung(), test);
    ++done;
  }
  // Random filters are hardly ever 3x3 at stride 1 over many channels, or 1x1 without padding, and
  // random channels hardly ever fill 16 bytes: those rungs have tests of their own.
  const bool any_size = threads_gather(rung()) || name == "naive" || name == "depthwise";
  if (any_size) {
    EXPECT_GT(done, 10);
  }
}

/// Channels in 16-byte vectors for every precision, tiles and slabs that end inside, several tiles,
/// taps of one slab and of many.
std::vector<Conv2dSize> vector_sizes() {
  return {
      {.n = 1, .c = 16, .h = 9, .w = 11, .k = 32, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1},
      {.n = 2, .c = 32, .h = 7, .w = 5, .k = 16, .r = 1, .s = 1},
      {.n = 1, .c = 48, .h = 10, .w = 9, .k = 80, .r = 1, .s = 1, .stride_h = 2, .stride_w = 2},
      {.n = 2, .c = 80, .h = 6, .w = 7, .k = 144, .r = 3, .s = 2, .pad_h = 1, .stride_h = 2},
      {.n = 1,
       .c = 96,
       .h = 15,
       .w = 13,
       .k = 64,
       .r = 2,
       .s = 3,
       .pad_h = 2,
       .pad_w = 3,
       .dilation_h = 2,
       .groups = 2},
      {.n = 3,
       .c = 16,
       .h = 12,
       .w = 12,
       .k = 16,
       .r = 5,
       .s = 4,
       .pad_h = 2,
       .pad_w = 2,
       .stride_h = 3,
       .stride_w = 2,
       .dilation_h = 2,
       .dilation_w = 3},
      {.n = 1, .c = 144, .h = 5, .w = 4, .k = 208, .r = 1, .s = 3, .pad_w = 1},
      {.n = 1,
       .c = 64,
       .h = 3,
       .w = 3,
       .k = 64,
       .r = 3,
       .s = 3,
       .pad_h = 1,
       .pad_w = 1,
       .stride_h = 3,
       .stride_w = 4,
       .groups = 4},
  };
}

// Each size in every tiling and every operation.
TEST_P(ConvRung, SizesInVectors) {
  const std::vector<Conv2dSize> sizes = vector_sizes();
  const int tilings = std::max<int>(static_cast<int>(rung().tilings.size()), 1);
  std::vector<int> done(tilings, 0);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (const Conv2dOp op : kOps) {
      for (int tiling = 0; tiling < tilings; ++tiling) {
        ConvCase test{.size = sizes[i], .op = op, .seed = 1 + i};
        if (i % 2 != 0) test.gpu = smallest_gpu(rung());
        if (!rung().tilings.empty()) test.tiling = tiling;
        if (!takes(rung(), test)) continue;
        expect_right(rung(), test);
        ++done[tiling];
      }
    }
  }
  // Those that are for one kind of filter alone meet it once or not at all here.
  const std::string name = rung().name;
  if (!threads_gather(rung()) && name != "naive") return;
  const int ops = rung().precision == Precision::int8 ? 1 : 4;
  for (const int each : done) EXPECT_EQ(each, ops * static_cast<int>(sizes.size()));
}

TEST_P(ConvRung, SeveralThreadOrders) {
  const Conv2dSize size = {
      .n = 1, .c = 32, .h = 7, .w = 6, .k = 32, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1};
  Conv2dSize alone = size;
  alone.groups = 32;
  for (std::uint64_t seed = 1000; seed < 1003; ++seed) {
    for (const Conv2dOp op : kOps) {
      for (const Conv2dSize& each : {size, alone}) {
        const ConvCase test = {.size = each, .op = op, .seed = seed};
        if (takes(rung(), test) && (each.groups == 1 || std::string(rung().name) == "depthwise")) {
          expect_right(rung(), test);
        }
      }
    }
  }
}

// The bits of every answer, cut into parts or not, are the same whatever order threads run in.
TEST_P(ConvRung, TheSameBitsInEveryOrder) {
  const Conv2dSize size = {.n = 1,
                           .c = 16,
                           .h = 16,
                           .w = 17,
                           .k = 16,
                           .r = 3,
                           .s = 3,
                           .pad_h = 1,
                           .pad_w = 1,
                           .groups = std::string(rung().name) == "depthwise" ? 16 : 1};
  for (const Conv2dOp op : kOps) {
    ConvCase test = {.size = size, .op = op};
    if (!takes(rung(), test)) continue;
    std::vector<std::byte> first, other;
    run_rung(rung(), test, &first);
    test.seed = 99;
    run_rung(rung(), test, &other);
    EXPECT_EQ(first, other) << to_string(test);
  }
}

TEST(Tilings, EachOfALargerConvolution) {
  const Conv2dSize size = {
      .n = 2, .c = 32, .h = 10, .w = 11, .k = 144, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1};
  for (const Rung& rung : rungs()) {
    for (int tiling = 0; tiling < static_cast<int>(rung.tilings.size()); ++tiling) {
      int done = 0;
      for (const Conv2dOp op : kOps) {
        const ConvCase test = {.size = size, .op = op, .gpu = smallest_gpu(rung), .tiling = tiling};
        if (!takes(rung, test)) continue;
        expect_right(rung, test);
        ++done;
      }
      EXPECT_GT(done, 0) << name_of(rung) << " " << rung.tilings[tiling];
    }
  }
}

// Strides larger than the filter, than the padding, and with a common divisor of the dilation: the
// residues of backward data, of which some have no tap at all.
TEST(Strides, EveryResidue) {
  for (const Rung& rung : rungs()) {
    if (!threads_gather(rung) || rung.precision == Precision::int8) continue;
    int done = 0;
    for (const int stride : {2, 3, 4}) {
      for (const int pad : {0, 1, 2}) {
        for (const int dilation : {1, 2}) {
          const Conv2dSize size = {.n = 1,
                                   .c = 16,
                                   .h = 9,
                                   .w = 10,
                                   .k = 16,
                                   .r = 3,
                                   .s = 2,
                                   .pad_h = pad,
                                   .pad_w = 2 - pad,
                                   .stride_h = stride,
                                   .stride_w = stride + 1 - dilation,
                                   .dilation_h = dilation,
                                   .dilation_w = dilation};
          const ConvCase test = {.size = size, .op = Conv2dOp::backward_data};
          if (!takes(rung, test)) continue;
          expect_right(rung, test);
          ++done;
        }
      }
    }
    EXPECT_EQ(done, 18) << name_of(rung);
  }
}

// The residue with the most taps comes first, and each once.
TEST(Strides, LongestResidueFirst) {
  for (const int stride : {1, 2, 3, 4}) {
    for (const int pad : {0, 1, 3}) {
      for (const int dilation : {1, 2}) {
        const int step = stride / std::gcd(stride, dilation);
        const BackwardAxis axis = {32, pad, stride, dilation, 3, step};
        std::set<int> residues;
        for (int i = 0; i < stride; ++i) {
          residues.insert(axis.residue_at(i));
          EXPECT_LE(axis.residue(axis.residue_at(i)).taps, axis.residue(axis.residue_at(0)).taps);
        }
        EXPECT_EQ(axis.residue(axis.residue_at(0)).first_tap, 0);
        EXPECT_EQ(residues.size(), static_cast<std::size_t>(stride));
        EXPECT_EQ(*residues.begin(), 0);
      }
    }
  }
}

TEST(Divisor, SplitsWhatADivisionDoes) {
  for (const int by : {1, 2, 3, 7, 56, 100, 1023, 65536, 1000003, (1 << 30) + 1}) {
    const FastDivisor divisor = FastDivisor::of(by);
    for (const std::int64_t near : {0, 1, 12345, 1 << 20, (1 << 30) + 77, INT32_MAX}) {
      const std::int64_t multiple = near / by * by;
      for (const std::int64_t value : {near, multiple, multiple - 1, multiple + by}) {
        if (value < 0 || value > INT32_MAX) continue;
        int rest = static_cast<int>(value);
        EXPECT_EQ(divisor.split(rest, by), value / by);
        EXPECT_EQ(rest, value % by);
      }
    }
  }
}

// Few filters over many pixels: k in more parts than one row of threads should add up.
TEST(Parts, ManyAreAddedUp) {
  const Conv2dSize size = {.n = 1, .c = 16, .h = 64, .w = 65, .k = 16, .r = 1, .s = 1};
  const Rung& rung = *find_rung("implicit_sgemm", Precision::f32);
  Conv conv{size, Conv2dOp::backward_weights};
  conv.tiling = 1;
  const Gpu gpu = {90, 132};
  const std::size_t parts = rung.workspace_bytes(conv, gpu) / (16 * 16 * 4);
  EXPECT_GE(parts, 64u);
  expect_right(rung, {.size = size, .op = Conv2dOp::backward_weights, .gpu = gpu, .tiling = 1});
}

std::uint64_t bank_conflicts(const Rung& rung, const ConvCase& test) {
  simt::settings().count_accesses = true;
  simt::reset_counters();
  expect_right(rung, test);
  simt::settings().count_accesses = false;
  EXPECT_GT(simt::counters().shared_wavefronts, 1000u);
  return simt::counters().shared_bank_conflicts;
}

// Gathered slabs lie as a matrix' do: no bank of shared memory is asked twice.
TEST(Banks, NoConflicts) {
  const Conv2dSize size = {
      .n = 1, .c = 64, .h = 16, .w = 16, .k = 64, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1};
  for (const Rung& rung : rungs()) {
    if (!threads_gather(rung)) continue;
    for (int tiling = 0; tiling < static_cast<int>(rung.tilings.size()); ++tiling) {
      int done = 0;
      for (const Conv2dOp op : kOps) {
        ConvCase test = {.size = size, .op = op, .gpu = smallest_gpu(rung), .tiling = tiling};
        if (!takes(rung, test)) continue;
        const std::uint64_t conflicts = bank_conflicts(rung, test);
        const bool backward = op == Conv2dOp::backward_data || op == Conv2dOp::backward_weights;
        if (rung.precision == Precision::fp8 && backward) {
          // Sums of turned 8-bit operands meet on their way out, once a tile however long k is.
          (op == Conv2dOp::backward_data ? test.size.k : test.size.n) *= 2;
          EXPECT_EQ(bank_conflicts(rung, test), conflicts) << to_string(test);
        } else {
          EXPECT_EQ(conflicts, 0u) << name_of(rung) << " " << to_string(test);
        }
        ++done;
      }
      EXPECT_EQ(done, rung.precision == Precision::int8 ? 1 : 4) << name_of(rung);
    }
  }
}

std::vector<std::size_t> indices() {
  std::vector<std::size_t> all(rungs().size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, ConvRung, testing::ValuesIn(indices()),
                         [](const auto& rung) { return name_of(rungs()[rung.param]); });

}  // namespace
}  // namespace breakeven::conv2d
