// A product of a linear layer by cuBLASLt, with bias and activation in its epilogue, and the
// fastest of the heuristics' algorithms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "reference/precision.h"

namespace breakeven::training {

enum class LtEpilogue { none, bias, bias_relu, bias_gelu };

/// C[m,n] = op(A) op(B), then the epilogue; everything row-major and dense. A is stored as [m,k],
/// or as [k,m] if `trans_a`; B as [k,n], or as [n,k] if `trans_b`. Operands are of the precision's
/// input type. f32 is strict: no algorithm of tensor cores.
struct LtCall {
  std::int64_t m, n, k;
  bool trans_a, trans_b;
  Precision precision;
  bool f32_result = false;  ///< of bf16 operands; else the precision's own output type
  LtEpilogue epilogue = LtEpilogue::none;
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  const void* bias = nullptr;  ///< [n] of c's type
};

class LtProduct {
 public:
  /// Device memory that launch() needs, aligned to 256 bytes.
  static constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;

  /// Throws Unsupported where cuBLASLt has no algorithm for it.
  explicit LtProduct(const LtCall& call);
  ~LtProduct();
  LtProduct(const LtProduct&) = delete;
  LtProduct& operator=(const LtProduct&) = delete;

  /// Times the algorithms once, which writes c, and keeps the fastest; products alike get the same
  /// without trials. Throws Unsupported where all of them fail.
  void choose();

  /// Enqueues the chosen algorithm on work_stream(); allocates nothing. Throws std::runtime_error.
  void launch(void* workspace);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace breakeven::training
