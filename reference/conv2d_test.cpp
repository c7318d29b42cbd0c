#include "reference/conv2d.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "reference/conv2d_axis.h"
#include "reference/conv2d_testing.h"

namespace breakeven {
namespace {

// Two channels of 2 x 3 pixels, one filter of 2 x 3 for each.
Conv2dSize small_size() {
  return {.c = 2,
          .h = 2,
          .w = 3,
          .k = 2,
          .r = 2,
          .s = 3,
          .pad_h = 1,
          .pad_w = 1,
          .stride_h = 2,
          .groups = 2};
}

template <class T>
bool passes(const Conv2d& conv, Precision precision, const std::vector<T>& answer) {
  return conv.check(precision, std::as_bytes(std::span(answer))).ok();
}

// Worked out in exact fractions by another program: zeros written around the image, and gradients
// as derivatives of the forward sums by one element after the other.
TEST(Conv2d, ForwardAgreesWithExactSums) {
  const Conv2d conv("x", small_size(), Conv2dOp::forward);
  std::vector<std::int32_t> y = {-4336, -4724, 1632, -3574, -3388, 1888,
                                 4910,  -1562, 790,  2384,  4386,  -2970};
  EXPECT_TRUE(passes(conv, Precision::int8, y));
  ++y[7];
  EXPECT_FALSE(passes(conv, Precision::int8, y));
}

TEST(Conv2d, BiasReluAgreesWithExactSums) {
  const Conv2d conv("x", small_size(), Conv2dOp::bias_relu);
  std::vector<float> y(12);
  y[6] = 0.520994289875162F;
  EXPECT_TRUE(passes(conv, Precision::f32, y));
  y[6] = 0.52100F;
  EXPECT_FALSE(passes(conv, Precision::f32, y));
}

TEST(Conv2d, BackwardDataAgreesWithExactDerivatives) {
  const Conv2d conv("x", small_size(), Conv2dOp::backward_data);
  std::vector<float> dx = {-0.8114027808297166F,  0.18578151762408623F,  -0.9189714071738315F,
                           -0.46658194888371796F, -0.20236090974212573F, -0.4583968126747351F,
                           0.5214074670514464F,   -0.1622949345627731F,  0.6494390882229517F,
                           -1.2409255546778262F,  -0.07763930706640565F, -0.9781651968182175F};
  EXPECT_TRUE(passes(conv, Precision::f32, dx));
  dx[4] += 0.00001F;
  EXPECT_FALSE(passes(conv, Precision::f32, dx));
}

TEST(Conv2d, BackwardWeightsAgreesWithExactDerivatives) {
  const Conv2d conv("x", small_size(), Conv2dOp::backward_weights);
  std::vector<float> dw = {1.408374667817199F,    -0.41599999187673475F, -0.741098193561541F,
                           -0.4818215775799217F,  -0.6852929369710203F,  -0.33779902603360057F,
                           0.13306289467922738F,  0.054682707066017855F, -0.5194522775275559F,
                           -0.10953785319053111F, -0.573157998681534F,   -0.515706222583276F};
  EXPECT_TRUE(passes(conv, Precision::f32, dw));
  dw[11] += 0.00001F;
  EXPECT_FALSE(passes(conv, Precision::f32, dw));
}

TEST(Conv2d, OperandsOfEveryOperation) {
  const Conv2dSize size{.n = 2, .c = 6, .h = 7, .w = 5, .k = 4, .r = 3, .s = 1, .groups = 2};
  constexpr std::int64_t kX = 2 * 7 * 5 * 6;
  constexpr std::int64_t kW = 4 * 3 * 1 * 3;
  constexpr std::int64_t kY = 2 * 5 * 5 * 4;
  const struct {
    Conv2dOp op;
    std::string name;
    std::vector<std::pair<std::string, std::int64_t>> inputs;
    std::pair<std::string, std::int64_t> output;
  } expected[] = {
      {Conv2dOp::forward, "conv2d_forward", {{"x", kX}, {"w", kW}}, {"y", kY}},
      {Conv2dOp::bias_relu, "conv2d_bias_relu", {{"x", kX}, {"w", kW}, {"bias", 4}}, {"y", kY}},
      {Conv2dOp::backward_data, "conv2d_backward_data", {{"dy", kY}, {"w", kW}}, {"dx", kX}},
      {Conv2dOp::backward_weights, "conv2d_backward_weights", {{"x", kX}, {"dy", kY}}, {"dw", kW}},
  };
  for (const auto& [op, name, inputs, output] : expected) {
    const Conv2d conv("layer", size, op);
    EXPECT_EQ(conv.op(), name);
    EXPECT_EQ(conv.shape(), "layer");
    double bytes = 2.0 * static_cast<double>(output.second);
    ASSERT_EQ(conv.inputs(Precision::fp8).size(), inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Operand input = conv.inputs(Precision::fp8)[i];
      EXPECT_EQ(input.name, inputs[i].first);
      EXPECT_EQ(input.elements, inputs[i].second);
      EXPECT_EQ(input.type, input.name == "bias" ? ElementType::bf16 : ElementType::e4m3);
      bytes += static_cast<double>(input.bytes());
    }
    EXPECT_EQ(conv.output(Precision::fp8).name, output.first);
    EXPECT_EQ(conv.output(Precision::fp8).elements, output.second);
    EXPECT_EQ(conv.output(Precision::fp8).type, ElementType::bf16);
    EXPECT_EQ(conv.cost(Precision::fp8).bytes, bytes);
    EXPECT_EQ(conv.cost(Precision::fp8).flops, 2.0 * kY * 3 * 3);  // no padding
    if (op == Conv2dOp::forward) {
      EXPECT_EQ(conv.output(Precision::int8).type, ElementType::s32);
    } else {
      EXPECT_THROW(conv.inputs(Precision::int8), std::invalid_argument);
    }
  }
}

TEST(Conv2d, FlopsAreProductsInsideTheImage) {
  for (const Conv2dSize& size : ragged_conv2d_sizes(60, 3)) {
    std::int64_t products = 0;
    for (std::int64_t p = 0; p < size.p(); ++p) {
      for (std::int64_t q = 0; q < size.q(); ++q) {
        for (std::int64_t r = 0; r < size.r; ++r) {
          for (std::int64_t s = 0; s < size.s; ++s) {
            const std::int64_t row = p * size.stride_h - size.pad_h + r * size.dilation_h;
            const std::int64_t column = q * size.stride_w - size.pad_w + s * size.dilation_w;
            products += row >= 0 && row < size.h && column >= 0 && column < size.w ? 1 : 0;
          }
        }
      }
    }
    products *= size.n * size.k * size.group_c();
    for (const Conv2dOp op : {Conv2dOp::forward, Conv2dOp::backward_data}) {
      EXPECT_EQ(Conv2d("x", size, op).cost(Precision::f32).flops, 2.0 * products);
    }
  }
}

TEST(Conv2d, DimensionsLeaveOutWhatIsUsual) {
  using Dimensions = std::vector<std::pair<std::string, std::int64_t>>;
  const Dimensions plain = {{"n", 1}, {"c", 2}, {"h", 4}, {"w", 5}, {"k", 3}, {"r", 1}, {"s", 1}};
  const Conv2dSize size{.c = 2, .h = 4, .w = 5, .k = 3};
  EXPECT_EQ(Conv2d("x", size, Conv2dOp::forward).dimensions(), plain);
  Dimensions more = Conv2d("x", small_size(), Conv2dOp::forward).dimensions();
  more.erase(more.begin(), more.begin() + 7);
  EXPECT_EQ(more, (Dimensions{{"pad_h", 1}, {"pad_w", 1}, {"stride_h", 2}, {"groups", 2}}));
}

TEST(Conv2dAxis, InputsAndOutputsAgree) {
  for (const Conv2dSize& size : ragged_conv2d_sizes(200, 4)) {
    const Conv2dAxis axis = Conv2dAxis::vertical(size);
    for (std::int64_t tap = 0; tap < axis.taps; ++tap) {
      std::int64_t inside = 0;
      for (std::int64_t out = 0; out < axis.output; ++out) {
        const std::int64_t in = axis.input_of(out, tap);
        const Conv2dAxis::Range range = axis.outputs_inside(tap);
        EXPECT_EQ(in >= 0, out >= range.begin && out < range.end);
        if (in < 0) continue;
        ++inside;
        EXPECT_EQ(axis.output_of(in, tap), out);
      }
      EXPECT_EQ(axis.outputs_inside(tap).count(), inside);
      for (std::int64_t in = 0; in < axis.input; ++in) {
        const std::int64_t out = axis.output_of(in, tap);
        if (out >= 0) {
          EXPECT_EQ(axis.input_of(out, tap), in);
        }
      }
    }
  }
}

TEST(Conv2d, RefusesWhatItCannotBe) {
  EXPECT_EQ(conv2d_problem(small_size()), "");
  Conv2dSize no_rows{.h = 3, .w = 9, .r = 5};
  EXPECT_THROW(Conv2d("x", no_rows, Conv2dOp::forward), std::invalid_argument);
  EXPECT_NE(conv2d_problem(no_rows).find("the output has no rows"), std::string::npos);
  no_rows.stride_h = 2;  // (3 - 5) / 2 + 1 is 0 in whole numbers, (3 - 4) / 2 + 1 is 1
  no_rows.r = 4;
  EXPECT_NE(conv2d_problem(no_rows).find("the output has no rows"), std::string::npos);
  for (std::int64_t Conv2dSize::*field :
       {&Conv2dSize::n, &Conv2dSize::c, &Conv2dSize::h, &Conv2dSize::w, &Conv2dSize::k,
        &Conv2dSize::r, &Conv2dSize::s, &Conv2dSize::stride_h, &Conv2dSize::stride_w,
        &Conv2dSize::dilation_h, &Conv2dSize::dilation_w, &Conv2dSize::groups, &Conv2dSize::pad_h,
        &Conv2dSize::pad_w}) {
    for (const std::int64_t value : {std::int64_t{-1}, INT64_MIN, INT64_MAX}) {
      Conv2dSize size = small_size();
      size.*field = value;
      EXPECT_NE(conv2d_problem(size).find(" must be from "), std::string::npos) << value;
      EXPECT_THROW(Conv2d("x", size, Conv2dOp::forward), std::invalid_argument);
    }
  }
  const Conv2d conv("x", small_size(), Conv2dOp::forward);
  std::vector<std::byte> small(15);
  EXPECT_THROW(conv.fill_input(0, Precision::f32, small), std::invalid_argument);
  EXPECT_THROW(conv.fill_input(2, Precision::f32, small), std::out_of_range);
}

TEST(RaggedConv2dSizes, HoldEveryOption) {
  const std::vector<Conv2dSize> sizes = ragged_conv2d_sizes(200, 1);
  ASSERT_EQ(sizes.size(), 200u);
  std::set<std::int64_t> kernels, strides, pads, dilations, images, multipliers;
  int depthwise = 0;
  int two_groups = 0;
  for (const Conv2dSize& size : sizes) {
    EXPECT_EQ(conv2d_problem(size), "");
    EXPECT_LE(Conv2d("x", size, Conv2dOp::forward).cost(Precision::f32).flops, 400e3);
    kernels.insert({size.r, size.s});
    strides.insert({size.stride_h, size.stride_w});
    pads.insert({size.pad_h, size.pad_w});
    dilations.insert({size.dilation_h, size.dilation_w});
    images.insert(size.n);
    two_groups += size.groups == 2 ? 1 : 0;
    if (!size.depthwise()) continue;
    ++depthwise;
    multipliers.insert(size.group_k());
  }
  EXPECT_EQ(kernels, (std::set<std::int64_t>{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(strides, (std::set<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(pads, (std::set<std::int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(dilations, (std::set<std::int64_t>{1, 2}));
  EXPECT_EQ(images, (std::set<std::int64_t>{1, 2, 3}));
  for (const std::int64_t multiplier : {1, 2, 3}) EXPECT_TRUE(multipliers.contains(multiplier));
  EXPECT_GE(depthwise, 50);
  EXPECT_GE(two_groups, 50);
  const Conv2dSize again = ragged_conv2d_sizes(200, 1).back();
  EXPECT_EQ(again.h, sizes.back().h);
  EXPECT_EQ(again.c, sizes.back().c);
}

}  // namespace
}  // namespace breakeven
