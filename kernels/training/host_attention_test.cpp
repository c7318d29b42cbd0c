#include "kernels/training/host_attention.h"

#include <gtest/gtest.h>

#include <tuple>

#include "kernels/training/host_testing.h"

namespace breakeven::training {
namespace {

void plain_multiply(const Product& p) {
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      float sum = 0;
      for (std::int64_t l = 0; l < p.k; ++l) {
        sum += p.a[p.transpose_a ? l * p.lda + i : i * p.lda + l] *
               p.b[p.transpose_b ? j * p.ldb + l : l * p.ldb + j];
      }
      float& c = p.c[i * p.ldc + j];
      c = p.alpha * sum + (p.beta == 0 ? 0 : p.beta * c);
    }
  }
}

struct ExactAttention {
  std::vector<double> y, lse, dqkv;
};

// The definition, a score at a time; the gradient as the chain rule has it, without delta.
ExactAttention exact_attention(const Sequence& s, std::int64_t cols, const std::vector<double>& qkv,
                               const std::vector<double>& dy) {
  ExactAttention exact{std::vector<double>(dy.size()), {}, std::vector<double>(qkv.size())};
  const std::int64_t width = cols / s.heads;
  const double scale = 1 / std::sqrt(static_cast<double>(width));
  for (std::int64_t i = 0; i < s.batch * s.heads * s.steps; ++i) {
    const std::int64_t t = i % s.steps, head = i / s.steps % s.heads, b = i / s.steps / s.heads;
    const auto at = [&](std::int64_t step, std::int64_t which, std::int64_t d) {
      return static_cast<std::size_t>(((b * s.steps + step) * 3 + which) * cols + head * width + d);
    };
    const auto in_y = [&](std::int64_t d) {
      return static_cast<std::size_t>((b * s.steps + t) * cols + head * width + d);
    };
    std::vector<double> p, dp;
    double sum = 0, mean_dp = 0;
    for (std::int64_t key = 0; key <= t; ++key) {
      double score = 0;
      for (std::int64_t d = 0; d < width; ++d) score += qkv[at(t, 0, d)] * qkv[at(key, 1, d)];
      p.push_back(std::exp(score * scale));
      sum += p.back();
    }
    exact.lse.push_back(std::log(sum));
    for (std::int64_t key = 0; key <= t; ++key) {
      double& own = p[static_cast<std::size_t>(key)];
      own /= sum;
      dp.push_back(0);
      for (std::int64_t d = 0; d < width; ++d) {
        exact.y[in_y(d)] += own * qkv[at(key, 2, d)];
        exact.dqkv[at(key, 2, d)] += own * dy[in_y(d)];
        dp.back() += dy[in_y(d)] * qkv[at(key, 2, d)];
      }
      mean_dp += own * dp.back();
    }
    for (std::int64_t key = 0; key <= t; ++key) {
      const auto k = static_cast<std::size_t>(key);
      const double slope = p[k] * (dp[k] - mean_dp) * scale;
      for (std::int64_t d = 0; d < width; ++d) {
        exact.dqkv[at(t, 0, d)] += slope * qkv[at(key, 1, d)];
        exact.dqkv[at(key, 1, d)] += slope * qkv[at(t, 0, d)];
      }
    }
  }
  return exact;
}

struct AttentionCase {
  Sequence sequence;
  std::int64_t cols;
};
constexpr AttentionCase kCases[] = {{{1, 1, 1}, 1},   {{2, 5, 3}, 12},   {{1, 64, 2}, 64},
                                    {{2, 65, 4}, 32}, {{1, 150, 3}, 51}, {{3, 33, 1}, 20}};

template <class T>
class HostAttention : public testing::Test {};
using Stored = testing::Types<float, Bf16>;
TYPED_TEST_SUITE(HostAttention, Stored);

// Scale 6: some rows' softmax is all but one key, some scores exceed 100.
TYPED_TEST(HostAttention, IsRightForwardAndBackward) {
  using T = TypeParam;
  std::mt19937_64 random(13);
  for (const AttentionCase& c : kCases) {
    const std::int64_t rows = c.sequence.batch * c.sequence.steps;
    for (const float scale : {1.0F, 6.0F}) {
      const auto qkv = random_values<T>(rows * 3 * c.cols, random, scale);
      const auto dy = random_values<T>(rows * c.cols, random);
      const ExactAttention exact =
          exact_attention(c.sequence, c.cols, as_doubles(qkv), as_doubles(dy));
      // Scores of up to `largest` have errors in proportion, which exp() makes relative ones.
      const double largest = static_cast<double>(scale * scale) * std::sqrt(c.cols);
      const double product = 8 * 0x1p-24 * (1 + largest);
      for_every_isa([&] {
        std::vector<float> scratch(
            static_cast<std::size_t>(attention_scratch(c.sequence, c.cols, kMostThreads)), kNan);
        auto y = unwritten<T>(rows * c.cols), dqkv = unwritten<T>(rows * 3 * c.cols);
        auto lse = unwritten<float>(rows * c.sequence.heads);
        expect_repeatable(
            [&] {
              attention(c.sequence, c.cols, qkv.data(), y.data(), lse.data(), plain_multiply,
                        scratch.data());
            },
            &y, &lse);
        expect_near(lse, exact.lse, 4 * 0x1p-24, 1 + largest, "lse");
        expect_near(y, exact.y, kRoundoff<T> + product, static_cast<double>(scale) / 8, "y");
        expect_repeatable(
            [&] {
              attention_backward(c.sequence, c.cols, dy.data(), qkv.data(), y.data(), lse.data(),
                                 dqkv.data(), plain_multiply, scratch.data());
            },
            &dqkv);
        // y as stored is in delta, and many rows add up in dk and dv.
        expect_near(dqkv, exact.dqkv, kRoundoff<T> + 2 * product, 1 + largest, "dqkv");
      });
    }
  }
}

// A later token must not reach an earlier result.
TYPED_TEST(HostAttention, LooksOnlyBack) {
  using T = TypeParam;
  std::mt19937_64 random(14);
  const Sequence sequence{1, 100, 2};
  auto qkv = random_values<T>(100 * 3 * 16, random);
  auto y = unwritten<T>(100 * 16), changed = y;
  const std::int64_t floats = attention_scratch(sequence, 16, omp_get_max_threads());
  std::vector<float> lse(200), scratch(static_cast<std::size_t>(floats));
  attention(sequence, 16, qkv.data(), y.data(), lse.data(), plain_multiply, scratch.data());
  for (std::size_t i = 70 * 48; i < qkv.size(); ++i) qkv[i] = narrow<T>(3.0F);
  attention(sequence, 16, qkv.data(), changed.data(), lse.data(), plain_multiply, scratch.data());
  EXPECT_TRUE(std::equal(y.begin(), y.begin() + 70 * 16, changed.begin()));
  EXPECT_FALSE(std::equal(y.begin() + 70 * 16, y.end(), changed.begin() + 70 * 16));
}

}  // namespace
}  // namespace breakeven::training
