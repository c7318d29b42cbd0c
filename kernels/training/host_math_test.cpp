#include "kernels/training/host_math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/training/host_testing.h"

namespace breakeven::training {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

enum class Function { exponential, gelu, gelu_slope };

template <Function kFunction>
struct Evaluate {
  [[gnu::always_inline]] static void run(const float* x, float* y, std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) {
      if constexpr (kFunction == Function::exponential) y[i] = exponential(x[i]);
      if constexpr (kFunction == Function::gelu) y[i] = gelu(x[i]);
      if constexpr (kFunction == Function::gelu_slope) y[i] = gelu_slope(x[i]);
    }
  }
};

template <Function kFunction>
std::vector<float> evaluate(const std::vector<float>& x) {
  std::vector<float> y(x.size());
  run_loop<Evaluate<kFunction>>(x.data(), y.data(), static_cast<std::int64_t>(x.size()));
  return y;
}

// Floats of both signs and every exponent: bit patterns in prime steps, special ones left out.
std::vector<float> all_over(std::uint32_t step) {
  std::vector<float> values;
  for (std::uint64_t bits = 0; bits <= 0xffffffffu; bits += step) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (std::isfinite(value)) values.push_back(value);
  }
  return values;
}

double gelu_exact(double x) {
  const double u = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
  // 1 + tanh(u) cancels for u << 0.
  return std::isinf(u) && u < 0 ? 0 : x / (1 + std::exp(-2 * u));
}

double gelu_slope_exact(double x) {
  if (std::fabs(x) > 30) return x > 0 ? 1 : 0;
  const double u = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
  const double slope = std::sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
  return 0.5 * (1 + std::tanh(u)) + 0.5 * x * slope / (std::cosh(u) * std::cosh(u));
}

TEST(HostMath, ExponentialHoldsOverTheWholeRange) {
  std::vector<float> x = all_over(1009);
  for (std::int32_t i = -1'050'000; i < 900'000; ++i) x.push_back(static_cast<float>(i) * 1e-4F);
  for_every_isa([&] {
    const std::vector<float> y = evaluate<Function::exponential>(x);
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double exact = std::exp(static_cast<double>(x[i]));
      if (exact > static_cast<double>(std::numeric_limits<float>::max()) * (1 + 0x1p-23)) {
        ASSERT_EQ(y[i], kInfinity) << x[i];
      } else if (exact > static_cast<double>(std::numeric_limits<float>::max()) * (1 - 0x1p-22)) {
        ASSERT_GE(y[i], std::numeric_limits<float>::max() * (1 - 0x1p-22F)) << x[i];
      } else if (exact >= 0x1p-126) {
        worst = std::max(worst, std::fabs(static_cast<double>(y[i]) / exact - 1));
      } else {
        ASSERT_LE(std::fabs(static_cast<double>(y[i]) - exact), 0x1p-149) << x[i];
      }
    }
    EXPECT_LT(worst, 1.2 * 0x1p-23);
    EXPECT_GT(worst, 0.1 * 0x1p-23) << "a test that measures nothing";
  });
}

TEST(HostMath, ExponentialOfWhatIsNoNumber) {
  for_every_isa([] {
    // Enough of each for whole vectors, and one more.
    for (const float special : {kNan, -kNan, kInfinity, -kInfinity, 0.0F, -0.0F}) {
      for (const float y : evaluate<Function::exponential>(std::vector<float>(33, special))) {
        if (std::isnan(special)) {
          EXPECT_TRUE(std::isnan(y));
        } else {
          EXPECT_EQ(y, std::exp(special)) << special;
        }
      }
    }
    EXPECT_EQ(evaluate<Function::exponential>({-104.0F, -1e30F, 89.0F, 1e30F}),
              (std::vector<float>{0, 0, kInfinity, kInfinity}));
  });
}

TEST(HostMath, GeluAndItsSlopeHoldOverTheWholeRange) {
  std::vector<float> x = all_over(10007);
  for (std::int32_t i = -300'000; i < 300'000; ++i) x.push_back(static_cast<float>(i) * 1e-4F);
  for_every_isa([&] {
    const std::vector<float> y = evaluate<Function::gelu>(x);
    const std::vector<float> slope = evaluate<Function::gelu_slope>(x);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto exact = static_cast<double>(x[i]);
      ASSERT_LE(std::fabs(static_cast<double>(y[i]) - gelu_exact(exact)),
                6 * 0x1p-24 * std::fabs(exact) + 0x1p-149)
          << x[i];
      ASSERT_LE(std::fabs(static_cast<double>(slope[i]) - gelu_slope_exact(exact)), 16 * 0x1p-24)
          << x[i];
    }
    EXPECT_TRUE(std::isnan(evaluate<Function::gelu>({kNan})[0]));
    EXPECT_TRUE(std::isnan(evaluate<Function::gelu_slope>({kNan})[0]));
    EXPECT_EQ(evaluate<Function::gelu>({kInfinity})[0], kInfinity);
  });
}

}  // namespace
}  // namespace breakeven::training
