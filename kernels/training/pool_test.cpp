#include "kernels/training/pool.h"

#include "kernels/training/training_testing.h"

namespace breakeven::training {
namespace {

constexpr MaxPool kCases[] = {
    {.images = 2, .height = 8, .width = 8, .channels = 6, .window = 2, .stride = 2},
    {.images = 2, .height = 11, .width = 9, .channels = 8, .window = 3, .stride = 2, .padding = 1},
    {.images = 1, .height = 5, .width = 6, .channels = 3, .window = 3, .stride = 1, .padding = 1},
    {.images = 1, .height = 7, .width = 7, .channels = 4, .window = 2, .stride = 3},
    {.images = 3, .height = 2, .width = 1, .channels = 1, .window = 1, .stride = 1},
};

struct Pooled {
  std::vector<double> y, dx;
};

/// `last`: the last of equal maxima gets the gradient, which is wrong.
template <class T>
Pooled plain_max_pool(const MaxPool& p, const Tensor<T>& x, const Tensor<T>& dy, bool last) {
  Pooled pooled;
  pooled.dx.resize(static_cast<std::size_t>(x.size()));
  for (std::int64_t out = 0; out < dy.size(); ++out) {
    const std::int64_t c = out % p.channels, column = out / p.channels % p.y_width();
    const std::int64_t row = out / p.channels / p.y_width() % p.y_height();
    const std::int64_t image = out / p.channels / p.y_width() / p.y_height();
    std::int64_t best = -1;
    for (std::int64_t tap = 0; tap < p.window * p.window; ++tap) {
      const std::int64_t h = row * p.stride - p.padding + tap / p.window;
      const std::int64_t w = column * p.stride - p.padding + tap % p.window;
      if (h < 0 || w < 0 || h >= p.height || w >= p.width) continue;
      const std::int64_t at = ((image * p.height + h) * p.width + w) * p.channels + c;
      if (best < 0 || x[at] > x[best] || (last && x[at] == x[best])) best = at;
    }
    pooled.y.push_back(x[best]);
    pooled.dx[static_cast<std::size_t>(best)] += dy[out];
  }
  return pooled;
}

template <class T>
double max_pool_error(const MaxPool& p, bool last = false) {
  Tensor<T> x(p.images * p.height * p.width * p.channels, 1), dx(x.size()),
      y(p.images * p.y_height() * p.y_width() * p.channels), dy(y.size(), 2);
  // Steps of a quarter: equal maxima are common, as ReLU's zeros are.
  for (std::int64_t i = 0; i < x.size(); ++i) {
    x.data()[i] = from_float<T>(static_cast<float>(std::round(x[i] * 4) / 4));
  }
  const Pooled want = plain_max_pool(p, x, dy, last);
  prepare_max_pool(p, x.data(), y.data(), kStorage<T>)(Stream{});
  prepare_max_pool_backward(p, dy.data(), x.data(), dx.data(), kStorage<T>)(Stream{});
  return std::max(worst(y, want.y, 1), worst(dx, want.dx, 8));
}

TEST(MaxPool, ForwardAndBackwardInSeveralThreadOrders) {
  in_thread_orders(2, [] {
    for (const MaxPool& p : kCases) {
      EXPECT_LE(max_pool_error<float>(p), 1) << p.height;
      EXPECT_LE(max_pool_error<bf16>(p), 1) << p.height;
    }
  });
}

TEST(MaxPool, AnotherMaximumThanTheFirstIsSeen) {
  EXPECT_GT(max_pool_error<float>(kCases[0], true), 1);
  EXPECT_GT(max_pool_error<bf16>(kCases[1], true), 1);
}

TEST(MaxPool, KeepsNaN) {
  Tensor<float> x(4, 1), y(1);
  x.data()[1] = NAN;
  prepare_max_pool({.height = 2, .width = 2, .window = 2}, x.data(), y.data(),
                   ElementType::f32)(Stream{});
  EXPECT_TRUE(std::isnan(y[0]));
}

TEST(MaxPool, RefusesWhatLeavesNothing) {
  Tensor<float> x(4);
  EXPECT_THROW(prepare_max_pool({.height = 1, .window = 3}, x.data(), x.data(), ElementType::f32),
               std::invalid_argument);
  EXPECT_THROW(prepare_max_pool({.window = 1, .padding = 1}, x.data(), x.data(), ElementType::f32),
               std::invalid_argument);
}

/// `judged_pixels`: by how many the mean should divide.
template <class T>
double average_pool_error(std::int64_t images, std::int64_t pixels, std::int64_t channels,
                          std::int64_t judged_pixels) {
  Tensor<T> x(images * pixels * channels, 1), dx(x.size()), y(images * channels), dy(y.size(), 2);
  std::vector<double> want(static_cast<std::size_t>(y.size())), want_dx;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::int64_t out = i / channels / pixels * channels + i % channels;
    want[static_cast<std::size_t>(out)] += x[i] / static_cast<double>(judged_pixels);
    want_dx.push_back(dy[out] / static_cast<double>(judged_pixels));
  }
  prepare_average_pool(images, pixels, channels, x.data(), y.data(), kStorage<T>)(Stream{});
  prepare_average_pool_backward(images, pixels, channels, dy.data(), dx.data(),
                                kStorage<T>)(Stream{});
  return std::max(worst(y, want, 32), worst(dx, want_dx, 4));
}

TEST(AveragePool, ForwardAndBackwardInSeveralThreadOrders) {
  in_thread_orders(2, [] {
    EXPECT_LE(average_pool_error<float>(3, 49, 20, 49), 1);
    EXPECT_LE(average_pool_error<bf16>(3, 16, 7, 16), 1);
    EXPECT_LE(average_pool_error<bf16>(1, 1, 64, 1), 1);
  });
}

TEST(AveragePool, ADivisorOffByOneIsSeen) {
  EXPECT_GT(average_pool_error<float>(3, 49, 20, 48), 1);
  EXPECT_GT(average_pool_error<bf16>(3, 16, 7, 15), 1);
}

}  // namespace
}  // namespace breakeven::training
