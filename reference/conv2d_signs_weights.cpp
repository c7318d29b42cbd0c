// Signed sums of dw over filters: the correlation of x with signed sums of dy.
#include <omp.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "reference/conv2d_signs.h"
#include "reference/parallel.h"

namespace breakeven {
namespace {

constexpr std::int64_t kMostParts = 16;
constexpr std::int64_t kPartTaps = 1 << 20;  // taps times channels that all parts may have

// [tap][channel of x]
struct WeightSums {
  explicit WeightSums(std::int64_t count) : sums(count, Panels{}), squares(count) {}

  void add(const WeightSums& other) {
    for (std::size_t i = 0; i < sums.size(); ++i) {
      for (std::size_t p = 0; p < sums[i].size(); ++p) sums[i][p] += other.sums[i][p];
      squares[i] += other.squares[i];
    }
  }

  std::vector<Panels> sums;
  std::vector<double> squares;  // of x
};

// Adds the products of one row of output pixels under row r of the filter: `x` are the pixels of
// the input's row there, `dy` the signed sums [column][group] of the gradient's.
void add_row(const Conv2dSize& size, std::int64_t r, const double* x, const Panels* dy,
             WeightSums& to) {
  const Conv2dAxis horizontal = Conv2dAxis::horizontal(size);
  for (std::int64_t s = 0; s < size.s; ++s) {
    const Conv2dAxis::Range columns = horizontal.outputs_inside(s);
    if (columns.count() == 0) continue;
    const std::int64_t first = horizontal.input_of(columns.begin, s);
    for (std::int64_t c = 0; c < size.c; ++c) {
      const double* value = x + first * size.c + c;
      const Panels* factor = dy + columns.begin * size.groups + c / size.group_c();
      Panels sum{};
      double squares = 0;
      for (std::int64_t q = 0; q < columns.count(); ++q) {
        for (std::size_t p = 0; p < sum.size(); ++p) sum[p] += *value * (*factor)[p];
        squares += *value * *value;
        value += horizontal.stride * size.c;
        factor += size.groups;
      }
      const std::int64_t index = (r * size.s + s) * size.c + c;
      for (std::size_t p = 0; p < sum.size(); ++p) to.sums[index][p] += sum[p];
      to.squares[index] += squares;
    }
  }
}

// Parts of the output's rows whose sums are made apart and then added in order, so that the answer
// doesn't depend on the number of threads.
std::int64_t parts_of(const Conv2d& conv) {
  const std::int64_t taps = conv.size.r * conv.size.s * conv.size.c;
  const std::int64_t most = std::clamp<std::int64_t>(kPartTaps / taps, 1, kMostParts);
  return std::min(most, conv.size.n * conv.size.p());
}

WeightSums signed_weights(const Conv2d& conv, Precision precision, const Signs& signs) {
  const Conv2dSize& size = conv.size;
  const Images x_images = Images::x_of(conv);
  const Images y_images = Images::y_of(conv);
  const Elements x = Elements::of_input(conv, 0, precision);
  const Elements dy = Elements::of_input(conv, 1, precision);
  const Conv2dAxis vertical = Conv2dAxis::vertical(size);
  const std::int64_t rows = size.n * vertical.output;
  const std::int64_t parts = parts_of(conv);
  std::vector<WeightSums> sums(parts, WeightSums(size.r * size.s * size.c));
#pragma omp parallel for schedule(dynamic) if (worth_threads(conv.cost(precision).flops))
  for (std::int64_t part = 0; part < parts; ++part) {
    std::vector<double> x_row(size.w * size.c);
    std::vector<double> dy_row(y_images.columns * size.k);
    std::vector<Panels> signed_row(y_images.columns * size.groups);
    for (std::int64_t row = part * rows / parts; row < (part + 1) * rows / parts; ++row) {
      const std::int64_t image = row / vertical.output;
      const std::int64_t p = row % vertical.output;
      y_images.read_rows(dy, image, p, p + 1, dy_row.data());
      std::fill(signed_row.begin(), signed_row.end(), Panels{});
      for (std::int64_t q = 0; q < y_images.columns; ++q) {
        signs.add_pixel(dy_row.data() + q * size.k, 1, signed_row.data() + q * size.groups);
      }
      for (std::int64_t r = 0; r < size.r; ++r) {
        const std::int64_t from = vertical.input_of(p, r);
        if (from < 0) continue;
        x_images.read_rows(x, image, from, from + 1, x_row.data());
        add_row(size, r, x_row.data(), signed_row.data(), sums[part]);
      }
    }
  }
  for (std::int64_t part = 1; part < parts; ++part) sums[0].add(sums[part]);
  return std::move(sums[0]);
}

}  // namespace

ErrorMeasure compare_signed_weights(const Conv2d& conv, Precision precision, const Elements& answer,
                                    const Signs& signs, const SignedSums& sums) {
  const WeightSums expected = signed_weights(conv, precision, signs);
  const std::vector<Panels> got = signs.of_filters(conv, answer);
  ErrorMeasure worst;
  for (std::size_t i = 0; i < got.size(); ++i) {
    sums.compare(static_cast<std::int64_t>(i), got[i], expected.sums[i], expected.squares[i], 1,
                 worst);
  }
  return worst;
}

std::size_t compare_signed_weights_bytes(const Conv2d& conv) {
  const Conv2dSize& size = conv.size;
  const auto number = [](std::int64_t value) { return static_cast<double>(value); };
  const double sums = number(size.r) * number(size.s) * number(size.c);
  const double rows =
      8 * number(size.w) * number(size.c) +
      number(size.q()) * (8 * number(size.k) + sizeof(Panels) * number(size.groups));
  const double parts = number(parts_of(conv)) * (sizeof(Panels) + 8);
  constexpr double kMost = 0x1p62;  // more than any machine has, and exact as std::size_t
  return static_cast<std::size_t>(
      std::min(sums * (sizeof(Panels) + parts) + omp_get_max_threads() * rows, kMost));
}

}  // namespace breakeven
