// Seeded samples of an answer against fp64, and the signs that a ReLU leaves.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "reference/compare.h"
#include "reference/conv2d_check.h"
#include "reference/conv2d_judge.h"
#include "reference/conv2d_operands.h"
#include "reference/parallel.h"
#include "reference/random.h"

namespace breakeven {
namespace {

constexpr std::int64_t kChunk = 1024;  // elements made at a time

constexpr std::int64_t kFixedSamples = 5;

// To visit every channel and image of y or dx, this many samples and products at most.
constexpr std::int64_t kMostVisits = 4096;
constexpr std::int64_t kMostVisitProducts = 1 << 26;

constexpr std::uint32_t kSampleStream = 0x5a3b1e01;  // apart from the operands' 0, 1 and 2

// The coordinates of an element: image, row, column, channel; for weights filter, row, column,
// channel.
using Position = std::array<std::int64_t, 4>;

struct Exact {
  double value = 0;
  double squares = 0;  // sigma^2
};

// Elements of a stored operand, evenly apart.
struct Run {
  const Elements& elements;
  std::int64_t first;
  std::int64_t stride;
};

void add_products(const Run& a, const Run& b, std::int64_t count, Exact& sum) {
  double a_values[kChunk];
  double b_values[kChunk];
  for (std::int64_t done = 0; done < count; done += kChunk) {
    const std::int64_t here = std::min(kChunk, count - done);
    a.elements.read(a.first + done * a.stride, a.stride, here, a_values);
    b.elements.read(b.first + done * b.stride, b.stride, here, b_values);
    Exact part;
    for (std::int64_t i = 0; i < here; ++i) {
      const double product = a_values[i] * b_values[i];
      part.value += product;
      part.squares += product * product;
    }
    sum.value += part.value;
    sum.squares += part.squares;
  }
}

Exact exact_pixel(const Conv2d& conv, Precision precision, const Position& at) {
  const PixelSums pixels = PixelSums::of(conv);
  const Filters filters = Filters::of(conv);
  const Elements source = Elements::of_input(conv, 0, precision);
  const Elements weights = Elements::of_input(conv, 1, precision);
  const auto [image, row, column, channel] = at;
  const std::int64_t group = channel / pixels.group_outputs();
  const std::int64_t first_source = group * pixels.group_sources();
  Exact sum;
  for (std::int64_t r = 0; r < filters.rows; ++r) {
    const std::int64_t from_row = pixels.source_row(row, r);
    if (from_row < 0) continue;
    for (std::int64_t s = 0; s < filters.columns; ++s) {
      const std::int64_t from_column = pixels.source_column(column, s);
      if (from_column < 0) continue;
      // Channels of one filter, or one channel of all filters of the group.
      const Run factors =
          pixels.gradient
              ? Run{weights, filters.index(first_source, r, s, channel % pixels.group_outputs()),
                    filters.taps() * filters.channels}
              : Run{weights, filters.index(channel, r, s, 0), filters.channel_stride()};
      add_products({source, pixels.source.index(image, from_row, from_column, first_source),
                    pixels.source.channel_stride()},
                   factors, pixels.group_sources(), sum);
    }
  }
  if (conv.direction == Conv2dOp::bias_relu) {
    const double bias = Elements::of_input(conv, 2, precision).at(channel);
    sum.value += bias;
    sum.squares += bias * bias;
  }
  return sum;
}

Exact exact_weight(const Conv2d& conv, Precision precision, const Position& at) {
  const Images x = Images::x_of(conv);
  const Images y = Images::y_of(conv);
  const Elements x_elements = Elements::of_input(conv, 0, precision);
  const Elements dy_elements = Elements::of_input(conv, 1, precision);
  const auto [k, r, s, channel] = at;
  const std::int64_t c = k / conv.size.group_k() * conv.size.group_c() + channel;
  const Conv2dAxis vertical = Conv2dAxis::vertical(conv.size);
  const Conv2dAxis horizontal = Conv2dAxis::horizontal(conv.size);
  const Conv2dAxis::Range rows = vertical.outputs_inside(r);
  const Conv2dAxis::Range columns = horizontal.outputs_inside(s);
  if (columns.count() == 0) return {};
  const std::int64_t x_column = horizontal.input_of(columns.begin, s);
  Exact sum;
  for (std::int64_t image = 0; image < conv.size.n; ++image) {
    for (std::int64_t p = rows.begin; p < rows.end; ++p) {
      add_products({x_elements, x.index(image, vertical.input_of(p, r), x_column, c),
                    horizontal.stride * x.column_stride()},
                   {dy_elements, y.index(image, p, columns.begin, k), y.column_stride()},
                   columns.count(), sum);
    }
  }
  return sum;
}

std::array<std::int64_t, 4> extents_of(const Conv2d& conv) {
  if (conv.direction == Conv2dOp::backward_weights) {
    const Filters filters = Filters::of(conv);
    return {filters.filters, filters.rows, filters.columns, filters.channels};
  }
  const Images images = PixelSums::of(conv).output;
  return {images.images, images.rows, images.columns, images.channels};
}

std::int64_t stored_index(const Conv2d& conv, const Position& at) {
  const auto [a, b, c, d] = at;
  return conv.direction == Conv2dOp::backward_weights
             ? Filters::of(conv).index(a, b, c, d)
             : PixelSums::of(conv).output.index(a, b, c, d);
}

// Whole numbers below `extent` for `count` samples: each of them once in seeded random order where
// there are as many samples, then random ones.
std::vector<std::int64_t> coordinates(std::int64_t extent, std::int64_t count, std::uint32_t axis) {
  std::vector<std::uint32_t> words(count);
  random_words({.seed = axis, .operand = kSampleStream}, 0, words);
  std::vector<std::int64_t> values(count);
  for (std::int64_t i = 0; i < count; ++i) values[i] = words[i] % extent;
  if (extent > count) return values;
  std::iota(values.begin(), values.begin() + extent, std::int64_t{0});
  for (std::int64_t i = extent - 1; i > 0; --i) std::swap(values[i], values[words[i] % (i + 1)]);
  return values;
}

// An element that sums a product: the gradient of a weight that meets nothing but padding, or an
// input that no filter touches, is rightly 0, and many of either can be all that samples meet.
Position reached_position(const Conv2d& conv) {
  const auto [a, rows, columns, d] = extents_of(conv);
  const auto first = [](std::int64_t extent, const auto& reached) {
    std::int64_t i = 0;
    while (i + 1 < extent && !reached(i)) ++i;
    return i;
  };
  if (conv.direction == Conv2dOp::backward_weights) {
    const Conv2dAxis vertical = Conv2dAxis::vertical(conv.size);
    const Conv2dAxis horizontal = Conv2dAxis::horizontal(conv.size);
    return {
        a / 2, first(rows, [&](std::int64_t r) { return vertical.outputs_inside(r).count() > 0; }),
        first(columns, [&](std::int64_t s) { return horizontal.outputs_inside(s).count() > 0; }),
        d / 2};
  }
  const PixelSums pixels = PixelSums::of(conv);
  const auto some_tap = [](std::int64_t taps, const auto& source) {
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      if (source(tap) >= 0) return true;
    }
    return false;
  };
  const auto row_reached = [&](std::int64_t row) {
    return some_tap(pixels.vertical.taps,
                    [&](std::int64_t tap) { return pixels.source_row(row, tap); });
  };
  const auto column_reached = [&](std::int64_t column) {
    return some_tap(pixels.horizontal.taps,
                    [&](std::int64_t tap) { return pixels.source_column(column, tap); });
  };
  return {a / 2, first(rows, row_reached), first(columns, column_reached), d / 2};
}

// Signed sums can't tell two channels or images of equal sign apart, so each is visited.
std::int64_t sample_count(const Conv2d& conv, std::int64_t apart) {
  const bool relu = conv.direction == Conv2dOp::bias_relu;
  const std::int64_t length = conv2d_length(conv);
  const std::int64_t most_products = relu ? 1 << 24 : 1 << 22;
  const std::int64_t liked =
      std::clamp<std::int64_t>(most_products / length, relu ? 64 : 8, relu ? 4096 : 256);
  if (conv.direction == Conv2dOp::backward_weights) return liked;  // visited by FilterLines
  return std::max(liked, std::min({apart, kMostVisits, kMostVisitProducts / length}));
}

// Four corners, where padding counts, one that isn't 0, then what coordinates() gives.
std::vector<Position> sample_positions(const Conv2d& conv) {
  const std::array<std::int64_t, 4> extents = extents_of(conv);
  const auto [a, b, c, d] = extents;
  std::vector<Position> positions = {{0, 0, 0, 0},
                                     {a - 1, 0, c - 1, d - 1},
                                     {0, b - 1, 0, d - 1},
                                     {a - 1, b - 1, c - 1, 0},
                                     reached_position(conv)};
  const std::int64_t count = sample_count(conv, kFixedSamples + std::max(a, d));
  const std::int64_t rest = count - kFixedSamples;
  std::array<std::vector<std::int64_t>, 4> random;
  for (std::uint32_t axis = 0; axis < 4; ++axis) {
    random[axis] = coordinates(extents[axis], rest, axis);
  }
  for (std::int64_t i = 0; i < rest; ++i) {
    positions.push_back({random[0][i], random[1][i], random[2][i], random[3][i]});
  }
  return positions;
}

// The gradients of all filters' weights for one tap and channel, and of all channels of one filter
// for that tap: x and dy are made once for all of them.
struct FilterLines {
  FilterLines(std::int64_t k, std::int64_t c) : filters(k), channels(c) {}

  std::vector<Exact> filters;
  std::vector<Exact> channels;
};

void add_product(double a, double b, Exact& sum) {
  const double product = a * b;
  sum.value += product;
  sum.squares += product * product;
}

// Adds a row of output pixels: `x` and `dy` are the rows' pixels.
void add_row(const Conv2dSize& size, const Position& at, const double* x, const double* dy,
             FilterLines& lines) {
  const auto [filter, r, s, channel] = at;
  const Conv2dAxis horizontal = Conv2dAxis::horizontal(size);
  const Conv2dAxis::Range columns = horizontal.outputs_inside(s);
  const std::int64_t group_c = size.group_c();
  const std::int64_t group_k = size.group_k();
  for (std::int64_t q = columns.begin; q < columns.end; ++q) {
    const double* values = x + horizontal.input_of(q, s) * size.c;
    const double* gradients = dy + q * size.k;
    for (std::int64_t group = 0; group < size.groups; ++group) {
      const double value = values[group * group_c + channel];
      for (std::int64_t k = group * group_k; k < (group + 1) * group_k; ++k) {
        add_product(value, gradients[k], lines.filters[k]);
      }
    }
    const double* of_group = values + filter / group_k * group_c;
    for (std::int64_t c = 0; c < group_c; ++c) {
      add_product(of_group[c], gradients[filter], lines.channels[c]);
    }
  }
}

// Made in parts that are added in order, so that the verdict doesn't depend on the thread count.
FilterLines filter_lines(const Conv2d& conv, Precision precision, const Position& at) {
  constexpr std::int64_t kMostParts = 16;
  const Conv2dSize& size = conv.size;
  const Images x_images = Images::x_of(conv);
  const Images y_images = Images::y_of(conv);
  const Elements x = Elements::of_input(conv, 0, precision);
  const Elements dy = Elements::of_input(conv, 1, precision);
  const Conv2dAxis vertical = Conv2dAxis::vertical(size);
  const std::int64_t rows = size.n * vertical.output;
  const std::int64_t parts = std::min(kMostParts, rows);
  std::vector<FilterLines> lines(parts, FilterLines(size.k, size.group_c()));
#pragma omp parallel for schedule(dynamic) if (worth_threads(conv.cost(precision).flops))
  for (std::int64_t part = 0; part < parts; ++part) {
    std::vector<double> x_row(size.w * size.c);
    std::vector<double> dy_row(y_images.columns * size.k);
    for (std::int64_t row = part * rows / parts; row < (part + 1) * rows / parts; ++row) {
      const std::int64_t image = row / vertical.output;
      const std::int64_t p = row % vertical.output;
      const std::int64_t from = vertical.input_of(p, at[1]);
      if (from < 0) continue;
      x_images.read_rows(x, image, from, from + 1, x_row.data());
      y_images.read_rows(dy, image, p, p + 1, dy_row.data());
      add_row(size, at, x_row.data(), dy_row.data(), lines[part]);
    }
  }
  const auto add = [](std::vector<Exact>& to, const std::vector<Exact>& from) {
    for (std::size_t i = 0; i < to.size(); ++i) {
      to[i].value += from[i].value;
      to[i].squares += from[i].squares;
    }
  };
  for (std::int64_t part = 1; part < parts; ++part) {
    add(lines[0].filters, lines[part].filters);
    add(lines[0].channels, lines[part].channels);
  }
  return std::move(lines[0]);
}

// What no ReLU gives, anywhere in the answer, has an infinite error.
void add_signs(const Conv2d& conv, const Elements& answer, ErrorMeasure& worst) {
  const std::int64_t count = PixelSums::of(conv).output.elements();
#pragma omp parallel if (worth_threads(2.0 * static_cast<double>(count)))
  {
    ErrorMeasure mine;
#pragma omp for schedule(static)
    for (std::int64_t first = 0; first < count; first += kChunk) {
      double values[kChunk];
      const std::int64_t here = std::min(kChunk, count - first);
      answer.read(first, 1, here, values);
      for (std::int64_t i = 0; i < here; ++i) {
        const bool possible = std::isfinite(values[i]) && values[i] >= 0;
        if (!possible) mine.add(first + i, values[i], 0, 0);
      }
    }
#pragma omp critical
    worst.merge(mine);
  }
}

}  // namespace

Check conv2d_check_samples(const Conv2d& conv, Precision precision,
                           std::span<const std::byte> answer) {
  require_conv2d_answer(conv, precision, answer);
  const Elements elements = Elements::of_answer(conv, precision, answer);
  const std::vector<Position> positions = sample_positions(conv);
  std::vector<Exact> exact(positions.size());
  const double products =
      static_cast<double>(conv2d_length(conv)) * static_cast<double>(positions.size());
#pragma omp parallel for schedule(dynamic) if (worth_threads(20 * products))
  for (std::size_t i = 0; i < positions.size(); ++i) {
    exact[i] = conv.direction == Conv2dOp::backward_weights
                   ? exact_weight(conv, precision, positions[i])
                   : exact_pixel(conv, precision, positions[i]);
  }
  ErrorMeasure worst;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const std::int64_t index = stored_index(conv, positions[i]);
    conv2d_judge(conv, precision, index, elements.at(index), exact[i].value, exact[i].squares,
                 worst);
  }
  std::size_t samples = positions.size();
  const auto [filters, rows, columns, channels] = extents_of(conv);
  if (conv.direction == Conv2dOp::backward_weights &&
      std::max(filters, channels) + kFixedSamples > static_cast<std::int64_t>(samples)) {
    const Position at = reached_position(conv);
    const FilterLines lines = filter_lines(conv, precision, at);
    const auto judge = [&](const Position& position, const Exact& sum) {
      const std::int64_t index = stored_index(conv, position);
      conv2d_judge(conv, precision, index, elements.at(index), sum.value, sum.squares, worst);
      ++samples;
    };
    for (std::int64_t k = 0; k < filters; ++k) {
      judge({k, at[1], at[2], at[3]}, lines.filters[k]);
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      judge({at[0], at[1], at[2], c}, lines.channels[c]);
    }
  }
  std::string method = fmt::format("{} samples in fp64", samples);
  if (conv.direction == Conv2dOp::bias_relu) {
    add_signs(conv, elements, worst);
    method += " + signs of all";
  }
  return conv2d_verdict(conv, precision, worst, method);
}

}  // namespace breakeven
