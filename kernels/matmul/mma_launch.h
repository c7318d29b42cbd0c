// From a call to the prepared launch of one of the mma.sync kernels, and the rungs made of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/cuda/launch.h"
#include "kernels/matmul/gemm.h"
#include "kernels/matmul/mma_tile.h"

namespace breakeven::matmul {

inline MmaOperand mma_operand_a(const Gemm& gemm) {
  if (gemm.shape.trans_a) return {.data = gemm.a, .row_stride = 1, .k_stride = gemm.lda};
  return {.data = gemm.a, .row_stride = gemm.lda, .k_stride = 1};
}

/// B's rows are its columns n.
inline MmaOperand mma_operand_b(const Gemm& gemm) {
  if (gemm.shape.trans_b) return {.data = gemm.b, .row_stride = gemm.ldb, .k_stride = 1};
  return {.data = gemm.b, .row_stride = 1, .k_stride = gemm.ldb};
}

inline bool is_vector_aligned(const void* data, std::int64_t ld, std::size_t element_bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  return address % kVectorBytes == 0 && ld * element_bytes % kVectorBytes == 0;
}

/// How a kernel for elements of `element_bytes` can read the operand of `rows` rows of `k`.
inline MmaLayout mma_layout(const MmaOperand& operand, std::int64_t rows, std::int64_t k,
                            std::size_t element_bytes) {
  // A matrix of one row or column has a stride of 1 both ways round; k goes first then.
  const bool along_k = operand.k_stride == 1;
  const std::int64_t ld = along_k ? operand.row_stride : operand.k_stride;
  const std::int64_t length = along_k ? k : rows;
  if (!is_vector_aligned(operand.data, ld, element_bytes) ||
      length * element_bytes % kVectorBytes != 0) {
    return MmaLayout::strided;
  }
  return along_k ? MmaLayout::k_major : MmaLayout::mn_major;
}

struct MmaLayouts {
  MmaLayout a, b;
  bool strided() const { return a == MmaLayout::strided; }
};

/// Both strided, or neither: one kernel serves what vectors can't reach.
inline MmaLayouts mma_layouts(const Gemm& gemm, std::size_t element_bytes) {
  const GemmShape& s = gemm.shape;
  const MmaLayouts layouts = {mma_layout(mma_operand_a(gemm), s.m, s.k, element_bytes),
                              mma_layout(mma_operand_b(gemm), s.n, s.k, element_bytes)};
  if (layouts.a == MmaLayout::strided || layouts.b == MmaLayout::strided) {
    return {MmaLayout::strided, MmaLayout::strided};
  }
  return layouts;
}

/// The call as tiles of `config`, without splits.
template <Precision kPrecision>
MmaProblem mma_problem(const Gemm& gemm, const MmaConfig& config, TileOrder order) {
  using Types = MmaTypes<kPrecision>;
  const GemmShape& s = gemm.shape;
  MmaProblem p{};
  p.m = s.m;
  p.n = s.n;
  p.k = s.k;
  p.a = mma_operand_a(gemm);
  p.b = mma_operand_b(gemm);
  p.c = gemm.c;
  p.ldc = gemm.ldc;
  p.vector_c = is_vector_aligned(gemm.c, gemm.ldc, sizeof(typename Types::Output));
  p.bias = gemm.bias;
  p.epilogue = gemm.epilogue;
  p.schedule.rows = static_cast<int>(ceil_div(s.m, config.m));
  p.schedule.columns = static_cast<int>(ceil_div(s.n, config.n));
  p.schedule.order = order;
  p.splits = 1;
  p.split_k = s.k;
  return p;
}

template <Precision kPrecision, MmaConfig kConfig, MmaLayout kLayoutA, MmaLayout kLayoutB>
PreparedLaunch mma_prepare(MmaProblem p) {
  using Tile = MmaTile<kPrecision, kConfig, kLayoutA, kLayoutB>;
  Tile::CopyA::prepare(p.a);
  Tile::CopyB::prepare(p.b);
  const auto blocks = static_cast<unsigned>(p.schedule.tiles() * p.splits);
  return prepare_launch(
      mma_kernel<kPrecision, kConfig.m, kConfig.n, kConfig.warps_m, kConfig.warps_n, kConfig.stages,
                 kConfig.ldmatrix, kConfig.staged_store, kConfig.blocks_per_sm, kLayoutA, kLayoutB>,
      {dim3(blocks), dim3(kConfig.threads()), mma_shared_bytes(kConfig)}, p);
}

/// The kernel for operands in 16-byte vectors.
template <Precision kPrecision, MmaConfig kConfig>
PreparedLaunch mma_prepare_vectors(const MmaProblem& p, const MmaLayouts& layouts) {
  constexpr auto kK = MmaLayout::k_major;
  constexpr auto kMn = MmaLayout::mn_major;
  if (layouts.a == kK) {
    return layouts.b == kK ? mma_prepare<kPrecision, kConfig, kK, kK>(p)
                           : mma_prepare<kPrecision, kConfig, kK, kMn>(p);
  }
  return layouts.b == kK ? mma_prepare<kPrecision, kConfig, kMn, kK>(p)
                         : mma_prepare<kPrecision, kConfig, kMn, kMn>(p);
}

template <Precision kPrecision, MmaConfig kConfig>
PreparedLaunch mma_prepare_strided(const MmaProblem& p) {
  return mma_prepare<kPrecision, kConfig, MmaLayout::strided, MmaLayout::strided>(p);
}

/// "" or why not: what a GPU's grid can't number, and activations of integers.
template <Precision kPrecision>
std::string mma_unsupported(const Gemm& gemm, const Gpu&) {
  constexpr std::int64_t kMostBlocks = (std::int64_t{1} << 31) - 1;
  constexpr int kSmallestTile = 64;
  if (kPrecision == Precision::int8 && gemm.epilogue != Epilogue::none) {
    return "s32 sums take no bias or activation";
  }
  const std::int64_t rows = ceil_div(gemm.shape.m, kSmallestTile);
  const std::int64_t columns = ceil_div(gemm.shape.n, kSmallestTile);
  return rows > kMostBlocks / columns ? "more tiles than a grid can number" : "";
}

inline constexpr int mma_min_compute(Precision precision) {
  return precision == Precision::fp8 ? 89 : 80;
}

/// A rung without a choice of its own: Kernel<precision>::prepare(gemm) prepares it. Kernel's name
/// is unique to its file: for g++ 12, templates of two files' unnamed namespaces are the same here.
template <template <Precision> class Kernel, Precision kPrecision>
Rung mma_plain_rung(const char* name) {
  return {name,
          kPrecision,
          mma_min_compute(kPrecision),
          kAnyCompute,
          mma_unsupported<kPrecision>,
          no_workspace,
          [](const Gemm& gemm, void*, const Gpu&) {
            return PreparedGemm{Kernel<kPrecision>::prepare(gemm)};
          }};
}

/// The same for every precision of the ladder.
template <template <Precision> class Kernel>
std::vector<Rung> mma_plain_rungs(const char* name) {
  using enum Precision;
  return {mma_plain_rung<Kernel, bf16>(name), mma_plain_rung<Kernel, f16>(name),
          mma_plain_rung<Kernel, tf32>(name), mma_plain_rung<Kernel, fp8>(name),
          mma_plain_rung<Kernel, int8>(name)};
}

/// Tiles of 128x128 by the kernel for what the operands allow, C stored straight from registers.
template <Precision kPrecision, int kStages>
PreparedLaunch mma_prepare_128x128(const Gemm& gemm) {
  constexpr int kElementBytes = sizeof(typename MmaTypes<kPrecision>::Element);
  constexpr MmaConfig kConfig = mma_config_128x128(kElementBytes, kStages, false);
  const MmaProblem p = mma_problem<kPrecision>(gemm, kConfig, TileOrder::rows);
  const MmaLayouts layouts = mma_layouts(gemm, kElementBytes);
  return layouts.strided() ? mma_prepare_strided<kPrecision, kConfig>(p)
                           : mma_prepare_vectors<kPrecision, kConfig>(p, layouts);
}

}  // namespace breakeven::matmul
