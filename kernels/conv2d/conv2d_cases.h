// For tests: the convolutions on which CPU competitors are tried.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/host/kernel_check.h"
#include "reference/conv2d.h"
#include "reference/conv2d_check.h"
#include "reference/conv2d_testing.h"
#include "reference/shapes.h"

namespace breakeven::conv2d {

inline constexpr std::array kDirections = {Conv2dOp::forward, Conv2dOp::bias_relu,
                                           Conv2dOp::backward_data, Conv2dOp::backward_weights};
inline constexpr std::array kLayouts = {Conv2dLayout::nhwc, Conv2dLayout::nchw};

/// The 23 distinct convolutions of ResNet-50, one image.
inline std::vector<Conv2dSize> resnet50_sizes() {
  std::vector<Conv2dSize> sizes;
  for (const auto& workload : built_in_workloads()) {
    if (workload->op() != "conv2d_forward" || !workload->shape().starts_with("resnet50_")) continue;
    const auto& conv = dynamic_cast<const Conv2d&>(*workload);
    if (conv.size.n == 1 && conv.layout == Conv2dLayout::nhwc) sizes.push_back(conv.size);
  }
  EXPECT_EQ(sizes.size(), 23u);
  return sizes;
}

/// A name that says the size.
inline std::string describe(const Conv2dSize& size, Conv2dLayout layout) {
  std::string name = layout == Conv2dLayout::nhwc ? "nhwc" : "nchw";
  const Conv2d conv("s", size, Conv2dOp::forward, layout);
  for (const auto& [key, value] : conv.dimensions()) name += "_" + key + std::to_string(value);
  return name;
}

/// Calls `f(conv, i)` with every size in both layouts.
template <class Function>
void for_each_conv(const std::vector<Conv2dSize>& sizes, Conv2dOp direction, const Function& f) {
  int i = 0;
  for (const Conv2dSize& size : sizes) {
    for (const Conv2dLayout layout : kLayouts) {
      f(Conv2d(describe(size, layout), size, direction, layout), i++);
    }
  }
}

/// Which of two ways of doing the i-th convolution of for_each_conv() a test forces, where
/// prepare() would take the faster: each in both layouts, every kind of grouping and both thread
/// counts.
inline std::size_t mixed_way(int i) { return static_cast<std::size_t>(i / 16 % 2); }

/// Whether ResNet-50's i-th convolution of for_each_conv() is tried: every size in nhwc, every
/// fourth in nchw, for time: 29 in all.
inline bool in_resnet50_selection(int i) { return i % 2 == 0 || i % 8 == 1; }

/// The thread count of the i-th convolution of for_each_conv() over ragged sizes: every kind of
/// grouping, of which one in four sizes each is, in both layouts gets one thread and all.
inline int mixed_threads(int i, int all) { return (i / 2 + i / 8) % 2 == 0 ? 1 : all; }

inline const Implementation& find_implementation(const Registry& registry, Conv2dOp direction,
                                                 const std::string& name) {
  for (const Implementation& implementation : registry.implementations()) {
    if (implementation.op == conv2d_op_name(direction) && implementation.name == name) {
      return implementation;
    }
  }
  throw std::invalid_argument("no implementation " + conv2d_op_name(direction) + "/" + name);
}

/// How a test's answer is judged. `by_sums`: every element in signed sums alone or, after a ReLU,
/// samples, which takes less than a comparison of all elements where layers are real.
enum class Judged { as_in_benchmarks, by_sums };

inline Check judge(const Conv2d& conv, Precision precision, std::span<const std::byte> answer,
                   Judged how) {
  if (how == Judged::as_in_benchmarks) return conv.check(precision, answer);
  return conv.direction == Conv2dOp::bias_relu ? conv2d_check_samples(conv, precision, answer)
                                               : conv2d_check_signs(conv, precision, answer);
}

/// One run, one check: what large sizes can afford. Returns whether it was supported.
inline bool expect_right(const Implementation& implementation, const Conv2d& conv,
                         Precision precision, int threads, Judged how = Judged::as_in_benchmarks) {
  SCOPED_TRACE(conv.op() + "/" + conv.shape() + "/" + implementation.name + "/" +
               std::string(traits(precision).name) + "/threads:" + std::to_string(threads));
  const Options options{.threads = threads};
  HostDevice device;
  device.configure(options);
  try {
    const std::unique_ptr<Kernel> kernel = implementation.load(conv, precision, options);
    kernel->prepare();
    kernel->poison_output();
    kernel->run();
    const Check check = judge(conv, precision, kernel->output(), how);
    EXPECT_TRUE(check.ok()) << check.error << " > " << check.limit << " by " << check.method;
  } catch (const Unsupported&) {
    return false;
  }
  return true;
}

}  // namespace breakeven::conv2d
