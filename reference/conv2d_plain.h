// The definition of a convolution as loops over its products, each added to what it belongs to, and
// the mistakes that implementations make. What the checks are tested with; shares nothing with
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "reference/conv2d.h"

namespace breakeven {

/// Mistakes to plant.
struct Wrong {
  double (*round_operand)(double) = [](double value) { return value; };
  double (*round_result)(double) = [](double value) { return value; };
  std::int64_t pad_h_off = 0;     ///< added to the padding
  std::int64_t pad_w_off = 0;     ///< added to the padding
  bool swap_strides = false;      ///< of rows and columns
  bool swap_dilations = false;    ///< of rows and columns
  std::int64_t missing_row = -1;  ///< of the filter
  bool flip_filter = false;       ///< a convolution as mathematics has it
  bool other_group = false;       ///< channels of the neighbouring group
  bool other_layout = false;      ///< operands read in the other layout
  bool no_bias = false;
  bool no_relu = false;
};

inline std::vector<double> plain_values(const Conv2d& conv, Precision precision, std::size_t index,
                                        const Wrong& wrong) {
  const Operand operand = conv.inputs(precision)[index];
  std::vector<std::byte> stored(operand.bytes());
  conv.fill_input(index, precision, stored);
  std::vector<double> values;
  for (std::int64_t i = 0; i < operand.elements; ++i) {
    values.push_back(wrong.round_operand(load_element(operand.type, stored.data(), i)));
  }
  return values;
}

/// Strides of an operand's elements, called by the letters of x; of w, k r s c.
struct PlainStrides {
  PlainStrides(std::int64_t h, std::int64_t w, std::int64_t c, bool nchw)
      : n_stride(h * w * c),
        h_stride(nchw ? w : w * c),
        w_stride(nchw ? 1 : c),
        c_stride(nchw ? h * w : 1) {}
  std::int64_t at(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c) const {
    return n * n_stride + h * h_stride + w * w_stride + c * c_stride;
  }
  std::int64_t n_stride, h_stride, w_stride, c_stride;
};

/// The answer with sums of type Sum, in the order of the loops.
template <class Sum>
std::vector<std::byte> plain_conv2d(const Conv2d& conv, Precision precision,
                                    const Wrong& wrong = {}) {
  const Conv2dSize& size = conv.size;
  const bool nchw = (conv.layout == Conv2dLayout::nchw) != wrong.other_layout;
  const PlainStrides x(size.h, size.w, size.c, nchw);
  const PlainStrides w(size.r, size.s, size.c / size.groups, nchw);
  const PlainStrides y(size.p(), size.q(), size.k, nchw);
  const std::vector<double> first = plain_values(conv, precision, 0, wrong);
  const std::vector<double> second = plain_values(conv, precision, 1, wrong);
  const std::vector<Sum> a(first.begin(), first.end());
  const std::vector<Sum> b(second.begin(), second.end());
  const Operand output = conv.output(precision);
  std::vector<Sum> sums(output.elements);
  const std::int64_t stride_h = wrong.swap_strides ? size.stride_w : size.stride_h;
  const std::int64_t stride_w = wrong.swap_strides ? size.stride_h : size.stride_w;
  const std::int64_t dilation_h = wrong.swap_dilations ? size.dilation_w : size.dilation_h;
  const std::int64_t dilation_w = wrong.swap_dilations ? size.dilation_h : size.dilation_w;
  const std::int64_t group_c = size.c / size.groups;
  const std::int64_t group_k = size.k / size.groups;
  // All filters and channels of one tap at one pixel.
  const auto add_tap = [&](std::int64_t n, std::int64_t p, std::int64_t q, std::int64_t r,
                           std::int64_t s, std::int64_t row, std::int64_t column) {
    const std::int64_t w_row = wrong.flip_filter ? size.r - 1 - r : r;
    const std::int64_t w_column = wrong.flip_filter ? size.s - 1 - s : s;
    for (std::int64_t k = 0; k < size.k; ++k) {
      const std::int64_t group = (k / group_k + (wrong.other_group ? 1 : 0)) % size.groups;
      const std::int64_t xi = x.at(n, row, column, group * group_c);
      const std::int64_t wi = w.at(k, w_row, w_column, 0);
      const std::int64_t yi = y.at(n, p, q, k);
      switch (conv.direction) {
        case Conv2dOp::forward:
        case Conv2dOp::bias_relu: {
          Sum sum = 0;
          for (std::int64_t c = 0; c < group_c; ++c) {
            sum += a[xi + c * x.c_stride] * b[wi + c * w.c_stride];
          }
          sums[yi] += sum;
          break;
        }
        case Conv2dOp::backward_data:
          for (std::int64_t c = 0; c < group_c; ++c) {
            sums[xi + c * x.c_stride] += a[yi] * b[wi + c * w.c_stride];
          }
          break;
        case Conv2dOp::backward_weights:
          for (std::int64_t c = 0; c < group_c; ++c) {
            sums[wi + c * w.c_stride] += a[xi + c * x.c_stride] * b[yi];
          }
          break;
      }
    }
  };
  for (std::int64_t n = 0; n < size.n; ++n) {
    for (std::int64_t p = 0; p < size.p(); ++p) {
      for (std::int64_t q = 0; q < size.q(); ++q) {
        for (std::int64_t r = 0; r < size.r; ++r) {
          const std::int64_t row = p * stride_h - size.pad_h - wrong.pad_h_off + r * dilation_h;
          if (row < 0 || row >= size.h || r == wrong.missing_row) continue;
          for (std::int64_t s = 0; s < size.s; ++s) {
            const std::int64_t column =
                q * stride_w - size.pad_w - wrong.pad_w_off + s * dilation_w;
            if (column < 0 || column >= size.w) continue;
            add_tap(n, p, q, r, s, row, column);
          }
        }
      }
    }
  }
  if (conv.direction == Conv2dOp::bias_relu) {
    const std::vector<double> bias = plain_values(conv, precision, 2, wrong);
    for (std::int64_t i = 0; i < output.elements; ++i) {
      const std::int64_t k = nchw ? i / (size.p() * size.q()) % size.k : i % size.k;
      if (!wrong.no_bias) sums[i] += static_cast<Sum>(bias[k]);
      if (!wrong.no_relu && sums[i] < 0) sums[i] = 0;
    }
  }
  std::vector<std::byte> answer(output.bytes());
  for (std::int64_t i = 0; i < output.elements; ++i) {
    store_element(output.type, answer.data(), i, wrong.round_result(static_cast<double>(sums[i])));
  }
  return answer;
}

/// The answer with sums as the precision has them.
inline std::vector<std::byte> plain_answer(const Conv2d& conv, Precision precision,
                                           const Wrong& wrong = {}) {
  const bool wide = precision == Precision::f64 || precision == Precision::int8;
  return wide ? plain_conv2d<double>(conv, precision, wrong)
              : plain_conv2d<float>(conv, precision, wrong);
}

}  // namespace breakeven
