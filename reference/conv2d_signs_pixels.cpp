// Signed sums of y and dx: the convolution of signed sums of images with signed sums of filters.
#include <omp.h>

#include <algorithm>
#include <vector>

#include "reference/conv2d_signs.h"
#include "reference/parallel.h"

namespace breakeven {
namespace {

constexpr std::int64_t kBlockRows = 8;  // of output pixels: they share rows of their source

// Source rows that output rows low ... high - 1 read, empty where there are none.
Conv2dAxis::Range source_range(const PixelSums& pixels, std::int64_t low, std::int64_t high) {
  Conv2dAxis::Range range{0, 0};
  for (std::int64_t row = low; row < high; ++row) {
    for (std::int64_t tap = 0; tap < pixels.vertical.taps; ++tap) {
      const std::int64_t from = pixels.source_row(row, tap);
      if (from < 0) continue;
      if (range.count() == 0) range = {from, from + 1};
      range = {std::min(range.begin, from), std::max(range.end, from + 1)};
    }
  }
  return range;
}

// Signed sums of source pixels over the images of a batch, for a block of output rows.
class Block {
 public:
  explicit Block(const PixelSums& pixels)
      : pixels_(pixels), expected_(pixels.groups), squares_(pixels.groups) {}

  void load(const Elements& elements, const Signs& signs, std::int64_t batch,
            Conv2dAxis::Range rows) {
    rows_ = rows;
    const std::int64_t count = rows.count() * pixels_.source.columns;
    const std::int64_t each = pixels_.group_sources();
    image_.resize(count * pixels_.source.channels);
    source_.assign(count * pixels_.source.channels, 0.0);
    source_squares_.assign(count * pixels_.groups, 0.0);
    for (std::int64_t i = signs.batch_begin(batch); i < signs.batch_end(batch); ++i) {
      pixels_.source.read_rows(elements, i, rows.begin, rows.end, image_.data());
      for (std::int64_t group = 0; group < count * pixels_.groups; ++group) {
        const double* from = image_.data() + group * each;
        double* to = source_.data() + group * each;
        for (std::int64_t j = 0; j < each; ++j) {
          to[j] += signs.of_image(i) * from[j];
          source_squares_[group] += from[j] * from[j];
        }
      }
    }
  }

  // What an output pixel's channels sum to, and the squares of the source in that, by group.
  void sum_pixel(const std::vector<Panels>& filters, std::int64_t row, std::int64_t column) {
    std::fill(expected_.begin(), expected_.end(), Panels{});
    std::fill(squares_.begin(), squares_.end(), 0.0);
    for (std::int64_t r = 0; r < pixels_.vertical.taps; ++r) {
      const std::int64_t from_row = pixels_.source_row(row, r);
      if (from_row < 0) continue;
      for (std::int64_t s = 0; s < pixels_.horizontal.taps; ++s) {
        const std::int64_t from_column = pixels_.source_column(column, s);
        if (from_column < 0) continue;
        const std::int64_t tap = r * pixels_.horizontal.taps + s;
        add_tap((from_row - rows_.begin) * pixels_.source.columns + from_column,
                filters.data() + tap * pixels_.source.channels);
      }
    }
  }

  const std::vector<Panels>& expected() const { return expected_; }
  const std::vector<double>& squares() const { return squares_; }

 private:
  void add_tap(std::int64_t pixel, const Panels* factors) {
    const double* values = source_.data() + pixel * pixels_.source.channels;
    const std::int64_t each = pixels_.group_sources();
    for (std::int64_t group = 0; group < pixels_.groups; ++group) {
      Panels sum{};
      for (std::int64_t i = group * each; i < (group + 1) * each; ++i) {
        for (std::size_t p = 0; p < sum.size(); ++p) sum[p] += values[i] * factors[i][p];
      }
      for (std::size_t p = 0; p < sum.size(); ++p) expected_[group][p] += sum[p];
      squares_[group] += source_squares_[pixel * pixels_.groups + group];
    }
  }

  const PixelSums& pixels_;
  Conv2dAxis::Range rows_{0, 0};
  std::vector<double> image_;           // [row][column][channel] of one image
  std::vector<double> source_;          // the same, summed
  std::vector<double> source_squares_;  // [row][column][group]
  std::vector<Panels> expected_;
  std::vector<double> squares_;
};

}  // namespace

ErrorMeasure compare_signed_pixels(const Conv2d& conv, Precision precision, const Elements& answer,
                                   const Signs& signs, const SignedSums& sums) {
  const PixelSums pixels = PixelSums::of(conv);
  const Images& output = pixels.output;
  const Elements source = Elements::of_input(conv, 0, precision);
  const std::vector<Panels> filters =
      signs.of_filters(conv, Elements::of_input(conv, 1, precision));
  const std::int64_t blocks = (output.rows + kBlockRows - 1) / kBlockRows;
  ErrorMeasure worst;
#pragma omp parallel if (worth_threads(conv.cost(precision).flops))
  {
    Block block(pixels);
    std::vector<double> values(output.columns * output.channels);
    std::vector<Panels> got(output.columns * output.channels / signs.group());
    ErrorMeasure mine;
#pragma omp for schedule(dynamic)
    for (std::int64_t task = 0; task < signs.batches() * blocks; ++task) {
      const std::int64_t batch = task / blocks;
      const std::int64_t low = task % blocks * kBlockRows;
      const std::int64_t high = std::min(output.rows, low + kBlockRows);
      const std::int64_t images = signs.batch_end(batch) - signs.batch_begin(batch);
      block.load(source, signs, batch, source_range(pixels, low, high));
      for (std::int64_t row = low; row < high; ++row) {
        std::fill(got.begin(), got.end(), Panels{});
        for (std::int64_t i = signs.batch_begin(batch); i < signs.batch_end(batch); ++i) {
          output.read_rows(answer, i, row, row + 1, values.data());
          for (std::int64_t column = 0; column < output.columns; ++column) {
            signs.add_pixel(values.data() + column * output.channels, signs.of_image(i),
                            got.data() + column * pixels.groups);
          }
        }
        for (std::int64_t column = 0; column < output.columns; ++column) {
          block.sum_pixel(filters, row, column);
          const std::int64_t pixel = (batch * output.rows + row) * output.columns + column;
          for (std::int64_t group = 0; group < pixels.groups; ++group) {
            sums.compare(pixel * pixels.groups + group, got[column * pixels.groups + group],
                         block.expected()[group], block.squares()[group], images, mine);
          }
        }
      }
    }
#pragma omp critical
    worst.merge(mine);
  }
  return worst;
}

std::size_t compare_signed_pixels_bytes(const Conv2d& conv) {
  const PixelSums pixels = PixelSums::of(conv);
  const auto number = [](std::int64_t value) { return static_cast<double>(value); };
  const Conv2dAxis& axis = pixels.vertical;
  const double reach = number(kBlockRows) * number(pixels.gradient ? 1 : axis.stride) +
                       number(axis.dilation) * number(axis.taps - 1);
  const double source_pixels =
      std::min(number(pixels.source.rows), reach) * number(pixels.source.columns);
  const double row = number(pixels.output.columns) *
                     (8 * number(pixels.output.channels) + sizeof(Panels) * number(pixels.groups));
  const double filters = number(axis.taps) * number(pixels.horizontal.taps) *
                         number(pixels.source.channels) * sizeof(Panels);
  const double source =
      8 * source_pixels * (2 * number(pixels.source.channels) + number(pixels.groups));
  constexpr double kMost = 0x1p62;  // more than any machine has, and exact as std::size_t
  return static_cast<std::size_t>(
      std::min(filters + omp_get_max_threads() * (source + row), kMost));
}

}  // namespace breakeven
