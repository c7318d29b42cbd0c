// Implicit GEMM by wgmma with TMA's im2col mode, for one precision: the host's side of
// kernels/conv2d/wgmma_conv.h.
//
// Bounded by the tensor cores where channels are many: a stage of 128x256 takes them 1024 cycles
// and 48 KB, of which its block fetches 32 from the L2 cache: the 32 KB of B are shared by two.
// With few channels by the zeros of slabs of 128 bytes: 8 channels fill one with 16 bytes. Where
// pixels and filters make fewer tiles than there are multiprocessors, by the second pass over
// partial sums of k's parts.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/conv2d/conv_reduce.h"
#include "kernels/conv2d/implicit_gemm.h"
#include "kernels/conv2d/implicit_wgmma_rungs.h"
#include "kernels/conv2d/wgmma_conv.h"
#include "kernels/conv2d/wgmma_walk.h"

namespace breakeven::conv2d {

/// The tiles. Columns are filters, or channels, of which there are often 64 or 128; more columns
/// need fewer of the bytes that the L2 cache gives. Backward weights stores from registers.
inline constexpr int kConvWgmmaTilings = 4;
template <int kTiling, bool kStaged>
using ConvWgmmaTile = std::conditional_t<
    kTiling == 0, matmul::WgmmaTile<128, 256, 4, 2, 2, kStaged>,
    std::conditional_t<
        kTiling == 1, matmul::WgmmaTile<256, 128, 4, 2, 2, kStaged>,
        std::conditional_t<kTiling == 2, matmul::WgmmaTile<128, 128, 6, 2, 1, kStaged>,
                           matmul::WgmmaTile<256, 64, 4, 2, 1, kStaged>>>>;

template <Precision kPrecision>
using ConvWgmmaElement =
    std::conditional_t<kPrecision == Precision::bf16, bf16,
                       std::conditional_t<kPrecision == Precision::f16, f16, float>>;

template <Precision kPrecision>
std::string conv_wgmma_unsupported(const Conv& conv, const Gpu&) {
  constexpr int kUnit = 16 / static_cast<int>(sizeof(ConvWgmmaElement<kPrecision>));
  const Conv2dSize& s = conv.size;
  std::string reason = implicit_gemm_unsupported(conv);
  if (!reason.empty()) return reason;
  if (s.groups != 1) return "takes one group alone";
  const bool gradient = conv.op == Conv2dOp::backward_data || conv.op == Conv2dOp::backward_weights;
  if (gradient && kPrecision == Precision::tf32) {
    return "wgmma takes 32-bit operands stored along k only, and a gradient's aren't";
  }
  if (conv.op == Conv2dOp::backward_data && s.stride_h * s.stride_w > kMostPixelProducts) {
    return "backward data at this stride: more residues than there are maps in a launch";
  }
  if (s.c % kUnit != 0 || (gradient && s.k % kUnit != 0)) {
    return "TMA: channels aren't a multiple of 16 bytes";
  }
  for (const void* input : {conv.inputs[0], conv.inputs[1]}) {
    if (reinterpret_cast<std::uintptr_t>(input) % 16 != 0) {
      return "TMA: a tensor isn't 16-byte aligned";
    }
  }
  return no_im2col(conv);
}

/// Multiply-adds of a multiprocessor in a cycle: 2048 of 16 bits in the manual; the shares that
/// tiles reach of it are estimates in proportion to kernels/matmul's ladder.
template <Precision kPrecision>
std::vector<TileChoice> conv_wgmma_choices() {
  constexpr int kBytes = static_cast<int>(sizeof(ConvWgmmaElement<kPrecision>));
  constexpr int kDepth = 128 / kBytes;
  constexpr double kRate = 2048.0 * 2 / kBytes;
  return {{"128x256", 128, 256, kDepth, 1, kRate * 0.80, 2},
          {"256x128", 256, 128, kDepth, 1, kRate * 0.78, 2},
          {"128x128", 128, 128, kDepth, 1, kRate * 0.65},
          {"256x64", 256, 64, kDepth, 1, kRate * 0.55}};
}

template <Precision kPrecision>
ConvPlan conv_wgmma_plan(const Conv& conv, const Gpu& gpu) {
  return plan_conv(conv, gpu, conv_wgmma_choices<kPrecision>(),
                   sizeof(ConvWgmmaElement<kPrecision>), TapSlabs::own);
}

/// The kernel's parameter; `gemm` is the same call, cut.
template <class Operands, class Tile>
WgmmaConv wgmma_conv_parameter(const Conv& conv, const ImplicitGemm& gemm, const ConvWalk& walk) {
  using Output = typename Operands::Output;
  const Conv2dSize& s = conv.size;
  const bool weights = conv.op == Conv2dOp::backward_weights;
  WgmmaConv p{};
  p.products = walk.products;
  p.channels = static_cast<int>(walk.view[0].channels);
  p.slabs = (p.channels + Operands::depth - 1) / Operands::depth;
  for (int i = 0; i < walk.products; ++i) {
    PixelProduct& of = p.product[i];
    of = walk.product[i];
    of.m = static_cast<int>(s.n) * of.grid_h * of.grid_w;
    of.k_tiles =
        weights ? (of.m + Operands::depth - 1) / Operands::depth : of.taps_h * of.taps_w * p.slabs;
    of.taps_w = std::max(of.taps_w, 1);
    of.by_width = FastDivisor::of(of.grid_w);
    of.by_height = FastDivisor::of(of.grid_h);
    of.lower_h = walk.view[i].lower_h;
    of.lower_w = walk.view[i].lower_w;
  }
  p.to.m = gemm.m;
  p.to.n = gemm.n;
  p.to.c = gemm.output;
  p.to.ldc = gemm.output_ld;
  p.to.bias = gemm.bias;
  p.to.epilogue = gemm.epilogue;
  p.to.store_pairs = gemm.output_ld % 2 == 0 &&
                     reinterpret_cast<std::uintptr_t>(gemm.output) % (2 * sizeof(Output)) == 0;
  p.to.store_by_tma =
      Tile::staged && walk.products == 1 &&
      matmul::no_tma("C", gemm.output, gemm.m, gemm.output_ld, sizeof(Output)).empty();
  const std::int64_t columns = weights ? s.r * s.s * p.slabs * 64 : gemm.n;
  p.to.tile_rows = static_cast<int>(ceil_div(gemm.m, Tile::m * Tile::cluster));
  p.to.tile_columns = static_cast<int>(ceil_div(columns, Tile::n));
  p.parts = gemm.splits;
  p.partial = static_cast<float*>(gemm.partial);
  p.partial_stride = gemm.partial_stride;
  p.step_h = walk.view[0].stride_h;
  p.step_w = walk.view[0].stride_w;
  p.spread_h = static_cast<int>(s.stride_h);
  p.spread_w = static_cast<int>(s.stride_w);
  p.height = static_cast<int>(s.h);
  p.width = static_cast<int>(s.w);
  return p;
}

/// The kernel with its maps; `walk` and `p` are conv_walk() and wgmma_conv_parameter() of the call.
template <Conv2dOp kOp, class Operands, class Tile>
PreparedLaunch conv_wgmma_launch(const Conv& conv, ConvWalk walk, const WgmmaConv& p,
                                 const Gpu& gpu) {
  using T = typename Operands::Element;
  using Output = typename Operands::Output;
  constexpr bool kWeights = kOp == Conv2dOp::backward_weights;
  const Conv2dSize& s = conv.size;
  typename WgmmaConvWork<kOp, Operands, Tile>::Maps pixels{};
  for (int i = 0; i < walk.products; ++i) {
    walk.view[i].pixels = kWeights ? Operands::depth : Tile::m;
    walk.view[i].box_channels = Operands::depth;
    pixels.of[i] = ptx::make_im2col_map(static_cast<const T*>(walk.data), walk.view[i]);
  }
  const auto map_plain = [&] {
    using matmul::wgmma_map;
    const std::int64_t row = s.r * s.s * s.c;
    if constexpr (kWeights) {
      return wgmma_map<T>(y_of(conv), s.n * s.p() * s.q(), s.k, s.k, Operands::depth, 64);
    } else if constexpr (Operands::along_n) {
      return wgmma_map<T>(w_of(conv), s.k, row, row, Operands::depth, 64);
    } else {
      return wgmma_map<T>(w_of(conv), s.k, row, row, Tile::n / Tile::cluster, Operands::depth);
    }
  };
  const ptx::TensorMap plain = map_plain();
  constexpr int kStoreColumns = 128 / static_cast<int>(sizeof(Output));
  const ptx::TensorMap map_c =
      p.to.store_by_tma
          ? matmul::wgmma_map<Output>(p.to.c, p.to.m, p.to.n, p.to.ldc, 64, kStoreColumns)
          : plain;
  const std::int64_t turns =
      static_cast<std::int64_t>(p.to.tile_rows) * p.to.tile_columns * p.parts * p.products;
  const auto clusters = std::min<std::int64_t>(turns, std::max(1, gpu.sms / Tile::cluster));
  return prepare_launch(
      wgmma_conv<kOp, Operands, Tile>,
      Grid{dim3(static_cast<unsigned>(clusters * Tile::cluster)), dim3(128 * (Tile::consumers + 1)),
           matmul::WgmmaShared<Operands, Tile>::bytes(), Tile::cluster},
      pixels, plain, map_c, p);
}

template <Conv2dOp kOp, class Operands, class Tile>
PreparedLaunch conv_wgmma_prepare_op(const Conv& conv, const ImplicitGemm& gemm, const Gpu& gpu) {
  const ConvWalk walk = conv_walk(conv);
  return conv_wgmma_launch<kOp, Operands, Tile>(
      conv, walk, wgmma_conv_parameter<Operands, Tile>(conv, gemm, walk), gpu);
}

template <Precision kPrecision, int kTiling>
PreparedLaunch conv_wgmma_prepare_tiling(const Conv& conv, const ImplicitGemm& gemm,
                                         const Gpu& gpu) {
  using T = ConvWgmmaElement<kPrecision>;
  if constexpr (kPrecision != Precision::tf32) {
    if (conv.op == Conv2dOp::backward_data) {
      return conv_wgmma_prepare_op<Conv2dOp::backward_data, matmul::WgmmaOperands<T, false, true>,
                                   ConvWgmmaTile<kTiling, true>>(conv, gemm, gpu);
    }
    if (conv.op == Conv2dOp::backward_weights) {
      return conv_wgmma_prepare_op<Conv2dOp::backward_weights, matmul::WgmmaOperands<T, true, true>,
                                   ConvWgmmaTile<kTiling, false>>(conv, gemm, gpu);
    }
  }
  return conv_wgmma_prepare_op<Conv2dOp::forward, matmul::WgmmaOperands<T, false, false>,
                               ConvWgmmaTile<kTiling, true>>(conv, gemm, gpu);
}

template <Precision kPrecision>
PreparedConv conv_wgmma_prepare(const Conv& conv, void* workspace, const Gpu& gpu) {
  using T = ConvWgmmaElement<kPrecision>;
  const std::vector<TileChoice> choices = conv_wgmma_choices<kPrecision>();
  const ConvPlan plan = conv_wgmma_plan<kPrecision>(conv, gpu);
  ImplicitGemm gemm = implicit_gemm(conv);
  cut_implicit_gemm(gemm, conv, plan, choices[plan.tile], workspace, sizeof(T));
  constexpr std::array<PreparedLaunch (*)(const Conv&, const ImplicitGemm&, const Gpu&),
                       kConvWgmmaTilings>
      kPrepare = {
          conv_wgmma_prepare_tiling<kPrecision, 0>, conv_wgmma_prepare_tiling<kPrecision, 1>,
          conv_wgmma_prepare_tiling<kPrecision, 2>, conv_wgmma_prepare_tiling<kPrecision, 3>};
  PreparedLaunch multiply = kPrepare[plan.tile](conv, gemm, gpu);
  std::string text = plan_text(plan, choices);
  if (plan.splits == 1) return {std::move(multiply), std::move(text)};
  return {in_order(std::move(multiply), reduce_conv<T, float>(gemm, conv)), std::move(text)};
}

template <Precision kPrecision>
std::size_t conv_wgmma_workspace(const Conv& conv, const Gpu& gpu) {
  return partial_bytes(conv, conv_wgmma_plan<kPrecision>(conv, gpu).splits);
}

template <Precision kPrecision>
Rung implicit_wgmma_rung() {
  Rung rung = {"implicit_wgmma",
               kPrecision,
               90,
               90,
               conv_wgmma_unsupported<kPrecision>,
               conv_wgmma_workspace<kPrecision>,
               conv_wgmma_prepare<kPrecision>};
  for (const TileChoice& choice : conv_wgmma_choices<kPrecision>()) {
    rung.tilings.push_back(choice.name);
  }
  return rung;
}

}  // namespace breakeven::conv2d
