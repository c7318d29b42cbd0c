#include "kernels/training/host_pool.h"

#include <gtest/gtest.h>

#include <tuple>

#include "kernels/training/host_testing.h"

namespace breakeven::training {
namespace {

struct PoolCase {
  ImageSize size;
  Window window;
};
constexpr PoolCase kCases[] = {{{1, 2, 2, 1}, {2, 2, 0}},     {{2, 8, 8, 6}, {2, 2, 0}},
                               {{2, 11, 9, 70}, {3, 2, 1}},   {{1, 7, 7, 64}, {3, 1, 1}},
                               {{3, 14, 13, 130}, {3, 2, 1}}, {{1, 5, 6, 17}, {4, 3, 2}},
                               {{2, 9, 6, 5}, {3, 3, 0}}};

struct ExactPool {
  std::vector<double> y, dx;
};

// Values of three kinds only, so that ties are everywhere.
template <class T>
std::vector<T> tied_values(std::int64_t count, std::mt19937_64& random) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) value = narrow<T>(static_cast<float>(random() % 3) - 1.0F);
  return values;
}

template <class T>
ExactPool exact_pool(const PoolCase& c, const std::vector<T>& x, const std::vector<T>& dy) {
  ExactPool exact;
  exact.dx.resize(x.size());
  const ImageSize& size = c.size;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(dy.size()); ++i) {
    const std::int64_t channel = i % size.c, pixel = i / size.c;
    const std::int64_t outputs = c.window.outputs(size.w), rows = c.window.outputs(size.h);
    const std::int64_t q = pixel % outputs, p = pixel / outputs % rows, n = pixel / outputs / rows;
    double best = -INFINITY;
    std::size_t where = x.size();
    for (std::int64_t tap = 0; tap < c.window.side * c.window.side; ++tap) {
      const std::int64_t h = p * c.window.stride - c.window.pad + tap / c.window.side;
      const std::int64_t w = q * c.window.stride - c.window.pad + tap % c.window.side;
      if (h < 0 || h >= size.h || w < 0 || w >= size.w) continue;
      const auto at = static_cast<std::size_t>(((n * size.h + h) * size.w + w) * size.c + channel);
      const auto value = static_cast<double>(widen(x[at]));
      if (where == x.size() || value > best) best = value, where = at;
    }
    exact.y.push_back(best);
    exact.dx[where] += static_cast<double>(widen(dy[static_cast<std::size_t>(i)]));
  }
  return exact;
}

template <class T>
class HostPool : public testing::Test {};
using Stored = testing::Types<float, Bf16>;
TYPED_TEST_SUITE(HostPool, Stored);

TYPED_TEST(HostPool, MaxPoolIsRightAndItsFirstMaximumGetsTheGradient) {
  using T = TypeParam;
  std::mt19937_64 random(11);
  for (const PoolCase& c : kCases) {
    const std::int64_t in = c.size.n * c.size.h * c.size.w * c.size.c;
    const std::int64_t out =
        c.size.n * c.window.outputs(c.size.h) * c.window.outputs(c.size.w) * c.size.c;
    const auto dy = random_values<T>(out, random);
    auto x = tied_values<T>(in, random);
    for (const bool low : {false, true}) {
      if (low) std::fill(x.begin(), x.end(), narrow<T>(-INFINITY));
      const ExactPool exact = exact_pool(c, x, dy);
      for_every_isa([&] {
        std::vector<float> scratch(
            static_cast<std::size_t>(max_pool_scratch<T>(c.size, kMostThreads)), kNan);
        auto y = unwritten<T>(out), dx = unwritten<T>(in);
        expect_repeatable([&] { max_pool(c.size, c.window, x.data(), y.data()); }, &y);
        for (std::size_t i = 0; i < y.size(); ++i) {
          ASSERT_EQ(static_cast<double>(widen(y[i])), exact.y[i]);
        }
        expect_repeatable(
            [&] {
              max_pool_backward(c.size, c.window, dy.data(), x.data(), dx.data(), scratch.data());
            },
            &dx);
        expect_near(dx, exact.dx, kRoundoff<T>, 0x1p-22 / kRoundoff<T>, "dx");
      });
    }
  }
}

TYPED_TEST(HostPool, ANanIsTheMaximum) {
  using T = TypeParam;
  for (std::int64_t place = 0; place < 4; ++place) {
    for (const std::int64_t channels : {3, 20}) {
      const auto count = static_cast<std::size_t>(channels);
      std::vector<T> x(4 * count, narrow<T>(1.0F)), y(count), dx(4 * count);
      const std::vector<T> dy(count, narrow<T>(5.0F));
      std::vector<float> scratch(
          static_cast<std::size_t>(max_pool_scratch<T>({1, 2, 2, channels}, kMostThreads)));
      for (std::int64_t nan = 0; nan <= place; ++nan) {  // several: the last one wins
        std::fill_n(x.begin() + nan * channels, count, narrow<T>(kNan));
      }
      max_pool({1, 2, 2, channels}, {2, 2, 0}, x.data(), y.data());
      for (const T value : y) EXPECT_TRUE(std::isnan(widen(value)));
      max_pool_backward({1, 2, 2, channels}, {2, 2, 0}, dy.data(), x.data(), dx.data(),
                        scratch.data());
      for (std::int64_t i = 0; i < 4 * channels; ++i) {
        EXPECT_EQ(widen(dx[static_cast<std::size_t>(i)]), i / channels == place ? 5.0F : 0.0F);
      }
    }
  }
}

TYPED_TEST(HostPool, AveragePoolIsRight) {
  using T = TypeParam;
  std::mt19937_64 random(12);
  for (const PoolCase& c : kCases) {
    const std::int64_t pixels = c.size.h * c.size.w, out = c.size.n * c.size.c;
    const auto x = random_values<T>(out * pixels, random), dy = random_values<T>(out, random);
    std::vector<double> y(dy.size()), dx;
    for (std::int64_t i = 0; i < out * pixels; ++i) {
      const auto mean = static_cast<std::size_t>(i / (pixels * c.size.c) * c.size.c + i % c.size.c);
      const auto area = static_cast<double>(pixels);
      y[mean] += static_cast<double>(widen(x[static_cast<std::size_t>(i)])) / area;
      dx.push_back(static_cast<double>(widen(dy[mean])) / area);
    }
    for_every_isa([&] {
      auto means = unwritten<T>(out), gradient = unwritten<T>(out * pixels);
      expect_repeatable([&] { average_pool(c.size, x.data(), means.data()); }, &means);
      expect_near(means, y, kRoundoff<T> + 4 * 0x1p-24, 4 * 0x1p-24 / kRoundoff<T>, "y");
      expect_repeatable([&] { average_pool_backward(c.size, dy.data(), gradient.data()); },
                        &gradient);
      expect_near(gradient, dx, kRoundoff<T>, 0, "dx");
    });
  }
}

}  // namespace
}  // namespace breakeven::training
