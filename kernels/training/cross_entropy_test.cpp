#include "kernels/training/cross_entropy.h"

#include "kernels/training/training_testing.h"

namespace breakeven::training {
namespace {

struct Errors {
  double loss = 0, gradient = 0;
};

/// Runs it on logits in (-scale, scale) + shift; judges by two plain loops in double.
template <class T>
Errors run(std::int64_t rows, std::int64_t columns, bool in_place, float gradient_scale = 0,
           double scale = 4, double shift = 0) {
  Tensor<T> logits(rows * columns, 1, scale, shift), apart(in_place ? 1 : rows * columns);
  std::vector<std::int32_t> targets =
      random_indices(static_cast<std::size_t>(rows), static_cast<int>(columns), 2);
  std::vector<double> want, want_loss = {0};
  for (std::int64_t row = 0; row < rows; ++row) {
    double most = -INFINITY, sum = 0;
    for (std::int64_t i = 0; i < columns; ++i) most = std::max(most, logits[row * columns + i]);
    for (std::int64_t i = 0; i < columns; ++i) sum += std::exp(logits[row * columns + i] - most);
    const int target = targets[static_cast<std::size_t>(row)];
    want_loss[0] +=
        (most + std::log(sum) - logits[row * columns + target]) / static_cast<double>(rows);
    for (std::int64_t i = 0; i < columns; ++i) {
      const double softmax = std::exp(logits[row * columns + i] - most) / sum;
      want.push_back((softmax - (i == target ? 1 : 0)) / static_cast<double>(rows));
    }
  }
  Tensor<float> row_losses(rows), loss(1);
  Tensor<T>& gradient = in_place ? logits : apart;
  prepare_cross_entropy({.rows = rows,
                         .columns = columns,
                         .logits = logits.data(),
                         .targets = targets.data(),
                         .gradient = gradient.data(),
                         .row_losses = row_losses.data(),
                         .loss = loss.data(),
                         .gradient_scale = gradient_scale},
                        kStorage<T>)(Stream{});
  return {worst(loss, want_loss, 32), worst(gradient, want, 32)};
}

template <class T>
void expect_right(std::int64_t rows, std::int64_t columns, bool in_place, double shift = 0) {
  const Errors errors = run<T>(rows, columns, in_place, 0, 4, shift);
  EXPECT_LE(errors.loss, 1) << rows << " x " << columns;
  EXPECT_LE(errors.gradient, 1) << rows << " x " << columns;
}

TEST(CrossEntropy, LossAndGradientInSeveralThreadOrders) {
  in_thread_orders(3, [] {
    for (const std::int64_t columns : {1, 2, 10, 33, 257, 1003, 9001}) {
      expect_right<float>(3, columns, true);
      expect_right<bf16>(3, columns, true);
    }
    expect_right<float>(70, 10, false);
    expect_right<bf16>(300, 7, false);
  });
}

TEST(CrossEntropy, LargeLogitsDoNotOverflow) {
  expect_right<float>(2, 100, true, 1e3);
  expect_right<float>(2, 100, true, -1e3);
}

TEST(CrossEntropy, LossAlone) {
  Tensor<float> logits(4, 1), row_losses(1), loss(1);
  const std::vector<std::int32_t> target = {2};
  prepare_cross_entropy({.rows = 1,
                         .columns = 4,
                         .logits = logits.data(),
                         .targets = target.data(),
                         .row_losses = row_losses.data(),
                         .loss = loss.data()},
                        ElementType::f32)(Stream{});
  double sum = 0;
  for (int i = 0; i < 4; ++i) sum += std::exp(logits[i]);
  EXPECT_NEAR(loss[0], std::log(sum) - logits[2], 1e-6);
}

TEST(CrossEntropy, AMissingMeanIsSeen) {
  EXPECT_LE(run<float>(5, 33, true, 1.0f / 5).gradient, 1);
  EXPECT_GT(run<float>(5, 33, true, 1.0f).gradient, 1);
  EXPECT_GT(run<bf16>(5, 33, true, 1.0f / 4).gradient, 1);
}

TEST(CrossEntropy, RefusesWhatItCannotTake) {
  EXPECT_THROW(prepare_cross_entropy({.rows = 0}, ElementType::f32), std::invalid_argument);
  EXPECT_THROW(prepare_cross_entropy({}, ElementType::f16), std::invalid_argument);
  Tensor<float> logits(8);
  EXPECT_THROW(prepare_cross_entropy({.logits = logits.data() + 1}, ElementType::f32),
               std::invalid_argument);
}

}  // namespace
}  // namespace breakeven::training
