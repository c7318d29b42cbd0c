#include "kernels/conv2d/conv_dispatch.h"

#include <string_view>

namespace breakeven::conv2d {
namespace {

/// Where two rungs take a call, the one that comes first is expected to be the faster.
constexpr std::string_view kFastestFirst[] = {"depthwise",    "pointwise",      "implicit_wgmma",
                                              "implicit_mma", "implicit_sgemm", "naive"};

/// The tensor-core products of kernels/matmul cut k into 16 parts at most: gradients of few filters
/// over many pixels would leave most multiprocessors idle.
bool fills_by_product(const Conv& conv, Precision precision, const Gpu& gpu) {
  constexpr int kTile = 64;
  constexpr int kParts = 16;
  if (conv.op != Conv2dOp::backward_weights || precision == Precision::f32) return true;
  return ceil_div(conv.size.k, kTile) * ceil_div(conv.size.c, kTile) * kParts >= gpu.sms;
}

/// implicit_wgmma copies 128 bytes of channels at a time, of which those that aren't there are
/// zeros: at least half should be there. Backward data sees filters as channels; backward weights
/// has them as rows of tiles of 128.
bool fills_slabs(const Conv& conv, Precision precision) {
  constexpr std::int64_t kFewestRows = 32;
  const auto half = static_cast<std::int64_t>(64 / element_bytes(traits(precision).input));
  const Conv2dSize& s = conv.size;
  if (conv.op == Conv2dOp::backward_weights && s.k < kFewestRows) return false;
  return (conv.op == Conv2dOp::backward_data ? s.k : s.c) >= half;
}

}  // namespace

const Rung* choose(const Conv& conv, Precision precision, const Gpu& gpu) {
  for (const std::string_view name : kFastestFirst) {
    const Rung* rung = find_rung(std::string(name), precision);
    if (rung == nullptr || !unsupported_reason(*rung, conv, gpu).empty()) continue;
    if (name == "pointwise" && !fills_by_product(conv, precision, gpu)) continue;
    if (name == "implicit_wgmma" && !fills_slabs(conv, precision)) continue;
    return rung;
  }
  return nullptr;
}

}  // namespace breakeven::conv2d
