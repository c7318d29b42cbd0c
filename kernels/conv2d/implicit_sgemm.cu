// Implicit GEMM in strict f32: the matrix product's pipelined main loop
// (kernels/matmul/sgemm_pipeline.h) on slabs that are gathered from the tensors by cp.async, so the
// first layer's three channels cost no more than any others. Bounded by issue slots: 64
// multiply-adds need 4 shared loads, and the gathering, float by float forward and for backward
// data, takes about a tenth of the slots; where the channels are few, by memory.
#include <algorithm>
#include <utility>

#include "kernels/conv2d/conv_reduce.h"
#include "kernels/conv2d/conv_rungs.h"
#include "kernels/conv2d/implicit_gemm.h"
#include "kernels/conv2d/sgemm_gather.h"
#include "kernels/conv2d/sgemm_tiles.h"
#include "kernels/matmul/mma_table.h"

namespace breakeven::conv2d {
namespace {

using matmul::BlockBarrier;
using matmul::SgemmProblem;
using matmul::SlabCopy;
using matmul::SlabPipeline;

constexpr int kStages = 3;

/// The part of k that is a block's own. Of the slabs the first alone may be partial.
struct KPart {
  int first;       ///< k of the first slab
  int first_rows;  ///< of it, that count
  int slabs;
};

__device__ __forceinline__ KPart k_part(const ImplicitGemm& p, int k, int depth, int part) {
  const int slabs = (k + depth - 1) / depth;
  const SlabPart own = slab_part(p, slabs, part);
  const int missing = slabs * depth - k;  // from the first slab of all
  const bool is_first = own.begin == 0;
  return {is_first ? 0 : own.begin * depth - missing, is_first ? depth - missing : depth,
          own.end - own.begin};
}

template <class Tiles, Conv2dOp kOp, bool kVector>
class ConvSgemmBlock {
  template <int kOuter>
  using Gathered = GatherAlongK<kOuter, Tiles::kSlab, Tiles::kThreads>;
  // Forward: the filters, k contiguous. Backward weights: dy, filters contiguous.
  using FiltersB = SlabCopy<Tiles::kN, Tiles::kSlab, Tiles::kThreads, true, true>;
  using GradientA = SlabCopy<Tiles::kM, Tiles::kSlab, Tiles::kThreads, false, kVector>;
  using TurnedFiltersB = FiltersAcross<Tiles::kN, Tiles::kSlab, Tiles::kThreads, kVector>;
  using GatheredB = GatherAcross<Tiles::kN, Tiles::kSlab, Tiles::kThreads, kVector>;

  using CopyA =
      std::conditional_t<kOp == Conv2dOp::backward_weights, GradientA, Gathered<Tiles::kM>>;
  using CopyB = std::conditional_t<
      kOp == Conv2dOp::backward_weights, GatheredB,
      std::conditional_t<kOp == Conv2dOp::backward_data, TurnedFiltersB, FiltersB>>;
  using Loop = SlabPipeline<Tiles, kStages, CopyA, CopyB>;

 public:
  /// Of shared memory: the loop's stages, then what the gathered rows need.
  static constexpr int kFloats =
      Loop::kFloats + (kOp == Conv2dOp::backward_weights ? 0 : Gathered<Tiles::kM>::kRowFloats);

  __device__ static __forceinline__ void run(const ImplicitGemm& p, float* stages) {
    const int thread = static_cast<int>(threadIdx.x);
    const int group = static_cast<int>(blockIdx.y);
    const int block = static_cast<int>(blockIdx.x);
    const int part = block % p.splits;
    const TilePosition tile = p.schedule.at(block / p.splits);
    const TilePosition first = {tile.row * Tiles::kM, tile.column * Tiles::kN};
    const float* all = static_cast<const float*>(p.gathered);
    const int channel = group * p.gathered_group;
    [[maybe_unused]] float* rows = stages + Loop::kFloats;
    const float* other = static_cast<const float*>(p.other) + group * p.other_group;
    if constexpr (kOp == Conv2dOp::backward_data) {
      const ResidueGemm residue = residue_gemm(p, static_cast<int>(blockIdx.z));
      if (first.row >= residue.m) return;
      const int k = residue.view.taps_h * residue.view.taps_w * p.view.channels;
      const KPart own = k_part(p, k, Tiles::kSlab, part);
      GatherView view = residue.view;
      view.taps_w = max(view.taps_w, 1);  // a walk along k divides by it, even with no k to walk
      finish(p, CopyA(view, all, channel, first.row, residue.m, own.first, thread, rows),
             CopyB(residue.filters, view, other, first.column, own.first, thread), own, residue.m,
             group, part, first, stages, residue_rows(p, residue));
    } else if constexpr (kOp == Conv2dOp::backward_weights) {
      const KPart own = k_part(p, p.k, Tiles::kSlab, part);
      finish(p, CopyA(other, p.other_ld, first.row, p.m, own.first, thread),
             CopyB(p.view, p.by_width, p.by_height, all + channel, first.column, p.n, own.first,
                   thread),
             own, p.m, group, part, first, stages, SameRows());
    } else {
      const KPart own = k_part(p, p.k, Tiles::kSlab, part);
      finish(p, CopyA(p.view, all, channel, first.row, p.m, own.first, thread, rows),
             CopyB(other, p.other_ld, first.column, p.n, own.first, thread), own, p.m, group, part,
             first, stages, SameRows());
    }
  }

 private:
  template <class Rows>
  __device__ static __forceinline__ void finish(const ImplicitGemm& p, const CopyA& copy_a,
                                                const CopyB& copy_b, const KPart& own, int m,
                                                int group, int part, const TilePosition& first,
                                                float* stages, const Rows& rows) {
    const int thread = static_cast<int>(threadIdx.x);
    float sums[Tiles::kRows][Tiles::kColumns] = {};
    if (own.slabs > 0) {
      Loop::run(copy_a, copy_b, own.first_rows, Tiles::kSlab, own.slabs, stages, thread,
                BlockBarrier(), sums);
    }
    SgemmProblem to{};  // what the stores read of it
    to.m = m;
    to.n = p.n;
    to.ldc = p.output_ld;
    const std::int64_t offset = static_cast<std::int64_t>(group) * p.output_group;
    if (p.splits > 1) {
      to.c = static_cast<float*>(p.partial) + part * p.partial_stride + offset;
      to.epilogue = Epilogue::none;
      to.vector_c = p.vector_partial && p.n % 4 == 0;
    } else {
      to.c = static_cast<float*>(p.output) + offset;
      to.bias = static_cast<const float*>(p.bias) + group * p.bias_group;
      to.epilogue = p.epilogue;
      to.vector_c = p.vector_output && p.n % 4 == 0;
    }
    matmul::store_sums<Tiles>(to, first, thread, sums, rows);
  }
};

// Two large blocks fit on a multiprocessor's registers, but for the gradient of filters whose
// channels are copied one by one.
template <class Tiles, Conv2dOp kOp, bool kVector>
__global__ void __launch_bounds__(Tiles::kThreads, Tiles::kThreads == 128 ? 4
                                                   : kVector || kOp != Conv2dOp::backward_weights
                                                       ? 2
                                                       : 1)
    conv_sgemm_kernel(const __grid_constant__ ImplicitGemm p) {
  using Block = ConvSgemmBlock<Tiles, kOp, kVector>;
  ptx::SharedMemory shared;
  float* stages = shared.take<float>(Block::kFloats);
  Block::run(p, stages);
}

/// Estimates: shares of 128 multiply-adds a cycle that the loops leave to the multipliers.
std::vector<TileChoice> choices(const Gpu& gpu) {
  constexpr int kLargeBytes =
      ConvSgemmBlock<LargeTiles, Conv2dOp::forward, true>::kFloats * int{sizeof(float)} + 1024;
  const bool two = matmul::mma_architecture(gpu.compute_capability).shared_bytes >= 2 * kLargeBytes;
  return {{"128x128", 128, 128, 16, two ? 2 : 1, 128 * 0.75}, {"64x64", 64, 64, 16, 3, 128 * 0.70}};
}

ConvPlan plan_of(const Conv& conv, const Gpu& gpu) {
  return plan_conv(conv, gpu, choices(gpu), sizeof(float), TapSlabs::crossing);
}

/// Whether copies of four floats never cross a tap, a group or a row's end.
bool in_vectors(const Conv& conv) {
  const auto aligned = [](const void* data) {
    return reinterpret_cast<std::uintptr_t>(data) % 16 == 0;
  };
  return aligned(conv.inputs[0]) && aligned(conv.inputs[1]) && conv.size.group_c() % 4 == 0 &&
         conv.size.group_k() % 4 == 0;
}

template <class Tiles, Conv2dOp kOp, bool kVector>
PreparedLaunch prepare_kernel(const ImplicitGemm& p, const Conv& conv) {
  return prepare_launch(conv_sgemm_kernel<Tiles, kOp, kVector>,
                        {implicit_blocks(p, conv), dim3(Tiles::kThreads),
                         ConvSgemmBlock<Tiles, kOp, kVector>::kFloats * sizeof(float)},
                        p);
}

template <class Tiles>
PreparedLaunch prepare_tiles(const ImplicitGemm& p, const Conv& conv) {
  const bool vector = in_vectors(conv);
  switch (conv.op) {
    case Conv2dOp::backward_data:
      return vector ? prepare_kernel<Tiles, Conv2dOp::backward_data, true>(p, conv)
                    : prepare_kernel<Tiles, Conv2dOp::backward_data, false>(p, conv);
    case Conv2dOp::backward_weights:
      return vector ? prepare_kernel<Tiles, Conv2dOp::backward_weights, true>(p, conv)
                    : prepare_kernel<Tiles, Conv2dOp::backward_weights, false>(p, conv);
    default:  // copies single floats of both
      return prepare_kernel<Tiles, Conv2dOp::forward, true>(p, conv);
  }
}

PreparedConv prepare(const Conv& conv, void* workspace, const Gpu& gpu) {
  const ConvPlan plan = plan_of(conv, gpu);
  ImplicitGemm p = implicit_gemm(conv);
  cut_implicit_gemm(p, conv, plan, choices(gpu)[plan.tile], workspace, sizeof(float));
  PreparedLaunch multiply =
      plan.tile == 0 ? prepare_tiles<LargeTiles>(p, conv) : prepare_tiles<SmallTiles>(p, conv);
  std::string text = plan_text(plan, choices(gpu));
  if (plan.splits == 1) return {std::move(multiply), std::move(text)};
  return {in_order(std::move(multiply), reduce_conv<float, float>(p, conv)), std::move(text)};
}

std::string unsupported(const Conv& conv, const Gpu&) { return implicit_gemm_unsupported(conv); }

std::size_t workspace_bytes(const Conv& conv, const Gpu& gpu) {
  return partial_bytes(conv, plan_of(conv, gpu).splits);
}

}  // namespace

Rung implicit_sgemm_rung() {
  return {"implicit_sgemm", Precision::f32,  80,      kAnyCompute,
          unsupported,      workspace_bytes, prepare, {"128x128", "64x64"}};
}

}  // namespace breakeven::conv2d
