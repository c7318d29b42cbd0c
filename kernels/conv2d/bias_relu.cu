// Bounded by memory: y is read and written once more.
#include "kernels/conv2d/bias_relu.h"
#include "kernels/conv2d/fast_divisor.h"
#include "kernels/cuda/epilogue.h"

namespace breakeven::conv2d {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    bias_relu_kernel(float* y, const float* bias, int elements, int filters,
                     FastDivisor by_filters) {
  const int i = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (i >= elements) return;
  int filter = i;
  by_filters.split(filter, filters);
  y[i] = relu(y[i] + bias[filter]);
}

}  // namespace

std::string bias_relu_unsupported(const Conv& conv, Precision precision) {
  if (conv.op != Conv2dOp::bias_relu) return "is bias and ReLU behind a convolution";
  if (conv.layout != Conv2dLayout::nhwc) return "takes NHWC alone";
  if (precision != Precision::f32 && precision != Precision::tf32) {
    return "stores the sum between the two kernels, which would round 16-bit answers twice";
  }
  return beyond_32_bits(conv.size);
}

PreparedLaunch prepare_bias_relu(const Conv& conv) {
  const std::int64_t elements = output_elements(conv);
  return prepare_launch(
      bias_relu_kernel, {dim3(static_cast<unsigned>(ceil_div(elements, kThreads))), dim3(kThreads)},
      static_cast<float*>(conv.output), static_cast<const float*>(bias_of(conv)),
      static_cast<int>(elements), static_cast<int>(conv.size.k), FastDivisor::of(conv.size.k));
}

}  // namespace breakeven::conv2d
