// Faults planted into the hand-written convolutions: the checks of conv_test.cpp must see each.
#include <gtest/gtest.h>

#include "kernels/conv2d/conv_check.h"
#include "kernels/conv2d/conv_pad.h"
#include "kernels/conv2d/depthwise_weights.h"
#include "kernels/conv2d/implicit_gemm.h"
#include "kernels/conv2d/implicit_mma.h"
#include "kernels/conv2d/sgemm_gather.h"
#include "kernels/conv2d/winograd.h"
#include "kernels/matmul/sgemm_pipeline.h"

namespace breakeven::conv2d {
namespace {

using matmul::BlockBarrier;
using matmul::SlabCopy;
using matmul::SlabPipeline;
using matmul::ThreadTiles;
using Tiles = ThreadTiles<2, 2, 4, 8, 2, 1, 16>;

constexpr Conv2dSize kSize = {
    .n = 2, .c = 16, .h = 9, .w = 10, .k = 32, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1};

std::string no_reason(const Conv&, const Gpu&) { return ""; }

/// A rung of f32 or bf16 that this `prepare` alone makes.
Rung rung_of(Precision precision, PreparedConv (*prepare)(const Conv&, void*, const Gpu&)) {
  return {"planted", precision, 80, kAnyCompute, no_reason, no_workspace, prepare};
}

Check run(const Rung& rung, Conv2dOp op, std::uint64_t seed = 1) {
  return run_rung(rung, {.size = kSize, .op = op, .seed = seed});
}

/// The tensor-core kernel on tiles of 64x64 after `spoil` has changed what it is told.
template <Conv2dOp kOp>
PreparedConv prepare_mma(const Conv& conv, void (*spoil)(ImplicitGemm&)) {
  ImplicitGemm p = implicit_gemm(conv);
  cut_implicit_gemm(p, conv, {.tile = 0, .splits = 1}, {"64x64", 64, 64, 32, 3, 1.0}, nullptr, 2);
  spoil(p);
  return {conv_mma_prepare_tile<Precision::bf16, kOp, 2>(p, conv)};
}

template <Conv2dOp kOp, int kPad>
PreparedConv with_padding_off_by(const Conv& conv, void*, const Gpu&) {
  return prepare_mma<kOp>(conv, [](ImplicitGemm& p) {
    p.view.origin_h -= kPad;
    p.axis_h.pad += kPad;  // of backward data
  });
}

template <Conv2dOp kOp>
void expect_padding_seen() {
  const Check right = run(rung_of(Precision::bf16, with_padding_off_by<kOp, 0>), kOp);
  EXPECT_LE(right.error, right.limit) << right.method;
  for (const Check& wrong : {run(rung_of(Precision::bf16, with_padding_off_by<kOp, 1>), kOp),
                             run(rung_of(Precision::bf16, with_padding_off_by<kOp, -1>), kOp)}) {
    EXPECT_GT(wrong.error, wrong.limit);
  }
}

TEST(Planted, PaddingOffByOne) {
  expect_padding_seen<Conv2dOp::forward>();
  expect_padding_seen<Conv2dOp::backward_data>();
  expect_padding_seen<Conv2dOp::backward_weights>();
}

TEST(Planted, ATapTooFew) {
  const Rung rung = rung_of(Precision::bf16, [](const Conv& conv, void*, const Gpu&) {
    return prepare_mma<Conv2dOp::forward>(conv, [](ImplicitGemm& p) { p.k -= p.view.channels; });
  });
  const Check check = run(rung, Conv2dOp::forward);
  EXPECT_GT(check.error, check.limit);
}

TEST(Planted, AResidueTooFew) {
  const Rung rung = rung_of(Precision::bf16, [](const Conv& conv, void*, const Gpu&) {
    Conv without = conv;  // of the four of stride 2, three are launched
    ImplicitGemm p = implicit_gemm(conv);
    cut_implicit_gemm(p, conv, {.tile = 0, .splits = 1}, {"64x64", 64, 64, 32, 3, 1.0}, nullptr, 2);
    without.size.stride_h = 1;
    without.size.stride_w = 3;
    return PreparedConv{
        conv_mma_prepare_tile<Precision::bf16, Conv2dOp::backward_data, 2>(p, without)};
  });
  Conv2dSize size = kSize;
  size.stride_h = size.stride_w = 2;
  const Check check = run_rung(rung, {.size = size, .op = Conv2dOp::backward_data});
  EXPECT_GT(check.error, check.limit);
}

struct NoBarrier {
  __device__ void operator()() const {}
};

template <class Barrier>
__global__ void small_sgemm_kernel(const __grid_constant__ ImplicitGemm p) {
  using CopyA = GatherAlongK<Tiles::kM, Tiles::kSlab, Tiles::kThreads>;
  using CopyB = SlabCopy<Tiles::kN, Tiles::kSlab, Tiles::kThreads, true, true>;
  using Loop = SlabPipeline<Tiles, 3, CopyA, CopyB>;
  ptx::SharedMemory shared;
  float* stages = shared.take<float>(Loop::kFloats + CopyA::kRowFloats);
  const TilePosition tile = p.schedule.at(blockIdx.x);
  const TilePosition first = {tile.row * Tiles::kM, tile.column * Tiles::kN};
  const int thread = static_cast<int>(threadIdx.x);
  float sums[Tiles::kRows][Tiles::kColumns] = {};
  Loop::run(CopyA(p.view, static_cast<const float*>(p.gathered), 0, first.row, p.m, 0, thread,
                  stages + Loop::kFloats),
            CopyB(static_cast<const float*>(p.other), p.other_ld, first.column, p.n, 0, thread),
            Tiles::kSlab, Tiles::kSlab, p.k / Tiles::kSlab, stages, thread, Barrier(), sums);
  matmul::SgemmProblem to{};
  to.m = p.m;
  to.n = p.n;
  to.ldc = p.output_ld;
  to.c = static_cast<float*>(p.output);
  matmul::store_sums<Tiles>(to, first, thread, sums);
}

template <class Barrier>
PreparedConv prepare_sgemm(const Conv& conv, void*, const Gpu&) {
  ImplicitGemm p = implicit_gemm(conv);
  cut_implicit_gemm(p, conv, {.tile = 0, .splits = 1}, {"64x64", 64, 64, 16, 3, 1.0}, nullptr, 4);
  constexpr int kFloats = 3 * 16 * (Tiles::kM + 4 + Tiles::kN + 4) + 4 * Tiles::kM;
  return {prepare_launch(small_sgemm_kernel<Barrier>,
                         {dim3(static_cast<unsigned>(p.schedule.tiles())), dim3(Tiles::kThreads),
                          kFloats * sizeof(float)},
                         p)};
}

TEST(Planted, AMissingBarrier) {
  int wrong = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const Check right =
        run(rung_of(Precision::f32, prepare_sgemm<BlockBarrier>), Conv2dOp::forward, seed);
    EXPECT_LE(right.error, right.limit) << right.method;
    const Check check =
        run(rung_of(Precision::f32, prepare_sgemm<NoBarrier>), Conv2dOp::forward, seed);
    if (!check.ok()) ++wrong;
  }
  EXPECT_GE(wrong, 4);
}

/// A rung with room for whatever the cases below put into a workspace.
Rung rung_with_workspace(Precision precision,
                         PreparedConv (*prepare)(const Conv&, void*, const Gpu&)) {
  Rung rung = rung_of(precision, prepare);
  rung.workspace_bytes = [](const Conv&, const Gpu&) { return std::size_t{1} << 20; };
  return rung;
}

void expect_seen(const Rung& right, const Rung& planted, const ConvCase& test) {
  const Check whole = run_rung(right, test);
  EXPECT_LE(whole.error, whole.limit) << whole.method;
  EXPECT_FALSE(run_rung(planted, test).ok());
}

/// k in three parts, of which the second pass adds up three or fewer.
template <int kAdded>
PreparedConv prepare_parts(const Conv& conv, void* workspace, const Gpu&) {
  ImplicitGemm p = implicit_gemm(conv);
  cut_implicit_gemm(p, conv, {.tile = 0, .splits = 3}, {"64x64", 64, 64, 32, 3, 1.0}, workspace, 2);
  PreparedLaunch multiply = conv_mma_prepare_tile<Precision::bf16, Conv2dOp::forward, 2>(p, conv);
  p.splits = kAdded;
  return {in_order(std::move(multiply), reduce_conv<bf16, float>(p, conv))};
}

TEST(Planted, APartSkipped) {
  expect_seen(rung_with_workspace(Precision::bf16, prepare_parts<3>),
              rung_with_workspace(Precision::bf16, prepare_parts<2>), {.size = kSize});
}

/// Three channels made eight, in all pixels of x but kMissing.
template <int kMissing>
PreparedConv prepare_padded(const Conv& conv, void* workspace, const Gpu&) {
  const Conv2dSize& s = conv.size;
  constexpr int kPadded = 8;
  const std::int64_t pixels = s.n * s.h * s.w, filters = s.k * s.r * s.s;
  auto* x = static_cast<bf16*>(workspace);
  bf16* w = x + pixels * kPadded;
  Conv call = conv;
  call.size.c = kPadded;
  call.inputs[0] = x;
  call.inputs[1] = w;
  const int channels = static_cast<int>(s.c);
  PreparedLaunch pad =
      in_order(prepare_padding(conv.inputs[0], x, pixels - kMissing, channels, kPadded, 2),
               prepare_padding(conv.inputs[1], w, filters, channels, kPadded, 2));
  return {
      in_order(std::move(pad), prepare_mma<Conv2dOp::forward>(call, [](ImplicitGemm&) {}).enqueue)};
}

TEST(Planted, APixelNotPadded) {
  Conv2dSize size = kSize;
  size.c = 3;
  expect_seen(rung_with_workspace(Precision::bf16, prepare_padded<0>),
              rung_with_workspace(Precision::bf16, prepare_padded<1>), {.size = size});
}

template <int kPad>
PreparedConv prepare_winograd_off_by(const Conv& conv, void* workspace, const Gpu& gpu) {
  WinogradProblem p = winograd_problem(conv, workspace);
  p.pad_w += kPad;
  return prepare_winograd(p, conv.tiling, gpu);
}

TEST(Planted, WinogradOffByAColumn) {
  for (const Conv2dOp op : {Conv2dOp::forward, Conv2dOp::backward_data}) {
    expect_seen(rung_with_workspace(Precision::f32, prepare_winograd_off_by<0>),
                rung_with_workspace(Precision::f32, prepare_winograd_off_by<1>),
                {.size = kSize, .op = op});
  }
}

template <class Barrier>
PreparedConv prepare_depthwise(const Conv& conv, void*, const Gpu&) {
  DepthwiseWeights p{};
  p.conv = depthwise_problem(conv);
  p.pixels = static_cast<int>(conv.size.n * conv.size.p() * conv.size.q());
  p.slices = 1;
  return {prepare_launch(depthwise_weights_kernel<float, 1, Barrier>,
                         {dim3(1, 1, 1), dim3(kWeightsLanes, kWeightsRows),
                          kWeightsRows * kWeightsLanes * sizeof(float)},
                         p)};
}

TEST(Planted, AMissingBarrierOfDepthwiseGradients) {
  Conv2dSize size = kSize;
  size.k = size.groups = size.c;
  int wrong = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const ConvCase test = {.size = size, .op = Conv2dOp::backward_weights, .seed = seed};
    const Check right = run_rung(rung_of(Precision::f32, prepare_depthwise<BlockBarrier>), test);
    EXPECT_LE(right.error, right.limit) << right.method;
    if (!run_rung(rung_of(Precision::f32, prepare_depthwise<NoBarrier>), test).ok()) ++wrong;
  }
  EXPECT_GE(wrong, 4);
}

}  // namespace
}  // namespace breakeven::conv2d
