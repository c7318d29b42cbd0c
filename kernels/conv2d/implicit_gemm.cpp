#include "kernels/conv2d/implicit_gemm.h"

#include <algorithm>
#include <numeric>

#include "kernels/matmul/mma_table.h"

namespace breakeven::conv2d {
namespace {

constexpr int kMostSplits = 128;
/// For a block's first slab to be there, and for its sums to leave.
constexpr double kBlockCycles = 1500;
/// The share of the rate that a block keeps up alone on its multiprocessor.
constexpr double kAlone = 0.8;
/// Bytes of a workspace for partial sums that are worth their memory.
constexpr std::size_t kMostPartialBytes = std::size_t{256} << 20;

int to_int(std::int64_t value) { return static_cast<int>(value); }

BackwardAxis backward_axis(std::int64_t extent, std::int64_t pad, std::int64_t stride,
                           std::int64_t dilation, std::int64_t taps) {
  return {to_int(extent),   to_int(pad),  to_int(stride),
          to_int(dilation), to_int(taps), to_int(stride / std::gcd(stride, dilation))};
}

struct Dimensions {
  std::int64_t m, n, k;
};

/// Of one group and, for backward data, of the residue with the most pixels; their k is each one's
/// own: 0.
Dimensions dimensions(const Conv& conv) {
  const Conv2dSize& s = conv.size;
  const std::int64_t pixels = s.n * s.p() * s.q();
  switch (conv.op) {
    case Conv2dOp::backward_data:
      return {s.n * ceil_div(s.h, s.stride_h) * ceil_div(s.w, s.stride_w), s.group_c(), 0};
    case Conv2dOp::backward_weights:
      return {s.group_k(), s.r * s.s * s.group_c(), pixels};
    default:
      return {pixels, s.group_k(), s.r * s.s * s.group_c()};
  }
}

/// Slabs along k, at least 1. Backward data: of a residue on average, since each tap of the filter
/// belongs to one of them.
std::int64_t slabs_of(const Conv& conv, int depth, TapSlabs taps_fill) {
  const Conv2dSize& s = conv.size;
  if (conv.op == Conv2dOp::backward_weights) return ceil_div(dimensions(conv).k, depth);
  const bool backward = conv.op == Conv2dOp::backward_data;
  const std::int64_t taps = s.r * s.s, residues = backward ? s.stride_h * s.stride_w : 1;
  const std::int64_t channels = backward ? s.group_k() : s.group_c();
  const bool own =
      taps_fill == TapSlabs::own || (backward && taps_fill == TapSlabs::own_in_backward_data);
  return own ? ceil_div(taps * ceil_div(channels, depth), residues)
             : ceil_div(taps * channels, residues * depth);
}

/// x seen from the pixels of y.
GatherView view_of_x(const Conv2dSize& s) {
  return {to_int(s.h),      to_int(s.w),      to_int(s.c),          to_int(s.group_c()),
          to_int(s.p()),    to_int(s.q()),    to_int(s.stride_h),   to_int(s.stride_w),
          -to_int(s.pad_h), -to_int(s.pad_w), to_int(s.dilation_h), to_int(s.dilation_w),
          to_int(s.r),      to_int(s.s)};
}

/// dy seen from the pixels of dx; what depends on the residue is 0.
GatherView view_of_dy(const Conv2dSize& s, const BackwardAxis& h, const BackwardAxis& w) {
  GatherView view{};
  view.height = to_int(s.p());
  view.width = to_int(s.q());
  view.pixel = to_int(s.k);
  view.channels = to_int(s.group_k());
  view.step_h = view.step_w = 1;
  view.tap_h = -h.tap_step * h.dilation / h.stride;
  view.tap_w = -w.tap_step * w.dilation / w.stride;
  return view;
}

void describe_forward(ImplicitGemm& p, const Conv& conv) {
  const Conv2dSize& s = conv.size;
  p.view = view_of_x(s);
  p.gathered = x_of(conv);
  p.other = w_of(conv);
  p.bias = bias_of(conv);
  p.epilogue = conv.op == Conv2dOp::bias_relu ? Epilogue::bias_relu : Epilogue::none;
  p.gathered_group = to_int(s.group_c());
  p.other_ld = to_int(s.r * s.s * s.group_c());
  p.other_group = to_int(s.group_k() * p.other_ld);
  p.output_group = to_int(s.group_k());
  p.bias_group = p.bias == nullptr ? 0 : p.output_group;
  p.output_ld = to_int(s.k);
}

void describe_backward_data(ImplicitGemm& p, const Conv& conv) {
  const Conv2dSize& s = conv.size;
  p.axis_h = backward_axis(s.h, s.pad_h, s.stride_h, s.dilation_h, s.r);
  p.axis_w = backward_axis(s.w, s.pad_w, s.stride_w, s.dilation_w, s.s);
  p.filter_width = to_int(s.s);
  p.view = view_of_dy(s, p.axis_h, p.axis_w);
  p.gathered = y_of(conv);
  p.other = w_of(conv);
  p.gathered_group = to_int(s.group_k());
  p.other_ld = to_int(s.r * s.s * s.group_c());
  p.other_group = to_int(s.group_k() * p.other_ld);
  p.output_group = to_int(s.group_c());
  p.output_ld = to_int(s.c);
}

void describe_backward_weights(ImplicitGemm& p, const Conv& conv) {
  const Conv2dSize& s = conv.size;
  p.view = view_of_x(s);
  p.by_width = FastDivisor::of(s.q());
  p.by_height = FastDivisor::of(s.p());
  p.gathered = x_of(conv);
  p.other = y_of(conv);
  p.gathered_group = to_int(s.group_c());
  p.other_group = to_int(s.group_k());
  p.other_ld = to_int(s.k);
  p.output_ld = to_int(s.r * s.s * s.group_c());
  p.output_group = to_int(s.group_k()) * p.output_ld;
}

/// Cycles until the last block is done. The fullest multiprocessor decides.
double cycles_of(const Conv& conv, const Gpu& gpu, const TileChoice& tile, int element_bytes,
                 std::int64_t slabs, std::int64_t tiles, int splits) {
  const matmul::MmaArchitecture& gpu_rates = matmul::mma_architecture(gpu.compute_capability);
  const std::int64_t blocks = tiles * splits;
  const auto on_fullest = static_cast<double>(ceil_div(blocks, std::max(gpu.sms, 1)));
  const double rate = tile.multiplied * (on_fullest < tile.blocks_per_sm ? kAlone : 1.0);
  const double products = static_cast<double>(tile.m) * tile.n * tile.k;
  const double copied = static_cast<double>(tile.m + tile.n) * tile.k * element_bytes;
  const double slab = std::max(products / rate, copied / gpu_rates.l2_bytes);
  const double starts = 1 + (on_fullest - 1) / (2 * tile.blocks_per_sm);
  double cycles =
      on_fullest * static_cast<double>(ceil_div(slabs, splits)) * slab + starts * kBlockCycles;
  if (splits > 1) {
    const auto sums = static_cast<double>(output_elements(conv));
    cycles += kLaunchCycles + 4 * (2.0 * splits + 1) * sums / gpu_rates.memory_bytes;
  }
  return cycles;
}

}  // namespace

ImplicitGemm implicit_gemm(const Conv& conv) {
  ImplicitGemm p{};
  p.output = conv.output;
  p.images = to_int(conv.size.n);
  p.splits = 1;
  const Dimensions size = dimensions(conv);
  p.m = to_int(size.m);
  p.n = to_int(size.n);
  p.k = to_int(size.k);
  if (conv.op == Conv2dOp::backward_data) {
    describe_backward_data(p, conv);
  } else if (conv.op == Conv2dOp::backward_weights) {
    describe_backward_weights(p, conv);
  } else {
    describe_forward(p, conv);
  }
  return p;
}

std::int64_t implicit_batch(const Conv& conv) {
  const Conv2dSize& s = conv.size;
  return conv.op == Conv2dOp::backward_data ? s.groups * s.stride_h * s.stride_w : s.groups;
}

std::int64_t conv_tiles(const Conv& conv, const TileChoice& tile, TapSlabs taps_fill) {
  Dimensions size = dimensions(conv);
  if (conv.op == Conv2dOp::backward_weights && taps_fill == TapSlabs::own) {
    size.n = conv.size.r * conv.size.s * ceil_div(conv.size.group_c(), tile.k) * tile.k;
  }
  return implicit_batch(conv) * ceil_div(size.m, tile.m * tile.cluster) * tile.cluster *
         ceil_div(size.n, tile.n);
}

ConvPlan plan_conv(const Conv& conv, const Gpu& gpu, const std::vector<TileChoice>& choices,
                   int element_bytes, TapSlabs taps_fill) {
  ConvPlan best;
  for (int tile = 0; tile < static_cast<int>(choices.size()); ++tile) {
    if (conv.tiling >= 0 && tile != conv.tiling) continue;
    const std::int64_t slabs = slabs_of(conv, choices[tile].k, taps_fill);
    const std::int64_t tiles = conv_tiles(conv, choices[tile], taps_fill);
    for (int splits = 1; splits <= kMostSplits && splits <= slabs; ++splits) {
      if (partial_bytes(conv, splits) > kMostPartialBytes) break;
      const double cycles =
          cycles_of(conv, gpu, choices[tile], element_bytes, slabs, tiles, splits);
      if (best.cycles == 0 || cycles < best.cycles) best = {tile, splits, cycles};
    }
  }
  return best;
}

std::string plan_text(const ConvPlan& plan, const std::vector<TileChoice>& choices) {
  const std::string parts =
      plan.splits == 1 ? "k whole" : "k in " + std::to_string(plan.splits) + " parts";
  return std::string(choices[plan.tile].name) + ", " + parts;
}

std::size_t partial_bytes(const Conv& conv, int splits) {
  return splits == 1 ? 0 : static_cast<std::size_t>(output_elements(conv)) * splits * 4;
}

void cut_implicit_gemm(ImplicitGemm& p, const Conv& conv, const ConvPlan& plan,
                       const TileChoice& tile, void* workspace, int output_element_bytes) {
  const auto in_vectors = [&](const void* data, int bytes) {
    constexpr int kVectorBytes = matmul::kVectorBytes;
    return reinterpret_cast<std::uintptr_t>(data) % kVectorBytes == 0 &&
           p.output_ld * bytes % kVectorBytes == 0 && p.output_group * bytes % kVectorBytes == 0;
  };
  p.schedule.rows = to_int(ceil_div(p.m, tile.m));
  p.schedule.columns = to_int(ceil_div(p.n, tile.n));
  p.schedule.order = TileOrder::grouped;
  p.splits = plan.splits;
  p.partial = plan.splits > 1 ? workspace : nullptr;
  p.partial_stride = output_elements(conv);
  p.vector_output = in_vectors(conv.output, output_element_bytes);
  p.vector_partial = p.partial_stride % 4 == 0 && in_vectors(workspace, 4);
}

std::string implicit_gemm_unsupported(const Conv& conv) {
  constexpr std::int64_t kMostGridY = 65535;
  constexpr std::int64_t kMostBlocks = (std::int64_t{1} << 31) - 1;
  constexpr int kSmallestTile = 64;
  if (conv.layout != Conv2dLayout::nhwc) {
    return "takes NHWC alone: the channels that it multiplies lie side by side there";
  }
  std::string too_large = beyond_32_bits(conv.size);
  if (!too_large.empty()) return too_large;
  if (conv.size.groups > kMostGridY) return "more than 65535 groups";
  if (conv.size.stride_h * conv.size.stride_w > kMostGridY) return "a stride above 255";
  const Dimensions size = dimensions(conv);
  const std::int64_t tiles = ceil_div(size.m, kSmallestTile) * ceil_div(size.n, kSmallestTile);
  return tiles > kMostBlocks / kMostSplits ? "more tiles than a grid can number" : "";
}

dim3 implicit_blocks(const ImplicitGemm& p, const Conv& conv) {
  const Conv2dSize& s = conv.size;
  const std::int64_t residues =
      conv.op == Conv2dOp::backward_data ? s.stride_h * s.stride_w : std::int64_t{1};
  return {static_cast<unsigned>(p.schedule.tiles() * p.splits), static_cast<unsigned>(s.groups),
          static_cast<unsigned>(residues)};
}

}  // namespace breakeven::conv2d
