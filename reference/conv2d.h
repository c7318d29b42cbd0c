// Two-dimensional convolution (cross-correlation, as deep learning has it): forward, forward with
// bias and ReLU, and both gradients.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "reference/workload.h"

namespace breakeven {

/// The field's letters. y[n,p,q,k] = sum over r, s and the c of k's group of
/// x[n, p stride_h - pad_h + r dilation_h, q stride_w - pad_w + s dilation_w, c] w[k,r,s,c],
/// where x is 0 outside its bounds.
struct Conv2dSize {
  std::int64_t n = 1;  ///< images
  std::int64_t c = 1;  ///< input channels
  std::int64_t h = 1;  ///< input rows
  std::int64_t w = 1;  ///< input columns
  std::int64_t k = 1;  ///< filters, which is output channels
  std::int64_t r = 1;  ///< filter rows
  std::int64_t s = 1;  ///< filter columns
  std::int64_t pad_h = 0;
  std::int64_t pad_w = 0;
  std::int64_t stride_h = 1;
  std::int64_t stride_w = 1;
  std::int64_t dilation_h = 1;  ///< 1: neighbouring rows
  std::int64_t dilation_w = 1;
  std::int64_t groups = 1;  ///< of channels and of filters, each with its own; c: depthwise

  std::int64_t p() const { return (h + 2 * pad_h - dilation_h * (r - 1) - 1) / stride_h + 1; }
  std::int64_t q() const { return (w + 2 * pad_w - dilation_w * (s - 1) - 1) / stride_w + 1; }
  std::int64_t group_c() const { return c / groups; }
  std::int64_t group_k() const { return k / groups; }
  bool depthwise() const { return groups == c && groups > 1; }
};

/// "" or why there is no such convolution: one clear phrase that says which number and what to do.
std::string conv2d_problem(const Conv2dSize& size);

enum class Conv2dOp { forward, bias_relu, backward_data, backward_weights };

/// nhwc: x [n,h,w,c], w [k,r,s,c/groups], y [n,p,q,k]; nchw: x [n,c,h,w], w [k,c/groups,r,s],
/// y [n,k,p,q]. Gradients are laid out as what they are gradients of.
enum class Conv2dLayout { nhwc, nchw };

/// One convolution. Operations are called conv2d_forward, conv2d_bias_relu (y = max(0, conv + bias
/// per filter)), conv2d_backward_data and conv2d_backward_weights.
class Conv2d final : public Workload {
 public:
  /// Throws std::invalid_argument with conv2d_problem()'s words.
  Conv2d(std::string shape, const Conv2dSize& size, Conv2dOp direction,
         Conv2dLayout layout = Conv2dLayout::nhwc);

  const Conv2dSize size;
  const Conv2dOp direction;
  const Conv2dLayout layout;

  /// n, c, h, w, k, r, s, then what differs from its default of pad_*, stride_*, dilation_*,
  /// groups.
  std::vector<std::pair<std::string, std::int64_t>> dimensions() const override;

  /// 2 flops for each product of an element inside the image, every direction the same; operands
  /// once.
  Cost cost(Precision precision) const override;

  /// forward: "x", "w"; bias_relu: "x", "w", "bias" [k] of the output's type; backward_data: "dy",
  /// "w"; backward_weights: "x", "dy".
  std::vector<Operand> inputs(Precision precision) const override;

  /// "y", "dx" or "dw".
  Operand output(Precision precision) const override;

  void fill_input(std::size_t index, Precision precision, std::span<std::byte> out) const override;

  /// Every element against fp64 where that is cheap, else samples and an algebraic check over the
  /// whole result; see reference/conv2d_check.h.
  Check check(Precision precision, std::span<const std::byte> answer) const override;
  std::size_t check_bytes(Precision precision) const override;
};

/// "conv2d_forward" and so on.
std::string conv2d_op_name(Conv2dOp op);

}  // namespace breakeven
