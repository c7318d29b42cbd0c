// Rungs for one kind of convolution, and the choice among all of them.
#include <gtest/gtest.h>

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "kernels/conv2d/bias_relu.h"
#include "kernels/conv2d/conv_dispatch.h"
#include "kernels/conv2d/conv_expect.h"
#include "kernels/conv2d/winograd.h"
#include "reference/conv2d_testing.h"

namespace breakeven::conv2d {
namespace {

// Filters of 3x3 in channels of 16 bytes go by rows, at the strides 1 and 2; many pixels in slices.
TEST(Depthwise, RowsAndSlices) {
  const Conv2dSize square = {.n = 2,
                             .c = 16,
                             .h = 9,
                             .w = 11,
                             .k = 16,
                             .r = 3,
                             .s = 3,
                             .pad_h = 1,
                             .pad_w = 1,
                             .groups = 16};
  std::vector<Conv2dSize> sizes(6, square);
  sizes[1].stride_h = sizes[1].stride_w = 2;
  sizes[2].pad_h = 0, sizes[2].pad_w = 2, sizes[2].w = 8;
  sizes[3].c = sizes[3].groups = 48, sizes[3].k = 96;
  sizes[4].h = 30, sizes[4].w = 33;
  sizes[5].r = 5, sizes[5].s = 4, sizes[5].dilation_w = 2;
  for (const Rung& rung : rungs()) {
    if (std::string(rung.name) != "depthwise") continue;
    for (const Conv2dSize& size : sizes) {
      for (const Conv2dOp op : kOps) expect_right(rung, {.size = size, .op = op});
    }
  }
}

// An image's three channels: few pixels are gathered element by element, many padded first.
TEST(FewChannels, PaddedOrNot) {
  Conv2dSize size = {.n = 1,
                     .c = 3,
                     .h = 45,
                     .w = 42,
                     .k = 24,
                     .r = 7,
                     .s = 7,
                     .pad_h = 3,
                     .pad_w = 3,
                     .stride_h = 2,
                     .stride_w = 2};
  const Gpu small = {80, 1};
  for (const Rung& rung : rungs()) {
    if (std::string(rung.name) != "implicit_mma") continue;
    int done = 0;
    for (const Conv2dOp op : {Conv2dOp::forward, Conv2dOp::bias_relu}) {
      const ConvCase test = {.size = size, .op = op, .gpu = smallest_gpu(rung)};
      if (!takes(rung, test)) continue;
      expect_right(rung, test);
      ++done;
    }
    EXPECT_GT(done, 0) << name_of(rung);
  }
  const Rung& rung = *find_rung("implicit_mma", Precision::bf16);
  const auto is_padded = [&] {
    return rung.prepare({size}, nullptr, small).plan.find("padded to 8") != std::string::npos;
  };
  EXPECT_TRUE(is_padded());
  size.h = size.w = 8;
  EXPECT_FALSE(is_padded());
}

// The ladders of kernels/matmul: wgmma's, and mma.sync's where the GPU has no other or k is cut.
TEST(Pointwise, EveryOperation) {
  const Conv2dSize sizes[] = {
      {.n = 2, .c = 64, .h = 9, .w = 7, .k = 48},   {.n = 1, .c = 13, .h = 5, .w = 6, .k = 21},
      {.n = 1, .c = 80, .h = 8, .w = 8, .k = 160},  {.n = 1, .c = 32, .h = 6, .w = 6, .k = 32},
      {.n = 1, .c = 96, .h = 10, .w = 10, .k = 32}, {.n = 1, .c = 1, .h = 4, .w = 3, .k = 1},
  };
  std::set<std::string> ladders;
  for (const Rung& rung : rungs()) {
    if (std::string(rung.name) != "pointwise") continue;
    const Gpu gpus[] = {{90, 1}, {90, 132}, {rung.min_compute_capability, 4}};
    int done = 0;
    for (int i = 0; i < 6; ++i) {
      for (int op = 0; op < 4; ++op) {
        ConvCase test = {.size = sizes[i], .op = kOps[op], .gpu = gpus[(i + op) % 3]};
        test.offset = i == 3;  // elements that no vector reaches
        if (!takes(rung, test)) continue;
        expect_right(rung, test);
        ++done;
        const std::string plan = rung.prepare({test.size, test.op}, nullptr, test.gpu).plan;
        ladders.insert(plan.substr(0, plan.find('_')));
      }
    }
    EXPECT_EQ(done, rung.precision == Precision::int8 ? 6 : 24) << name_of(rung);
  }
  for (const char* ladder : {"wgmma", "mma", "sgemm"}) EXPECT_EQ(ladders.count(ladder), 1u);
}

TEST(Pointwise, RefusesWhatIsNoProduct) {
  const Conv2dSize plain = {.n = 1, .c = 32, .h = 8, .w = 8, .k = 32};
  std::vector<Conv2dSize> others(5, plain);
  others[0].r = 2;
  others[1].stride_w = 2;
  others[2].pad_h = 1;
  others[3].groups = 2;
  others[4].s = 3;
  const Rung& rung = *find_rung("pointwise", Precision::bf16);
  EXPECT_TRUE(takes(rung, {.size = plain}));
  EXPECT_FALSE(takes(rung, {.size = plain, .layout = Conv2dLayout::nchw}));
  for (const Conv2dSize& other : others) EXPECT_FALSE(takes(rung, {.size = other}));
}

// Odd sides, paddings of 0 and 1, large and small tiles.
TEST(Winograd, Sizes) {
  const Rung& rung = *find_rung("winograd", Precision::f32);
  RandomNumbers random(11);
  for (int i = 0; i < 24; ++i) {
    ConvCase test;
    test.op = kOps[i % 3];
    test.seed = 1 + static_cast<std::uint64_t>(i);
    test.size = {.n = random.between(1, 2),
                 .c = random.between(16, 40),
                 .h = random.between(3, 9),
                 .w = random.between(3, 9),
                 .k = random.between(16, 40),
                 .r = 3,
                 .s = 3,
                 .pad_h = random.between(0, 1),
                 .pad_w = random.between(0, 1)};
    if (i % 4 == 3) test.size.c = 32, test.size.k = 68, test.gpu.sms = 1;
    expect_right(rung, test);
  }
}

// What a cache of 32 MB holds is far more than a test should compute.
TEST(Winograd, SeveralChunks) {
  const Rung& winograd = *find_rung("winograd", Precision::f32);
  Rung rung = winograd;
  rung.prepare = [](const Conv& conv, void* workspace, const Gpu& gpu) {
    WinogradProblem p = winograd_problem(conv, workspace);
    p.chunk = 7;
    return prepare_winograd(p, conv.tiling, gpu);
  };
  for (const Conv2dOp op : {Conv2dOp::forward, Conv2dOp::bias_relu, Conv2dOp::backward_data}) {
    expect_right(
        rung,
        {.size =
             {.n = 2, .c = 20, .h = 9, .w = 10, .k = 24, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1},
         .op = op});
  }
  const Conv large = {
      {.n = 8, .c = 64, .h = 56, .w = 56, .k = 64, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}};
  std::vector<std::byte> workspace(1);  // nothing reads it
  EXPECT_NE(winograd.prepare(large, workspace.data(), {90, 132}).plan.find("in 2 chunks"),
            std::string::npos);
}

// Of x the row kernel reads 18 vectors for 4 pixels, of y it writes 4; its filters add little,
// since each block reads its own once and without gaps.
TEST(Depthwise, ReadsFiltersWithoutGaps) {
  const Conv2dSize size = {.n = 1,
                           .c = 1024,
                           .h = 8,
                           .w = 8,
                           .k = 1024,
                           .r = 3,
                           .s = 3,
                           .pad_h = 1,
                           .pad_w = 1,
                           .groups = 1024};
  const Rung& rung = *find_rung("depthwise", Precision::bf16);
  simt::settings().count_accesses = true;
  simt::reset_counters();
  expect_right(rung, {.size = size});
  const std::uint64_t vectors = 8 * 2 * 128;  // threads: 16 bytes of channels of 4 pixels each
  const std::uint64_t filter_sectors = 1024 * 9 * 2 / 32 * 16;  // of 16 blocks of 128 threads each
  EXPECT_LE(simt::counters().global_sectors, vectors * (18 + 4) / 2 + filter_sectors);
  EXPECT_EQ(simt::counters().shared_bank_conflicts, 0u);
  simt::settings().count_accesses = false;
}

// What the rungs refuse is refused with a reason, and something takes every convolution.
TEST(Choice, TakesEveryConvolution) {
  for (const Conv2dSize& size : ragged_conv2d_sizes(40, 3)) {
    for (const Conv2dOp op : kOps) {
      for (const Precision precision : kPrecisions) {
        if (precision == Precision::int8 && op != Conv2dOp::forward) continue;
        EXPECT_NE(choose({size, op}, precision, {90, 132}), nullptr);
      }
      EXPECT_STREQ(choose({size, op, Conv2dLayout::nchw}, Precision::f32, {90, 132})->name,
                   "naive");
    }
  }
}

TEST(Choice, GoesByShape) {
  const Gpu h100 = {90, 132}, a100 = {80, 108};
  Conv conv;
  conv.size = {
      .n = 16, .c = 128, .h = 28, .w = 28, .k = 128, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1};
  EXPECT_STREQ(choose(conv, Precision::f32, h100)->name, "implicit_sgemm");  // and not winograd
  EXPECT_STREQ(choose(conv, Precision::bf16, h100)->name, "implicit_wgmma");
  EXPECT_STREQ(choose(conv, Precision::bf16, a100)->name, "implicit_mma");
  conv.size.stride_h = conv.size.stride_w = 2;
  EXPECT_STREQ(choose(conv, Precision::f32, h100)->name, "implicit_sgemm");
  conv.size.groups = 128;
  EXPECT_STREQ(choose(conv, Precision::bf16, h100)->name, "depthwise");
  conv.size = {.n = 16, .c = 64, .h = 56, .w = 56, .k = 64};
  for (const Conv2dOp op : kOps) {
    conv.op = op;
    const bool has_few_tiles = op == Conv2dOp::backward_weights;
    EXPECT_STREQ(choose(conv, Precision::bf16, h100)->name,
                 has_few_tiles ? "implicit_wgmma" : "pointwise");
    EXPECT_STREQ(choose(conv, Precision::bf16, a100)->name,
                 has_few_tiles ? "implicit_mma" : "pointwise");
    EXPECT_STREQ(choose(conv, Precision::f32, h100)->name, "pointwise");
  }
  conv.size.k = 1024;
  EXPECT_STREQ(choose(conv, Precision::bf16, h100)->name, "pointwise");
  conv.layout = Conv2dLayout::nchw;
  EXPECT_STREQ(choose(conv, Precision::bf16, h100)->name, "naive");
}

TEST(Choice, CutsKWhereTilesAreFew) {
  Conv conv;
  conv.size = {.n = 1, .c = 512, .h = 7, .w = 7, .k = 512, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1};
  for (const Conv2dOp op : kOps) {
    conv.op = op;
    for (const char* name : {"implicit_mma", "implicit_sgemm"}) {
      const Precision precision =
          name == std::string("implicit_mma") ? Precision::bf16 : Precision::f32;
      const Rung& rung = *find_rung(name, precision);
      const bool few = op != Conv2dOp::backward_weights;  // whose k is 49 pixels
      EXPECT_EQ(rung.workspace_bytes(conv, {90, 132}) > 0, few) << name;
    }
  }
  conv.op = Conv2dOp::forward;
  conv.size.n = 256;
  EXPECT_EQ(find_rung("implicit_mma", Precision::bf16)->workspace_bytes(conv, {90, 132}), 0u);
}

// Convolution, then bias and ReLU in place.
TEST(Unfused, GivesWhatFusedGives) {
  static const Rung& forward = *find_rung("implicit_sgemm", Precision::f32);
  const Rung unfused = {
      "unfused",
      Precision::f32,
      80,
      kAnyCompute,
      [](const Conv& conv, const Gpu&) { return bias_relu_unsupported(conv, Precision::f32); },
      [](const Conv& conv, const Gpu& gpu) { return forward.workspace_bytes(conv, gpu); },
      [](const Conv& conv, void* workspace, const Gpu& gpu) {
        Conv bare = conv;
        bare.op = Conv2dOp::forward;
        bare.inputs[2] = nullptr;
        return PreparedConv{
            in_order(forward.prepare(bare, workspace, gpu).enqueue, prepare_bias_relu(conv))};
      }};
  for (const Conv2dSize& size : ragged_conv2d_sizes(12, 5)) {
    expect_right(unfused, {.size = size, .op = Conv2dOp::bias_relu});
  }
}

}  // namespace
}  // namespace breakeven::conv2d
