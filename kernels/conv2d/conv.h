// What every hand-written convolution takes and offers: a problem in device memory, the GPU, and a
// rung, which is one implementation of some of the four operations in one precision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "kernels/cuda/launch.h"
#include "kernels/matmul/gemm.h"
#include "reference/conv2d.h"
#include "reference/precision.h"

namespace breakeven::conv2d {

using matmul::ceil_div;
using matmul::Gpu;
using matmul::kAnyCompute;

/// One call. The tensors are dense device memory, aligned to their element type at least, laid out
/// as Conv2dLayout says.
struct Conv {
  Conv2dSize size;
  Conv2dOp op = Conv2dOp::forward;
  Conv2dLayout layout = Conv2dLayout::nhwc;
  const void* inputs[3] = {};  ///< forward: x, w; bias_relu: x, w, bias; backward_data: dy, w;
                               ///< backward_weights: x, dy
  void* output = nullptr;      ///< y, dx or dw
  int tiling = -1;             ///< index into the rung's tilings, or -1: the rung chooses
};

/// A call made ready. It holds what it needs but the tensors and the workspace.
struct PreparedConv {
  PreparedLaunch enqueue;  ///< any number of times; plans and allocates nothing
  std::string plan = {};   ///< what the rung decided, e.g. "128x64, k in 4 parts"; "": nothing
};

/// One implementation. Its functions throw only what a failed launch throws.
struct Rung {
  const char* name;  ///< segment 4 of a row's name, e.g. "implicit_mma"
  Precision precision;
  int min_compute_capability;
  int max_compute_capability;  ///< inclusive; kAnyCompute where later ones can run it as well

  /// "", or why this call can't be made with this rung: one clear phrase.
  std::string (*unsupported)(const Conv&, const Gpu&);

  /// Device memory that it needs beside the tensors, aligned to 256 bytes; mostly 0.
  std::size_t (*workspace_bytes)(const Conv&, const Gpu&);

  /// Plans a supported call and enqueues nothing. `workspace` may be nullptr where 0 bytes are
  /// needed.
  PreparedConv (*prepare)(const Conv&, void* workspace, const Gpu&);

  /// The ways in which it can cut a problem, e.g. "128x64", for Conv::tiling; {} if only one.
  std::vector<const char*> tilings = {};
};

inline std::size_t no_workspace(const Conv&, const Gpu&) { return 0; }

/// Elements of x (and dx), of the filters (and dw) and of y (and dy).
inline std::int64_t x_elements(const Conv2dSize& s) { return s.n * s.h * s.w * s.c; }
inline std::int64_t w_elements(const Conv2dSize& s) { return s.k * s.r * s.s * s.group_c(); }
inline std::int64_t y_elements(const Conv2dSize& s) { return s.n * s.p() * s.q() * s.k; }

inline std::int64_t output_elements(const Conv& conv) {
  if (conv.op == Conv2dOp::backward_data) return x_elements(conv.size);
  if (conv.op == Conv2dOp::backward_weights) return w_elements(conv.size);
  return y_elements(conv.size);
}

/// The tensors by their own names; nullptr where the operation has none.
inline const void* x_of(const Conv& conv) {
  return conv.op == Conv2dOp::backward_data ? conv.output : conv.inputs[0];
}
inline const void* w_of(const Conv& conv) {
  return conv.op == Conv2dOp::backward_weights ? conv.output : conv.inputs[1];
}
inline const void* y_of(const Conv& conv) {
  if (conv.op == Conv2dOp::backward_data) return conv.inputs[0];
  return conv.op == Conv2dOp::backward_weights ? conv.inputs[1] : conv.output;
}
inline const void* bias_of(const Conv& conv) {
  return conv.op == Conv2dOp::bias_relu ? conv.inputs[2] : nullptr;
}

/// "", or why 32-bit offsets into the tensors, the padding counted with them, aren't enough.
inline std::string beyond_32_bits(const Conv2dSize& s) {
  constexpr std::int64_t kMost = (std::int64_t{1} << 31) - 4096;
  const std::int64_t reach_h = s.dilation_h * s.r, reach_w = s.dilation_w * s.s;
  const auto padded = [&](std::int64_t h, std::int64_t w, std::int64_t channels) {
    const std::int64_t rows = h + 2 * (s.pad_h + reach_h), columns = w + 2 * (s.pad_w + reach_w);
    return static_cast<double>(s.n + 1) * static_cast<double>(rows) * static_cast<double>(columns) *
           static_cast<double>(channels);
  };
  const double largest = static_cast<double>(kMost);
  return padded(s.h, s.w, s.c) > largest || padded(s.p(), s.q(), s.k) > largest ||
                 static_cast<double>(w_elements(s)) > largest
             ? "a tensor of 2^31 elements or more, its padding counted"
             : "";
}

/// All rungs, the plainest first.
const std::vector<Rung>& rungs();

/// The rung of that name and precision, or nullptr.
const Rung* find_rung(const std::string& name, Precision precision);

/// "" or why this rung can't make the call on this GPU, its architecture included.
std::string unsupported_reason(const Rung& rung, const Conv& conv, const Gpu& gpu);

}  // namespace breakeven::conv2d
