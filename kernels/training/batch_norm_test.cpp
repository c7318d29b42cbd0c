#include "kernels/training/batch_norm.h"

#include "kernels/training/training_testing.h"

namespace breakeven::training {
namespace {

struct Columns {
  std::vector<double> mean, variance, rstd;
};

template <class T>
Columns statistics(const Tensor<T>& x, std::int64_t rows, std::int64_t columns) {
  Columns all;
  for (std::int64_t c = 0; c < columns; ++c) {
    double sum = 0, squares = 0;
    for (std::int64_t row = 0; row < rows; ++row) sum += x[row * columns + c];
    const double mean = sum / static_cast<double>(rows);
    for (std::int64_t row = 0; row < rows; ++row)
      squares += std::pow(x[row * columns + c] - mean, 2);
    all.mean.push_back(mean);
    all.variance.push_back(squares / static_cast<double>(rows));
    all.rstd.push_back(1 / std::sqrt(all.variance.back() + 1e-5));
  }
  return all;
}

/// Everything forward; `momentum` other than 0.1 and `shift` far from 0 are for tests.
template <class T>
double forward_error(std::int64_t rows, std::int64_t columns, bool fused, bool inference,
                     float momentum = 0.1f, double shift = 0.5) {
  const std::int64_t size = rows * columns;
  Tensor<T> x(size, 1, 2, shift), gamma(columns, 2), beta(columns, 3), residual(size, 4), y(size);
  Tensor<float> old_mean(columns, 5), old_variance(columns, 6, 0.5, 1), mean(columns),
      rstd(columns), new_mean(columns), new_variance(columns);
  const BatchNorm p = {.rows = rows,
                       .columns = columns,
                       .x = x.data(),
                       .gamma = gamma.data(),
                       .beta = beta.data(),
                       .residual = fused ? residual.data() : nullptr,
                       .relu = fused,
                       .y = y.data(),
                       .running_mean = old_mean.data(),
                       .running_variance = old_variance.data(),
                       .mean = mean.data(),
                       .rstd = rstd.data(),
                       .next_running_mean = new_mean.data(),
                       .next_running_variance = new_variance.data(),
                       .momentum = momentum};
  Tensor<std::uint8_t> workspace(static_cast<std::int64_t>(batch_norm_workspace(p)));
  (inference ? prepare_batch_norm_inference(p, kStorage<T>)
             : prepare_batch_norm(p, workspace.data(), kStorage<T>))(Stream{});

  Columns all = statistics(x, rows, columns);
  double error = 0;
  std::vector<double> want_mean, want_variance, want;
  const double count = static_cast<double>(rows);
  for (std::int64_t c = 0; c < columns; ++c) {
    const auto at = static_cast<std::size_t>(c);
    want_mean.push_back(0.9 * old_mean[c] + 0.1 * all.mean[at]);
    want_variance.push_back(0.9 * old_variance[c] +
                            0.1 * all.variance[at] * (rows > 1 ? count / (count - 1) : 1));
  }
  if (inference) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto at = static_cast<std::size_t>(c);
      all.mean[at] = old_mean[c];
      all.rstd[at] = 1 / std::sqrt(old_variance[c] + 1e-5);
    }
  } else {
    error = std::max({worst(mean, all.mean, 64), worst(rstd, all.rstd, 64),
                      worst(new_mean, want_mean, 64), worst(new_variance, want_variance, 64)});
  }
  for (std::int64_t i = 0; i < size; ++i) {
    const auto c = static_cast<std::size_t>(i % columns);
    const double value = gamma[i % columns] * (x[i] - all.mean[c]) * all.rstd[c] +
                         beta[i % columns] + (fused ? residual[i] : 0);
    want.push_back(fused ? std::max(value, 0.0) : value);
  }
  // What is off in the mean, a few roundoffs of it, counts against what is left of x without it.
  return std::max(error, worst(y, want, 64 + 8 * std::abs(shift)));
}

template <class T>
double backward_error(std::int64_t rows, std::int64_t columns, double mean_scale = 1) {
  const std::int64_t size = rows * columns;
  Tensor<T> dy(size, 1), x(size, 2, 2, 0.5), gamma(columns, 3);
  const Columns all = statistics(x, rows, columns);
  Tensor<float> mean(columns), rstd(columns), dgamma(columns), dbeta(columns);
  std::vector<double> want, want_gamma, want_beta;
  for (std::int64_t c = 0; c < columns; ++c) {
    const auto at = static_cast<std::size_t>(c);
    mean.data()[c] = static_cast<float>(all.mean[at] * mean_scale);
    rstd.data()[c] = static_cast<float>(all.rstd[at]);
    want_gamma.push_back(0);
    want_beta.push_back(0);
  }
  const auto xhat = [&](std::int64_t i) {
    const auto c = static_cast<std::size_t>(i % columns);
    return (x[i] - all.mean[c]) * all.rstd[c];
  };
  for (std::int64_t i = 0; i < size; ++i) {
    want_gamma[static_cast<std::size_t>(i % columns)] += dy[i] * xhat(i);
    want_beta[static_cast<std::size_t>(i % columns)] += dy[i];
  }
  for (std::int64_t i = 0; i < size; ++i) {
    const auto c = static_cast<std::size_t>(i % columns);
    const double count = static_cast<double>(rows);
    want.push_back(gamma[i % columns] * all.rstd[c] *
                   (dy[i] - want_beta[c] / count - xhat(i) * want_gamma[c] / count));
  }
  const BatchNormBackward p = {rows,        columns,     dy.data(), x.data(),      gamma.data(),
                               mean.data(), rstd.data(), dy.data(), dgamma.data(), dbeta.data()};
  Tensor<std::uint8_t> workspace(static_cast<std::int64_t>(batch_norm_backward_workspace(p)));
  prepare_batch_norm_backward(p, workspace.data(), kStorage<T>)(Stream{});
  // The sums are of terms of both signs, the fewer columns the likelier all of them small.
  return std::max(
      {worst(dy, want, 128), worst(dgamma, want_gamma, 512), worst(dbeta, want_beta, 512)});
}

TEST(BatchNorm, ForwardInSeveralThreadOrders) {
  in_thread_orders(2, [] {
    for (const std::int64_t columns : {1, 6, 64, 132}) {
      for (const bool fused : {false, true}) {
        for (const bool inference : {false, true}) {
          EXPECT_LE(forward_error<float>(150, columns, fused, inference), 1) << columns;
          EXPECT_LE(forward_error<bf16>(37, columns, fused, inference), 1) << columns;
        }
      }
    }
    EXPECT_LE(forward_error<float>(1, 8, false, false), 1);
  });
}

TEST(BatchNorm, AMeanFarFromZeroLeavesTheVarianceExact) {
  EXPECT_LE(forward_error<float>(500, 8, false, false, 0.1f, 100), 1);
}

TEST(BatchNorm, BackwardInSeveralThreadOrders) {
  in_thread_orders(2, [] {
    for (const std::int64_t columns : {1, 6, 64, 132}) {
      EXPECT_LE(backward_error<float>(150, columns), 1) << columns;
      EXPECT_LE(backward_error<bf16>(37, columns), 1) << columns;
    }
  });
}

TEST(BatchNorm, PlantedFaultsAreSeen) {
  EXPECT_GT(forward_error<float>(37, 8, false, false, 0.9f), 1);  // old and new weights exchanged
  EXPECT_GT(backward_error<float>(37, 8, 0.0), 1);                // x not centred
  EXPECT_GT(backward_error<bf16>(37, 8, 0.0), 1);
}

TEST(BatchNorm, RefusesASizeOfNothing) {
  EXPECT_THROW(prepare_batch_norm_inference({.rows = 0}, ElementType::f32), std::invalid_argument);
}

}  // namespace
}  // namespace breakeven::training
