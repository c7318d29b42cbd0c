// How a GPU backend multiplies: linear layers and convolutions, in all three directions. Everything
// else is the same for all of them (device_operations.cu).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/training/activation.h"
#include "kernels/training/device_build.h"
#include "reference/conv2d.h"

namespace breakeven::training {

enum class Direction { forward, backward_data, backward_weights };

/// forward: a = x[m,k], b = w[n,k] -> y[m,n] = activation(x w^T + bias[n]);
/// backward_data: a = dy[m,n], b = w -> dx[m,k]; backward_weights: a = dy, b = x -> dw[n,k] in f32.
struct LinearProduct {
  Direction direction;
  std::int64_t m, n, k;
  const void* a;
  const void* b;
  void* to;
  const void* bias = nullptr;  ///< of the storage, like all operands; forward alone
  Activation activation = Activation::none;
};

/// The same of a convolution in NHWC; a and b as above. Its activation is none or relu.
struct ConvProduct {
  Direction direction;
  Conv2dSize size;
  const void* a;
  const void* b;
  void* to;
  const void* bias = nullptr;
  Activation activation = Activation::none;
};

class DeviceProducts {
 public:
  virtual ~DeviceProducts() = default;

  /// Both call the build with launches that do all of it. Throw Unsupported where there are none.
  virtual void linear(DeviceBuild& build, const LinearProduct& product) = 0;
  virtual void conv2d(DeviceBuild& build, const ConvProduct& product) = 0;
};

/// The kernels of kernels/matmul and kernels/conv2d: the rung that is expected to be the fastest,
/// bias and activation in its epilogue where it has one. Gradients of bf16 weights are summed in
/// f32, stored in bf16 and widened. Precisions: f32, bf16.
std::unique_ptr<DeviceProducts> handwritten_products();

/// activation(y + bias) in place, behind a product that has no epilogue for it: y[rows, columns].
void call_bias_activation(DeviceBuild& build, std::int64_t rows, std::int64_t columns, void* y,
                          const void* bias, Activation activation);

/// A product that stores a weight gradient of `elements` in bf16, at the workspace's start, and
/// what widens it into `to`: a fact says that these gradients have bf16's rounding.
/// `workspace_bytes` are the product's own.
using MakeNarrow = std::function<PreparedLaunch(void* output, void* workspace)>;
void call_widened(DeviceBuild& build, std::int64_t elements, float* to, std::size_t workspace_bytes,
                  const MakeNarrow& make);

/// Compiles nodes()[index], in launches of the build.
void compile_device_node(DeviceBuild& build, DeviceProducts& products, std::size_t index);

}  // namespace breakeven::training
