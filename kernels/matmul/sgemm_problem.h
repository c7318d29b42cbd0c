// What the f32 kernels are called with, and how a call is turned into it.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "kernels/cuda/epilogue.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/primitives.h"
#include "kernels/cuda/tile_schedule.h"
#include "kernels/matmul/gemm.h"

namespace breakeven::matmul {

/// A product as kernels see it. Sizes fit in an int with room for a tile; offsets need 64 bits.
struct SgemmProblem {
  int m, n, k;
  const float* a;
  const float* b;
  float* c;
  const float* bias;
  std::int64_t lda, ldb, ldc;
  Epilogue epilogue;
  bool vector_c;  ///< C can be stored in groups of four floats
  TileSchedule schedule;
};

/// Where op(X)[row, column] lies: data[row * row_stride + column * column_stride].
struct Strides {
  std::int64_t row, column;
};

inline Strides strides_of(bool transposed, std::int64_t leading_dimension) {
  return transposed ? Strides{1, leading_dimension} : Strides{leading_dimension, 1};
}

/// Whether rows of `length` floats, `stride` apart, fall into aligned groups of four floats.
inline bool whole_vectors(const void* data, std::int64_t length, std::int64_t stride) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && length % 4 == 0 && stride % 4 == 0;
}

/// The problem cut into tiles of tile_m x tile_n. Blocks are numbered in bands of 8 rows of tiles,
/// so that those that run at once share rows and columns in the L2 cache.
inline SgemmProblem sgemm_problem(const Gemm& gemm, int tile_m, int tile_n) {
  const GemmShape& s = gemm.shape;
  SgemmProblem p;
  p.m = static_cast<int>(s.m);
  p.n = static_cast<int>(s.n);
  p.k = static_cast<int>(s.k);
  p.a = static_cast<const float*>(gemm.a);
  p.b = static_cast<const float*>(gemm.b);
  p.c = static_cast<float*>(gemm.c);
  p.bias = static_cast<const float*>(gemm.bias);
  p.lda = gemm.lda;
  p.ldb = gemm.ldb;
  p.ldc = gemm.ldc;
  p.epilogue = gemm.epilogue;
  p.vector_c = whole_vectors(gemm.c, s.n, gemm.ldc);
  p.schedule.rows = static_cast<int>(ceil_div(s.m, tile_m));
  p.schedule.columns = static_cast<int>(ceil_div(s.n, tile_n));
  p.schedule.order = TileOrder::grouped;
  return p;
}

inline unsigned blocks(const SgemmProblem& p) { return static_cast<unsigned>(p.schedule.tiles()); }

/// The tile of this block, as the first row and column of C in it.
__device__ __forceinline__ TilePosition first_element(const SgemmProblem& p, int tile_m,
                                                      int tile_n) {
  const TilePosition tile = p.schedule.at(blockIdx.x);
  return {tile.row * tile_m, tile.column * tile_n};
}

/// Sizes that every kernel's 32-bit tile arithmetic and one-dimensional grid can hold.
inline std::string sgemm_sizes(const Gemm& gemm, const Gpu&) {
  constexpr std::int64_t kMost = (std::int64_t{1} << 31) - 1024;
  const GemmShape& s = gemm.shape;
  if (s.m > kMost || s.n > kMost || s.k > kMost) return "a dimension of 2^31 - 1024 or more";
  // The smallest tile of a rung has 32 x 32 outputs.
  if (ceil_div(s.m, 32) * ceil_div(s.n, 32) > kMost) return "more than 2^31 tiles of 32 x 32";
  return "";
}

/// For the lower rungs, which show one step each and store the bare sum.
inline std::string plain_sgemm(const Gemm& gemm, const Gpu& gpu) {
  const std::string reason = only_plain_epilogue(gemm, gpu);
  return reason.empty() ? sgemm_sizes(gemm, gpu) : reason;
}

/// Their launch: operands by strides, square tiles.
inline PreparedGemm prepare_plain(void (*kernel)(SgemmProblem, Strides, Strides), const Gemm& gemm,
                                  int tile, dim3 threads, std::size_t shared_bytes = 0) {
  const SgemmProblem p = sgemm_problem(gemm, tile, tile);
  return {prepare_launch(kernel, {dim3(blocks(p)), threads, shared_bytes}, p,
                         strides_of(gemm.shape.trans_a, gemm.lda),
                         strides_of(gemm.shape.trans_b, gemm.ldb))};
}

/// A rung of one kernel that stores the bare sum.
inline Rung plain_rung(const char* name, PreparedGemm (*prepare)(const Gemm&, void*, const Gpu&)) {
  return {name, Precision::f32, 80, kAnyCompute, plain_sgemm, no_workspace, prepare};
}

/// What run(trans_a, trans_b, vector) prepares, with each flag as a std::bool_constant.
template <class Run>
PreparedLaunch with_layout(bool trans_a, bool trans_b, bool vector, const Run& run) {
  const auto with_vector = [&](auto ta, auto tb) {
    return vector ? run(ta, tb, std::true_type()) : run(ta, tb, std::false_type());
  };
  const auto with_b = [&](auto ta) {
    return trans_b ? with_vector(ta, std::true_type()) : with_vector(ta, std::false_type());
  };
  return trans_a ? with_b(std::true_type()) : with_b(std::false_type());
}

}  // namespace breakeven::matmul
