// harness-cost-onednn-conv2d: the convolution primitive with plain images, as its documentation
// shows it: the primitive chooses how the filters lie, and they are reordered in each call. Images
// in oneDNN's own layout, with reorders in each call, are the other way to write it. The row times
// both; the loop has both and goes the row's.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>

#include "bench/harness_cost/harness_cost.h"
#include "reference/conv2d.h"
#include "reference/shapes.h"

namespace breakeven {
namespace {

using dnnl::memory;
using Arguments = std::unordered_map<int, memory>;

// One way to compute a convolution: reorders and the primitive, in the order of their execution.
class Way {
 public:
  Way(const dnnl::engine& engine, const dnnl::stream& stream, Memory where)
      : engine_(engine), stream_(stream), where_(where) {}

  // The operand as the primitive wants it, reordered before the primitive (input) or after it.
  memory input(const char* name, const memory& plain, const memory::desc& wanted) {
    if (wanted == plain.get_desc()) return plain;
    const memory own = allocate(name, wanted);
    steps_.emplace_back(dnnl::reorder(plain, own),
                        Arguments{{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, own}});
    return own;
  }
  memory output(const char* name, const memory& plain, const memory::desc& wanted) {
    if (wanted == plain.get_desc()) return plain;
    const memory own = allocate(name, wanted);
    after_.emplace(dnnl::reorder(own, plain),
                   Arguments{{DNNL_ARG_FROM, own}, {DNNL_ARG_TO, plain}});
    return own;
  }
  template <class Convolution>
  void primitive(const typename Convolution::primitive_desc& description, Arguments arguments) {
    implementation_ = description.impl_info_str();
    steps_.emplace_back(Convolution(description), std::move(arguments));
    if (after_) steps_.push_back(*after_);
  }

  // In the row's words.
  Facts facts() const {
    return {{"implementation", implementation_},
            {"reordered", reordered_.empty() ? "nothing" : reordered_ + " inside the time"}};
  }

  double seconds(std::int64_t calls) {
    const auto start = std::chrono::steady_clock::now();
    for (std::int64_t i = 0; i < calls; ++i) {
      for (const auto& [primitive, arguments] : steps_) primitive.execute(stream_, arguments);
    }
    stream_.wait();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  memory allocate(const char* name, const memory::desc& layout) {
    reordered_ += (reordered_.empty() ? "" : ", ") + std::string(name);
    arrays_.push_back(std::make_unique<BareArray>(layout.get_size(), where_));
    poison(arrays_.back()->span());
    return {layout, engine_, arrays_.back()->data()};
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  Memory where_;
  std::string implementation_, reordered_;
  std::vector<std::unique_ptr<BareArray>> arrays_;
  std::vector<std::pair<dnnl::primitive, Arguments>> steps_;
  std::optional<std::pair<dnnl::primitive, Arguments>> after_;
};

// Groups are left out: the default shapes have one, and `find` refuses others.
class BareConv2d {
 public:
  BareConv2d(const Conv2d& conv, Precision precision, Memory where)
      : operands_(conv, precision, where), size_(conv.size) {
    const auto type =
        precision == Precision::f32 ? memory::data_type::f32 : memory::data_type::bf16;
    const memory::dims x = {size_.n, size_.c, size_.h, size_.w};
    const memory::dims w = {size_.k, size_.c, size_.r, size_.s};
    const memory::dims y = {size_.n, size_.k, size_.p(), size_.q()};
    using tag = memory::format_tag;
    x_ = {x, type, tag::nhwc};
    w_ = {w, type, tag::ohwi};
    y_ = {y, type, tag::nhwc};
    for (const bool plain_images : {true, false}) {
      const auto image = [&](const memory::desc& plain) {
        return plain_images ? plain : memory::desc(plain.get_dims(), type, tag::any);
      };
      const memory::desc filter(w, type, tag::any);
      ways_.emplace_back(engine_, stream_, where);
      add(conv.direction, image(x_), filter, image(y_), ways_.back());
    }
  }

  Facts follow(const Facts& row) {
    way_ = std::find_if(ways_.begin(), ways_.end(),
                        [&](const Way& way) { return way.facts() == row; });
    if (way_ == ways_.end()) {
      std::string facts;
      for (const auto& [key, value] : row) facts += fmt::format("; {}: {}", key, value);
      throw std::runtime_error("the bare loop can't go the row's way" + facts);
    }
    return way_->facts();
  }

  double seconds(std::int64_t calls) { return way_->seconds(calls); }

 private:
  memory input(std::size_t i, const memory::desc& plain) {
    return {plain, engine_, operands_.inputs[i].data()};
  }
  memory output(const memory::desc& plain) { return {plain, engine_, operands_.output.data()}; }

  void add(Conv2dOp op, const memory::desc& x, const memory::desc& w, const memory::desc& y,
           Way& way) {
    const memory::dims strides = {size_.stride_h, size_.stride_w};
    const memory::dims dilations = {size_.dilation_h - 1, size_.dilation_w - 1};
    const memory::dims begin = {size_.pad_h, size_.pad_w};
    const auto end_of = [](std::int64_t outputs, std::int64_t stride, std::int64_t dilation,
                           std::int64_t taps, std::int64_t extent, std::int64_t pad) {
      return (outputs - 1) * stride + dilation * (taps - 1) + 1 - extent - pad;
    };
    const memory::dims end = {
        end_of(size_.p(), size_.stride_h, size_.dilation_h, size_.r, size_.h, size_.pad_h),
        end_of(size_.q(), size_.stride_w, size_.dilation_w, size_.s, size_.w, size_.pad_w)};
    const auto direct = dnnl::algorithm::convolution_direct;
    const bool gradient = op != Conv2dOp::forward;
    const dnnl::convolution_forward::primitive_desc forward(
        engine_, gradient ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference,
        direct, x, w, y, strides, dilations, begin, end);
    if (op == Conv2dOp::backward_data) {
      const dnnl::convolution_backward_data::primitive_desc description(
          engine_, direct, x, w, y, strides, dilations, begin, end, forward);
      Arguments arguments = {
          {DNNL_ARG_DIFF_DST, way.input("dy", input(0, y_), description.diff_dst_desc())},
          {DNNL_ARG_WEIGHTS, way.input("w", input(1, w_), description.weights_desc())},
          {DNNL_ARG_DIFF_SRC, way.output("dx", output(x_), description.diff_src_desc())}};
      way.primitive<dnnl::convolution_backward_data>(description, std::move(arguments));
    } else if (op == Conv2dOp::backward_weights) {
      const dnnl::convolution_backward_weights::primitive_desc description(
          engine_, direct, x, w, y, strides, dilations, begin, end, forward);
      Arguments arguments = {
          {DNNL_ARG_SRC, way.input("x", input(0, x_), description.src_desc())},
          {DNNL_ARG_DIFF_DST, way.input("dy", input(1, y_), description.diff_dst_desc())},
          {DNNL_ARG_DIFF_WEIGHTS, way.output("dw", output(w_), description.diff_weights_desc())}};
      way.primitive<dnnl::convolution_backward_weights>(description, std::move(arguments));
    } else {
      Arguments arguments = {
          {DNNL_ARG_SRC, way.input("x", input(0, x_), forward.src_desc())},
          {DNNL_ARG_WEIGHTS, way.input("w", input(1, w_), forward.weights_desc())},
          {DNNL_ARG_DST, way.output("y", output(y_), forward.dst_desc())}};
      way.primitive<dnnl::convolution_forward>(forward, std::move(arguments));
    }
  }

  BareOperands operands_;
  Conv2dSize size_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  memory::desc x_, w_, y_;
  std::vector<Way> ways_;
  std::vector<Way>::iterator way_;
};

std::unique_ptr<Workload> find(const std::string& name) {
  for (auto& workload : built_in_workloads()) {
    if (workload->op() + "/" + workload->shape() != name) continue;
    const auto* conv = dynamic_cast<const Conv2d*>(workload.get());
    if (conv == nullptr || conv->direction == Conv2dOp::bias_relu || conv->size.groups != 1 ||
        conv->layout != Conv2dLayout::nhwc) {
      break;
    }
    return std::move(workload);
  }
  throw std::runtime_error(fmt::format(
      "--shapes {}: is no built-in conv2d_forward, conv2d_backward_data or conv2d_backward_weights "
      "shape of one group and plain layout, such as conv2d_forward/resnet50_conv1_n16",
      name));
}

std::vector<Subject> subjects(const Module&) {
  std::vector<Subject> all;
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    all.push_back({"onednn", precision, [precision](const Workload& workload, Memory where) {
                     const auto bare = std::make_shared<BareConv2d>(
                         static_cast<const Conv2d&>(workload), precision, where);
                     return BareLoop{[bare](std::int64_t calls) { return bare->seconds(calls); },
                                     [bare](const Facts& row) { return bare->follow(row); }};
                   }});
  }
  return all;
}

const Study kStudy = {
    "onednn",
    "--shapes",
    "Built-in shapes, each as operation/shape",
    {"conv2d_forward/resnet50_conv1_n16", "conv2d_forward/resnet50_res2x_branch2b_n16",
     "conv2d_forward/resnet50_res4x_branch2c_n16", "conv2d_forward/resnet50_res5b_c_branch2b_n16",
     "conv2d_backward_data/resnet50_res4b_f_branch2b_n16",
     "conv2d_backward_weights/resnet50_res4b_f_branch2b_n16"},
    find,
    subjects};

}  // namespace
}  // namespace breakeven

int main(int argc, char** argv) {
  return breakeven::harness_cost_main(argc, argv, breakeven::kStudy);
}
