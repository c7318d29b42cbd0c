#include "kernels/training/layer_norm.h"

#include "kernels/training/training_testing.h"

namespace breakeven::training {
namespace {

/// The statistics of the rows of x in double.
struct Rows {
  std::vector<double> mean, rstd;
};

template <class T>
Rows statistics(const Tensor<T>& x, std::int64_t rows, std::int64_t columns) {
  Rows all;
  for (std::int64_t row = 0; row < rows; ++row) {
    double sum = 0, squares = 0;
    for (std::int64_t i = 0; i < columns; ++i) sum += x[row * columns + i];
    const double mean = sum / static_cast<double>(columns);
    for (std::int64_t i = 0; i < columns; ++i) squares += std::pow(x[row * columns + i] - mean, 2);
    all.mean.push_back(mean);
    all.rstd.push_back(1 / std::sqrt(squares / static_cast<double>(columns) + 1e-5));
  }
  return all;
}

template <class T>
double forward_error(std::int64_t rows, std::int64_t columns, bool residual,
                     float epsilon = 1e-5f) {
  const std::int64_t size = rows * columns;
  Tensor<T> x(size, 1, 2, 0.5), other(size, 2), sum(size), gamma(columns, 3), beta(columns, 4),
      y(size);
  Tensor<float> mean(rows), rstd(rows);
  prepare_layer_norm({.rows = rows,
                      .columns = columns,
                      .x = x.data(),
                      .residual = residual ? other.data() : nullptr,
                      .sum = residual ? sum.data() : nullptr,
                      .gamma = gamma.data(),
                      .beta = beta.data(),
                      .y = y.data(),
                      .mean = mean.data(),
                      .rstd = rstd.data(),
                      .epsilon = epsilon},
                     kStorage<T>)(Stream{});
  double error = 0;
  if (residual) {
    std::vector<double> want;
    for (std::int64_t i = 0; i < size; ++i) want.push_back(x[i] + other[i]);
    error = worst(sum, want, 2);
  }
  const Tensor<T>& normalised = residual ? sum : x;
  const Rows all = statistics(normalised, rows, columns);
  std::vector<double> want;
  for (std::int64_t i = 0; i < size; ++i) {
    const auto row = static_cast<std::size_t>(i / columns);
    want.push_back((normalised[i] - all.mean[row]) * all.rstd[row] * gamma[i % columns] +
                   beta[i % columns]);
  }
  return std::max(
      {error, worst(y, want, 32), worst(mean, all.mean, 32), worst(rstd, all.rstd, 32)});
}

/// `swapped`, dgamma and dbeta, and `rstd_scale` plant faults.
template <class T>
double backward_error(std::int64_t rows, std::int64_t columns, bool residual, bool swapped = false,
                      float rstd_scale = 1) {
  const std::int64_t size = rows * columns;
  Tensor<T> dy(size, 1), x(size, 2, 2, 0.5), gamma(columns, 3), other(size, 4), dx(size);
  const Rows all = statistics(x, rows, columns);
  Tensor<float> mean(rows), rstd(rows), dgamma(columns), dbeta(columns);
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto at = static_cast<std::size_t>(row);
    mean.data()[row] = static_cast<float>(all.mean[at]);
    rstd.data()[row] = static_cast<float>(all.rstd[at]) * rstd_scale;
  }
  const LayerNormBackward p = {.rows = rows,
                               .columns = columns,
                               .dy = dy.data(),
                               .x = x.data(),
                               .gamma = gamma.data(),
                               .mean = mean.data(),
                               .rstd = rstd.data(),
                               .residual = residual ? other.data() : nullptr,
                               .dx = dx.data(),
                               .dgamma = swapped ? dbeta.data() : dgamma.data(),
                               .dbeta = swapped ? dgamma.data() : dbeta.data()};
  Tensor<std::uint8_t> workspace(static_cast<std::int64_t>(layer_norm_backward_workspace(p)));
  prepare_layer_norm_backward(p, workspace.data(), kStorage<T>)(Stream{});

  std::vector<double> want, want_gamma(static_cast<std::size_t>(columns)),
      want_beta(static_cast<std::size_t>(columns));
  for (std::int64_t row = 0; row < rows; ++row) {
    double sum = 0, sum_xhat = 0;
    const auto xhat = [&](std::int64_t i) {
      const auto at = static_cast<std::size_t>(row);
      return (x[row * columns + i] - all.mean[at]) * all.rstd[at];
    };
    for (std::int64_t i = 0; i < columns; ++i) {
      const double gradient = dy[row * columns + i];
      sum += gradient * gamma[i] / static_cast<double>(columns);
      sum_xhat += gradient * gamma[i] * xhat(i) / static_cast<double>(columns);
      want_gamma[static_cast<std::size_t>(i)] += gradient * xhat(i);
      want_beta[static_cast<std::size_t>(i)] += gradient;
    }
    for (std::int64_t i = 0; i < columns; ++i) {
      const double past = residual ? other[row * columns + i] : 0;
      want.push_back(all.rstd[static_cast<std::size_t>(row)] *
                         (dy[row * columns + i] * gamma[i] - sum - xhat(i) * sum_xhat) +
                     past);
    }
  }
  return std::max(
      {worst(dx, want, 64), worst(dgamma, want_gamma, 64), worst(dbeta, want_beta, 64)});
}

TEST(LayerNorm, ForwardInSeveralThreadOrders) {
  in_thread_orders(3, [] {
    for (const std::int64_t columns : {2, 7, 64, 129, 768, 1300}) {
      for (const bool residual : {false, true}) {
        EXPECT_LE(forward_error<float>(11, columns, residual), 1) << columns;
        EXPECT_LE(forward_error<bf16>(11, columns, residual), 1) << columns;
      }
    }
  });
}

TEST(LayerNorm, BackwardInSeveralThreadOrders) {
  in_thread_orders(3, [] {
    for (const std::int64_t columns : {5, 7, 64, 129, 768, 1300}) {
      for (const bool residual : {false, true}) {
        EXPECT_LE(backward_error<float>(9, columns, residual), 1) << columns;
        EXPECT_LE(backward_error<bf16>(9, columns, residual), 1) << columns;
      }
    }
    EXPECT_LE(backward_error<float>(300, 36, false), 1);
    EXPECT_LE(backward_error<bf16>(200, 5, false), 1);
  });
}

TEST(LayerNorm, PlantedFaultsAreSeen) {
  EXPECT_GT(forward_error<float>(5, 64, false, 1e-3f), 1);
  EXPECT_GT(forward_error<bf16>(5, 64, true, 1e-1f), 1);
  EXPECT_GT(backward_error<float>(5, 64, false, true), 1);
  EXPECT_GT(backward_error<float>(5, 64, false, false, 1.001f), 1);
}

TEST(LayerNorm, AResidualNeedsASum) {
  Tensor<float> x(4);
  EXPECT_THROW(prepare_layer_norm({.x = x.data(), .residual = x.data()}, ElementType::f32),
               std::invalid_argument);
}

}  // namespace
}  // namespace breakeven::training
