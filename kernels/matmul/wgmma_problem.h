// What the wgmma kernels are called with: the problem as they see it, its matrices as TMA sees
// them, and what can't be done this way.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/primitives.h"
#include "kernels/cuda/tile_schedule.h"
#include "kernels/matmul/gemm.h"
#include "kernels/matmul/wgmma_rungs.h"

namespace breakeven::matmul {

/// What a kernel multiplies: elements of type T (float: tf32), A stored along m or k, B along n or
/// k. A tile is 128 bytes deep along k: as much as one swizzled row holds.
template <class T, bool kAlongM, bool kAlongN>
struct WgmmaOperands {
  using Element = T;
  using Output = std::conditional_t<std::is_same_v<T, e4m3>, bf16, T>;
  static constexpr bool along_m = kAlongM;
  static constexpr bool along_n = kAlongN;
  static constexpr int depth = 128 / static_cast<int>(sizeof(T));
  /// The tensor core keeps about 14 bits of a sum of fp8 products (DeepSeek-V3 technical report,
  /// arXiv:2412.19437, section 3.3.2): the sums of a tile's depth go to f32 registers of their own.
  static constexpr bool promoted = sizeof(T) == 1;
  static_assert(sizeof(T) == 2 || (!kAlongM && !kAlongN), "wgmma transposes 16-bit types only");
};

/// How a kernel cuts the problem. A block has `consumers` warp groups of m / consumers rows each,
/// and one that loads, where there are stages to load ahead. Two blocks of a cluster take tiles
/// below one another and share B.
template <int kM, int kN, int kStages = 1, int kConsumers = 1, int kCluster = 1,
          bool kStaged = false, TileOrder kOrder = TileOrder::rows>
struct WgmmaTile {
  static constexpr int m = kM;
  static constexpr int n = kN;
  static constexpr int stages = kStages;
  static constexpr int consumers = kConsumers;
  static constexpr int cluster = kCluster;
  static constexpr bool staged = kStaged;  ///< C goes through shared memory, by TMA if C allows it
  static constexpr TileOrder order = kOrder;
  static constexpr int stage_bytes = (kM + kN) * 128;
};

/// The problem as kernels see it. The maps cover A, B and, if `store_by_tma`, C.
struct WgmmaProblem {
  int m, n;
  int k_tiles;
  void* c;
  std::int64_t ldc;
  const void* bias;  ///< null without an epilogue
  Epilogue epilogue;
  bool store_pairs;  ///< two outputs beside each other are aligned to their size
  bool store_by_tma;
  int tile_rows, tile_columns;  ///< of clusters' tiles
};

/// What a matrix of `rows` needs for TMA; "" if it has it. `name` for the reason.
inline std::string no_tma(const char* name, const void* data, std::int64_t rows,
                          std::int64_t stride, std::size_t element) {
  const std::string matrix = std::string("TMA: ") + name;
  if (reinterpret_cast<std::uintptr_t>(data) % 16 != 0) return matrix + " isn't 16-byte aligned";
  if (rows > 1 && stride * static_cast<std::int64_t>(element) % 16 != 0) {
    return matrix + "'s rows aren't a multiple of 16 bytes apart";
  }
  return "";
}

/// The unsupported() of every rung of the ladder.
template <Precision kPrecision>
std::string wgmma_unsupported(const Gemm& gemm, const Gpu&) {
  const GemmShape& s = gemm.shape;
  constexpr std::int64_t kMost = (std::int64_t{1} << 31) - 1024;
  if (s.m > kMost || s.n > kMost || s.k > kMost) return "a dimension of 2^31 - 1024 or more";
  if (ceil_div(s.m, 64) * ceil_div(s.n, 64) >= std::int64_t{1} << 31) return "2^31 tiles or more";
  constexpr bool k16Bit = kPrecision == Precision::bf16 || kPrecision == Precision::f16;
  if (!k16Bit && (s.trans_a || !s.trans_b)) {
    return "wgmma takes 8- and 32-bit operands stored along k only: plain A, transposed B";
  }
  constexpr std::size_t kBytes = k16Bit ? 2 : kPrecision == Precision::fp8 ? 1 : 4;
  const std::string a = no_tma("A", gemm.a, s.trans_a ? s.k : s.m, gemm.lda, kBytes);
  if (!a.empty()) return a;
  return no_tma("B", gemm.b, s.trans_b ? s.n : s.k, gemm.ldb, kBytes);
}

/// Of a stored matrix; a single row needs no distance to the next, which TMA asks for all the same.
template <class T>
ptx::TensorMap wgmma_map(const void* data, std::int64_t rows, std::int64_t columns,
                         std::int64_t stride, int box_rows, int box_columns) {
  constexpr std::int64_t kUnit = 16 / static_cast<std::int64_t>(sizeof(T));
  return ptx::make_tensor_map(static_cast<const T*>(data), rows, columns,
                              rows == 1 ? ceil_div(columns, kUnit) * kUnit : stride, box_rows,
                              box_columns);
}

/// A box is what one copy brings: 128 bytes wide, at most the tile high; half a tile of B per block
/// of a cluster.
template <class Operands, class Tile>
ptx::TensorMap wgmma_map_a(const Gemm& gemm) {
  const GemmShape& s = gemm.shape;
  using T = typename Operands::Element;
  return Operands::along_m ? wgmma_map<T>(gemm.a, s.k, s.m, gemm.lda, Operands::depth, 64)
                           : wgmma_map<T>(gemm.a, s.m, s.k, gemm.lda, Tile::m, Operands::depth);
}

template <class Operands, class Tile>
ptx::TensorMap wgmma_map_b(const Gemm& gemm) {
  const GemmShape& s = gemm.shape;
  using T = typename Operands::Element;
  return Operands::along_n
             ? wgmma_map<T>(gemm.b, s.k, s.n, gemm.ldb, Operands::depth, 64)
             : wgmma_map<T>(gemm.b, s.n, s.k, gemm.ldb, Tile::n / Tile::cluster, Operands::depth);
}

template <class Operands, class Tile>
WgmmaProblem wgmma_problem(const Gemm& gemm) {
  using Output = typename Operands::Output;
  const GemmShape& s = gemm.shape;
  WgmmaProblem p;
  p.m = static_cast<int>(s.m);
  p.n = static_cast<int>(s.n);
  p.k_tiles = static_cast<int>(ceil_div(s.k, Operands::depth));
  p.c = gemm.c;
  p.ldc = gemm.ldc;
  p.bias = gemm.epilogue == Epilogue::none ? nullptr : gemm.bias;
  p.epilogue = gemm.epilogue;
  p.store_pairs =
      gemm.ldc % 2 == 0 && reinterpret_cast<std::uintptr_t>(gemm.c) % (2 * sizeof(Output)) == 0;
  p.store_by_tma = Tile::staged && no_tma("C", gemm.c, s.m, gemm.ldc, sizeof(Output)).empty();
  p.tile_rows = static_cast<int>(ceil_div(s.m, Tile::m * Tile::cluster));
  p.tile_columns = static_cast<int>(ceil_div(s.n, Tile::n));
  return p;
}

/// What prepare(WgmmaOperands<...>{}) returns, with the call's types and layouts; they are
/// supported.
template <Precision kPrecision, class Prepare>
PreparedLaunch with_wgmma_operands(const GemmShape& shape, const Prepare& prepare) {
  if constexpr (kPrecision == Precision::tf32) {
    return prepare(WgmmaOperands<float, false, false>{});
  } else if constexpr (kPrecision == Precision::fp8) {
    return prepare(WgmmaOperands<e4m3, false, false>{});
  } else {
    using T = std::conditional_t<kPrecision == Precision::bf16, bf16, f16>;
    if (shape.trans_a) {
      return shape.trans_b ? prepare(WgmmaOperands<T, true, false>{})
                           : prepare(WgmmaOperands<T, true, true>{});
    }
    return shape.trans_b ? prepare(WgmmaOperands<T, false, false>{})
                         : prepare(WgmmaOperands<T, false, true>{});
  }
}

/// A Rung::prepare: Launcher::prepare<Operands>(gemm, gpu) does the work.
template <class Launcher, Precision kPrecision>
PreparedGemm wgmma_prepare_for(const Gemm& gemm, void*, const Gpu& gpu) {
  constexpr bool kPromoted = kPrecision == Precision::fp8;
  return {
      with_wgmma_operands<kPrecision>(
          gemm.shape,
          [&](auto operands) { return Launcher::template prepare<decltype(operands)>(gemm, gpu); }),
      kPromoted ? "sums promoted to f32 every 128 k" : ""};
}

/// The one for a precision.
template <class Launcher>
WgmmaPrepare wgmma_prepare(Precision precision) {
  switch (precision) {
    case Precision::bf16:
      return wgmma_prepare_for<Launcher, Precision::bf16>;
    case Precision::f16:
      return wgmma_prepare_for<Launcher, Precision::f16>;
    case Precision::tf32:
      return wgmma_prepare_for<Launcher, Precision::tf32>;
    default:
      return wgmma_prepare_for<Launcher, Precision::fp8>;
  }
}

}  // namespace breakeven::matmul
