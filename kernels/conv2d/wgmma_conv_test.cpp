// Convolutions by wgmma on the emulator, judged by the reference, and faults planted into them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/conv2d/conv_check.h"
#include "kernels/conv2d/implicit_wgmma.h"
#include "reference/conv2d_testing.h"

namespace breakeven::conv2d {
namespace {

constexpr Conv2dOp kOps[] = {Conv2dOp::forward, Conv2dOp::bias_relu, Conv2dOp::backward_data,
                             Conv2dOp::backward_weights};

std::string reason(const Rung& rung, const ConvCase& test) {
  return unsupported_reason(rung, {test.size, test.op, test.layout}, test.gpu);
}

void expect_right(const Rung& rung, const ConvCase& test) {
  SCOPED_TRACE(std::string(traits(rung.precision).name) + " " + to_string(test));
  try {
    const Check check = run_rung(rung, test);
    EXPECT_LE(check.error, check.limit) << check.method;
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
}

/// `count` random convolutions that TMA can walk: channels in 16-byte vectors (filters only where
/// `filters_too`), slabs and tiles that end inside, stride_h x stride_w of at most `most_products`.
std::vector<Conv2dSize> ragged_sizes(int count, std::uint64_t seed, int unit, bool filters_too,
                                     int most_products) {
  RandomNumbers random(seed);
  std::vector<Conv2dSize> sizes;
  while (static_cast<int>(sizes.size()) < count) {
    Conv2dSize size;
    size.n = random.between(1, 3);
    size.h = random.between(1, 13);
    size.w = random.between(1, 13);
    size.r = random.between(1, 5);
    size.s = random.between(1, 5);
    size.pad_h = random.between(0, 3);
    size.pad_w = random.between(0, 3);
    size.dilation_h = random.between(1, 2);
    size.dilation_w = random.between(1, 2);
    size.c = unit * random.between(1, 18);
    size.k = filters_too ? unit * random.between(1, 18) : random.between(1, 150);
    size.stride_h = random.between(1, 4);
    size.stride_w = random.between(1, 4);
    if (size.stride_h * size.stride_w > most_products) continue;
    const double products = static_cast<double>(size.n * size.p() * size.q() * size.k) *
                            static_cast<double>(size.c * size.r * size.s);
    if (conv2d_problem(size).empty() && products < 4e6) sizes.push_back(size);
  }
  return sizes;
}

class WgmmaConvRung : public testing::TestWithParam<int> {
 protected:
  WgmmaConvRung() : rung_(implicit_wgmma_rungs()[static_cast<std::size_t>(GetParam())]) {}
  int unit() const { return rung_.precision == Precision::tf32 ? 4 : 8; }
  Rung rung_;
};

// Every operation at every tiling, few multiprocessors, so that blocks get several tiles, and many,
// so that k is cut; outputs that a store of TMA can take, and others.
TEST_P(WgmmaConvRung, RaggedSizes) {
  int done = 0;
  for (const Conv2dOp op : kOps) {
    const bool gradient = op == Conv2dOp::backward_data || op == Conv2dOp::backward_weights;
    const std::vector<Conv2dSize> sizes =
        ragged_sizes(16, 11 + static_cast<std::uint64_t>(op), unit(), gradient,
                     op == Conv2dOp::backward_data ? kMostPixelProducts : 16);
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      ConvCase test = {.size = sizes[i], .op = op, .seed = 1 + i};
      test.gpu.sms = i % 3 == 0 ? 132 : static_cast<int>(1 + i % 5);
      test.tiling = static_cast<int>(i % 5) - 1;
      test.offset = i % 4 == 3 ? unit() : 0;
      if (!reason(rung_, test).empty()) continue;
      expect_right(rung_, test);
      ++done;
    }
  }
  EXPECT_EQ(done, rung_.precision == Precision::tf32 ? 32 : 64);
}

constexpr Conv2dSize kSize = {
    .n = 2, .c = 72, .h = 9, .w = 11, .k = 136, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1};

TEST_P(WgmmaConvRung, SeveralThreadOrders) {
  for (std::uint64_t seed = 100; seed < 104; ++seed) {
    for (const Conv2dOp op : kOps) {
      ConvCase test = {.size = kSize, .op = op, .seed = seed, .gpu = {90, 3}};
      test.tiling = static_cast<int>(seed % kConvWgmmaTilings);
      if (reason(rung_, test).empty()) expect_right(rung_, test);
    }
  }
}

// Whole slabs: 1x1 and 3x3 with a stride, as networks have them.
TEST_P(WgmmaConvRung, ChannelsInWholeSlabs) {
  const Conv2dSize sizes[] = {
      {.n = 2, .c = 64, .h = 14, .w = 14, .k = 256, .r = 1, .s = 1},
      {.n = 1,
       .c = 128,
       .h = 15,
       .w = 14,
       .k = 64,
       .r = 3,
       .s = 3,
       .pad_h = 1,
       .pad_w = 1,
       .stride_h = 2,
       .stride_w = 2},
      {.n = 1, .c = 64, .h = 7, .w = 7, .k = 128, .r = 7, .s = 7, .pad_h = 3, .pad_w = 3}};
  for (const Conv2dSize& size : sizes) {
    for (const Conv2dOp op : kOps) {
      const ConvCase test = {.size = size, .op = op};
      if (reason(rung_, test).empty()) expect_right(rung_, test);
    }
  }
}

/// A convolution of few tiles and much k for the operation.
Conv2dSize long_size(Conv2dOp op) {
  if (op == Conv2dOp::backward_weights) {
    return {.n = 2, .c = 24, .h = 40, .w = 37, .k = 64, .r = 1, .s = 2};
  }
  if (op == Conv2dOp::backward_data) {  // residues of one tap, of two and of four
    return {.n = 1,
            .c = 40,
            .h = 8,
            .w = 7,
            .k = 968,
            .r = 3,
            .s = 3,
            .pad_h = 1,
            .pad_w = 1,
            .stride_h = 2,
            .stride_w = 2};
  }
  return kSize;
}

// k is cut where tiles are few; the bits are the same whatever order threads run in.
TEST_P(WgmmaConvRung, PartsOfKGiveTheSameBitsInEveryOrder) {
  for (const Conv2dOp op : kOps) {
    ConvCase test = {.size = long_size(op), .op = op};
    if (!reason(rung_, test).empty()) continue;
    EXPECT_GT(rung_.workspace_bytes({test.size, test.op}, test.gpu), 0u) << to_string(test);
    expect_right(rung_, test);
    std::vector<std::byte> first, other;
    run_rung(rung_, test, &first);
    test.seed = 99;
    run_rung(rung_, test, &other);
    EXPECT_EQ(first, other) << to_string(test);
  }
}

// Most of dx's pixels have no tap: zeros, stored from one part of k and added up from several.
TEST_P(WgmmaConvRung, ResiduesWithoutATapAreZeros) {
  for (const std::int64_t filters : {64, 2048}) {
    const Conv2dSize size = {.n = 2,
                             .c = 72,
                             .h = 9,
                             .w = 8,
                             .k = filters,
                             .r = 1,
                             .s = 1,
                             .stride_h = 2,
                             .stride_w = 2};
    const ConvCase test = {.size = size, .op = Conv2dOp::backward_data};
    if (!reason(rung_, test).empty()) continue;
    EXPECT_EQ(rung_.workspace_bytes({size, test.op}, test.gpu) > 0, filters > 64);
    expect_right(rung_, test);
  }
}

INSTANTIATE_TEST_SUITE_P(All, WgmmaConvRung,
                         testing::Range(0, static_cast<int>(implicit_wgmma_rungs().size())),
                         [](const auto& rung) {
                           const auto rungs = implicit_wgmma_rungs();
                           return std::string(
                               traits(rungs[static_cast<std::size_t>(rung.param)].precision).name);
                         });

// What the model plans with is what the launch has, blocks of a cluster without rows included.
TEST(WgmmaConvPlan, CountsTheBlocksOfTheLaunch) {
  for (const std::int64_t channels : {32, 64, 72, 136}) {
    for (const std::int64_t filters : {32, 64, 136, 512}) {
      for (const Conv2dOp op : {Conv2dOp::forward, Conv2dOp::backward_weights}) {
        Conv conv = {{.n = 2, .c = channels, .h = 14, .w = 15, .k = filters, .r = 3, .s = 3}, op};
        const ConvWalk walk = conv_walk(conv);
        const std::vector<TileChoice> choices = conv_wgmma_choices<Precision::bf16>();
        using Operands = matmul::WgmmaOperands<bf16, false, false>;  // for the depth alone
        const auto blocks = [&](auto tile, int tiling) {
          using Tile = decltype(tile);
          EXPECT_EQ(Tile::cluster, choices[tiling].cluster);
          const WgmmaConv p = wgmma_conv_parameter<Operands, Tile>(conv, implicit_gemm(conv), walk);
          EXPECT_EQ(conv_tiles(conv, choices[tiling], TapSlabs::own),
                    std::int64_t{p.to.tile_rows} * Tile::cluster * p.to.tile_columns)
              << choices[tiling].name << " c " << channels << " k " << filters;
        };
        blocks(ConvWgmmaTile<0, false>(), 0);
        blocks(ConvWgmmaTile<1, false>(), 1);
        blocks(ConvWgmmaTile<2, false>(), 2);
        blocks(ConvWgmmaTile<3, false>(), 3);
      }
    }
  }
}

// Few filters: a cluster of two tiles along them would leave one without rows.
TEST(WgmmaConvPlan, FewFiltersTakeNoCluster) {
  const Conv conv = {
      {.n = 64, .c = 64, .h = 56, .w = 56, .k = 64, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1},
      Conv2dOp::backward_weights};
  const ConvPlan plan = conv_wgmma_plan<Precision::bf16>(conv, {90, 132});
  EXPECT_EQ(conv_wgmma_choices<Precision::bf16>()[plan.tile].cluster, 1);
}

TEST(WgmmaConvUnsupported, SaysWhy) {
  using testing::HasSubstr;
  const Rung bf16_rung = implicit_wgmma_bf16_rung();
  const Rung tf32_rung = implicit_wgmma_tf32_rung();
  const auto why = [](const Rung& rung, Conv2dOp op, auto change) {
    ConvCase test = {.size = kSize, .op = op};
    change(test);
    return reason(rung, test);
  };
  const auto as_it_is = [](ConvCase&) {};
  for (const Conv2dOp op : kOps) EXPECT_EQ(why(bf16_rung, op, as_it_is), "");
  EXPECT_EQ(why(tf32_rung, Conv2dOp::bias_relu, as_it_is), "");
  EXPECT_THAT(why(tf32_rung, Conv2dOp::backward_data, as_it_is), HasSubstr("along k"));
  EXPECT_THAT(why(tf32_rung, Conv2dOp::backward_weights, as_it_is), HasSubstr("along k"));
  const Conv2dOp data = Conv2dOp::backward_data, forward = Conv2dOp::forward;
  EXPECT_THAT(why(bf16_rung, data, [](ConvCase& c) { c.size.stride_w = c.size.stride_h = 3; }),
              HasSubstr("stride"));
  EXPECT_EQ(why(bf16_rung, forward, [](ConvCase& c) { c.size.stride_w = 3; }), "");
  EXPECT_THAT(why(bf16_rung, forward, [](ConvCase& c) { c.size.c = 68; }), HasSubstr("16 bytes"));
  EXPECT_EQ(why(tf32_rung, forward, [](ConvCase& c) { c.size.c = 68; }), "");
  EXPECT_EQ(why(bf16_rung, forward, [](ConvCase& c) { c.size.k = 5; }), "");
  EXPECT_THAT(why(bf16_rung, data, [](ConvCase& c) { c.size.k = 132; }), HasSubstr("16 bytes"));
  EXPECT_THAT(why(bf16_rung, forward, [](ConvCase& c) { c.size.groups = 2; }), HasSubstr("group"));
  EXPECT_THAT(why(bf16_rung, forward, [](ConvCase& c) { c.layout = Conv2dLayout::nchw; }),
              HasSubstr("NHWC"));
  EXPECT_THAT(why(bf16_rung, forward, [](ConvCase& c) { c.size.stride_h = 9; }),
              HasSubstr("above 8"));
  EXPECT_THAT(why(bf16_rung, forward,
                  [](ConvCase& c) {
                    c.size.dilation_w = 128;
                    c.size.pad_w = 127;
                  }),
              HasSubstr("255"));
  EXPECT_THAT(why(bf16_rung, forward, [](ConvCase& c) { c.size.pad_h = 140; }), HasSubstr("128"));
  EXPECT_THAT(why(bf16_rung, forward, [](ConvCase& c) { c.gpu.compute_capability = 100; }),
              HasSubstr("9.0"));
  Conv conv = {kSize, forward};
  alignas(16) static char memory[32];
  conv.inputs[1] = memory + 8;
  EXPECT_THAT(unsupported_reason(bf16_rung, conv, {90, 132}), HasSubstr("16-byte aligned"));
}

// ---- planted faults -----------------------------------------------------------------------------

template <Conv2dOp kOp>
using PlantedOperands =
    matmul::WgmmaOperands<bf16, kOp == Conv2dOp::backward_weights,
                          kOp == Conv2dOp::backward_data || kOp == Conv2dOp::backward_weights>;

/// The kernel on tiles of 128x128 after `kSpoil` has changed what it is told.
template <Conv2dOp kOp, void (*kSpoil)(ConvWalk&, WgmmaConv&)>
PreparedConv prepare_spoilt(const Conv& conv, void*, const Gpu& gpu) {
  using Operands = PlantedOperands<kOp>;
  using Tile = ConvWgmmaTile<2, kOp != Conv2dOp::backward_weights>;
  ImplicitGemm gemm = implicit_gemm(conv);
  cut_implicit_gemm(gemm, conv, {.tile = 0, .splits = 1}, conv_wgmma_choices<Precision::bf16>()[2],
                    nullptr, 2);
  ConvWalk walk = conv_walk(conv);
  WgmmaConv p = wgmma_conv_parameter<Operands, Tile>(conv, gemm, walk);
  kSpoil(walk, p);
  return {conv_wgmma_launch<kOp, Operands, Tile>(conv, walk, p, gpu)};
}

/// "right", "wrong", or the fault.
template <Conv2dOp kOp, void (*kSpoil)(ConvWalk&, WgmmaConv&)>
std::string outcome(const Conv2dSize& size = kSize) {
  const Rung rung = {"planted",
                     Precision::bf16,
                     90,
                     90,
                     [](const Conv&, const Gpu&) { return std::string(); },
                     no_workspace,
                     prepare_spoilt<kOp, kSpoil>};
  try {
    const Check check = run_rung(rung, {.size = size, .op = kOp, .gpu = {90, 2}});
    return check.error <= check.limit ? "right" : "wrong";
  } catch (const simt::Fault& fault) {
    return fault.what();
  }
}

template <void (*kSpoil)(ConvWalk&, WgmmaConv&)>
void expect_outcome(const std::string& expected) {
  EXPECT_EQ((outcome<Conv2dOp::forward, kSpoil>()), expected);
  EXPECT_EQ((outcome<Conv2dOp::backward_data, kSpoil>()), expected);
  EXPECT_EQ((outcome<Conv2dOp::backward_weights, kSpoil>()), expected);
}

void nothing(ConvWalk&, WgmmaConv&) {}
void row_turns_late(ConvWalk& walk, WgmmaConv&) { ++walk.view[0].upper_w; }
void image_turns_late(ConvWalk& walk, WgmmaConv&) { ++walk.view[0].upper_h; }
void padding_too_large(ConvWalk& walk, WgmmaConv& p) {
  walk.view[0].lower_h = --p.product[0].lower_h;
}
void last_slab_missing(ConvWalk&, WgmmaConv& p) { --p.product[0].k_tiles; }
void columns_swapped(ConvWalk&, WgmmaConv& p) {
  std::swap(p.product[0].by_width, p.product[0].by_height);
}
void wrong_dilation(ConvWalk&, WgmmaConv& p) { p.product[0].tap_w = 2; }
void slabs_cross_taps(ConvWalk&, WgmmaConv& p) { p.channels -= 8; }

TEST(WgmmaConvPlanted, IsSeen) {
  expect_outcome<nothing>("right");
  expect_outcome<row_turns_late>("wrong");
  expect_outcome<image_turns_late>("wrong");
  expect_outcome<padding_too_large>("wrong");
  expect_outcome<last_slab_missing>("wrong");
  expect_outcome<wrong_dilation>("wrong");
  expect_outcome<slabs_cross_taps>("wrong");
}

void steps_swapped(ConvWalk&, WgmmaConv& p) { std::swap(p.step_h, p.step_w); }
void spread_swapped(ConvWalk&, WgmmaConv& p) { std::swap(p.spread_h, p.spread_w); }
void last_residue_missing(ConvWalk&, WgmmaConv& p) { --p.products; }

TEST(WgmmaConvPlanted, StridesAreSeen) {
  Conv2dSize size = kSize;
  size.n = 4;  // several tiles of pixels
  size.stride_h = 2;
  EXPECT_EQ((outcome<Conv2dOp::forward, nothing>(size)), "right");
  EXPECT_NE((outcome<Conv2dOp::forward, steps_swapped>(size)), "right");
  EXPECT_EQ((outcome<Conv2dOp::backward_weights, nothing>(size)), "right");
  EXPECT_NE((outcome<Conv2dOp::backward_weights, steps_swapped>(size)), "right");
  EXPECT_EQ((outcome<Conv2dOp::backward_data, nothing>(size)), "right");
  EXPECT_EQ((outcome<Conv2dOp::backward_data, spread_swapped>(size)), "wrong");
  EXPECT_EQ((outcome<Conv2dOp::backward_data, last_residue_missing>(size)), "wrong");
}

// The model faults where a copy begins beside the walk.
TEST(WgmmaConvPlanted, PlacesBesideTheWalkAreFaults) {
  EXPECT_THAT((outcome<Conv2dOp::backward_weights, columns_swapped>()),
              testing::HasSubstr("outside the bounding box"));
}

}  // namespace
}  // namespace breakeven::conv2d
