// What the depthwise kernels share: groups of one channel each, in NHWC. Filter k belongs to
// channel k / multiplier.
#pragma once

#include <cstdint>

#include "kernels/conv2d/conv.h"

namespace breakeven::conv2d {

struct Depthwise {
  int images;
  int c, h, w;
  int k, p, q;
  int r, s;
  int multiplier;  ///< filters of a channel
  int pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w;
  const void* first;   ///< inputs[0]
  const void* second;  ///< inputs[1]
  const void* bias;
  void* output;
};

inline Depthwise depthwise_problem(const Conv& conv) {
  const Conv2dSize& s = conv.size;
  const auto to_int = [](std::int64_t value) { return static_cast<int>(value); };
  return {to_int(s.n),        to_int(s.c),         to_int(s.h),          to_int(s.w),
          to_int(s.k),        to_int(s.p()),       to_int(s.q()),        to_int(s.r),
          to_int(s.s),        to_int(s.group_k()), to_int(s.pad_h),      to_int(s.pad_w),
          to_int(s.stride_h), to_int(s.stride_w),  to_int(s.dilation_h), to_int(s.dilation_w),
          conv.inputs[0],     conv.inputs[1],      bias_of(conv),        conv.output};
}

/// N neighbouring elements, as wide an access as they are together.
template <class T, int kCount>
struct alignas(sizeof(T) * kCount) Elements {
  T values[kCount];
};

/// The gradient of the filters; its partial sums lie in the workspace.
template <class T>
std::size_t depthwise_weights_workspace(const Conv& conv, const Gpu& gpu);
template <class T>
PreparedConv prepare_depthwise_weights(const Conv& conv, void* workspace, const Gpu& gpu);

}  // namespace breakeven::conv2d
