// Operands and answers of convolutions as doubles in one order, whatever their layout: pixels of
// channels, filters by their stored index. For the checks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "reference/conv2d.h"
#include "reference/conv2d_axis.h"

namespace breakeven {

/// The elements of an input, made again at each reading, or of an answer.
class Elements {
 public:
  static Elements of_input(const Conv2d& conv, std::size_t index, Precision precision);
  static Elements of_answer(const Conv2d& conv, Precision precision,
                            std::span<const std::byte> answer);

  /// Elements first, first + stride, ... as stored.
  void read(std::int64_t first, std::int64_t stride, std::int64_t count, double* out) const;
  double at(std::int64_t index) const;

 private:
  Elements(ElementType type, std::uint32_t operand, const std::byte* answer)
      : type_(type), operand_(operand), answer_(answer) {}

  ElementType type_;
  std::uint32_t operand_;
  const std::byte* answer_;  // null: input `operand_`
};

/// How x, y and their gradients are stored.
struct Images {
  std::int64_t images;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t channels;
  Conv2dLayout layout;

  static Images x_of(const Conv2d& conv);
  static Images y_of(const Conv2d& conv);

  std::int64_t elements() const { return images * rows * columns * channels; }
  std::int64_t index(std::int64_t image, std::int64_t row, std::int64_t column,
                     std::int64_t channel) const;
  std::int64_t channel_stride() const { return layout == Conv2dLayout::nhwc ? 1 : rows * columns; }
  std::int64_t column_stride() const { return layout == Conv2dLayout::nhwc ? channels : 1; }

  /// Rows low ... high - 1 of one image as [row][column][channel].
  void read_rows(const Elements& elements, std::int64_t image, std::int64_t low, std::int64_t high,
                 double* out) const;
};

/// How w and its gradient are stored.
struct Filters {
  std::int64_t filters;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t channels;  ///< of a group
  Conv2dLayout layout;

  static Filters of(const Conv2d& conv);

  std::int64_t taps() const { return rows * columns; }
  std::int64_t elements() const { return filters * taps() * channels; }
  std::int64_t index(std::int64_t filter, std::int64_t row, std::int64_t column,
                     std::int64_t channel) const;
  std::int64_t channel_stride() const { return layout == Conv2dLayout::nhwc ? 1 : taps(); }

  /// Calls use(filter, tap, channel, value) for all elements of filters low ... high - 1, where tap
  /// is row * columns + column.
  template <class Use>
  void for_each(const Elements& elements, std::int64_t low, std::int64_t high, Use use) const {
    constexpr std::int64_t kChunk = 1024;
    double values[kChunk];
    const std::int64_t each = taps() * channels;
    for (std::int64_t first = low * each; first < high * each; first += kChunk) {
      const std::int64_t count = std::min(kChunk, high * each - first);
      elements.read(first, 1, count, values);
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t inside = (first + i) % each;
        const bool channels_last = layout == Conv2dLayout::nhwc;
        const std::int64_t tap = channels_last ? inside / channels : inside % taps();
        const std::int64_t channel = channels_last ? inside % channels : inside / taps();
        use((first + i) / each, tap, channel, values[i]);
      }
    }
  }
};

/// A forward convolution, or the gradient of its input: either way an output pixel sums over the
/// filter's taps, each of which reads the channels of at most one source pixel.
struct PixelSums {
  Images output;
  Images source;
  Conv2dAxis vertical;
  Conv2dAxis horizontal;
  std::int64_t groups;
  bool gradient;  ///< of the input: sums over filters rather than over channels

  /// Throws std::invalid_argument for backward_weights.
  static PixelSums of(const Conv2d& conv);

  std::int64_t group_outputs() const { return output.channels / groups; }
  std::int64_t group_sources() const { return source.channels / groups; }

  /// The source row or column of a tap, or -1.
  std::int64_t source_row(std::int64_t row, std::int64_t tap) const {
    return gradient ? vertical.output_of(row, tap) : vertical.input_of(row, tap);
  }
  std::int64_t source_column(std::int64_t column, std::int64_t tap) const {
    return gradient ? horizontal.output_of(column, tap) : horizontal.input_of(column, tap);
  }

  /// Of element (filter, its group's channel) of w: the channels that it joins.
  std::int64_t output_channel(std::int64_t filter, std::int64_t channel) const {
    return gradient ? filter / group_sources() * group_outputs() + channel : filter;
  }
  std::int64_t source_channel(std::int64_t filter, std::int64_t channel) const {
    return gradient ? filter : filter / group_outputs() * group_sources() + channel;
  }
};

/// Where an element of the answer is: "y[0,3,2,17]" in the letters' order n, p, q, k.
std::string conv2d_element_name(const Conv2d& conv, std::int64_t stored_index);

/// Throws std::invalid_argument where the answer hasn't the size of the workload's output.
void require_conv2d_answer(const Conv2d& conv, Precision precision,
                           std::span<const std::byte> answer);

}  // namespace breakeven
