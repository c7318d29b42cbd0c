// A convolution by oneDNN's primitive, with the reorders that its layouts need.
#pragma once

#include <algorithm>
#include <cstddef>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kernels/conv2d/fastest_way.h"
#include "kernels/conv2d/onednn_plan.h"
#include "kernels/conv2d/onednn_program.h"
#include "kernels/host/host_kernel.h"
#include "kernels/kernel.h"
#include "reference/conv2d.h"

namespace breakeven::conv2d {

/// What is reordered when, and where a ReLU is done: see onednn.cpp.
enum class Mode { plain, packed, unfused };

inline bool same_layouts(const OnednnPlan& plan, const dnnl::primitive_desc& a,
                         const dnnl::primitive_desc& b) {
  const std::vector<OnednnOperand> operands = plan.operands();
  return std::all_of(operands.begin(), operands.end(), [&](const OnednnOperand& operand) {
    return wanted(a, operand.argument) == wanted(b, operand.argument);
  });
}

/// The ways that oneDNN has, each once: images in the plain layout, or in its own. Primitives are
/// made for as many threads as OpenMP has now.
inline std::vector<dnnl::primitive_desc> ways(const OnednnPlan& plan, Mode mode) {
  const bool fused = mode != Mode::unfused;
  const bool plain = mode == Mode::plain || mode == Mode::unfused;
  std::vector<dnnl::primitive_desc> found;
  for (const Layout images : {Layout::plain, Layout::onednns}) {
    if (images == Layout::plain && !plain) continue;
    const auto way = plan.describe(images, Layout::onednns, fused);
    if (!onednn_optimised(way)) continue;
    if (found.empty() || !same_layouts(plan, found.front(), way)) found.push_back(way);
  }
  return found;
}

class Onednn final : public HostKernel {
 public:
  /// `way`: the index of one of ways(); else prepare() looks for the fastest.
  Onednn(const Conv2d& conv, Precision precision, Mode mode, std::optional<std::size_t> way = {})
      : HostKernel(conv, precision), conv_(conv), precision_(precision), mode_(mode), way_(way) {}

  void prepare() override {
    const OnednnPlan plan(conv_, precision_);
    std::vector<Program> programs;
    for (const dnnl::primitive_desc& way : ways(plan, mode_))
      programs.push_back(program(plan, way));
    if (programs.empty()) {
      throw Unsupported("oneDNN has no optimised implementation for this shape");
    }
    if (way_ && *way_ >= programs.size()) throw Unsupported("oneDNN has one way for this shape");
    const std::size_t chosen =
        way_ ? *way_ : fastest_way(programs.size(), [&](std::size_t i) { programs[i].run(); });
    program_.emplace(std::move(programs[chosen]));
    poison_output();
  }

  void run() override { program_->run(); }

  void poison_output() override {
    HostKernel::poison_output();
    if (program_) program_->poison_output();
  }

  std::span<const std::byte> output() override {
    if (program_) program_->finish();
    return HostKernel::output();
  }

  Facts facts() const override {
    if (!program_) return {};
    Facts facts = {{"implementation", program_->implementation()}, {"reordered", "nothing"}};
    if (!program_->reordered().empty()) {
      facts["reordered"] =
          program_->reordered() +
          (reorders() == Program::Reorders::inside_run ? " inside the time" : " outside the time");
    }
    if (conv_.direction == Conv2dOp::bias_relu) {
      facts["relu"] = mode_ == Mode::unfused ? "a primitive of its own, in place" : "fused";
    }
    return facts;
  }

 private:
  Program::Reorders reorders() const {
    return mode_ == Mode::packed ? Program::Reorders::outside_run : Program::Reorders::inside_run;
  }

  Program program(const OnednnPlan& plan, const dnnl::primitive_desc& way) {
    std::vector<std::byte*> data;
    for (std::size_t i = 0; i + 1 < plan.operands().size(); ++i) data.push_back(input(i).data());
    data.push_back(result().data());
    const bool apart = mode_ == Mode::unfused;
    return {plan, way, data, reorders(), apart ? Program::Relu::apart : Program::Relu::fused};
  }

  const Conv2d& conv_;
  Precision precision_;
  Mode mode_;
  std::optional<std::size_t> way_;
  std::optional<Program> program_;
};

}  // namespace breakeven::conv2d
