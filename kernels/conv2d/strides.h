// Where an element of a convolution's operands lies, for loops that serve both layouts.
#pragma once

#include <cstdint>

#include "reference/conv2d.h"

namespace breakeven::conv2d {

/// Elements between neighbours of a four-dimensional operand.
struct Strides {
  std::int64_t outer;  ///< images, or filters
  std::int64_t row;
  std::int64_t column;
  std::int64_t channel;
};

/// Of images [outer,rows,columns,channels] as `layout` stores them; also of filters, whose layouts
/// krsc and kcrs have the same order.
inline Strides strides(Conv2dLayout layout, std::int64_t rows, std::int64_t columns,
                       std::int64_t channels) {
  if (layout == Conv2dLayout::nhwc) {
    return {rows * columns * channels, columns * channels, channels, 1};
  }
  return {channels * rows * columns, columns, 1, rows * columns};
}

}  // namespace breakeven::conv2d
