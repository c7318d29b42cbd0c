// One block of the implicit GEMM on the tensor cores, see kernels/conv2d/implicit_mma.h: which
// copies an operation takes, the loop, and where the sums go.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/conv2d/implicit_gemm.h"
#include "kernels/conv2d/mma_gather.h"
#include "kernels/conv2d/mma_gather_elements.h"
#include "kernels/matmul/mma_tile.h"

namespace breakeven::conv2d {

using matmul::MmaConfig;
using matmul::MmaCopy;
using matmul::MmaLoop;
using matmul::MmaOperand;
using matmul::MmaTypes;

/// The tiles, of four warps, 8-bit elements of eight in the larger two: see mma_config_128x128().
/// Filters are often 64, hence the second.
inline constexpr int kConvTiles = 3;
inline constexpr const char* kConvTileNames[kConvTiles] = {"128x128", "128x64", "64x64"};
__host__ __device__ constexpr MmaConfig conv_mma_config(int tile, int element_bytes) {
  if (tile == 0) return matmul::mma_config_128x128(element_bytes, 3, true);
  const bool small = tile == 2;
  const bool eight_warps = !small && element_bytes == 1;
  return {.m = small ? 64 : 128,
          .n = 64,
          .warps_m = eight_warps ? 4 : 2,
          .warps_n = 2,
          .stages = 4,
          .ldmatrix = true,
          .staged_store = true,
          .blocks_per_sm = small         ? 3
                           : eight_warps ? 1
                                         : 2};
}

/// One block's product: the copies of its operation, then the loop, then the stores.
template <Precision kPrecision, Conv2dOp kOp, int kTile, bool kVectors>
class ConvMmaBlock {
  using Types = MmaTypes<kPrecision>;
  using Element = typename Types::Element;
  using Output = typename Types::Output;
  using Sum = typename Types::Accumulator;
  static constexpr MmaConfig kConfig = conv_mma_config(kTile, sizeof(Element));
  static constexpr int kThreads = kConfig.threads();
  static constexpr int kDepth = kSlabBytes / static_cast<int>(sizeof(Element));

 public:
  /// Of the launch: what the copies expect to find.
  static void prepare(ImplicitGemm& p) {
    if constexpr (kOp == Conv2dOp::backward_weights) {
      p.plain = {.data = nullptr, .row_stride = 1, .k_stride = p.other_ld};
      PlainA::prepare(p.plain);
    } else {
      p.plain = {.data = nullptr, .row_stride = p.other_ld, .k_stride = 1};
      PlainB::prepare(p.plain);
    }
  }

  __device__ static __forceinline__ void run(const ImplicitGemm& p, std::byte* shared) {
    const int group = static_cast<int>(blockIdx.y);
    const int block = static_cast<int>(blockIdx.x);
    const int part = block % p.splits;
    const TilePosition tile = p.schedule.at(block / p.splits);
    const int row = tile.row * kConfig.m, column = tile.column * kConfig.n;
    const auto* gathered = static_cast<const Element*>(p.gathered) + group * p.gathered_group;
    const auto* other = static_cast<const Element*>(p.other) + group * p.other_group;
    if constexpr (kOp == Conv2dOp::backward_data) {
      const ResidueGemm residue = residue_gemm(p, static_cast<int>(blockIdx.z));
      if (row >= residue.m) return;
      backward_data(p, residue, gathered, other, group, part, row, column, shared);
    } else if constexpr (kOp == Conv2dOp::backward_weights) {
      backward_weights(p, gathered, other, group, part, row, column, shared);
    } else {
      forward(p, gathered, other, group, part, row, column, shared);
    }
  }

 private:
  // Operands that are matrices as they lie: dy by backward weights, the filters forward.
  using PlainA = MmaCopy<Element, kConfig.m, kVectors ? MmaLayout::mn_major : MmaLayout::strided,
                         true, kThreads>;
  using PlainB = MmaCopy<Element, kConfig.n, kVectors ? MmaLayout::k_major : MmaLayout::strided,
                         true, kThreads>;
  /// Where each tap has slabs of its own; only with 8 bits does that save registers.
  static constexpr bool kOneTap = kOp == Conv2dOp::backward_data && sizeof(Element) == 1;
  using GatherA = std::conditional_t<kVectors, GatherRows<Element, kConfig.m, kThreads, kOneTap>,
                                     GatherRowElements<Element, kConfig.m, kThreads>>;
  using GatherB = std::conditional_t<kVectors, GatherColumns<Element, kConfig.n, kThreads>,
                                     GatherColumnElements<Element, kConfig.n, kThreads>>;
  using Filters = std::conditional_t<kVectors, FilterColumns<Element, kConfig.n, kThreads>,
                                     FilterElements<Element, kConfig.n, kThreads>>;

  __device__ static __forceinline__ void forward(const ImplicitGemm& p, const Element* x,
                                                 const Element* w, int group, int part, int row,
                                                 int column, std::byte* shared) {
    const SlabPart slabs = slab_part(p, (p.k + kDepth - 1) / kDepth, part);
    const int k = slabs.begin * kDepth;
    MmaOperand filters = p.plain;
    filters.data = w;
    const PlainB copy_b(filters, column, p.n, k);
    if constexpr (kVectors) {
      finish<GatherA, PlainB>(p, GatherA(p.view, x, row, p.m, k, p.view.channels), copy_b, slabs,
                              last_depth(p.k, slabs), p.m, group, part, row, column, shared,
                              SameRows());
    } else {
      finish<GatherA, PlainB>(p, GatherA(p.view, x, row, p.m, k), copy_b, slabs,
                              last_depth(p.k, slabs), p.m, group, part, row, column, shared,
                              SameRows());
    }
  }

  __device__ static __forceinline__ void backward_data(const ImplicitGemm& p,
                                                       const ResidueGemm& residue,
                                                       const Element* dy, const Element* w,
                                                       int group, int part, int row, int column,
                                                       std::byte* shared) {
    const int filters = p.view.channels;
    const int period = kVectors ? (filters + kDepth - 1) / kDepth * kDepth : filters;
    const int k_end = residue.view.taps_h * residue.view.taps_w * period;
    const SlabPart slabs = slab_part(p, (k_end + kDepth - 1) / kDepth, part);
    // A residue without taps has no slabs, and its zeros are stored all the same; a walk along k
    // can't divide by its taps.
    GatherView view = residue.view;
    view.taps_w = max(view.taps_w, 1);
    const int k = slabs.begin * kDepth;
    const ResidueRows rows = residue_rows(p, residue);
    if constexpr (kVectors) {
      finish<GatherA, Filters>(p, GatherA(view, dy, row, residue.m, k, period),
                               Filters(residue.filters, view, w, column, k, period), slabs, kDepth,
                               residue.m, group, part, row, column, shared, rows);
    } else {
      finish<GatherA, Filters>(
          p, GatherA(view, dy, row, residue.m, k), Filters(residue.filters, view, w, column, k),
          slabs, last_depth(k_end, slabs), residue.m, group, part, row, column, shared, rows);
    }
  }

  __device__ static __forceinline__ void backward_weights(const ImplicitGemm& p, const Element* x,
                                                          const Element* dy, int group, int part,
                                                          int row, int column, std::byte* shared) {
    const SlabPart slabs = slab_part(p, (p.k + kDepth - 1) / kDepth, part);
    const int k = slabs.begin * kDepth;
    MmaOperand gradient = p.plain;
    gradient.data = dy;
    const PlainA copy_a(gradient, row, p.m, k);
    finish<PlainA, GatherB>(p, copy_a, GatherB(p.view, p.by_width, p.by_height, x, column, p.n, k),
                            slabs, last_depth(p.k, slabs), p.m, group, part, row, column, shared,
                            SameRows());
  }

  /// Elements of k in the last of the slabs, where k ends at `end` at the latest.
  __device__ static __forceinline__ int last_depth(int end, const SlabPart& slabs) {
    return min(end - (slabs.end - 1) * kDepth, kDepth);
  }

  template <class CopyA, class CopyB, class Rows>
  __device__ static __forceinline__ void finish(const ImplicitGemm& p, const CopyA& copy_a,
                                                const CopyB& copy_b, const SlabPart& slabs,
                                                int last_depth, int m, int group, int part, int row,
                                                int column, std::byte* shared, const Rows& rows) {
    using Loop = MmaLoop<kPrecision, kConfig, CopyA, CopyB>;
    const int count = slabs.end - slabs.begin;
    Sum sums[Loop::kTilesM][Loop::kTilesN][4] = {};
    Loop::run(copy_a, copy_b, count, last_depth, shared, sums);

    const int warp = static_cast<int>(threadIdx.x) / 32;
    const std::int64_t warp_row = row + warp / kConfig.warps_n * kConfig.warp_m();
    const std::int64_t warp_column = column + warp % kConfig.warps_n * kConfig.warp_n();
    Sum* staging =
        reinterpret_cast<Sum*>(shared) + warp * (matmul::kMmaRows * matmul::kStagingRow<kConfig>);
    matmul::MmaProblem edges{};  // what the stores read of it
    edges.m = m;
    edges.n = p.n;
    constexpr bool kTurnedA = Loop::SlabA::kTurned;
    constexpr bool kTurnedB = Loop::SlabB::kTurned;
    const std::int64_t first = static_cast<std::int64_t>(group) * p.output_group;
    if (p.splits > 1) {
      Sum* to = static_cast<Sum*>(p.partial) + part * p.partial_stride + first;
      matmul::mma_store_staged<Sum, kConfig, kTurnedA, kTurnedB, false>(
          edges, sums, staging, to, p.output_ld, p.vector_partial, warp_row, warp_column, rows);
    } else {
      edges.epilogue = p.epilogue;
      edges.bias = static_cast<const Output*>(p.bias) + group * p.bias_group;
      matmul::mma_store_staged<Output, kConfig, kTurnedA, kTurnedB, true>(
          edges, sums, staging, static_cast<Output*>(p.output) + first, p.output_ld,
          p.vector_output, warp_row, warp_column, rows);
    }
  }

  static_assert(matmul::kStagingBytes<kConfig> <= matmul::mma_shared_bytes(kConfig));
};

template <Precision kPrecision, Conv2dOp kOp, int kTile, bool kVectors>
__global__ void __launch_bounds__(
    conv_mma_config(kTile, sizeof(typename MmaTypes<kPrecision>::Element)).threads(),
    conv_mma_config(kTile, sizeof(typename MmaTypes<kPrecision>::Element)).blocks_per_sm)
    conv_mma_kernel(const __grid_constant__ ImplicitGemm p) {
  constexpr MmaConfig kConfig =
      conv_mma_config(kTile, sizeof(typename MmaTypes<kPrecision>::Element));
  ptx::SharedMemory memory;
  auto* shared = memory.take<std::byte>(matmul::mma_shared_bytes(kConfig), 1024);
  ConvMmaBlock<kPrecision, kOp, kTile, kVectors>::run(p, shared);
}

}  // namespace breakeven::conv2d
