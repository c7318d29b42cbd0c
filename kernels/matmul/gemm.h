// What every hand-written matrix product takes and offers: a problem, the GPU, and a rung, which is
// one implementation on the ladder from the plainest kernel to the fastest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/cuda/launch.h"
#include "reference/precision.h"

namespace breakeven::matmul {

/// C[m,n] = op(A)[m,k] op(B)[k,n], all row-major, every dimension at least 1. A is stored as [m,k],
/// or as [k,m] if `trans_a`; B as [k,n], or as [n,k] if `trans_b`.
struct GemmShape {
  std::int64_t m = 1;
  std::int64_t n = 1;
  std::int64_t k = 1;
  bool trans_a = false;
  bool trans_b = false;
};

/// What happens to a sum before it is stored; bias is added per column. GELU is the tanh form.
enum class Epilogue { none, bias, bias_relu, bias_gelu };

/// One call. The pointers are device memory, aligned to their element type at least. Leading
/// dimensions are the distances between stored rows in elements, at least a stored row's length.
struct Gemm {
  GemmShape shape;
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  std::int64_t lda = 0;
  std::int64_t ldb = 0;
  std::int64_t ldc = 0;
  const void* bias = nullptr;  ///< [n] of the output's type; nullptr without bias
  Epilogue epilogue = Epilogue::none;
  int tiling = -1;  ///< index into the rung's tilings, or -1: the rung chooses
};

/// What choices depend on.
struct Gpu {
  int compute_capability = 0;  ///< 10 major + minor, e.g. 90
  int sms = 0;                 ///< streaming multiprocessors
};

/// A product made ready: planned, its tensor maps encoded, its launches filled in. It holds what it
/// needs but the matrices and the workspace.
struct PreparedGemm {
  PreparedLaunch enqueue;  ///< any number of times; plans and allocates nothing
  std::string plan = {};   ///< what the rung decided, e.g. "128x128, k in 4 parts"; "": nothing
};

/// One implementation. Its functions throw only what a failed launch throws.
struct Rung {
  const char* name;  ///< segment 4 of a row's name, e.g. "sgemm_warp_tile"
  Precision precision;
  int min_compute_capability;
  int max_compute_capability;  ///< inclusive; kAnyCompute where later ones can run it as well

  /// "", or why this call can't be made with this rung, a tiling that it asks for included: one
  /// clear phrase.
  std::string (*unsupported)(const Gemm&, const Gpu&);

  /// Device memory that it needs beside the operands, aligned to 256 bytes; mostly 0.
  std::size_t (*workspace_bytes)(const Gemm&, const Gpu&);

  /// Plans a supported call and enqueues nothing. `workspace` may be nullptr where 0 bytes are
  /// needed.
  PreparedGemm (*prepare)(const Gemm&, void* workspace, const Gpu&);

  /// The ways in which it can cut a problem, e.g. "128x128x16", for a tuner to try; {} if only one.
  std::vector<const char*> tilings = {};

  /// Prepares the product and enqueues it, once.
  void launch(const Gemm& gemm, void* workspace, const Gpu& gpu, Stream stream) const {
    prepare(gemm, workspace, gpu).enqueue(stream);
  }
};

inline constexpr int kAnyCompute = 1 << 20;

inline std::int64_t ceil_div(std::int64_t value, std::int64_t by) { return (value + by - 1) / by; }

/// "" where the epilogue is none: for rungs that have no other.
inline std::string only_plain_epilogue(const Gemm& gemm, const Gpu&) {
  return gemm.epilogue == Epilogue::none ? "" : "this rung has no bias or activation";
}

inline std::string supports_all(const Gemm&, const Gpu&) { return ""; }

/// For PreparedGemm::plan.
inline std::string parts_text(std::int64_t splits) {
  return splits == 1 ? "k whole" : "k in " + std::to_string(splits) + " parts";
}

inline std::size_t no_workspace(const Gemm&, const Gpu&) { return 0; }

/// The ladders, plainest rung first.
const std::vector<Rung>& f32_rungs();
const std::vector<Rung>& mma_rungs();
const std::vector<Rung>& wgmma_rungs();

/// The f32 rung that is expected to be the fastest for this call. Supports whatever f32 supports.
const Rung& choose_f32(const Gemm& gemm, const Gpu& gpu);

}  // namespace breakeven::matmul
