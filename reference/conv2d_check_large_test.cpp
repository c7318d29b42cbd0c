// Answers too large to be compared whole: samples and signed sums must see what was planted.
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "reference/conv2d_check.h"
#include "reference/conv2d_operands.h"
#include "reference/conv2d_plain.h"
#include "reference/conv2d_signs.h"

namespace breakeven {
namespace {

using Bytes = std::vector<std::byte>;

constexpr Conv2dOp kOps[] = {Conv2dOp::forward, Conv2dOp::bias_relu, Conv2dOp::backward_data,
                             Conv2dOp::backward_weights};

// Too large to be compared whole: 235 million flops, 4.9 million elements.
Conv2dSize large_size() {
  return {.n = 2,
          .c = 3,
          .h = 360,
          .w = 183,
          .k = 64,
          .r = 3,
          .s = 3,
          .pad_h = 1,
          .pad_w = 2,
          .stride_h = 2,
          .stride_w = 1};
}

class Large : public testing::TestWithParam<Conv2dOp> {
 protected:
  void expect_seen(const Bytes& answer, const std::string& what) const {
    const Check verdict = conv_.check(Precision::f32, answer);
    EXPECT_FALSE(verdict.ok()) << what << ": " << verdict.method << " " << verdict.error;
  }
  const Conv2d conv_{"x", large_size(), GetParam()};
  const Bytes answer_ = plain_answer(conv_, Precision::f32);
};

TEST_P(Large, RightAnswersPassAndFaultsAreSeen) {
  ASSERT_FALSE(conv2d_checks_all(conv_));
  const Check right = conv_.check(Precision::f32, answer_);
  EXPECT_TRUE(right.ok()) << right.method << " " << right.error << " " << right.limit;
  const bool relu = GetParam() == Conv2dOp::bias_relu;
  EXPECT_NE(right.method.find(relu ? "4096 samples in fp64 + signs of all"
                                   : "samples in fp64 + signed channels"),
            std::string::npos)
      << right.method;
  expect_seen(plain_answer(conv_, Precision::f32, {.pad_w_off = 1}), "padding one more");
  expect_seen(plain_answer(conv_, Precision::f32, {.swap_strides = true}), "strides swapped");
  expect_seen(plain_answer(conv_, Precision::f32, {.missing_row = 2}), "a missing filter row");
  expect_seen(Bytes(answer_.size(), std::byte{0xff}), "poison");
  expect_seen(Bytes(answer_.size(), std::byte{0}), "zeros");
  Bytes tail = answer_;
  std::fill(tail.end() - static_cast<std::ptrdiff_t>(tail.size() / 100), tail.end(),
            std::byte{0xff});
  expect_seen(tail, "a stale hundredth");
}

TEST_P(Large, OneWrongElementIsSeenWhereTheOperationIsLinear) {
  if (GetParam() == Conv2dOp::bias_relu) return;
  const auto elements = static_cast<std::int64_t>(answer_.size() / sizeof(float));
  const double sigma = std::sqrt(static_cast<double>(conv2d_length(conv_))) / 3;
  for (const std::int64_t index : {elements / 7, elements / 2 + 3, elements - 5}) {
    for (const double value : {load_element(ElementType::f32, answer_.data(), index) + sigma,
                               std::numeric_limits<double>::quiet_NaN()}) {
      Bytes wrong = answer_;
      store_element(ElementType::f32, wrong.data(), index, value);
      const Check verdict = conv_.check(Precision::f32, wrong);
      EXPECT_FALSE(verdict.ok());
      EXPECT_TRUE(verdict.method.find("the signed sum of ") != std::string::npos) << verdict.method;
    }
  }
}

TEST_P(Large, ASingleNanOrNegativeElementIsSeenAfterRelu) {
  if (GetParam() != Conv2dOp::bias_relu) return;
  for (const double value : {-0.001, std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity()}) {
    Bytes wrong = answer_;
    store_element(ElementType::f32, wrong.data(), 1234567, value);
    expect_seen(wrong, std::to_string(value));
  }
  // A thousandth of the elements, scattered: zero where they shouldn't be.
  Bytes wrong = answer_;
  const auto elements = static_cast<std::int64_t>(answer_.size() / sizeof(float));
  for (std::int64_t i = 0; i < elements; i += 487) {
    store_element(ElementType::f32, wrong.data(), i, 0.0);
  }
  expect_seen(wrong, "scattered zeros");
}

INSTANTIATE_TEST_SUITE_P(Ops, Large, testing::ValuesIn(kOps),
                         [](const auto& of) { return conv2d_op_name(of.param).substr(7); });

// The answer with elements exchanged: those whose coordinate on `axis` (0: image or filter, 3:
// channel) is `one` with those where it is `other`.
Bytes exchanged(const Conv2d& conv, const Bytes& answer, int axis, std::int64_t one,
                std::int64_t other) {
  const bool weights = conv.direction == Conv2dOp::backward_weights;
  const Filters w = Filters::of(conv);
  const Images y = conv.direction == Conv2dOp::forward ? Images::y_of(conv) : Images::x_of(conv);
  const std::int64_t last = weights ? w.channels : y.channels;
  const std::int64_t between = weights ? w.taps() * last : y.rows * y.columns * last;
  // Both layouts are NHWC or KRSC here.
  const std::int64_t stride = axis == 0 ? between : 1;
  const std::int64_t each = axis == 0 ? between : 1;
  const std::int64_t lines =
      axis == 0 ? 1 : static_cast<std::int64_t>(answer.size() / sizeof(float)) / last;
  Bytes wrong = answer;
  auto* elements = reinterpret_cast<float*>(wrong.data());
  for (std::int64_t line = 0; line < lines; ++line) {
    float* from = elements + line * last;
    std::swap_ranges(from + one * stride, from + one * stride + each, from + other * stride);
  }
  return wrong;
}

// Exchanges two of every `width` in a row that have the same sign: a signed sum must not see it,
// samples must. `count` are there, `sign(i)` is theirs.
template <class Sign>
void expect_exchanges_are_seen(const Conv2d& conv, int axis, std::int64_t count, std::int64_t width,
                               const Sign& sign) {
  const Bytes answer = plain_answer(conv, Precision::f32);
  int pairs = 0;
  for (std::int64_t first = 0; first + 2 < count; first += width) {
    const std::int64_t other = sign(first) == sign(first + 1) ? first + 1 : first + 2;
    if (sign(first) != sign(other)) continue;
    const Bytes wrong = exchanged(conv, answer, axis, first, other);
    ++pairs;
    EXPECT_TRUE(conv2d_check_signs(conv, Precision::f32, wrong).ok()) << "no longer blind";
    EXPECT_FALSE(conv2d_check_samples(conv, Precision::f32, wrong).ok())
        << conv.op() << " " << first << " and " << other;
  }
  EXPECT_GE(pairs, 3);
}

// Sums so long that 2^22 products are fewer samples than there are channels or filters.
TEST(Conv2dSamples, SeeExchangedChannelsAndFilters) {
  const Conv2d forward("x", {.c = 16384, .h = 2, .w = 1, .k = 272}, Conv2dOp::forward);
  const Conv2d data("x", {.c = 272, .h = 2, .w = 1, .k = 16384}, Conv2dOp::backward_data);
  const Conv2d filters("x", {.n = 2, .c = 1, .h = 90, .w = 90, .k = 272},
                       Conv2dOp::backward_weights);
  for (const Conv2d* conv : {&forward, &data, &filters}) {
    ASSERT_LT((1 << 22) / conv2d_length(*conv), 272) << "too short to need more samples";
    const Signs signs(*conv);
    expect_exchanges_are_seen(*conv, conv == &filters ? 0 : 3, 272, signs.width(0),
                              [&](std::int64_t i) { return signs.of_channel(i); });
  }
}

TEST(Conv2dSamples, VisitEveryFilterInEveryGeometry) {
  const Conv2dSize size{.n = 2,
                        .c = 6,
                        .h = 9,
                        .w = 8,
                        .k = 300,
                        .r = 3,
                        .s = 4,
                        .pad_h = 2,
                        .pad_w = 4,
                        .stride_h = 2,
                        .stride_w = 1,
                        .dilation_w = 2,
                        .groups = 2};
  for (const Conv2dLayout layout : {Conv2dLayout::nhwc, Conv2dLayout::nchw}) {
    const Conv2d conv("x", size, Conv2dOp::backward_weights, layout);
    const Bytes answer = plain_answer(conv, Precision::f64);
    const Check right = conv2d_check_samples(conv, Precision::f64, answer);
    EXPECT_TRUE(right.ok()) << right.method << " " << right.error;
    EXPECT_EQ(right.method, "559 samples in fp64");  // 256, 300 filters, 3 channels of a group
    const std::size_t each = answer.size() / 300;
    for (const std::size_t filter : {0, 1, 77, 149, 150, 151, 222, 299}) {
      Bytes wrong = answer;
      std::fill_n(wrong.begin() + static_cast<std::ptrdiff_t>(filter * each), each, std::byte{0});
      EXPECT_FALSE(conv2d_check_samples(conv, Precision::f64, wrong).ok()) << filter;
    }
  }
}

TEST(Conv2dSamples, SeeExchangedImages) {
  const Conv2d conv("x", {.n = 64, .c = 2, .h = 9, .w = 9, .k = 2, .r = 3, .s = 3, .groups = 2},
                    Conv2dOp::forward);
  const Signs signs(conv);
  ASSERT_EQ(signs.batches(), 1);
  expect_exchanges_are_seen(conv, 0, 64, 8, [&](std::int64_t i) { return signs.of_image(i); });
}

// Most or all samples at random would meet elements that are rightly 0.
TEST(Conv2dSamples, MeetAnElementThatIsNotZero) {
  const Conv2dSize padded{.h = 1, .w = 1, .r = 65, .s = 65, .pad_h = 32, .pad_w = 32};
  const Conv2dSize strided{
      .h = 400, .w = 400, .pad_h = 5, .pad_w = 5, .stride_h = 90, .stride_w = 90};
  const Conv2dSize wide{.h = 2, .w = 3, .pad_h = 200, .pad_w = 200};
  for (const Conv2d& conv :
       {Conv2d("x", padded, Conv2dOp::backward_weights),
        Conv2d("x", strided, Conv2dOp::backward_data), Conv2d("x", wide, Conv2dOp::forward)}) {
    const Bytes answer = plain_answer(conv, Precision::f32);
    const Check check = conv2d_check_samples(conv, Precision::f32, answer);
    EXPECT_TRUE(check.ok()) << conv.op() << ": " << check.method;
    EXPECT_FALSE(conv2d_check_samples(conv, Precision::f32, Bytes(answer.size())).ok()) << "zeros";
  }
}

// More images than one sum takes: none is left over in a sum that the limit doesn't fit.
TEST(Conv2dSigns, CutImagesEvenly) {
  const Conv2dSize depthwise{.n = 65, .c = 5, .h = 7, .w = 6, .k = 5, .r = 3, .s = 3, .groups = 5};
  const Conv2dSize narrow{.n = 17, .c = 4, .h = 6, .w = 7, .k = 64, .r = 3, .s = 3};
  for (const Conv2dSize& size : {depthwise, narrow}) {
    const Conv2d conv("x", size, Conv2dOp::forward);
    const Signs signs(conv);
    EXPECT_GT(signs.batches(), 1);
    EXPECT_EQ(signs.batch_begin(0), 0);
    EXPECT_EQ(signs.batch_end(signs.batches() - 1), size.n);
    for (std::int64_t batch = 0; batch < signs.batches(); ++batch) {
      const std::int64_t images = signs.batch_end(batch) - signs.batch_begin(batch);
      EXPECT_GE(images, size.n / signs.batches());
      EXPECT_LE(images * signs.width(0), 64);
    }
    for (const Precision precision : {Precision::f64, Precision::f32, Precision::bf16}) {
      const Operand output = conv.output(precision);
      const Bytes answer = plain_answer(conv, precision);
      const Check right = conv2d_check_signs(conv, precision, answer);
      EXPECT_TRUE(right.ok()) << right.method << " " << right.error << " > " << right.limit;
      // Twice what the header says must show.
      const double sigma = std::sqrt(static_cast<double>(conv2d_length(conv))) / 3;
      const double off = 2 * right.limit * 8 * sigma;
      for (const std::int64_t index : {output.elements - 1, output.elements - 43}) {
        Bytes wrong = answer;
        const double value = load_element(output.type, wrong.data(), index);
        store_element(output.type, wrong.data(), index, value + off);
        EXPECT_FALSE(conv2d_check_signs(conv, precision, wrong).ok())
            << traits(precision).name << " " << index;
      }
    }
  }
}

TEST(Conv2dCheckBytes, CountsTheRowsOfEveryThread) {
  const Conv2d large("x", large_size(), Conv2dOp::forward);
  // Signed filters; and for each thread up to 8 strided rows and what the filter reaches beyond,
  // of an image and of the sum over images.
  const std::size_t rows = 8 * 2 + 2;
  EXPECT_EQ(
      large.check_bytes(Precision::f32),
      9 * 3 * 64u + omp_get_max_threads() * (rows * 183 * (2 * 3 + 1) * 8 + 185 * (64 + 8) * 8));
  EXPECT_EQ(Conv2d("x", large_size(), Conv2dOp::bias_relu).check_bytes(Precision::f32), 0u);
}

}  // namespace
}  // namespace breakeven
