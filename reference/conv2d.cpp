#include "reference/conv2d.h"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

#include "reference/conv2d_axis.h"
#include "reference/conv2d_check.h"
#include "reference/random.h"

namespace breakeven {
namespace {

// What 32-bit descriptors of libraries hold; products of a few of them fit into 64 bits.
constexpr std::int64_t kLargest = INT32_MAX;
constexpr std::int64_t kLargestFilter = 65536;
constexpr double kLargestElements = 0x1p60;

std::string range_problem(const char* name, std::int64_t value, std::int64_t low,
                          std::int64_t high) {
  if (value >= low && value <= high) return "";
  return fmt::format("{} must be from {} to {}, but is {}", name, low, high, value);
}

// Of one axis, whose extent, filter side, padding and dilation go by these names.
std::string fit_problem(const char* what, const char* extent_name, const char* taps_name,
                        std::int64_t extent, std::int64_t taps, std::int64_t pad,
                        std::int64_t dilation) {
  const std::int64_t span = dilation * (taps - 1) + 1;
  if (span <= extent + 2 * pad) return "";
  return fmt::format(
      "the output has no {}: {}={} with dilation {} spans {}, but {}={} with padding {} on both "
      "sides is {}; make the filter smaller or the padding larger",
      what, taps_name, taps, dilation, span, extent_name, extent, pad, extent + 2 * pad);
}

double pairs_inside(const Conv2dAxis& axis) {
  double pairs = 0;
  for (std::int64_t tap = 0; tap < axis.taps; ++tap) {
    pairs += static_cast<double>(axis.outputs_inside(tap).count());
  }
  return pairs;
}

double products(const Conv2dSize& size) {
  return static_cast<double>(size.n) * static_cast<double>(size.k) *
         static_cast<double>(size.group_c()) * pairs_inside(Conv2dAxis::vertical(size)) *
         pairs_inside(Conv2dAxis::horizontal(size));
}

double product_of(std::initializer_list<std::int64_t> factors) {
  double product = 1;
  for (const std::int64_t factor : factors) product *= static_cast<double>(factor);
  return product;
}

const Conv2dSize& require_possible(const Conv2dSize& size) {
  const std::string problem = conv2d_problem(size);
  if (!problem.empty()) throw std::invalid_argument(problem);
  return size;
}

std::int64_t x_elements(const Conv2dSize& size) { return size.n * size.h * size.w * size.c; }
std::int64_t y_elements(const Conv2dSize& size) { return size.n * size.p() * size.q() * size.k; }
std::int64_t w_elements(const Conv2dSize& size) {
  return size.k * size.r * size.s * size.group_c();
}

}  // namespace

std::string conv2d_problem(const Conv2dSize& size) {
  const struct {
    const char* name;
    std::int64_t value;
    std::int64_t low;
    std::int64_t high;
  } fields[] = {
      {"n", size.n, 1, kLargest},
      {"c", size.c, 1, kLargest},
      {"h", size.h, 1, kLargest},
      {"w", size.w, 1, kLargest},
      {"k", size.k, 1, kLargest},
      {"r", size.r, 1, kLargestFilter},
      {"s", size.s, 1, kLargestFilter},
      {"pad_h", size.pad_h, 0, kLargest},
      {"pad_w", size.pad_w, 0, kLargest},
      {"stride_h", size.stride_h, 1, kLargest},
      {"stride_w", size.stride_w, 1, kLargest},
      {"dilation_h", size.dilation_h, 1, kLargest},
      {"dilation_w", size.dilation_w, 1, kLargest},
      {"groups", size.groups, 1, kLargest},
  };
  for (const auto& field : fields) {
    const std::string problem = range_problem(field.name, field.value, field.low, field.high);
    if (!problem.empty()) return problem;
  }
  for (const auto& [name, channels] : {std::pair{"c", size.c}, std::pair{"k", size.k}}) {
    if (channels % size.groups != 0) {
      return fmt::format("groups={} doesn't divide {}={}; both c and k must be multiples of it",
                         size.groups, name, channels);
    }
  }
  for (const std::string& problem :
       {fit_problem("rows", "h", "r", size.h, size.r, size.pad_h, size.dilation_h),
        fit_problem("columns", "w", "s", size.w, size.s, size.pad_w, size.dilation_w)}) {
    if (!problem.empty()) return problem;
  }
  for (const auto& [name, elements] :
       {std::pair{"input", product_of({size.n, size.h, size.w, size.c})},
        std::pair{"output", product_of({size.n, size.p(), size.q(), size.k})},
        std::pair{"filter", product_of({size.k, size.r, size.s, size.group_c()})}}) {
    if (elements > kLargestElements) {
      return fmt::format("the {} has {:.3g} elements, over 2^60; make it smaller", name, elements);
    }
  }
  if (products(size) == 0) {
    return "no filter element ever lies inside the image, so that every output is 0; make the "
           "padding or the stride smaller";
  }
  return "";
}

std::string conv2d_op_name(Conv2dOp op) {
  switch (op) {
    case Conv2dOp::forward:
      return "conv2d_forward";
    case Conv2dOp::bias_relu:
      return "conv2d_bias_relu";
    case Conv2dOp::backward_data:
      return "conv2d_backward_data";
    case Conv2dOp::backward_weights:
      return "conv2d_backward_weights";
  }
  throw std::invalid_argument("unknown operation of conv2d");
}

Conv2d::Conv2d(std::string shape, const Conv2dSize& size_, Conv2dOp direction_,
               Conv2dLayout layout_)
    : Workload(conv2d_op_name(direction_), std::move(shape)),
      size(require_possible(size_)),
      direction(direction_),
      layout(layout_) {}

std::vector<std::pair<std::string, std::int64_t>> Conv2d::dimensions() const {
  std::vector<std::pair<std::string, std::int64_t>> dimensions = {
      {"n", size.n}, {"c", size.c}, {"h", size.h}, {"w", size.w},
      {"k", size.k}, {"r", size.r}, {"s", size.s}};
  const auto add = [&](const char* name, std::int64_t value, std::int64_t usual) {
    if (value != usual) dimensions.emplace_back(name, value);
  };
  add("pad_h", size.pad_h, 0);
  add("pad_w", size.pad_w, 0);
  add("stride_h", size.stride_h, 1);
  add("stride_w", size.stride_w, 1);
  add("dilation_h", size.dilation_h, 1);
  add("dilation_w", size.dilation_w, 1);
  add("groups", size.groups, 1);
  return dimensions;
}

Cost Conv2d::cost(Precision precision) const {
  double bytes = static_cast<double>(output(precision).bytes());
  for (const Operand& input : inputs(precision)) bytes += static_cast<double>(input.bytes());
  return {2 * products(size), bytes};
}

std::vector<Operand> Conv2d::inputs(Precision precision) const {
  if (precision == Precision::int8 && direction != Conv2dOp::forward) {
    throw std::invalid_argument(op() + " has no precision int8; conv2d_forward has");
  }
  const PrecisionTraits& types = traits(precision);
  const Operand x{"x", types.input, x_elements(size)};
  const Operand w{"w", types.input, w_elements(size)};
  const Operand dy{"dy", types.input, y_elements(size)};
  switch (direction) {
    case Conv2dOp::forward:
      return {x, w};
    case Conv2dOp::bias_relu:
      return {x, w, {"bias", types.output, size.k}};
    case Conv2dOp::backward_data:
      return {dy, w};
    case Conv2dOp::backward_weights:
      return {x, dy};
  }
  throw std::invalid_argument("unknown operation of conv2d");
}

Operand Conv2d::output(Precision precision) const {
  const ElementType type = traits(precision).output;
  switch (direction) {
    case Conv2dOp::forward:
    case Conv2dOp::bias_relu:
      return {"y", type, y_elements(size)};
    case Conv2dOp::backward_data:
      return {"dx", type, x_elements(size)};
    case Conv2dOp::backward_weights:
      return {"dw", type, w_elements(size)};
  }
  throw std::invalid_argument("unknown operation of conv2d");
}

void Conv2d::fill_input(std::size_t index, Precision precision, std::span<std::byte> out) const {
  const Operand operand = inputs(precision).at(index);
  if (out.size() != operand.bytes()) {
    throw std::invalid_argument(fmt::format("{}/{}: operand {} has {} bytes, the buffer {}", op(),
                                            shape(), operand.name, operand.bytes(), out.size()));
  }
  random_fill({.operand = static_cast<std::uint32_t>(index)}, operand.type, out);
}

Check Conv2d::check(Precision precision, std::span<const std::byte> answer) const {
  if (conv2d_checks_all(*this)) return conv2d_check_full(*this, precision, answer);
  Check samples = conv2d_check_samples(*this, precision, answer);
  if (!samples.ok() || direction == Conv2dOp::bias_relu) return samples;
  Check signs = conv2d_check_signs(*this, precision, answer);
  if (!signs.ok()) return signs;
  return {samples.error, samples.limit, samples.method + " + " + signs.method};
}

std::size_t Conv2d::check_bytes(Precision) const {
  if (conv2d_checks_all(*this)) return conv2d_check_full_bytes(*this);
  return direction == Conv2dOp::bias_relu ? 0 : conv2d_check_signs_bytes(*this);
}

}  // namespace breakeven
