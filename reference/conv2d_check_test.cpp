// Every check must pass right answers of every precision and fail every planted wrong one.
#include "reference/conv2d_check.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "reference/conv2d_plain.h"
#include "reference/conv2d_testing.h"
#include "reference/convert.h"

namespace breakeven {
namespace {

using Bytes = std::vector<std::byte>;
using CheckFunction = Check (*)(const Conv2d&, Precision, std::span<const std::byte>);

constexpr Conv2dOp kOps[] = {Conv2dOp::forward, Conv2dOp::bias_relu, Conv2dOp::backward_data,
                             Conv2dOp::backward_weights};
constexpr Conv2dLayout kLayouts[] = {Conv2dLayout::nhwc, Conv2dLayout::nchw};

std::vector<CheckFunction> checks_of(const Conv2d& conv) {
  std::vector<CheckFunction> checks = {conv2d_check_full, conv2d_check_samples};
  if (conv.direction != Conv2dOp::bias_relu) checks.push_back(conv2d_check_signs);
  return checks;
}

bool has(Conv2dOp op, Precision precision) {
  return precision != Precision::int8 || op == Conv2dOp::forward;
}

double round_to_tf32(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  return std::bit_cast<float>((bits + 0xfffu + ((bits >> 13) & 1u)) & 0xffffe000u);
}

double truncate_to_tf32(double value) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(static_cast<float>(value)) &
                              0xffffe000u);
}

double round_to_bf16(double value) {
  return bf16_to_float(bf16_from_float(static_cast<float>(value)));
}

double round_to_f32(double value) { return static_cast<float>(value); }

std::string described(const Conv2d& conv, Precision precision) {
  std::string text = conv.op() + " " + std::string(traits(precision).name) +
                     (conv.layout == Conv2dLayout::nchw ? " nchw" : "");
  for (const auto& [name, value] : conv.dimensions()) text += " " + name + std::to_string(value);
  return text;
}

void expect_passes(const Conv2d& conv, Precision precision, const Bytes& answer) {
  for (const CheckFunction check : checks_of(conv)) {
    const Check verdict = check(conv, precision, answer);
    EXPECT_TRUE(verdict.ok()) << described(conv, precision) << ": " << verdict.method << " error "
                              << verdict.error << " limit " << verdict.limit;
  }
}

void expect_fails(const Conv2d& conv, Precision precision, const Bytes& answer,
                  const std::string& what) {
  for (const CheckFunction check : checks_of(conv)) {
    const Check verdict = check(conv, precision, answer);
    EXPECT_FALSE(verdict.ok()) << what << " passes: " << described(conv, precision) << ": "
                               << verdict.method << " error " << verdict.error << " limit "
                               << verdict.limit;
  }
}

TEST(Conv2dCheck, RightAnswersOfRaggedProblemsPass) {
  const std::vector<Conv2dSize> sizes = ragged_conv2d_sizes(120, 7);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (const Conv2dOp op : kOps) {
      const Conv2d conv("x", sizes[i], op, kLayouts[i / 4 % 2]);
      expect_passes(conv, Precision::f32, plain_answer(conv, Precision::f32));
    }
  }
}

TEST(Conv2dCheck, RightAnswersOfEveryPrecisionPass) {
  const std::vector<Conv2dSize> sizes = ragged_conv2d_sizes(16, 8);
  for (const Conv2dSize& size : sizes) {
    for (const Conv2dOp op : kOps) {
      for (const Conv2dLayout layout : kLayouts) {
        const Conv2d conv("x", size, op, layout);
        for (const Precision precision : kPrecisions) {
          if (!has(op, precision)) continue;
          expect_passes(conv, precision, plain_answer(conv, precision));
        }
        expect_passes(conv, Precision::tf32,
                      plain_answer(conv, Precision::tf32, {.round_operand = truncate_to_tf32}));
      }
    }
  }
}

TEST(Conv2dCheck, LongPlainSumsPass) {
  const Conv2dSize wide{.n = 3, .c = 2, .h = 300, .w = 200, .k = 3};
  const Conv2d weights("x", wide, Conv2dOp::backward_weights);
  EXPECT_EQ(conv2d_length(weights), 180000);
  expect_passes(weights, Precision::f32, plain_answer(weights, Precision::f32));
  const Conv2dSize deep{.c = 5000, .h = 4, .w = 3, .k = 2, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1};
  const Conv2d forward("x", deep, Conv2dOp::forward);
  EXPECT_EQ(conv2d_length(forward), 45000);
  expect_passes(forward, Precision::f32, plain_answer(forward, Precision::f32));
}

// A problem that every mistake changes.
Conv2dSize awkward_size() {
  return {.n = 2,
          .c = 18,
          .h = 13,
          .w = 12,
          .k = 30,
          .r = 3,
          .s = 4,
          .pad_h = 2,
          .pad_w = 1,
          .stride_h = 2,
          .stride_w = 1,
          .dilation_h = 1,
          .dilation_w = 2,
          .groups = 2};
}

using PlantedCase = std::tuple<Conv2dOp, Conv2dLayout, Precision>;

struct Planted : testing::TestWithParam<PlantedCase> {
  const Conv2d conv_{"x", awkward_size(), std::get<0>(GetParam()), std::get<1>(GetParam())};
  const Precision precision_ = std::get<2>(GetParam());
  const Operand output_ = conv_.output(precision_);
  const Bytes answer_ = plain_answer(conv_, precision_);

  void expect_seen(const Wrong& wrong, const std::string& what) const {
    expect_fails(conv_, precision_, plain_answer(conv_, precision_, wrong), what);
  }
};

TEST_P(Planted, WrongGeometryIsSeen) {
  expect_seen({.pad_h_off = 1}, "padding of rows one more");
  expect_seen({.pad_h_off = -1}, "padding of rows one less");
  expect_seen({.pad_w_off = 1}, "padding of columns one more");
  expect_seen({.pad_w_off = -1}, "padding of columns one less");
  expect_seen({.swap_strides = true}, "strides swapped");
  expect_seen({.swap_dilations = true}, "dilations swapped");
  for (const std::int64_t row : {0, 1, 2}) {
    expect_seen({.missing_row = row}, "filter row " + std::to_string(row) + " missing");
  }
  expect_seen({.flip_filter = true}, "filter flipped");
  expect_seen({.other_group = true}, "channels of another group");
  expect_seen({.other_layout = true}, "operands in the other layout");
}

TEST_P(Planted, StaleAndEmptyAnswersAreSeen) {
  expect_fails(conv_, precision_, Bytes(answer_.size(), std::byte{0xff}), "poison");
  expect_fails(conv_, precision_, Bytes(answer_.size(), std::byte{0}), "all zeros");
  Bytes half = answer_;
  std::fill(half.begin() + static_cast<std::ptrdiff_t>(half.size() / 2), half.end(),
            std::byte{0xff});
  expect_fails(conv_, precision_, half, "half an answer");
  Bytes twice = answer_;
  for (std::int64_t i = 0; i < output_.elements; ++i) {
    store_element(output_.type, twice.data(), i, 2 * load_element(output_.type, twice.data(), i));
  }
  expect_fails(conv_, precision_, twice, "an answer added to the last one");
}

TEST_P(Planted, OneWrongElementIsSeen) {
  const double root = std::sqrt(static_cast<double>(conv2d_length(conv_)));
  const double sigma = root / 3 * (precision_ == Precision::int8 ? 127 * 127 : 1);
  for (const std::int64_t index : {std::int64_t{0}, output_.elements / 3, output_.elements - 1}) {
    Bytes wrong = answer_;
    const double value = load_element(output_.type, wrong.data(), index);
    store_element(output_.type, wrong.data(), index, value + sigma);
    const Check full = conv2d_check_full(conv_, precision_, wrong);
    EXPECT_FALSE(full.ok()) << index;
    if (conv_.direction != Conv2dOp::bias_relu) {
      EXPECT_FALSE(conv2d_check_signs(conv_, precision_, wrong).ok()) << index;
    }
    const std::string name = conv_.direction == Conv2dOp::backward_data      ? "dx["
                             : conv_.direction == Conv2dOp::backward_weights ? "dw["
                                                                             : "y[";
    EXPECT_NE(full.method.find(name), std::string::npos) << full.method;
  }
}

TEST_P(Planted, OneNanOrInfinityIsSeen) {
  if (precision_ == Precision::int8) return;
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    Bytes wrong = answer_;
    store_element(output_.type, wrong.data(), output_.elements / 2 + 1, value);
    EXPECT_TRUE(std::isinf(conv2d_check_full(conv_, precision_, wrong).error));
    EXPECT_TRUE(std::isinf(conv_.direction == Conv2dOp::bias_relu
                               ? conv2d_check_samples(conv_, precision_, wrong).error
                               : conv2d_check_signs(conv_, precision_, wrong).error));
  }
}

std::vector<PlantedCase> planted_cases() {
  std::vector<PlantedCase> cases;
  for (const Conv2dOp op : kOps) {
    for (const Precision precision : kPrecisions) {
      if (!has(op, precision)) continue;
      for (const Conv2dLayout layout : kLayouts) cases.emplace_back(op, layout, precision);
    }
  }
  return cases;
}

std::string planted_name(const testing::TestParamInfo<PlantedCase>& info) {
  const auto& [op, layout, precision] = info.param;
  return conv2d_op_name(op).substr(7) + (layout == Conv2dLayout::nchw ? "_nchw_" : "_nhwc_") +
         std::string(traits(precision).name);
}

INSTANTIATE_TEST_SUITE_P(Cases, Planted, testing::ValuesIn(planted_cases()), planted_name);

TEST(Conv2dCheck, AMissingBiasOrReluIsSeen) {
  for (const Precision precision : {Precision::f64, Precision::f32, Precision::bf16}) {
    for (const Conv2dLayout layout : kLayouts) {
      const Conv2d conv("x", awkward_size(), Conv2dOp::bias_relu, layout);
      expect_fails(conv, precision, plain_answer(conv, precision, {.no_bias = true}), "no bias");
      expect_fails(conv, precision, plain_answer(conv, precision, {.no_relu = true}), "no ReLU");
    }
  }
}

// One output below 0 before the ReLU: nothing but zeros is then right.
TEST(Conv2dCheck, AnAnswerThatReluMakesAllZerosPasses) {
  int all_zeros = 0;
  for (std::int64_t c = 1; c < 30; ++c) {
    const Conv2d conv("x", {.c = c, .r = 3, .pad_h = 1}, Conv2dOp::bias_relu);
    const Bytes answer = plain_answer(conv, Precision::f32);
    const bool zero = load_element(ElementType::f32, answer.data(), 0) == 0;
    all_zeros += zero ? 1 : 0;
    expect_passes(conv, Precision::f32, answer);
    if (!zero) expect_fails(conv, Precision::f32, Bytes(4), "zero where there is an answer");
  }
  EXPECT_GT(all_zeros, 5);
  EXPECT_LT(all_zeros, 25);
}

TEST(Conv2dCheck, LowerPrecisionsDoNotPassForHigherOnes) {
  for (const Conv2dOp op : kOps) {
    const Conv2d conv("x", awkward_size(), op);
    expect_fails(conv, Precision::f32,
                 plain_answer(conv, Precision::f32, {.round_operand = round_to_tf32}), "tf32");
    expect_fails(conv, Precision::f32,
                 plain_answer(conv, Precision::f32, {.round_operand = round_to_bf16}), "bf16");
    expect_fails(conv, Precision::f32,
                 plain_answer(conv, Precision::f32, {.round_result = round_to_bf16}),
                 "bf16 output");
    expect_fails(conv, Precision::f64,
                 plain_answer(conv, Precision::f64, {.round_result = round_to_f32}), "f32 output");
  }
}

TEST(Conv2dCheck, Int8IsExact) {
  const Conv2d conv("x", awkward_size(), Conv2dOp::forward);
  const Bytes answer = plain_answer(conv, Precision::int8);
  EXPECT_EQ(conv2d_check_full(conv, Precision::int8, answer).error, 0);
  EXPECT_EQ(conv2d_check_signs(conv, Precision::int8, answer).error, 0);
  for (const std::size_t index : {0u, 1777u, 2999u}) {
    Bytes wrong = answer;
    store_element(ElementType::s32, wrong.data(), index,
                  load_element(ElementType::s32, wrong.data(), index) + 1);
    EXPECT_FALSE(conv2d_check_full(conv, Precision::int8, wrong).ok());
    EXPECT_FALSE(conv2d_check_signs(conv, Precision::int8, wrong).ok());
  }
}

TEST(Conv2dCheck, VerdictsDoNotDependOnTheThreadCount) {
  const int threads = omp_get_max_threads();
  for (const Conv2dOp op : kOps) {
    const Conv2d conv("x", awkward_size(), op);
    const Bytes answer = plain_answer(conv, Precision::f64);
    for (const CheckFunction check : checks_of(conv)) {
      omp_set_num_threads(1);
      const Check one = check(conv, Precision::f64, answer);
      omp_set_num_threads(3);
      const Check three = check(conv, Precision::f64, answer);
      omp_set_num_threads(threads);
      EXPECT_EQ(one.error, three.error);
    }
  }
}

TEST(Conv2dCheck, WhatCannotBeCheckedIsRefused) {
  for (const Conv2dOp op : kOps) {
    const Conv2d conv("x", awkward_size(), op);
    for (const CheckFunction check : checks_of(conv)) {
      EXPECT_THROW(check(conv, Precision::f32, Bytes(60)), std::invalid_argument);
    }
  }
  const Conv2d relu("x", awkward_size(), Conv2dOp::bias_relu);
  EXPECT_THROW(conv2d_check_signs(relu, Precision::f32, plain_answer(relu, Precision::f32)),
               std::invalid_argument);
}

TEST(Conv2dLength, CountsTheMostProductsOfAnElement) {
  const Conv2dSize size{.n = 2, .c = 6, .h = 9, .w = 9, .k = 4, .r = 3, .s = 5, .groups = 2};
  EXPECT_EQ(conv2d_length(Conv2d("x", size, Conv2dOp::forward)), 3 * 3 * 5);
  EXPECT_EQ(conv2d_length(Conv2d("x", size, Conv2dOp::bias_relu)), 3 * 3 * 5 + 1);
  EXPECT_EQ(conv2d_length(Conv2d("x", size, Conv2dOp::backward_data)), 2 * 3 * 5);
  EXPECT_EQ(conv2d_length(Conv2d("x", size, Conv2dOp::backward_weights)), 2 * 7 * 5);
  // With stride 2 an input lies under every second tap.
  Conv2dSize strided = size;
  strided.stride_h = strided.stride_w = 2;
  EXPECT_EQ(conv2d_length(Conv2d("x", strided, Conv2dOp::backward_data)), 2 * 2 * 3);
  const Conv2d f32("x", size, Conv2dOp::forward);
  EXPECT_LT(conv2d_limit(f32, Precision::f64), conv2d_limit(f32, Precision::f32));
  EXPECT_LT(conv2d_limit(f32, Precision::f32), conv2d_limit(f32, Precision::bf16));
  EXPECT_EQ(conv2d_limit(f32, Precision::int8), 0);
}

TEST(Conv2dCheckBytes, CountsWhatTheChecksHold) {
  const Conv2d small("x", {.c = 3, .h = 5, .w = 7, .k = 2}, Conv2dOp::forward);
  EXPECT_EQ(small.check_bytes(Precision::f32), (3 * 5 * 7 + 2 * 3) * 8u);
}

}  // namespace
}  // namespace breakeven
