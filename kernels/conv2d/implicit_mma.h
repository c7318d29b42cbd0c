// Implicit GEMM on the tensor cores, for any precision: the matrix product's main loop
// (kernels/matmul/mma_tile.h) on slabs that are gathered from the tensors by cp.async.
//
// Bounded by the tensor cores where channels are many: a slab of 32 bytes of k by two steps costs a
// warp of 64x64 some 64 mma.sync, and gathering it 8 copies a thread with their addresses, which
// change by a constant but where a tap ends. With few channels or filters by memory: a filter row
// reads its pixels again, from the L2 cache at best. Backward weights pays some 20 instructions a
// copy (two divisions by multiplying, the padding's four comparisons, the address), since its
// pixels lie along k.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "kernels/conv2d/conv_pad.h"
#include "kernels/conv2d/conv_reduce.h"
#include "kernels/conv2d/conv_rungs.h"
#include "kernels/conv2d/implicit_mma_block.h"
#include "kernels/matmul/mma_table.h"

namespace breakeven::conv2d {

/// Whether 16-byte vectors of the operands never cross a tap, a group or a row's end.
template <Precision kPrecision>
bool conv_in_vectors(const Conv& conv) {
  constexpr int kVector = kVectorBytes / sizeof(typename MmaTypes<kPrecision>::Element);
  const auto aligned = [](const void* data) {
    return reinterpret_cast<std::uintptr_t>(data) % kVectorBytes == 0;
  };
  const bool needs_k = conv.op == Conv2dOp::backward_data || conv.op == Conv2dOp::backward_weights;
  return aligned(conv.inputs[0]) && aligned(conv.inputs[1]) && conv.size.group_c() % kVector == 0 &&
         (!needs_k || conv.size.group_k() % kVector == 0);
}

/// Estimates, as kernels/matmul/mma_table.h's: shares of the rate that the loops leave to the
/// tensor cores, and that element-wise copies leave of them.
template <Precision kPrecision>
std::vector<TileChoice> conv_mma_choices(const Gpu& gpu, bool vectors) {
  constexpr int kElementBytes = sizeof(typename MmaTypes<kPrecision>::Element);
  constexpr double kShares[kConvTiles] = {0.85, 0.75, 0.65};
  constexpr double kByElements = 0.25;
  const matmul::MmaArchitecture& rates = matmul::mma_architecture(gpu.compute_capability);
  const double peak =
      kPrecision == Precision::fp8 ? rates.fp8_rate : rates.mma_rate * 2 / kElementBytes;
  std::vector<TileChoice> choices;
  for (int tile = 0; tile < kConvTiles; ++tile) {
    const MmaConfig config = conv_mma_config(tile, kElementBytes);
    const int by_shared = rates.shared_bytes / (matmul::mma_shared_bytes(config) + 1024);
    choices.push_back({kConvTileNames[tile], config.m, config.n, kSlabBytes / kElementBytes,
                       std::clamp(by_shared, 1, config.blocks_per_sm),
                       peak * kShares[tile] * (vectors ? 1.0 : kByElements)});
  }
  return choices;
}

template <Precision kPrecision>
ConvPlan conv_mma_plan(const Conv& conv, const Gpu& gpu) {
  constexpr int kElementBytes = sizeof(typename MmaTypes<kPrecision>::Element);
  const bool vectors = conv_in_vectors<kPrecision>(conv);
  return plan_conv(conv, gpu, conv_mma_choices<kPrecision>(gpu, vectors), kElementBytes,
                   vectors ? TapSlabs::own_in_backward_data : TapSlabs::crossing);
}

/// The call as the kernels are to see it: forward over few channels, with as many zeros beside them
/// as fill a vector, where that is expected to be faster than gathering single elements. The padded
/// tensors aren't there yet: inputs are nullptr then.
template <Precision kPrecision>
Conv conv_mma_call(const Conv& conv, const Gpu& gpu) {
  constexpr int kElementBytes = sizeof(typename MmaTypes<kPrecision>::Element);
  const Conv2dSize& s = conv.size;
  const bool is_forward = conv.op == Conv2dOp::forward || conv.op == Conv2dOp::bias_relu;
  if (!is_forward || s.groups != 1 || s.c * kElementBytes % kVectorBytes == 0) return conv;
  Conv padded = conv;
  padded.size.c = ceil_div(s.c * kElementBytes, kVectorBytes) * kVectorBytes / kElementBytes;
  padded.inputs[0] = padded.inputs[1] = nullptr;
  if (!beyond_32_bits(padded.size).empty()) return conv;
  const double copied = static_cast<double>(x_elements(s) + x_elements(padded.size)) *
                        kElementBytes /
                        matmul::mma_architecture(gpu.compute_capability).memory_bytes;
  const double cycles = conv_mma_plan<kPrecision>(padded, gpu).cycles + 2 * kLaunchCycles + copied;
  return cycles < conv_mma_plan<kPrecision>(conv, gpu).cycles ? padded : conv;
}

/// Where the parts of the workspace begin: partial sums, then x and the filters with more channels.
struct ConvMmaWorkspace {
  std::size_t x, w, end;
};

template <Precision kPrecision>
ConvMmaWorkspace conv_mma_workspace_parts(const Conv& conv, const Conv& call, int splits) {
  constexpr int kElementBytes = sizeof(typename MmaTypes<kPrecision>::Element);
  const auto aligned = [](std::size_t bytes) { return (bytes + 255) / 256 * 256; };
  const std::size_t sums = partial_bytes(conv, splits);
  if (call.size.c == conv.size.c) return {sums, sums, sums};
  const std::size_t x = aligned(sums);
  const std::size_t w = x + aligned(x_elements(call.size) * kElementBytes);
  return {x, w, w + w_elements(call.size) * kElementBytes};
}

template <Precision kPrecision, Conv2dOp kOp, int kTile>
PreparedLaunch conv_mma_prepare_tile(ImplicitGemm p, const Conv& conv) {
  constexpr MmaConfig kConfig =
      conv_mma_config(kTile, sizeof(typename MmaTypes<kPrecision>::Element));
  const Grid grid = {implicit_blocks(p, conv), dim3(kConfig.threads()),
                     matmul::mma_shared_bytes(kConfig)};
  if (conv_in_vectors<kPrecision>(conv)) {
    ConvMmaBlock<kPrecision, kOp, kTile, true>::prepare(p);
    return prepare_launch(conv_mma_kernel<kPrecision, kOp, kTile, true>, grid, p);
  }
  ConvMmaBlock<kPrecision, kOp, kTile, false>::prepare(p);
  return prepare_launch(conv_mma_kernel<kPrecision, kOp, kTile, false>, grid, p);
}

template <Precision kPrecision, Conv2dOp kOp>
PreparedLaunch conv_mma_prepare_op(const ImplicitGemm& p, const Conv& conv, int tile) {
  if (tile == 0) return conv_mma_prepare_tile<kPrecision, kOp, 0>(p, conv);
  if (tile == 1) return conv_mma_prepare_tile<kPrecision, kOp, 1>(p, conv);
  return conv_mma_prepare_tile<kPrecision, kOp, 2>(p, conv);
}

template <Precision kPrecision>
PreparedLaunch conv_mma_prepare_call(const ImplicitGemm& p, const Conv& conv, int tile) {
  if constexpr (kPrecision != Precision::int8) {
    if (conv.op == Conv2dOp::backward_data) {
      return conv_mma_prepare_op<kPrecision, Conv2dOp::backward_data>(p, conv, tile);
    }
    if (conv.op == Conv2dOp::backward_weights) {
      return conv_mma_prepare_op<kPrecision, Conv2dOp::backward_weights>(p, conv, tile);
    }
  }
  return conv_mma_prepare_op<kPrecision, Conv2dOp::forward>(p, conv, tile);
}

template <Precision kPrecision>
PreparedConv conv_mma_prepare(const Conv& conv, void* workspace, const Gpu& gpu) {
  using Types = MmaTypes<kPrecision>;
  constexpr int kElementBytes = sizeof(typename Types::Element);
  Conv call = conv_mma_call<kPrecision>(conv, gpu);
  const ConvPlan plan = conv_mma_plan<kPrecision>(call, gpu);
  const auto choices = conv_mma_choices<kPrecision>(gpu, conv_in_vectors<kPrecision>(call));
  const bool is_padded = call.size.c != conv.size.c;
  if (is_padded) {
    const auto parts = conv_mma_workspace_parts<kPrecision>(conv, call, plan.splits);
    call.inputs[0] = static_cast<std::byte*>(workspace) + parts.x;
    call.inputs[1] = static_cast<std::byte*>(workspace) + parts.w;
  }
  ImplicitGemm p = implicit_gemm(call);
  cut_implicit_gemm(p, call, plan, choices[plan.tile], workspace, sizeof(typename Types::Output));
  PreparedLaunch launches = conv_mma_prepare_call<kPrecision>(p, call, plan.tile);
  std::string text = plan_text(plan, choices);
  if (plan.splits > 1) {
    launches = in_order(std::move(launches),
                        reduce_conv<typename Types::Output, typename Types::Accumulator>(p, call));
  }
  if (is_padded) {
    const Conv2dSize& s = conv.size;
    const auto pad = [&](int input, std::int64_t rows) {
      return prepare_padding(conv.inputs[input], const_cast<void*>(call.inputs[input]), rows,
                             static_cast<int>(s.c), static_cast<int>(call.size.c), kElementBytes);
    };
    launches =
        in_order(in_order(pad(0, s.n * s.h * s.w), pad(1, s.k * s.r * s.s)), std::move(launches));
    text += ", channels padded to " + std::to_string(call.size.c);
  }
  return {std::move(launches), std::move(text)};
}

template <Precision kPrecision>
std::string conv_mma_unsupported(const Conv& conv, const Gpu&) {
  if (kPrecision == Precision::int8 && conv.op != Conv2dOp::forward) {
    return "int8 is forward alone, without bias";
  }
  return implicit_gemm_unsupported(conv);
}

template <Precision kPrecision>
std::size_t conv_mma_workspace(const Conv& conv, const Gpu& gpu) {
  const Conv call = conv_mma_call<kPrecision>(conv, gpu);
  const int splits = conv_mma_plan<kPrecision>(call, gpu).splits;
  return conv_mma_workspace_parts<kPrecision>(conv, call, splits).end;
}

template <Precision kPrecision>
Rung implicit_mma_rung() {
  constexpr int kMinCompute = kPrecision == Precision::fp8 ? 89 : 80;
  return {"implicit_mma",
          kPrecision,
          kMinCompute,
          kAnyCompute,
          conv_mma_unsupported<kPrecision>,
          conv_mma_workspace<kPrecision>,
          conv_mma_prepare<kPrecision>,
          {std::begin(kConvTileNames), std::end(kConvTileNames)}};
}

}  // namespace breakeven::conv2d
