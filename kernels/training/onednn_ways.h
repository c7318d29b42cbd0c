// Linear layers and convolutions of training steps in oneDNN's terms: each direction as all the
// ways that oneDNN has, plain layouts or its own, matmul or inner product.
#pragma once

#include <algorithm>
#include <cstdint>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

#include "kernels/host/onednn.h"
#include "kernels/training/onednn_product.h"
#include "reference/conv2d.h"

namespace breakeven::training {

/// What a forward product does to its result before it stores it, in this order.
struct Epilogue {
  enum class Activation { none, relu, gelu };
  bool bias = false;
  bool normalise = false;  ///< times scale, plus shift, of each channel
  bool residual = false;   ///< plus a tensor of the result's shape
  Activation activation = Activation::none;

  std::string name() const {
    std::string text = bias ? "bias" : "";
    const auto join = [&](const char* what) {
      text += (text.empty() ? "" : " + ") + std::string(what);
    };
    if (normalise) join("norm");
    if (residual) join("residual");
    if (activation == Activation::relu) join("ReLU");
    if (activation == Activation::gelu) join("GELU");
    return text;
  }
};

struct LinearSize {
  std::int64_t m, n, k;  ///< rows, outputs, inputs
};

namespace detail {

using Tag = memory::format_tag;
using Type = memory::data_type;

inline memory::desc any_layout(const memory::desc& plain) {
  return {plain.get_dims(), plain.get_data_type(), Tag::any};
}

// oneDNN lists several implementations of a primitive; those behind the first are slower but for
// the odd small shape.
inline constexpr int kImplementations = 2;

inline bool same_way(const ProductWay& a, const ProductWay& b) {
  if (a.operands.size() != b.operands.size()) return false;
  if (std::string(a.description.impl_info_str()) != b.description.impl_info_str()) return false;
  for (std::size_t i = 0; i < a.operands.size(); ++i) {
    if (a.operands[i].argument != b.operands[i].argument) return false;
    if (a.operands[i].plain != b.operands[i].plain) return false;
    if (a.layout(a.operands[i]) != b.layout(b.operands[i])) return false;
  }
  return true;
}

// Adds what describe() finds, where it is new; a way without its own description.
template <class Describe>
void add_ways(std::vector<ProductWay>& ways, ProductWay way, const Describe& describe) {
  for (int skipped = 0; skipped < kImplementations; ++skipped) {
    auto description = describe();  // anew, since next_impl() changes it in place
    bool exists = static_cast<bool>(description);
    for (int i = 0; i < skipped && exists; ++i) exists = description.next_impl();
    if (!exists || !onednn_optimised(description)) return;
    way.description = description;
    const auto same = [&](const ProductWay& other) { return same_way(other, way); };
    if (std::none_of(ways.begin(), ways.end(), same)) ways.push_back(way);
  }
}

// An epilogue as attributes, and the operands that it reads. `channels`: a value for each channel,
// in as many dimensions as y.
inline dnnl::primitive_attr attributes(const Epilogue& epilogue, const memory::desc& y, bool plain,
                                       const memory::desc& channels,
                                       std::vector<ProductOperand>* operands) {
  dnnl::post_ops post;
  const auto binary = [&](dnnl::algorithm algorithm, Role role, const memory::desc& stored,
                          const memory::desc& wanted) {
    const int argument = DNNL_ARG_ATTR_MULTIPLE_POST_OP(post.len()) | DNNL_ARG_SRC_1;
    if (operands) operands->push_back({argument, role, stored});
    post.append_binary(algorithm, wanted);
  };
  if (epilogue.normalise) {
    binary(dnnl::algorithm::binary_mul, Role::scale, channels, channels);
    binary(dnnl::algorithm::binary_add, Role::shift, channels, channels);
  }
  if (epilogue.residual) {
    binary(dnnl::algorithm::binary_add, Role::residual, y, plain ? y : any_layout(y));
  }
  if (epilogue.activation == Epilogue::Activation::relu) {
    post.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0);
  } else if (epilogue.activation == Epilogue::Activation::gelu) {
    post.append_eltwise(dnnl::algorithm::eltwise_gelu_tanh, 0, 0);
  }
  dnnl::primitive_attr attributes = onednn_attributes();
  attributes.set_post_ops(post);
  return attributes;
}

inline Type working_type(bool bf16) { return bf16 ? Type::bf16 : Type::f32; }

}  // namespace detail

/// y[m,n] = x[m,k] w[n,k]^T, then the epilogue, which has no norm. Empty where oneDNN can't fuse
/// it.
inline std::vector<ProductWay> linear_forward(const LinearSize& size, bool bf16,
                                              const Epilogue& epilogue) {
  using namespace detail;
  const Type type = working_type(bf16);
  const memory::desc x({size.m, size.k}, type, Tag::ab);
  const memory::desc w({size.n, size.k}, type, Tag::ab);
  const memory::desc w_transposed({size.k, size.n}, type, Tag::ba);
  const memory::desc y({size.m, size.n}, type, Tag::ab);
  const memory::desc bias({size.n}, Type::f32, Tag::a);
  const memory::desc bias_row({1, size.n}, Type::f32, Tag::ab);
  std::vector<ProductWay> ways;
  for (const bool product : {true, false}) {
    ProductWay way;
    way.operands = {{DNNL_ARG_SRC, Role::x, x},
                    {DNNL_ARG_WEIGHTS, Role::w, product ? w_transposed : w},
                    {DNNL_ARG_DST, Role::y, y, true}};
    if (epilogue.bias) {
      way.operands.push_back({DNNL_ARG_BIAS, Role::bias, product ? bias_row : bias});
    }
    const dnnl::primitive_attr attributes =
        detail::attributes(epilogue, y, true, bias_row, &way.operands);
    for (const bool plain : {true, false}) {
      if (product) {
        const memory::desc weights = plain ? w_transposed : any_layout(w_transposed);
        add_ways(ways, way, [&] {
          return epilogue.bias ? dnnl::matmul::primitive_desc(onednn_engine(), x, weights, bias_row,
                                                              y, attributes, true)
                               : dnnl::matmul::primitive_desc(onednn_engine(), x, weights, y,
                                                              attributes, true);
        });
      } else {
        const memory::desc weights = plain ? w : any_layout(w);
        constexpr auto kind = dnnl::prop_kind::forward_training;
        add_ways(ways, way, [&] {
          return epilogue.bias ? dnnl::inner_product_forward::primitive_desc(
                                     onednn_engine(), kind, x, weights, bias, y, attributes, true)
                               : dnnl::inner_product_forward::primitive_desc(
                                     onednn_engine(), kind, x, weights, y, attributes, true);
        });
      }
    }
  }
  return ways;
}

namespace detail {

inline dnnl::inner_product_forward::primitive_desc inner_product_hint(const memory::desc& x,
                                                                      const memory::desc& w,
                                                                      const memory::desc& y) {
  return {onednn_engine(),
          dnnl::prop_kind::forward_training,
          any_layout(x),
          any_layout(w),
          any_layout(y),
          onednn_attributes(),
          true};
}

}  // namespace detail

/// dx[m,k] = dy[m,n] w[n,k].
inline std::vector<ProductWay> linear_backward_data(const LinearSize& size, bool bf16) {
  using namespace detail;
  const Type type = working_type(bf16);
  const memory::desc dy({size.m, size.n}, type, Tag::ab);
  const memory::desc w({size.n, size.k}, type, Tag::ab);
  const memory::desc dx({size.m, size.k}, type, Tag::ab);
  const dnnl::primitive_attr attributes = onednn_attributes();
  std::vector<ProductWay> ways;
  for (const bool plain : {true, false}) {
    const memory::desc weights = plain ? w : any_layout(w);
    add_ways(ways,
             {{},
              {{DNNL_ARG_SRC, Role::y, dy},
               {DNNL_ARG_WEIGHTS, Role::w, w},
               {DNNL_ARG_DST, Role::x, dx, true}}},
             [&] {
               return dnnl::matmul::primitive_desc(onednn_engine(), dy, weights, dx, attributes,
                                                   true);
             });
    const auto hint = inner_product_hint(dx, w, dy);
    if (!hint) continue;
    add_ways(ways,
             {{},
              {{DNNL_ARG_DIFF_DST, Role::y, dy},
               {DNNL_ARG_WEIGHTS, Role::w, w},
               {DNNL_ARG_DIFF_SRC, Role::x, dx, true}}},
             [&] {
               return dnnl::inner_product_backward_data::primitive_desc(
                   onednn_engine(), dx, weights, dy, hint, attributes, true);
             });
  }
  return ways;
}

/// dw[n,k] = dy[m,n]^T x[m,k] in f32; `bias`: and db[n], the sums of dy's columns.
inline std::vector<ProductWay> linear_backward_weights(const LinearSize& size, bool bf16,
                                                       bool bias) {
  using namespace detail;
  const Type type = working_type(bf16);
  const memory::desc dy({size.m, size.n}, type, Tag::ab);
  const memory::desc dy_transposed({size.n, size.m}, type, Tag::ba);
  const memory::desc x({size.m, size.k}, type, Tag::ab);
  const memory::desc dw({size.n, size.k}, Type::f32, Tag::ab);
  const memory::desc db({size.n}, Type::f32, Tag::a);
  const dnnl::primitive_attr attributes = onednn_attributes();
  const std::optional<MatrixSize> sums =
      bias ? std::optional(MatrixSize{size.m, size.n}) : std::nullopt;
  const ProductOperand weights{DNNL_ARG_DIFF_WEIGHTS, Role::w, dw, true};
  std::vector<ProductWay> ways;
  for (const bool plain : {true, false}) {
    const memory::desc right = plain ? x : any_layout(x);
    add_ways(ways,
             {{},
              {{DNNL_ARG_SRC, Role::y, dy_transposed},
               {DNNL_ARG_WEIGHTS, Role::x, x},
               {DNNL_ARG_DST, Role::w, dw, true}},
              sums,
              bf16},
             [&] {
               return dnnl::matmul::primitive_desc(onednn_engine(), dy_transposed, right, dw,
                                                   attributes, true);
             });
    const auto hint = inner_product_hint(x, memory::desc({size.n, size.k}, type, Tag::ab), dy);
    if (!hint) continue;
    const memory::desc gradient = plain ? dw : any_layout(dw);
    const std::vector<ProductOperand> inputs = {{DNNL_ARG_SRC, Role::x, x},
                                                {DNNL_ARG_DIFF_DST, Role::y, dy}};
    for (const bool inside : {false, true}) {
      if (inside && !bias) continue;
      ProductWay way{{}, inputs, inside ? std::nullopt : sums, bf16};
      way.operands.push_back(weights);
      if (inside) way.operands.push_back({DNNL_ARG_DIFF_BIAS, Role::bias, db, true});
      add_ways(ways, way, [&] {
        using Primitive = dnnl::inner_product_backward_weights::primitive_desc;
        return inside ? Primitive(onednn_engine(), x, gradient, db, dy, hint, attributes, true)
                      : Primitive(onednn_engine(), x, gradient, dy, hint, attributes, true);
      });
    }
  }
  return ways;
}

/// A convolution without groups or dilation: images NHWC, filters KRSC.
class ConvolutionWays {
 public:
  ConvolutionWays(const Conv2dSize& size, bool bf16) : size_(size), bf16_(bf16) {
    using detail::Tag;
    const detail::Type type = detail::working_type(bf16);
    x_ = memory::desc({size.n, size.c, size.h, size.w}, type, Tag::nhwc);
    w_ = memory::desc({size.k, size.c, size.r, size.s}, type, Tag::ohwi);
    y_ = memory::desc({size.n, size.k, size.p(), size.q()}, type, Tag::nhwc);
    dw_ = memory::desc({size.k, size.c, size.r, size.s}, detail::Type::f32, Tag::ohwi);
    bias_ = memory::desc({size.k}, detail::Type::f32, Tag::a);
    channels_ = memory::desc({1, size.k, 1, 1}, detail::Type::f32, Tag::nchw);
  }

  /// y = x * w, then the epilogue.
  std::vector<ProductWay> forward(const Epilogue& epilogue) const {
    std::vector<ProductWay> ways;
    for (const bool plain : {true, false}) {
      ProductWay way;
      way.operands = {{DNNL_ARG_SRC, Role::x, x_},
                      {DNNL_ARG_WEIGHTS, Role::w, w_},
                      {DNNL_ARG_DST, Role::y, y_, true}};
      if (epilogue.bias) way.operands.push_back({DNNL_ARG_BIAS, Role::bias, bias_});
      const dnnl::primitive_attr attributes =
          detail::attributes(epilogue, y_, plain, channels_, &way.operands);
      detail::add_ways(ways, way, [&] { return describe(plain, epilogue.bias, attributes); });
    }
    return ways;
  }

  std::vector<ProductWay> backward_data() const {
    std::vector<ProductWay> ways;
    const auto hint = describe(false, false, onednn_attributes());
    if (!hint) return ways;
    for (const bool plain : {true, false}) {
      detail::add_ways(ways,
                       {{},
                        {{DNNL_ARG_DIFF_DST, Role::y, y_},
                         {DNNL_ARG_WEIGHTS, Role::w, w_},
                         {DNNL_ARG_DIFF_SRC, Role::x, x_, true}}},
                       [&] {
                         return dnnl::convolution_backward_data::primitive_desc(
                             onednn_engine(), kAlgorithm, pick(plain, x_), pick(false, w_),
                             pick(plain, y_), strides(), dilations(), padding(), end_padding(),
                             hint, onednn_attributes(), true);
                       });
    }
    return ways;
  }

  /// dw in f32; `bias`: and db, the sums of dy's channels.
  std::vector<ProductWay> backward_weights(bool bias) const {
    using Primitive = dnnl::convolution_backward_weights::primitive_desc;
    std::vector<ProductWay> ways;
    const auto hint = describe(false, false, onednn_attributes());
    if (!hint) return ways;
    for (const bool plain : {true, false}) {
      for (const bool inside : {true, false}) {
        if (inside && !bias) continue;
        ProductWay way;
        way.operands = {{DNNL_ARG_SRC, Role::x, x_},
                        {DNNL_ARG_DIFF_DST, Role::y, y_},
                        {DNNL_ARG_DIFF_WEIGHTS, Role::w, dw_, true}};
        way.bf16 = bf16_;
        if (inside) {
          way.operands.push_back({DNNL_ARG_DIFF_BIAS, Role::bias, bias_, true});
        } else if (bias) {
          way.column_sums = MatrixSize{size_.n * size_.p() * size_.q(), size_.k};
        }
        detail::add_ways(ways, way, [&] {
          return inside ? Primitive(onednn_engine(), kAlgorithm, pick(plain, x_), pick(false, dw_),
                                    bias_, pick(plain, y_), strides(), dilations(), padding(),
                                    end_padding(), hint, onednn_attributes(), true)
                        : Primitive(onednn_engine(), kAlgorithm, pick(plain, x_), pick(false, dw_),
                                    pick(plain, y_), strides(), dilations(), padding(),
                                    end_padding(), hint, onednn_attributes(), true);
        });
      }
    }
    return ways;
  }

 private:
  static constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;

  static memory::desc pick(bool plain, const memory::desc& stored) {
    return plain ? stored : detail::any_layout(stored);
  }

  dnnl::convolution_forward::primitive_desc describe(bool plain, bool bias,
                                                     const dnnl::primitive_attr& attributes) const {
    using Primitive = dnnl::convolution_forward::primitive_desc;
    constexpr auto kind = dnnl::prop_kind::forward_training;
    return bias ? Primitive(onednn_engine(), kind, kAlgorithm, pick(plain, x_), pick(false, w_),
                            bias_, pick(plain, y_), strides(), dilations(), padding(),
                            end_padding(), attributes, true)
                : Primitive(onednn_engine(), kind, kAlgorithm, pick(plain, x_), pick(false, w_),
                            pick(plain, y_), strides(), dilations(), padding(), end_padding(),
                            attributes, true);
  }

  memory::dims strides() const { return {size_.stride_h, size_.stride_w}; }
  memory::dims dilations() const { return {size_.dilation_h - 1, size_.dilation_w - 1}; }
  memory::dims padding() const { return {size_.pad_h, size_.pad_w}; }

  // What the output's last window leaves over of the padding, possibly less than nothing.
  memory::dims end_padding() const {
    return {(size_.p() - 1) * size_.stride_h + size_.r - size_.h - size_.pad_h,
            (size_.q() - 1) * size_.stride_w + size_.s - size_.w - size_.pad_w};
  }

  Conv2dSize size_;
  bool bf16_;
  memory::desc x_, w_, y_, dw_, bias_, channels_;
};

}  // namespace breakeven::training
