// The algebraic check; its method and bound stand in conv2d_check.h.
#include "reference/conv2d_signs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "reference/conv2d_check.h"
#include "reference/convert.h"
#include "reference/matmul_check.h"
#include "reference/parallel.h"
#include "reference/random.h"

namespace breakeven {
namespace {

constexpr std::int64_t kBatchElements = 64;  // images times channels of a sum, where images join in

constexpr std::uint32_t kChannelStream = 0x7e1a5501;  // apart from the operands' 0, 1 and 2
constexpr std::uint32_t kImageStream = 0x7e1a5502;

std::vector<double> random_signs(std::uint32_t stream, std::int64_t count) {
  std::vector<std::uint32_t> words(count);
  random_words({.operand = stream}, 0, words);
  std::vector<double> signs;
  for (const std::uint32_t word : words) signs.push_back((word >> 31) != 0 ? 1.0 : -1.0);
  return signs;
}

std::int64_t answer_channels(const Conv2d& conv) {
  return conv.direction == Conv2dOp::backward_data ? conv.size.c : conv.size.k;
}

std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// "the signed sum of y[0...7,1,2,8...15]"
std::string sum_name(const Conv2d& conv, const Signs& signs, std::int64_t index) {
  const std::int64_t panel = index % kConv2dPanels;
  const std::int64_t unit = index / kConv2dPanels;
  const auto channels = [&](std::int64_t group) {
    const std::int64_t first = group * signs.group() + signs.begin(panel);
    return fmt::format("{}...{}", first, first + signs.width(panel) - 1);
  };
  if (conv.direction == Conv2dOp::backward_weights) {
    const std::int64_t c = unit % conv.size.c;
    const std::int64_t tap = unit / conv.size.c;
    return fmt::format("the signed sum of dw[{},{},{},{}]", channels(c / conv.size.group_c()),
                       tap / conv.size.s, tap % conv.size.s, c % conv.size.group_c());
  }
  const PixelSums pixels = PixelSums::of(conv);
  const std::int64_t pixel = unit / conv.size.groups;
  const std::int64_t row = pixel / pixels.output.columns;
  const std::int64_t batch = row / pixels.output.rows;
  return fmt::format("the signed sum of {}[{}...{},{},{},{}]", pixels.gradient ? "dx" : "y",
                     signs.batch_begin(batch), signs.batch_end(batch) - 1, row % pixels.output.rows,
                     pixel % pixels.output.columns, channels(unit % conv.size.groups));
}

}  // namespace

Signs::Signs(const Conv2d& conv)
    : group_(answer_channels(conv) / conv.size.groups),
      panels_(std::min(kConv2dPanels, group_)),
      batches_(conv.size.n),
      channel_signs_(random_signs(kChannelStream, answer_channels(conv))),
      image_signs_(random_signs(kImageStream, conv.size.n)) {
  for (std::int64_t i = 0; i < channels(); ++i) {
    group_of_.push_back(static_cast<std::int32_t>(i / group_));
    panel_of_.push_back(static_cast<std::int32_t>(((i % group_ + 1) * panels_ - 1) / group_));
  }
  if (conv.direction != Conv2dOp::backward_weights) {
    const std::int64_t most = kBatchElements / ceil_divide(group_, panels_);
    batches_ = ceil_divide(conv.size.n, std::max<std::int64_t>(most, 1));
  }
}

void Signs::add_pixel(const double* values, double sign, Panels* sums) const {
  for (std::int64_t i = 0; i < channels(); ++i) {
    sums[group_of_[i]][panel_of_[i]] += sign * channel_signs_[i] * values[i];
  }
}

std::vector<Panels> Signs::of_filters(const Conv2d& conv, const Elements& elements) const {
  const bool over_channels = conv.direction == Conv2dOp::backward_data;
  const Filters filters = Filters::of(conv);
  const std::int64_t group_k = conv.size.group_k();
  const std::int64_t sources = over_channels ? conv.size.k : conv.size.c;
  std::vector<Panels> sums(filters.taps() * sources, Panels{});
  const auto add = [&](std::int64_t k, std::int64_t tap, std::int64_t channel, double value) {
    const std::int64_t c = k / group_k * filters.channels + channel;
    const std::int64_t from = over_channels ? k : c;
    const std::int64_t to = over_channels ? c : k;
    sums[tap * sources + from][panel_of_[to]] += channel_signs_[to] * value;
  };
  // Tasks write apart: each filter has sums of its own, or each panel of a group's filters has.
  const std::int64_t tasks = over_channels ? group_k : panels_;
  const double work = 20.0 * static_cast<double>(filters.elements());
#pragma omp parallel for schedule(static) if (worth_threads(work))
  for (std::int64_t task = 0; task < conv.size.groups * tasks; ++task) {
    const std::int64_t first = task / tasks * group_k;
    const std::int64_t part = task % tasks;
    const std::int64_t low = over_channels ? part : begin(part);
    const std::int64_t high = over_channels ? part + 1 : begin(part + 1);
    filters.for_each(elements, first + low, first + high, add);
  }
  return sums;
}

SignedSums::SignedSums(const Conv2d& conv, Precision precision, const Signs& signs)
    : signs_(signs),
      mean_square_(mean_square(traits(precision).input)),
      floor_(smallest_normal(traits(precision).output)),
      limit_(freivalds_limit(precision, conv2d_length(conv), signs.least_elements())) {}

void SignedSums::compare(std::int64_t index, const Panels& got, const Panels& expected,
                         double squares, std::int64_t images, ErrorMeasure& worst) const {
  const double floor = floor_ * std::sqrt(static_cast<double>(images));
  const double sigma = std::max(std::sqrt(squares * mean_square_), floor);
  for (std::int64_t panel = 0; panel < signs_.panels(); ++panel) {
    const auto width = static_cast<double>(signs_.width(panel));
    worst.add(index * kConv2dPanels + panel, got[panel], expected[panel], sigma * std::sqrt(width));
  }
}

Check conv2d_check_signs(const Conv2d& conv, Precision precision,
                         std::span<const std::byte> answer) {
  require_conv2d_answer(conv, precision, answer);
  if (conv.direction == Conv2dOp::bias_relu) {
    throw std::invalid_argument("conv2d_bias_relu is not linear, so signed sums say nothing of it");
  }
  const Signs signs(conv);
  const SignedSums sums(conv, precision, signs);
  const Elements elements = Elements::of_answer(conv, precision, answer);
  const ErrorMeasure worst = conv.direction == Conv2dOp::backward_weights
                                 ? compare_signed_weights(conv, precision, elements, signs, sums)
                                 : compare_signed_pixels(conv, precision, elements, signs, sums);
  return worst.verdict(sums.limit(), "signed channels",
                       [&](std::int64_t index) { return sum_name(conv, signs, index); });
}

std::size_t conv2d_check_signs_bytes(const Conv2d& conv) {
  return conv.direction == Conv2dOp::backward_weights ? compare_signed_weights_bytes(conv)
                                                      : compare_signed_pixels_bytes(conv);
}

}  // namespace breakeven
