#include "reference/conv2d_operands.h"

#include <fmt/format.h>

#include <stdexcept>

#include "reference/convert.h"
#include "reference/random.h"

namespace breakeven {

Elements Elements::of_input(const Conv2d& conv, std::size_t index, Precision precision) {
  return {conv.inputs(precision).at(index).type, static_cast<std::uint32_t>(index), nullptr};
}

Elements Elements::of_answer(const Conv2d& conv, Precision precision,
                             std::span<const std::byte> answer) {
  return {conv.output(precision).type, 0, answer.data()};
}

void Elements::read(std::int64_t first, std::int64_t stride, std::int64_t count,
                    double* out) const {
  if (stride != 1) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = at(first + i * stride);
  } else if (answer_ != nullptr) {
    decode_elements(type_, answer_, first, count, out);
  } else {
    random_values({.operand = operand_}, type_, first, count, out);
  }
}

double Elements::at(std::int64_t index) const {
  double value = 0;
  read(index, 1, 1, &value);
  return value;
}

Images Images::x_of(const Conv2d& conv) {
  const Conv2dSize& size = conv.size;
  return {size.n, size.h, size.w, size.c, conv.layout};
}

Images Images::y_of(const Conv2d& conv) {
  const Conv2dSize& size = conv.size;
  return {size.n, size.p(), size.q(), size.k, conv.layout};
}

std::int64_t Images::index(std::int64_t image, std::int64_t row, std::int64_t column,
                           std::int64_t channel) const {
  return layout == Conv2dLayout::nhwc
             ? ((image * rows + row) * columns + column) * channels + channel
             : ((image * channels + channel) * rows + row) * columns + column;
}

void Images::read_rows(const Elements& elements, std::int64_t image, std::int64_t low,
                       std::int64_t high, double* out) const {
  const std::int64_t pixels = (high - low) * columns;
  if (layout == Conv2dLayout::nhwc) {
    elements.read(index(image, low, 0, 0), 1, pixels * channels, out);
    return;
  }
  constexpr std::int64_t kChunk = 1024;
  double values[kChunk];
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    const std::int64_t first = index(image, low, 0, channel);
    for (std::int64_t pixel = 0; pixel < pixels; pixel += kChunk) {
      const std::int64_t count = std::min(kChunk, pixels - pixel);
      elements.read(first + pixel, 1, count, values);
      double* to = out + pixel * channels + channel;
      for (std::int64_t i = 0; i < count; ++i) to[i * channels] = values[i];
    }
  }
}

Filters Filters::of(const Conv2d& conv) {
  const Conv2dSize& size = conv.size;
  return {size.k, size.r, size.s, size.group_c(), conv.layout};
}

std::int64_t Filters::index(std::int64_t filter, std::int64_t row, std::int64_t column,
                            std::int64_t channel) const {
  return layout == Conv2dLayout::nhwc
             ? ((filter * rows + row) * columns + column) * channels + channel
             : ((filter * channels + channel) * rows + row) * columns + column;
}

PixelSums PixelSums::of(const Conv2d& conv) {
  if (conv.direction == Conv2dOp::backward_weights) {
    throw std::invalid_argument("gradients of weights are no sums over a pixel's taps");
  }
  const bool gradient = conv.direction == Conv2dOp::backward_data;
  const Images x = Images::x_of(conv);
  const Images y = Images::y_of(conv);
  return {gradient ? x : y,
          gradient ? y : x,
          Conv2dAxis::vertical(conv.size),
          Conv2dAxis::horizontal(conv.size),
          conv.size.groups,
          gradient};
}

std::string conv2d_element_name(const Conv2d& conv, std::int64_t stored_index) {
  const bool channels_last = conv.layout == Conv2dLayout::nhwc;
  const auto split = [&](std::int64_t rows, std::int64_t columns, std::int64_t channels) {
    const std::int64_t each = rows * columns * channels;
    const std::int64_t inside = stored_index % each;
    const std::int64_t pixel = channels_last ? inside / channels : inside % (rows * columns);
    const std::int64_t channel = channels_last ? inside % channels : inside / (rows * columns);
    return fmt::format("[{},{},{},{}]", stored_index / each, pixel / columns, pixel % columns,
                       channel);
  };
  switch (conv.direction) {
    case Conv2dOp::forward:
    case Conv2dOp::bias_relu:
      return "y" + split(conv.size.p(), conv.size.q(), conv.size.k);
    case Conv2dOp::backward_data:
      return "dx" + split(conv.size.h, conv.size.w, conv.size.c);
    case Conv2dOp::backward_weights:
      return "dw" + split(conv.size.r, conv.size.s, conv.size.group_c());
  }
  throw std::invalid_argument("unknown operation of conv2d");
}

void require_conv2d_answer(const Conv2d& conv, Precision precision,
                           std::span<const std::byte> answer) {
  const std::size_t bytes = conv.output(precision).bytes();
  if (answer.size() == bytes) return;
  throw std::invalid_argument(fmt::format("{}/{}: an answer has {} bytes, this one {}", conv.op(),
                                          conv.shape(), bytes, answer.size()));
}

}  // namespace breakeven
