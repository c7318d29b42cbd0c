// The GPU's strawman: one thread per output element and the sum as the formula has it, every
// operand from memory. Bounded by the load units and the L1 cache, with two loads for each
// multiply-add; the gradient of the filters moreover by latency, since few threads have long sums.
#include <type_traits>

#include "kernels/conv2d/conv_rungs.h"
#include "kernels/conv2d/strides.h"
#include "kernels/cuda/epilogue.h"

namespace breakeven::conv2d {
namespace {

constexpr int kThreads = 128;

struct Problem {
  int n, c, h, w, k, r, s, p, q;
  int pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w;
  int group_c, group_k;
  Strides x_at, w_at, y_at;
  const void* inputs[3];
  void* output;
  std::int64_t outputs;
  bool channels_last;
};

/// Where an output element lies in its tensor: [outer, row, column, channel].
struct Place {
  int outer, row, column, channel;
};

__device__ Place place_of(std::int64_t i, bool channels_last, int channels, int rows, int columns) {
  Place at;
  if (channels_last) {
    at.channel = static_cast<int>(i % channels);
    i /= channels;
  }
  at.column = static_cast<int>(i % columns);
  i /= columns;
  at.row = static_cast<int>(i % rows);
  i /= rows;
  if (!channels_last) {
    at.channel = static_cast<int>(i % channels);
    i /= channels;
  }
  at.outer = static_cast<int>(i);
  return at;
}

__device__ std::int64_t offset(const Strides& strides, int outer, int row, int column,
                               int channel) {
  return outer * strides.outer + row * strides.row + column * strides.column +
         channel * strides.channel;
}

// f64 stays f64; everything else is summed in f32.
template <class T>
using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class T>
__device__ Sum<T> load(const void* data, std::int64_t index) {
  const T value = static_cast<const T*>(data)[index];
  if constexpr (std::is_same_v<T, double>) {
    return value;
  } else {
    return to_float(value);
  }
}

template <class T>
__device__ void store(void* data, std::int64_t index, Sum<T> value) {
  if constexpr (std::is_same_v<T, double>) {
    static_cast<T*>(data)[index] = value;
  } else {
    static_cast<T*>(data)[index] = from_float<T>(value);
  }
}

/// The sum of x[i x_step] w[i w_step], i < count.
template <class T>
__device__ Sum<T> dot(const void* x, std::int64_t x_at, std::int64_t x_step, const void* w,
                      std::int64_t w_at, std::int64_t w_step, int count) {
  Sum<T> sum = 0;
#pragma unroll 1
  for (int i = 0; i < count; ++i) {
    sum += load<T>(x, x_at) * load<T>(w, w_at);
    x_at += x_step;
    w_at += w_step;
  }
  return sum;
}

template <class T>
__device__ Sum<T> forward_sum(const Problem& p, const Place& at) {
  const int first_c = at.channel / p.group_k * p.group_c;
  Sum<T> sum = 0;
  for (int r = 0; r < p.r; ++r) {
    const int h = at.row * p.stride_h - p.pad_h + r * p.dilation_h;
    if (h < 0 || h >= p.h) continue;
    for (int s = 0; s < p.s; ++s) {
      const int w = at.column * p.stride_w - p.pad_w + s * p.dilation_w;
      if (w < 0 || w >= p.w) continue;
      sum += dot<T>(p.inputs[0], offset(p.x_at, at.outer, h, w, first_c), p.x_at.channel,
                    p.inputs[1], offset(p.w_at, at.channel, r, s, 0), p.w_at.channel, p.group_c);
    }
  }
  return sum;
}

template <class T>
__device__ Sum<T> backward_data_sum(const Problem& p, const Place& at) {
  const int group = at.channel / p.group_c;
  const int c = at.channel - group * p.group_c;
  const int k = group * p.group_k;
  Sum<T> sum = 0;
  for (int r = 0; r < p.r; ++r) {
    const int h = at.row + p.pad_h - r * p.dilation_h;
    if (h < 0 || h % p.stride_h != 0 || h / p.stride_h >= p.p) continue;
    for (int s = 0; s < p.s; ++s) {
      const int w = at.column + p.pad_w - s * p.dilation_w;
      if (w < 0 || w % p.stride_w != 0 || w / p.stride_w >= p.q) continue;
      sum +=
          dot<T>(p.inputs[0], offset(p.y_at, at.outer, h / p.stride_h, w / p.stride_w, k),
                 p.y_at.channel, p.inputs[1], offset(p.w_at, k, r, s, c), p.w_at.outer, p.group_k);
    }
  }
  return sum;
}

/// `at` is a place in the filters: outer, row, column, channel are k, r, s, c.
template <class T>
__device__ Sum<T> backward_weights_sum(const Problem& p, const Place& at) {
  const int c = at.outer / p.group_k * p.group_c + at.channel;
  Sum<T> sum = 0;
  for (int n = 0; n < p.n; ++n) {
    for (int row = 0; row < p.p; ++row) {
      const int h = row * p.stride_h - p.pad_h + at.row * p.dilation_h;
      if (h < 0 || h >= p.h) continue;
#pragma unroll 1
      for (int column = 0; column < p.q; ++column) {
        const int w = column * p.stride_w - p.pad_w + at.column * p.dilation_w;
        if (w < 0 || w >= p.w) continue;
        sum += load<T>(p.inputs[0], offset(p.x_at, n, h, w, c)) *
               load<T>(p.inputs[1], offset(p.y_at, n, row, column, at.outer));
      }
    }
  }
  return sum;
}

template <class T, Conv2dOp kOp>
__global__ void __launch_bounds__(kThreads) conv_naive_kernel(const __grid_constant__ Problem p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.outputs) return;
  if constexpr (kOp == Conv2dOp::backward_data) {
    const Place at = place_of(i, p.channels_last, p.c, p.h, p.w);
    store<T>(p.output, i, backward_data_sum<T>(p, at));
  } else if constexpr (kOp == Conv2dOp::backward_weights) {
    const Place at = place_of(i, p.channels_last, p.group_c, p.r, p.s);
    store<T>(p.output, i, backward_weights_sum<T>(p, at));
  } else {
    const Place at = place_of(i, p.channels_last, p.k, p.p, p.q);
    Sum<T> sum = forward_sum<T>(p, at);
    if constexpr (kOp == Conv2dOp::bias_relu) {
      sum += load<T>(p.inputs[2], at.channel);
      sum = sum < 0 ? 0 : sum;  // NaN stays NaN
    }
    store<T>(p.output, i, sum);
  }
}

Problem problem_of(const Conv& conv) {
  const Conv2dSize& s = conv.size;
  const auto to_int = [](std::int64_t value) { return static_cast<int>(value); };
  Problem p{};
  p.n = to_int(s.n), p.c = to_int(s.c), p.h = to_int(s.h), p.w = to_int(s.w);
  p.k = to_int(s.k), p.r = to_int(s.r), p.s = to_int(s.s);
  p.p = to_int(s.p()), p.q = to_int(s.q());
  p.pad_h = to_int(s.pad_h), p.pad_w = to_int(s.pad_w);
  p.stride_h = to_int(s.stride_h), p.stride_w = to_int(s.stride_w);
  p.dilation_h = to_int(s.dilation_h), p.dilation_w = to_int(s.dilation_w);
  p.group_c = to_int(s.group_c()), p.group_k = to_int(s.group_k());
  p.x_at = strides(conv.layout, s.h, s.w, s.c);
  p.w_at = strides(conv.layout, s.r, s.s, s.group_c());
  p.y_at = strides(conv.layout, s.p(), s.q(), s.k);
  for (int i = 0; i < 3; ++i) p.inputs[i] = conv.inputs[i];
  p.output = conv.output;
  p.outputs = output_elements(conv);
  p.channels_last = conv.layout == Conv2dLayout::nhwc;
  return p;
}

template <class T>
PreparedConv prepare(const Conv& conv, void*, const Gpu&) {
  const Problem p = problem_of(conv);
  const Grid grid = {dim3(static_cast<unsigned>(ceil_div(p.outputs, kThreads))), dim3(kThreads)};
  switch (conv.op) {
    case Conv2dOp::forward:
      return {prepare_launch(conv_naive_kernel<T, Conv2dOp::forward>, grid, p)};
    case Conv2dOp::bias_relu:
      return {prepare_launch(conv_naive_kernel<T, Conv2dOp::bias_relu>, grid, p)};
    case Conv2dOp::backward_data:
      return {prepare_launch(conv_naive_kernel<T, Conv2dOp::backward_data>, grid, p)};
    default:
      return {prepare_launch(conv_naive_kernel<T, Conv2dOp::backward_weights>, grid, p)};
  }
}

std::string unsupported(const Conv& conv, const Gpu&) {
  constexpr std::int64_t kMostBlocks = (std::int64_t{1} << 31) - 1;
  return ceil_div(output_elements(conv), kThreads) > kMostBlocks
             ? "more outputs than a grid of one thread each can number"
             : "";
}

template <class T>
Rung rung_of(Precision precision) {
  return {"naive", precision, 80, kAnyCompute, unsupported, no_workspace, prepare<T>};
}

}  // namespace

std::vector<Rung> naive_rungs() {
  return {rung_of<double>(Precision::f64), rung_of<float>(Precision::f32),
          rung_of<bf16>(Precision::bf16), rung_of<f16>(Precision::f16)};
}

}  // namespace breakeven::conv2d
