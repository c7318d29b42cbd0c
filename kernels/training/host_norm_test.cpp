#include <gtest/gtest.h>

#include <tuple>

#include "kernels/training/host_batch_norm.h"
#include "kernels/training/host_layer_norm.h"
#include "kernels/training/host_testing.h"

namespace breakeven::training {
namespace {

using Doubles = std::vector<double>;

constexpr MatrixSize kSizes[] = {{2, 1},   {7, 3},     {40, 33},   {130, 64},
                                 {300, 7}, {700, 129}, {33, 1030}, {5000, 16}};

double at(const Doubles& values, std::int64_t index) {
  return values[static_cast<std::size_t>(index)];
}

// Both norms are one thing along different axes: groups of `count` elements, `step` apart.
struct Axis {
  std::int64_t groups, count, group_step, step;
};
Axis rows_of(MatrixSize size) { return {size.rows, size.cols, size.cols, 1}; }
Axis columns_of(MatrixSize size) { return {size.cols, size.rows, 1, size.cols}; }

struct Exact {
  Doubles normal, mean, variance, rstd;
};

Exact normalise(Axis axis, const Doubles& x) {
  Exact exact;
  exact.normal.resize(x.size());
  const auto count = static_cast<double>(axis.count);
  for (std::int64_t group = 0; group < axis.groups; ++group) {
    double mean = 0, variance = 0;
    for (std::int64_t i = 0; i < axis.count; ++i) {
      mean += at(x, group * axis.group_step + i * axis.step) / count;
    }
    for (std::int64_t i = 0; i < axis.count; ++i) {
      const double from_mean = at(x, group * axis.group_step + i * axis.step) - mean;
      variance += from_mean * from_mean / count;
    }
    exact.mean.push_back(mean);
    exact.variance.push_back(variance);
    exact.rstd.push_back(1 / std::sqrt(variance + 1e-5));
    for (std::int64_t i = 0; i < axis.count; ++i) {
      const std::int64_t index = group * axis.group_step + i * axis.step;
      exact.normal[static_cast<std::size_t>(index)] = (at(x, index) - mean) * exact.rstd.back();
    }
  }
  return exact;
}

struct ExactGradients {
  Doubles dx, dgamma, dbeta;
};

ExactGradients gradients(MatrixSize size, Axis axis, const Exact& exact, const Doubles& dy,
                         const Doubles& gamma) {
  const auto cols = static_cast<std::size_t>(size.cols);
  ExactGradients result{Doubles(dy.size()), Doubles(cols), Doubles(cols)};
  for (std::size_t i = 0; i < dy.size(); ++i) {
    result.dgamma[i % cols] += dy[i] * exact.normal[i];
    result.dbeta[i % cols] += dy[i];
  }
  for (std::int64_t group = 0; group < axis.groups; ++group) {
    double sum = 0, product = 0;
    const auto each = [&](const auto& f) {
      for (std::int64_t i = 0; i < axis.count; ++i) {
        const auto index = static_cast<std::size_t>(group * axis.group_step + i * axis.step);
        f(index, dy[index] * gamma[index % cols] / static_cast<double>(axis.count));
      }
    };
    each([&](std::size_t i, double g) { sum += g, product += g * exact.normal[i]; });
    each([&](std::size_t i, double g) {
      result.dx[i] = exact.rstd[static_cast<std::size_t>(group)] *
                     (g * static_cast<double>(axis.count) - sum - exact.normal[i] * product);
    });
  }
  return result;
}

template <class T>
std::vector<T> inputs(MatrixSize size, std::mt19937_64& random, float mean) {
  auto x = random_values<T>(size.elements(), random);
  for (T& value : x) value = narrow<T>(widen(value) + mean);
  return x;
}

template <class T>
class HostNorm : public testing::Test {};
using Stored = testing::Types<float, Bf16>;
TYPED_TEST_SUITE(HostNorm, Stored);

// A mean of 100 deviations costs a subtraction's rounding and no more.
TYPED_TEST(HostNorm, LayerNormIsRight) {
  using T = TypeParam;
  std::mt19937_64 random(4);
  for (const float mean : {0.25F, 60.0F}) {
    for (const MatrixSize size : kSizes) {
      const auto x = inputs<T>(size, random, mean), dy = random_values<T>(size.elements(), random);
      const auto gamma = random_values<float>(size.cols, random);
      const auto beta = random_values<float>(size.cols, random);
      const Exact exact = normalise(rows_of(size), as_doubles(x));
      const auto expected =
          gradients(size, rows_of(size), exact, as_doubles(dy), as_doubles(gamma));
      Doubles expected_y;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const std::size_t c = i % gamma.size();
        expected_y.push_back(exact.normal[i] * static_cast<double>(gamma[c]) +
                             static_cast<double>(beta[c]));
      }
      // Where a row's variance is small, rstd, up to 316, enlarges everything.
      const double rstd = *std::max_element(exact.rstd.begin(), exact.rstd.end());
      const double wide = std::sqrt(static_cast<double>(size.cols)) * 0x1p-24;
      const double input = wide * rstd * static_cast<double>(1 + mean);
      for_every_isa([&] {
        auto y = unwritten<T>(size.elements()), dx = y;
        auto means = unwritten<float>(size.rows), rstds = means;
        expect_repeatable(
            [&] {
              layer_norm(size, x.data(), gamma.data(), beta.data(), y.data(), means.data(),
                         rstds.data());
            },
            &y, &means, &rstds);
        expect_near(means, exact.mean, wide, 1, "mean");
        expect_near(rstds, exact.rstd, 2 * input + 4 * 0x1p-24, 0, "rstd");
        expect_near(y, expected_y, kRoundoff<T> + 4 * input, 1, "y");
        auto dgamma = unwritten<float>(size.cols), dbeta = dgamma;
        std::vector<float> scratch(
            static_cast<std::size_t>(layer_norm_scratch(size.cols, kMostThreads)), kNan);
        expect_repeatable(
            [&] {
              layer_norm_backward(size, dy.data(), x.data(), gamma.data(), means.data(),
                                  rstds.data(), dx.data(), dgamma.data(), dbeta.data(),
                                  scratch.data());
            },
            &dx, &dgamma, &dbeta);
        const double summed = std::sqrt(static_cast<double>(size.rows));
        expect_near(dx, expected.dx, kRoundoff<T> + 8 * input, rstd, "dx");
        expect_near(dbeta, expected.dbeta, 16 * 0x1p-24, summed, "dbeta");
        expect_near(dgamma, expected.dgamma, 8 * input, summed, "dgamma");
      });
    }
  }
}

TYPED_TEST(HostNorm, BatchNormIsRight) {
  using T = TypeParam;
  std::mt19937_64 random(5);
  for (const float mean : {0.25F, 60.0F}) {
    for (const MatrixSize size : kSizes) {
      const auto x = inputs<T>(size, random, mean), dy = random_values<T>(size.elements(), random);
      const auto gamma = random_values<float>(size.cols, random);
      const auto beta = random_values<float>(size.cols, random);
      const auto old_mean = random_values<float>(size.cols, random);
      const auto old_variance = random_values<float>(size.cols, random);
      const Exact exact = normalise(columns_of(size), as_doubles(x));
      const auto expected =
          gradients(size, columns_of(size), exact, as_doubles(dy), as_doubles(gamma));
      Doubles expected_y, next_mean, next_variance;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const std::size_t c = i % gamma.size();
        expected_y.push_back(exact.normal[i] * static_cast<double>(gamma[c]) +
                             static_cast<double>(beta[c]));
      }
      const auto rows = static_cast<double>(size.rows);
      for (std::size_t c = 0; c < gamma.size(); ++c) {
        next_mean.push_back(0.9 * static_cast<double>(old_mean[c]) + 0.1 * exact.mean[c]);
        next_variance.push_back(0.9 * static_cast<double>(old_variance[c]) +
                                0.1 * exact.variance[c] * rows / (rows - 1));
      }
      const double rstd = *std::max_element(exact.rstd.begin(), exact.rstd.end());
      const double input = 8 * 0x1p-24 * rstd * static_cast<double>(1 + mean);
      for_every_isa([&] {
        auto y = unwritten<T>(size.elements()), dx = y;
        auto means = unwritten<float>(size.cols), rstds = means, running_mean = means,
             running_variance = means, dgamma = means, dbeta = means;
        std::vector<float> scratch(
            static_cast<std::size_t>(batch_norm_scratch(size.cols, kMostThreads)), kNan);
        const RunningStatistics running{old_mean.data(), old_variance.data(), running_mean.data(),
                                        running_variance.data()};
        expect_repeatable(
            [&] {
              batch_norm(size, x.data(), gamma.data(), beta.data(), y.data(), means.data(),
                         rstds.data(), running, scratch.data());
            },
            &y, &means, &rstds, &running_mean, &running_variance);
        expect_near(means, exact.mean, 8 * 0x1p-24, 1, "mean");
        expect_near(rstds, exact.rstd, 2 * input, 0, "rstd");
        expect_near(y, expected_y, kRoundoff<T> + 4 * input, 1, "y");
        expect_near(running_mean, next_mean, 8 * 0x1p-24, 1, "running mean");
        expect_near(running_variance, next_variance, 16 * 0x1p-24, 1, "running variance");
        expect_repeatable(
            [&] {
              batch_norm_backward(size, dy.data(), x.data(), gamma.data(), means.data(),
                                  rstds.data(), dx.data(), dgamma.data(), dbeta.data(),
                                  scratch.data());
            },
            &dx, &dgamma, &dbeta);
        const double summed = std::sqrt(rows);
        expect_near(dx, expected.dx, kRoundoff<T> + 8 * input, rstd, "dx");
        expect_near(dbeta, expected.dbeta, 16 * 0x1p-24, summed, "dbeta");
        expect_near(dgamma, expected.dgamma, 8 * input, summed, "dgamma");
      });
    }
  }
}

// By the batch's own statistics, inference is training.
TYPED_TEST(HostNorm, BatchNormInferenceIsRight) {
  using T = TypeParam;
  std::mt19937_64 random(6);
  const MatrixSize size{500, 70};
  const auto x = random_values<T>(size.elements(), random);
  const auto gamma = random_values<float>(70, random), beta = random_values<float>(70, random);
  std::vector<float> mean(70), variance(70), rstd(70), next(140);
  std::vector<float> scratch(static_cast<std::size_t>(batch_norm_scratch(70, kMostThreads)));
  auto y = unwritten<T>(size.elements()), inferred = y;
  const Exact exact = normalise(columns_of(size), as_doubles(x));
  std::copy(exact.variance.begin(), exact.variance.end(), variance.begin());
  for_every_isa([&] {
    batch_norm(size, x.data(), gamma.data(), beta.data(), y.data(), mean.data(), rstd.data(),
               {mean.data(), variance.data(), next.data(), next.data() + 70}, scratch.data());
    batch_norm_inference(size, x.data(), gamma.data(), beta.data(), mean.data(), variance.data(),
                         inferred.data(), scratch.data());
    expect_near(inferred, as_doubles(y), 2 * kRoundoff<T> + 8 * 0x1p-24, 1, "y");
  });
}

}  // namespace
}  // namespace breakeven::training
