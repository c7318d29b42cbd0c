// One of the two spatial axes of a convolution: which filter tap joins which input to which output.
#pragma once

#include <algorithm>
#include <cstdint>

#include "reference/conv2d.h"

namespace breakeven {

struct Conv2dAxis {
  std::int64_t input;   ///< h or w
  std::int64_t output;  ///< p or q
  std::int64_t taps;    ///< r or s
  std::int64_t pad;
  std::int64_t stride;
  std::int64_t dilation;

  static Conv2dAxis vertical(const Conv2dSize& size) {
    return {size.h, size.p(), size.r, size.pad_h, size.stride_h, size.dilation_h};
  }
  static Conv2dAxis horizontal(const Conv2dSize& size) {
    return {size.w, size.q(), size.s, size.pad_w, size.stride_w, size.dilation_w};
  }

  /// The input under `tap` of the filter at output `out`, or -1 where that is padding.
  std::int64_t input_of(std::int64_t out, std::int64_t tap) const {
    const std::int64_t in = out * stride - pad + tap * dilation;
    return in >= 0 && in < input ? in : -1;
  }

  /// The output whose `tap` lies on input `in`, or -1 where there is none.
  std::int64_t output_of(std::int64_t in, std::int64_t tap) const {
    const std::int64_t scaled = in + pad - tap * dilation;
    if (scaled < 0 || scaled % stride != 0) return -1;
    return scaled / stride < output ? scaled / stride : -1;
  }

  /// The outputs whose `tap` lies inside the image: begin <= out < end, none where begin == end.
  struct Range {
    std::int64_t begin;
    std::int64_t end;
    std::int64_t count() const { return end - begin; }
  };
  Range outputs_inside(std::int64_t tap) const {
    const std::int64_t offset = tap * dilation - pad;  // input_of(0, tap)
    const std::int64_t begin = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
    const std::int64_t end = input - offset <= 0 ? 0 : (input - offset - 1) / stride + 1;
    return {begin, std::max(begin, std::min(end, output))};
  }
};

}  // namespace breakeven
