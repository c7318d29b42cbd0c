#include "kernels/training/attention.h"

#include "kernels/training/attention_f32.h"
#include "kernels/training/training_testing.h"

namespace breakeven::training {
namespace {

struct Case {
  std::int64_t batch, length, heads, columns;
};

/// Everything that attention says, in double.
struct Answer {
  std::vector<double> y, lse, dqkv;
};

template <class T>
Answer plain_attention(const Case& c, const Tensor<T>& qkv, const Tensor<T>& dy) {
  const std::int64_t head_columns = c.columns / c.heads, stride = 3 * c.columns;
  const double scale = 1 / std::sqrt(static_cast<double>(head_columns));
  Answer a{std::vector<double>(static_cast<std::size_t>(dy.size())),
           {},
           std::vector<double>(static_cast<std::size_t>(qkv.size()))};
  for (std::int64_t b = 0; b < c.batch; ++b) {
    for (std::int64_t h = 0; h < c.heads; ++h) {
      const auto at = [&](std::int64_t part, std::int64_t t, std::int64_t d) {
        return (b * c.length + t) * stride + part * c.columns + h * head_columns + d;
      };
      const auto out = [&](std::int64_t t, std::int64_t d) {
        return (b * c.length + t) * c.columns + h * head_columns + d;
      };
      for (std::int64_t t = 0; t < c.length; ++t) {
        std::vector<double> weight;
        double sum = 0;
        for (std::int64_t s = 0; s <= t; ++s) {
          double score = 0;
          for (std::int64_t d = 0; d < head_columns; ++d)
            score += qkv[at(0, t, d)] * qkv[at(1, s, d)];
          weight.push_back(std::exp(score * scale));
          sum += weight.back();
        }
        a.lse.push_back(std::log(sum));
        std::vector<double> slope;
        double mean_slope = 0;
        for (std::int64_t s = 0; s <= t; ++s) {
          double& w = weight[static_cast<std::size_t>(s)];
          w /= sum;
          slope.push_back(0);
          for (std::int64_t d = 0; d < head_columns; ++d) {
            a.y[static_cast<std::size_t>(out(t, d))] += w * qkv[at(2, s, d)];
            a.dqkv[static_cast<std::size_t>(at(2, s, d))] += w * dy[out(t, d)];
            slope.back() += dy[out(t, d)] * qkv[at(2, s, d)];
          }
          mean_slope += w * slope.back();
        }
        for (std::int64_t s = 0; s <= t; ++s) {
          const auto i = static_cast<std::size_t>(s);
          const double ds = weight[i] * (slope[i] - mean_slope) * scale;
          for (std::int64_t d = 0; d < head_columns; ++d) {
            a.dqkv[static_cast<std::size_t>(at(0, t, d))] += ds * qkv[at(1, s, d)];
            a.dqkv[static_cast<std::size_t>(at(1, s, d))] += ds * qkv[at(0, t, d)];
          }
        }
      }
    }
  }
  return a;
}

struct Errors {
  double forward = 0, backward = 0;
};

/// Forward and backward. `spoil` may change what the kernels are told.
template <class T>
Errors run(const Case& c, void (*spoil)(AttentionProblem&) = nullptr) {
  const std::int64_t places = c.batch * c.length;
  Tensor<T> qkv(places * 3 * c.columns, 1, 1.5), dy(places * c.columns, 2), y(places * c.columns),
      dqkv(places * 3 * c.columns);
  Tensor<float> lse(c.batch * c.heads * c.length), delta(lse.size());
  if (spoil == nullptr) {
    const Attention p = {c.batch, c.length, c.heads, c.columns, qkv.data(), y.data(), lse.data()};
    prepare_attention(p, kStorage<T>)(Stream{});
    prepare_attention_backward({p, dy.data(), dqkv.data()}, delta.data(), kStorage<T>)(Stream{});
  } else {
    AttentionProblem p = attention_problem(c.batch, c.length, c.heads, c.columns);
    p.qkv = qkv.data();
    p.y = p.to = y.data();
    p.dy = dy.data();
    p.lse = lse.data();
    p.delta = delta.data();
    spoil(p);
    (sizeof(T) == 4 ? attention_forward_f32(p) : attention_forward_bf16(p))(Stream{});
    p.to = dqkv.data();
    attention_delta(p, kStorage<T>)(Stream{});
    (sizeof(T) == 4 ? attention_backward_f32(p) : attention_backward_bf16(p))(Stream{});
  }
  const Answer want = plain_attention(c, qkv, dy);
  // In bf16 probabilities and their gradients are rounded as operands, and y as it is stored, which
  // delta sees: four roundings with the result's own, twice that for what cancels in slope - delta.
  return {std::max(worst(y, want.y, 64, 2), worst(lse, want.lse, 64)),
          worst(dqkv, want.dqkv, 256, 8)};
}

template <class T>
void expect_right(const Case& c) {
  const Errors errors = run<T>(c);
  EXPECT_LE(errors.forward, 1) << c.length << " " << c.columns / c.heads;
  EXPECT_LE(errors.backward, 1) << c.length << " " << c.columns / c.heads;
}

template <class T>
void expect_all_right() {
  for (const std::int64_t length : {1, 2, 31, 64, 65, 130}) expect_right<T>({1, length, 1, 32});
  expect_right<T>({2, 70, 3, 192});
}

TEST(Attention, F32InSeveralThreadOrders) {
  in_thread_orders(2, [] { expect_all_right<float>(); });
}

TEST(Attention, Bf16InSeveralThreadOrders) {
  in_thread_orders(2, [] { expect_all_right<bf16>(); });
}

template <class T>
void expect_planted_faults_seen() {
  const Case c = {1, 70, 2, 64};
  const Errors right = run<T>(c, [](AttentionProblem&) {});
  EXPECT_LE(right.forward, 1);
  EXPECT_LE(right.backward, 1);
  for (const auto spoil :
       {+[](AttentionProblem& p) { p.diagonal = 1; }, +[](AttentionProblem& p) { p.diagonal = -1; },
        +[](AttentionProblem& p) { p.scale = 1; }}) {
    const Errors wrong = run<T>(c, spoil);
    EXPECT_GT(wrong.forward, 1);
    EXPECT_GT(wrong.backward, 1);
  }
}

TEST(Attention, AnotherMaskOrScaleIsSeenInF32) { expect_planted_faults_seen<float>(); }

TEST(Attention, AnotherMaskOrScaleIsSeenInBf16) { expect_planted_faults_seen<bf16>(); }

struct NoBarrier {
  __device__ void operator()() const {}
};

TEST(Attention, PlantedMissingBarrierIsSeen) {
  const Case c = {1, 70, 1, 32};
  Tensor<float> qkv(c.length * 3 * c.columns, 1, 1.5), dy(c.length * c.columns, 2),
      y(c.length * c.columns), lse(c.length);
  const Answer want = plain_attention(c, qkv, dy);
  AttentionProblem p = attention_problem(c.batch, c.length, c.heads, c.columns);
  p.qkv = qkv.data();
  p.to = y.data();
  p.lse = lse.data();
  int wrong = 0;
  in_thread_orders(4, [&] {
    prepare_attention_f32<32>(p)(Stream{});
    EXPECT_LE(worst(y, want.y, 64), 1);
    prepare_attention_f32<32, NoBarrier>(p)(Stream{});
    if (!(worst(y, want.y, 64) <= 1)) ++wrong;
  });
  EXPECT_GE(wrong, 3);
}

TEST(Attention, RefusesOtherHeadSizes) {
  Tensor<float> qkv(1);
  const Attention p = {1, 1, 2, 96, qkv.data(), qkv.data(), qkv.data()};
  EXPECT_THROW(prepare_attention(p, ElementType::f32), std::invalid_argument);
  EXPECT_NE(attention_unsupported({.heads = 1, .columns = 64}, ElementType::f16), "");
  EXPECT_EQ(attention_unsupported({.heads = 12, .columns = 768}, ElementType::bf16), "");
}

}  // namespace
}  // namespace breakeven::training
