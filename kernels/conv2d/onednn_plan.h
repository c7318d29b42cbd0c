// A convolution in oneDNN's terms: descriptors of operands and of the primitive.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

#include "kernels/host/onednn.h"
#include "reference/conv2d.h"

namespace breakeven::conv2d {

using dnnl::memory;

/// Who chooses the layout of an operand.
enum class Layout { plain, onednns };

/// An operand of a primitive: the inputs in the workload's order, then the output.
struct OnednnOperand {
  std::string name;    ///< the workload's
  int argument;        ///< DNNL_ARG_...
  memory::desc plain;  ///< as the workload stores it
};

class OnednnPlan {
 public:
  /// Throws Unsupported for element types that oneDNN does not have.
  OnednnPlan(const Conv2d& conv, Precision precision)
      : size_(conv.size),
        direction_(conv.direction),
        nhwc_(conv.layout == Conv2dLayout::nhwc),
        input_(onednn_type(traits(precision).input)),
        output_(onednn_type(traits(precision).output)) {}

  std::vector<OnednnOperand> operands() const {
    switch (direction_) {
      case Conv2dOp::backward_data:
        return {{"dy", DNNL_ARG_DIFF_DST, y(input_)},
                {"w", DNNL_ARG_WEIGHTS, w(input_)},
                {"dx", DNNL_ARG_DIFF_SRC, x(output_)}};
      case Conv2dOp::backward_weights:
        return {{"x", DNNL_ARG_SRC, x(input_)},
                {"dy", DNNL_ARG_DIFF_DST, y(input_)},
                {"dw", DNNL_ARG_DIFF_WEIGHTS, w(output_)}};
      case Conv2dOp::bias_relu:
        return {{"x", DNNL_ARG_SRC, x(input_)},
                {"w", DNNL_ARG_WEIGHTS, w(input_)},
                {"bias", DNNL_ARG_BIAS, bias()},
                {"y", DNNL_ARG_DST, y(output_)}};
      default:
        return {{"x", DNNL_ARG_SRC, x(input_)},
                {"w", DNNL_ARG_WEIGHTS, w(input_)},
                {"y", DNNL_ARG_DST, y(output_)}};
    }
  }

  /// Empty where oneDNN has no implementation. `fused`: bias_relu's ReLU is part of it.
  dnnl::primitive_desc describe(Layout images, Layout filters, bool fused) const {
    constexpr auto algorithm = dnnl::algorithm::convolution_direct;
    dnnl::primitive_attr attributes = onednn_attributes();
    if (direction_ == Conv2dOp::bias_relu && fused) {
      dnnl::post_ops relu;
      relu.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0);
      attributes.set_post_ops(relu);
    }
    const auto pick = [](Layout layout, const memory::desc& plain) {
      return layout == Layout::plain
                 ? plain
                 : memory::desc(plain.get_dims(), plain.get_data_type(), memory::format_tag::any);
    };
    const dnnl::engine& engine = onednn_engine();
    dnnl::convolution_forward::primitive_desc hint;
    if (is_gradient()) {
      hint = forward_hint();
      if (!hint) return {};
    }
    switch (direction_) {
      case Conv2dOp::backward_data:
        return dnnl::convolution_backward_data::primitive_desc(
            engine, algorithm, pick(images, x(output_)), pick(filters, w(input_)),
            pick(images, y(input_)), strides(), dilations(), padding(), end_padding(), hint,
            attributes, /*allow_empty=*/true);
      case Conv2dOp::backward_weights:
        return dnnl::convolution_backward_weights::primitive_desc(
            engine, algorithm, pick(images, x(input_)), pick(filters, w(output_)),
            pick(images, y(input_)), strides(), dilations(), padding(), end_padding(), hint,
            attributes, /*allow_empty=*/true);
      case Conv2dOp::bias_relu:
        return dnnl::convolution_forward::primitive_desc(
            engine, dnnl::prop_kind::forward_inference, algorithm, pick(images, x(input_)),
            pick(filters, w(input_)), bias(), pick(images, y(output_)), strides(), dilations(),
            padding(), end_padding(), attributes, /*allow_empty=*/true);
      default:
        return dnnl::convolution_forward::primitive_desc(
            engine, dnnl::prop_kind::forward_inference, algorithm, pick(images, x(input_)),
            pick(filters, w(input_)), pick(images, y(output_)), strides(), dilations(), padding(),
            end_padding(), attributes, /*allow_empty=*/true);
    }
  }

 private:
  bool is_gradient() const {
    return direction_ == Conv2dOp::backward_data || direction_ == Conv2dOp::backward_weights;
  }
  using Tag = memory::format_tag;
  using Type = memory::data_type;

  memory::desc x(Type type) const {
    return {{size_.n, size_.c, size_.h, size_.w}, type, nhwc_ ? Tag::nhwc : Tag::nchw};
  }
  memory::desc y(Type type) const {
    return {{size_.n, size_.k, size_.p(), size_.q()}, type, nhwc_ ? Tag::nhwc : Tag::nchw};
  }
  memory::desc w(Type type) const {
    if (size_.groups == 1) {
      return {{size_.k, size_.c, size_.r, size_.s}, type, nhwc_ ? Tag::ohwi : Tag::oihw};
    }
    return {{size_.groups, size_.group_k(), size_.group_c(), size_.r, size_.s},
            type,
            nhwc_ ? Tag::gohwi : Tag::goihw};
  }
  memory::desc bias() const { return {{size_.k}, output_, Tag::x}; }

  memory::dims strides() const { return {size_.stride_h, size_.stride_w}; }
  memory::dims dilations() const { return {size_.dilation_h - 1, size_.dilation_w - 1}; }
  memory::dims padding() const { return {size_.pad_h, size_.pad_w}; }

  // What the output's last window leaves over of the padding, possibly less than nothing.
  memory::dims end_padding() const {
    const auto left = [](std::int64_t outputs, std::int64_t stride, std::int64_t dilation,
                         std::int64_t taps, std::int64_t in, std::int64_t pad) {
      return (outputs - 1) * stride + dilation * (taps - 1) + 1 - in - pad;
    };
    return {left(size_.p(), size_.stride_h, size_.dilation_h, size_.r, size_.h, size_.pad_h),
            left(size_.q(), size_.stride_w, size_.dilation_w, size_.s, size_.w, size_.pad_w)};
  }

  // A gradient is described with the forward convolution that it belongs to.
  dnnl::convolution_forward::primitive_desc forward_hint() const {
    const auto any = [this](const memory::desc& plain) {
      return memory::desc(plain.get_dims(), input_, Tag::any);
    };
    return {onednn_engine(),
            dnnl::prop_kind::forward_training,
            dnnl::algorithm::convolution_direct,
            any(x(input_)),
            any(w(input_)),
            any(y(input_)),
            strides(),
            dilations(),
            padding(),
            end_padding(),
            onednn_attributes(),
            /*allow_empty=*/true};
  }

  const Conv2dSize& size_;
  Conv2dOp direction_;
  bool nhwc_;
  Type input_, output_;
};

}  // namespace breakeven::conv2d
