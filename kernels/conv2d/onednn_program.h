// A convolution primitive with its operands and the reorders that they need.
#pragma once

#include <cstddef>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/conv2d/onednn_plan.h"
#include "kernels/host/buffer.h"
#include "kernels/host/onednn.h"

namespace breakeven::conv2d {

/// The layout in which `primitive` has an operand.
inline memory::desc wanted(const dnnl::primitive_desc& primitive, int argument) {
  return primitive.query_md(dnnl::query::exec_arg_md, argument);
}

/// Bytes of a Program beside its plain operands: copies in oneDNN's layouts and the scratchpad.
inline std::size_t program_bytes(const OnednnPlan& plan, const dnnl::primitive_desc& primitive) {
  std::size_t bytes = primitive.scratchpad_desc().get_size();
  for (const OnednnOperand& operand : plan.operands()) {
    const memory::desc layout = wanted(primitive, operand.argument);
    if (layout != operand.plain) bytes += layout.get_size();
  }
  return bytes;
}

class Program {
 public:
  enum class Reorders { inside_run, outside_run };
  enum class Relu { fused, apart };  ///< apart: a primitive of its own, in place

  /// `data` are the plain operands in plan.operands()'s order, the inputs filled; they must outlive
  /// the program.
  Program(const OnednnPlan& plan, const dnnl::primitive_desc& primitive,
          const std::vector<std::byte*>& data, Reorders reorders, Relu relu)
      : implementation_(primitive.impl_info_str()), stream_(onednn_engine()) {
    std::vector<Step> before, after;
    std::vector<dnnl_exec_arg_t> arguments;
    const std::vector<OnednnOperand> operands = plan.operands();
    memory own;  // the last operand's, which is the output, after the loop
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const memory plain = keep(memory(operands[i].plain, onednn_engine(), data[i]));
      const memory::desc layout = wanted(primitive, operands[i].argument);
      own = plain;
      if (layout != operands[i].plain) {
        const bool output = i + 1 == operands.size();
        reordered_ += (reordered_.empty() ? "" : ", ") + operands[i].name;
        own = allocate(layout);
        if (output) own_output_ = buffers_.size() - 1;
        (output ? after : before)
            .push_back(output ? reorder_step(own, plain) : reorder_step(plain, own));
      }
      arguments.push_back({operands[i].argument, own.get()});
    }
    run_.push_back(
        step(dnnl::primitive(primitive), primitive.scratchpad_desc(), std::move(arguments)));
    if (relu == Relu::apart) run_.push_back(relu_step(own));
    if (reorders == Reorders::outside_run) {
      execute(before);
      finish_ = after;
    } else {
      run_.insert(run_.begin(), before.begin(), before.end());
      run_.insert(run_.end(), after.begin(), after.end());
    }
  }

  void run() const { execute(run_); }

  /// Brings the answer into the plain output, where run() doesn't.
  void finish() const { execute(finish_); }

  /// The output in oneDNN's layout, beside the plain one.
  void poison_output() {
    if (own_output_) poison(buffers_[*own_output_].span());
  }

  const std::string& implementation() const { return implementation_; }
  const std::string& reordered() const { return reordered_; }  ///< names of operands, "x, w", or ""

 private:
  // A primitive with its operands, which are bare handles: memories_ keeps them alive.
  struct Step {
    dnnl::primitive primitive;
    std::vector<dnnl_exec_arg_t> arguments;
  };

  // The C call: the C++ one takes a hash map and copies it into a new array each time.
  void execute(const std::vector<Step>& steps) const {
    for (const Step& one : steps) {
      check_onednn(dnnl_primitive_execute(one.primitive.get(), stream_.get(),
                                          static_cast<int>(one.arguments.size()),
                                          one.arguments.data()));
    }
  }

  memory keep(memory operand) {
    memories_.push_back(operand);
    return operand;
  }

  memory allocate(const memory::desc& layout) {
    buffers_.emplace_back(layout.get_size());
    poison(buffers_.back().span());
    return keep(memory(layout, onednn_engine(), buffers_.back().data()));
  }

  Step step(const dnnl::primitive& primitive, const memory::desc& scratchpad,
            std::vector<dnnl_exec_arg_t> arguments) {
    arguments.push_back({DNNL_ARG_SCRATCHPAD, allocate(scratchpad).get()});
    return {primitive, std::move(arguments)};
  }

  Step reorder_step(const memory& from, const memory& to) {
    const dnnl::reorder::primitive_desc description(from, to, onednn_attributes());
    return step(dnnl::reorder(description), description.scratchpad_desc(),
                {{DNNL_ARG_FROM, from.get()}, {DNNL_ARG_TO, to.get()}});
  }

  Step relu_step(const memory& in_place) {
    const dnnl::eltwise_forward::primitive_desc description(
        onednn_engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::eltwise_relu,
        in_place.get_desc(), in_place.get_desc(), 0.0F, 0.0F, onednn_attributes());
    return step(dnnl::eltwise_forward(description), description.scratchpad_desc(),
                {{DNNL_ARG_SRC, in_place.get()}, {DNNL_ARG_DST, in_place.get()}});
  }

  std::string implementation_, reordered_;
  dnnl::stream stream_;
  std::vector<memory> memories_;
  std::vector<HostBuffer> buffers_;  // operands in oneDNN's layouts, and scratchpads
  std::optional<std::size_t> own_output_;
  std::vector<Step> run_, finish_;
};

}  // namespace breakeven::conv2d
