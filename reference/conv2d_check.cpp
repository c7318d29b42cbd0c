// Every element against fp64, and the bounds; what they rest on stands in the header.
#include "reference/conv2d_check.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "reference/compare.h"
#include "reference/conv2d_judge.h"
#include "reference/conv2d_operands.h"
#include "reference/convert.h"
#include "reference/matmul_check.h"
#include "reference/parallel.h"

namespace breakeven {
namespace {

// Sums of more products than this are made in parts, so that the oracle's own rounding stays well
// below that of the f64 rows which it judges.
constexpr std::int64_t kPart = 64;
// Sums over products for a row of elements side by side, with the sums of their squares.
class RowSums {
 public:
  explicit RowSums(std::int64_t count) : sums(count), squares(count), part_(count) {}

  void clear() {
    for (auto* values : {&sums, &squares, &part_}) std::fill(values->begin(), values->end(), 0.0);
    in_part_ = 0;
  }

  // sums[j] += values[base[j]] factors[j]
  void add(const double* values, const std::vector<std::int32_t>& base, const double* factors) {
    const auto count = static_cast<std::int64_t>(sums.size());
    double* part = part_.data();
    double* square = squares.data();
    const std::int32_t* from = base.data();
#pragma omp simd
    for (std::int64_t j = 0; j < count; ++j) {
      const double product = values[from[j]] * factors[j];
      part[j] += product;
      square[j] += product * product;
    }
    if (++in_part_ == kPart) finish();
  }

  void finish() {
    for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += part_[j];
    std::fill(part_.begin(), part_.end(), 0.0);
    in_part_ = 0;
  }

  std::vector<double> sums;
  std::vector<double> squares;

 private:
  std::vector<double> part_;
  std::int64_t in_part_ = 0;
};

// The first of the `sources` channels that each of `channels` channels of `groups` groups sums over
// or is multiplied with.
std::vector<std::int32_t> group_starts(std::int64_t channels, std::int64_t sources,
                                       std::int64_t groups) {
  std::vector<std::int32_t> starts(channels);
  for (std::int64_t j = 0; j < channels; ++j) {
    starts[j] = static_cast<std::int32_t>(j / (channels / groups) * (sources / groups));
  }
  return starts;
}

// Whole images as [image][row][column][channel].
std::vector<double> load_images(const Images& images, const Elements& elements) {
  std::vector<double> values(images.elements());
  const double work = 10.0 * static_cast<double>(images.elements());
  const std::int64_t rows = images.images * images.rows;
  const std::int64_t each = images.columns * images.channels;
#pragma omp parallel for schedule(static) if (worth_threads(work))
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t in_image = row % images.rows;
    images.read_rows(elements, row / images.rows, in_image, in_image + 1,
                     values.data() + row * each);
  }
  return values;
}

// w as [tap][source channel of a group][output channel].
std::vector<double> load_filters(const Conv2d& conv, const PixelSums& pixels,
                                 const Elements& elements) {
  const Filters filters = Filters::of(conv);
  std::vector<double> values(filters.elements());
  const double work = 20.0 * static_cast<double>(filters.elements());
#pragma omp parallel for schedule(static) if (worth_threads(work))
  for (std::int64_t filter = 0; filter < filters.filters; ++filter) {
    filters.for_each(elements, filter, filter + 1,
                     [&](std::int64_t k, std::int64_t tap, std::int64_t channel, double value) {
                       const std::int64_t source =
                           pixels.source_channel(k, channel) % pixels.group_sources();
                       values[(tap * pixels.group_sources() + source) * pixels.output.channels +
                              pixels.output_channel(k, channel)] = value;
                     });
  }
  return values;
}

// y or dx.
ErrorMeasure compare_pixels(const Conv2d& conv, Precision precision, const Elements& answer) {
  const PixelSums pixels = PixelSums::of(conv);
  const Images& output = pixels.output;
  const Images& source = pixels.source;
  const auto source_values = load_images(source, Elements::of_input(conv, 0, precision));
  const auto filter_values = load_filters(conv, pixels, Elements::of_input(conv, 1, precision));
  const auto starts = group_starts(output.channels, source.channels, pixels.groups);
  std::vector<double> bias(output.channels);
  if (conv.direction == Conv2dOp::bias_relu) {
    Elements::of_input(conv, 2, precision).read(0, 1, output.channels, bias.data());
  }
  // To sums: the pixel's products.
  const auto sum_pixel = [&](std::int64_t image, std::int64_t row, std::int64_t column,
                             RowSums& sums) {
    sums.clear();
    for (std::int64_t r = 0; r < pixels.vertical.taps; ++r) {
      const std::int64_t from_row = pixels.source_row(row, r);
      if (from_row < 0) continue;
      for (std::int64_t s = 0; s < pixels.horizontal.taps; ++s) {
        const std::int64_t from_column = pixels.source_column(column, s);
        if (from_column < 0) continue;
        const std::int64_t pixel = (image * source.rows + from_row) * source.columns + from_column;
        const double* values = source_values.data() + pixel * source.channels;
        const std::int64_t tap = r * pixels.horizontal.taps + s;
        const double* factors =
            filter_values.data() + tap * pixels.group_sources() * output.channels;
        for (std::int64_t i = 0; i < pixels.group_sources(); ++i) {
          sums.add(values + i, starts, factors + i * output.channels);
        }
      }
    }
    sums.finish();
  };
  ErrorMeasure worst;
  const std::int64_t rows = output.images * output.rows;
#pragma omp parallel if (worth_threads(conv.cost(precision).flops))
  {
    RowSums sums(output.channels);
    std::vector<double> got(output.columns * output.channels);
    ErrorMeasure mine;
#pragma omp for schedule(static)
    for (std::int64_t task = 0; task < rows; ++task) {
      const std::int64_t image = task / output.rows;
      const std::int64_t row = task % output.rows;
      output.read_rows(answer, image, row, row + 1, got.data());
      for (std::int64_t column = 0; column < output.columns; ++column) {
        sum_pixel(image, row, column, sums);
        for (std::int64_t j = 0; j < output.channels; ++j) {
          conv2d_judge(conv, precision, output.index(image, row, column, j),
                       got[column * output.channels + j], sums.sums[j] + bias[j],
                       sums.squares[j] + bias[j] * bias[j], mine);
        }
      }
    }
#pragma omp critical
    worst.merge(mine);
  }
  return worst;
}

ErrorMeasure compare_weights(const Conv2d& conv, Precision precision, const Elements& answer) {
  const Conv2dSize& size = conv.size;
  const Filters filters = Filters::of(conv);
  const Conv2dAxis vertical = Conv2dAxis::vertical(size);
  const Conv2dAxis horizontal = Conv2dAxis::horizontal(size);
  const auto x = load_images(Images::x_of(conv), Elements::of_input(conv, 0, precision));
  const auto dy = load_images(Images::y_of(conv), Elements::of_input(conv, 1, precision));
  const auto starts = group_starts(size.k, size.c, size.groups);
  // To sums: dw[...,r,s,channel], for all filters.
  const auto sum_filters = [&](std::int64_t r, std::int64_t s, std::int64_t channel,
                               RowSums& sums) {
    sums.clear();
    for (std::int64_t image = 0; image < size.n; ++image) {
      for (std::int64_t p = 0; p < vertical.output; ++p) {
        const std::int64_t row = vertical.input_of(p, r);
        if (row < 0) continue;
        for (std::int64_t q = 0; q < horizontal.output; ++q) {
          const std::int64_t column = horizontal.input_of(q, s);
          if (column < 0) continue;
          sums.add(x.data() + ((image * size.h + row) * size.w + column) * size.c + channel, starts,
                   dy.data() + ((image * vertical.output + p) * horizontal.output + q) * size.k);
        }
      }
    }
    sums.finish();
  };
  ErrorMeasure worst;
  const std::int64_t rows = filters.taps() * filters.channels;
#pragma omp parallel if (worth_threads(conv.cost(precision).flops))
  {
    RowSums sums(size.k);
    ErrorMeasure mine;
#pragma omp for schedule(dynamic)
    for (std::int64_t task = 0; task < rows; ++task) {
      const std::int64_t tap = task / filters.channels;
      const std::int64_t channel = task % filters.channels;
      sum_filters(tap / size.s, tap % size.s, channel, sums);
      for (std::int64_t k = 0; k < size.k; ++k) {
        const std::int64_t index = filters.index(k, tap / size.s, tap % size.s, channel);
        conv2d_judge(conv, precision, index, answer.at(index), sums.sums[k], sums.squares[k], mine);
      }
    }
#pragma omp critical
    worst.merge(mine);
  }
  return worst;
}

std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// The most taps that meet one output, or one input if `gradient`, on an axis.
std::int64_t most_taps(const Conv2dAxis& axis, bool gradient) {
  if (!gradient) return std::min(axis.taps, ceil_divide(axis.input, axis.dilation));
  const std::int64_t apart = axis.stride / std::gcd(axis.stride, axis.dilation);
  return std::min(ceil_divide(axis.taps, apart), axis.output);
}

std::int64_t most_outputs(const Conv2dAxis& axis) {
  std::int64_t most = 0;
  for (std::int64_t tap = 0; tap < axis.taps; ++tap) {
    most = std::max(most, axis.outputs_inside(tap).count());
  }
  return most;
}

}  // namespace

std::int64_t conv2d_length(const Conv2d& conv) {
  const Conv2dAxis vertical = Conv2dAxis::vertical(conv.size);
  const Conv2dAxis horizontal = Conv2dAxis::horizontal(conv.size);
  if (conv.direction == Conv2dOp::backward_weights) {
    return conv.size.n * most_outputs(vertical) * most_outputs(horizontal);
  }
  const bool gradient = conv.direction == Conv2dOp::backward_data;
  const std::int64_t taps = most_taps(vertical, gradient) * most_taps(horizontal, gradient);
  return taps * (gradient ? conv.size.group_k() : conv.size.group_c()) +
         (conv.direction == Conv2dOp::bias_relu ? 1 : 0);
}

void conv2d_judge(const Conv2d& conv, Precision precision, std::int64_t index, double got,
                  double exact, double squares, ErrorMeasure& worst) {
  const double expected = conv.direction == Conv2dOp::bias_relu ? std::max(exact, 0.0) : exact;
  // The floor matters for f16 outputs of a few products.
  const double scale =
      std::max(std::fabs(exact) + std::sqrt(squares), smallest_normal(traits(precision).output));
  worst.add(index, got, expected, scale);
}

Check conv2d_verdict(const Conv2d& conv, Precision precision, ErrorMeasure worst,
                     const std::string& method) {
  // ReLU may rightly leave nothing but zeros, which the measure would take for a broken reference.
  if (conv.direction == Conv2dOp::bias_relu && worst.index() >= 0) worst.add(0, 1, 1, 1);
  return worst.verdict(conv2d_limit(conv, precision), method,
                       [&conv](std::int64_t index) { return conv2d_element_name(conv, index); });
}

double conv2d_limit(const Conv2d& conv, Precision precision) {
  return matmul_limit(precision, conv2d_length(conv));
}

bool conv2d_checks_all(const Conv2d& conv) {
  // About 0.1 s on two cores; twice that where the answer can't be checked otherwise.
  const double most_flops = conv.direction == Conv2dOp::bias_relu ? 0x1p28 : 0x1p27;
  constexpr std::int64_t kMostElements = 1 << 22;  // 32 MiB as doubles
  const auto elements = [](std::int64_t count) { return static_cast<double>(count); };
  return conv.cost(Precision::f32).flops <= most_flops &&
         elements(Images::x_of(conv).elements()) + elements(Images::y_of(conv).elements()) +
                 elements(Filters::of(conv).elements()) <=
             static_cast<double>(kMostElements);
}

Check conv2d_check_full(const Conv2d& conv, Precision precision,
                        std::span<const std::byte> answer) {
  require_conv2d_answer(conv, precision, answer);
  const Elements elements = Elements::of_answer(conv, precision, answer);
  const ErrorMeasure worst = conv.direction == Conv2dOp::backward_weights
                                 ? compare_weights(conv, precision, elements)
                                 : compare_pixels(conv, precision, elements);
  return conv2d_verdict(conv, precision, worst, "full fp64");
}

std::size_t conv2d_check_full_bytes(const Conv2d& conv) {
  std::int64_t elements = 0;
  for (const Operand& input : conv.inputs(Precision::f32)) elements += input.elements;
  return static_cast<std::size_t>(elements) * sizeof(double);
}

}  // namespace breakeven
