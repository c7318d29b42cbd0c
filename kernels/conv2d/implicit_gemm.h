// A convolution as a matrix product whose operands are never written out, for the kernels on the
// tensor cores and on the multipliers alike.
//
//                      rows m           columns n           k                          C
// forward              pixels of y      filters             taps x channels            y
// backward data        pixels of dx     channels            taps x filters             dx
// backward weights     filters          taps x channels     pixels of y                dw
//
// Backward data with a stride is one such product for each residue of dx's rows and columns modulo
// the stride: with each, only some taps reach a pixel, and always the same ones. Groups and
// residues are the grid's y and z. k may be cut into parts, whose sums are stored in a workspace
// like C and added up in a fixed order, so that the result is the same every time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/conv2d/conv.h"
#include "kernels/conv2d/gather.h"
#include "kernels/cuda/epilogue.h"
#include "kernels/cuda/tile_schedule.h"
#include "kernels/matmul/mma_types.h"

namespace breakeven::conv2d {

using matmul::Epilogue;

/// A kernel's parameter. Offsets of groups are in elements.
struct ImplicitGemm {
  GatherView view;           ///< backward data: of stride 1, see with_residue()
  const void* gathered;      ///< x, or dy for backward data
  const void* other;         ///< the filters, or dy for backward weights
  matmul::MmaOperand plain;  ///< `other` as the tensor-core kernels copy it, but for `data`
  void* output;
  const void* bias;    ///< [filters], or nullptr
  int gathered_group;  ///< elements from one group's first to the next group's
  int other_group;
  int output_group;
  int bias_group;
  int images;
  int m, n, k;    ///< backward data: m of the residue with the most pixels; k is each one's own: 0
  int output_ld;  ///< elements from one row of C to the next
  std::int64_t other_ld;  ///< the same of the operand that isn't gathered
  Epilogue epilogue;
  bool vector_output;  ///< its rows allow 16-byte stores
  bool vector_partial;
  TileSchedule schedule;
  int splits;     ///< parts of k; part s is s / splits of the slabs to (s + 1) / splits
  void* partial;  ///< [splits, elements of the output] sums, where there are several
  std::int64_t partial_stride;
  FastDivisor by_width, by_height;  ///< of the grid, for backward weights
  BackwardAxis axis_h, axis_w;      ///< for backward data
  int filter_width;                 ///< taps in a row of the filters
};

/// One residue's product: dy and the filters as it sees them.
struct ResidueGemm {
  GatherView view;
  FilterView filters;
  int first_h, first_w;  ///< of dx
  int m;                 ///< 0: dx has no such pixels
};

/// Number `residue` of stride_h stride_w, the one with the most taps first.
__device__ __forceinline__ ResidueGemm residue_gemm(const ImplicitGemm& p, int residue) {
  ResidueGemm result;
  const int index_h = residue / p.axis_w.stride;
  result.first_h = p.axis_h.residue_at(index_h);
  result.first_w = p.axis_w.residue_at(residue - index_h * p.axis_w.stride);
  const Residue h = p.axis_h.residue(result.first_h);
  const Residue w = p.axis_w.residue(result.first_w);
  result.view = p.view;
  result.view.grid_h = h.extent;
  result.view.grid_w = w.extent;
  result.view.origin_h = h.origin;
  result.view.origin_w = w.origin;
  result.view.taps_h = w.taps == 0 ? 0 : h.taps;
  result.view.taps_w = h.taps == 0 ? 0 : w.taps;
  result.filters = {p.view.channels,
                    static_cast<int>(p.other_ld),
                    p.n,
                    p.filter_width,
                    h.first_tap,
                    w.first_tap,
                    p.axis_h.tap_step,
                    p.axis_w.tap_step};
  result.m = p.images * h.extent * w.extent;
  return result;
}

/// Where row i of a residue's product lies among the pixels of dx.
struct ResidueRows {
  int grid_h, grid_w;
  int first_h, first_w;
  int step_h, step_w;
  int height, width;

  __device__ __forceinline__ std::int64_t operator()(std::int64_t row) const {
    if (step_h == 1 && step_w == 1) return row;
    const int index = static_cast<int>(row);
    const int line = index / grid_w;
    const int image = line / grid_h;
    const int h = first_h + (line - image * grid_h) * step_h;
    const int w = first_w + (index - line * grid_w) * step_w;
    const int pixel = (image * height + h) * width + w;  // below 2^31, see beyond_32_bits()
    return pixel;
  }
};

__device__ __forceinline__ ResidueRows residue_rows(const ImplicitGemm& p,
                                                    const ResidueGemm& residue) {
  return {residue.view.grid_h, residue.view.grid_w, residue.first_h, residue.first_w,
          p.axis_h.stride,     p.axis_w.stride,     p.axis_h.extent, p.axis_w.extent};
}

/// The part of `slabs` slabs that is a block's own.
struct SlabPart {
  int begin, end;
};

__device__ __forceinline__ SlabPart slab_part(const ImplicitGemm& p, int slabs, int part) {
  const auto cut = [&](int i) {
    return static_cast<int>(static_cast<std::int64_t>(slabs) * i / p.splits);
  };
  return {cut(part), cut(part + 1)};
}

/// The call as a product, not yet cut into tiles and parts. The layout is NHWC and beyond_32_bits()
/// has nothing against it.
ImplicitGemm implicit_gemm(const Conv& conv);

/// How many products there are beside each other: groups times residues.
std::int64_t implicit_batch(const Conv& conv);

/// One kernel's tiles on one GPU. The rates are of proportions, never reported as a time.
struct TileChoice {
  const char* name;   ///< "128x64"
  int m, n, k;        ///< tile, and slab along k
  int blocks_per_sm;  ///< that fit at once
  double multiplied;  ///< multiply-adds of one multiprocessor in a cycle, once it is busy
  int cluster = 1;    ///< blocks on one another along m that start together, with a tile or without
};

/// Cycles of a kernel behind another: an estimate.
inline constexpr double kLaunchCycles = 4000;

/// What a slab of channels, along k or of backward weights' columns, does where its tap ends.
enum class TapSlabs {
  crossing,              ///< goes on with the next tap
  own_in_backward_data,  ///< there alone, ends with zeros
  own,                   ///< ends with zeros
};

struct ConvPlan {
  int tile = 0;    ///< index of the choice
  int splits = 1;  ///< parts of k, at most as many as slabs (of a residue on average)
  double cycles = 0;
};

/// Blocks that compute one part of k of all products, those without a tile of their own counted.
std::int64_t conv_tiles(const Conv& conv, const TileChoice& tile, TapSlabs taps_fill);

/// The cheapest of the choices, or of choice conv.tiling alone where that isn't -1, with k cut into
/// at most as many parts as the workspace holds. `element_bytes`: of the operands.
ConvPlan plan_conv(const Conv& conv, const Gpu& gpu, const std::vector<TileChoice>& choices,
                   int element_bytes, TapSlabs taps_fill);

/// "128x64, k in 4 parts", for facts.
std::string plan_text(const ConvPlan& plan, const std::vector<TileChoice>& choices);

/// Bytes of the partial sums (4 bytes each); 0 where k isn't cut.
std::size_t partial_bytes(const Conv& conv, int splits);

/// Cuts `p` as planned. `element_bytes`: of the output.
void cut_implicit_gemm(ImplicitGemm& p, const Conv& conv, const ConvPlan& plan,
                       const TileChoice& tile, void* workspace, int output_element_bytes);

/// "" or why no implicit GEMM can do it: layout, size, what a grid can't number.
std::string implicit_gemm_unsupported(const Conv& conv);

/// The grid's blocks: tiles and parts, groups, residues.
dim3 implicit_blocks(const ImplicitGemm& p, const Conv& conv);

}  // namespace breakeven::conv2d
