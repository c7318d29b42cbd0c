// What begins and ends a step: embedding, loss and the optimisers.
#include <gtest/gtest.h>

#include <numeric>
#include <tuple>

#include "kernels/training/host_cross_entropy.h"
#include "kernels/training/host_embedding.h"
#include "kernels/training/host_optimizer.h"
#include "kernels/training/host_testing.h"

namespace breakeven::training {
namespace {

std::vector<std::int32_t> random_indices(std::int64_t count, std::int64_t limit,
                                         std::mt19937_64& random) {
  std::vector<std::int32_t> indices(static_cast<std::size_t>(count));
  for (std::int32_t& index : indices) {
    index = static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(limit));
  }
  return indices;
}

template <class T>
class HostLoss : public testing::Test {};
using Stored = testing::Types<float, Bf16>;
TYPED_TEST_SUITE(HostLoss, Stored);

// Scale 60: the softmax of many targets is 1 - 1e-10 or 1e-40. Offset: logits that would overflow.
TYPED_TEST(HostLoss, CrossEntropyIsRight) {
  using T = TypeParam;
  std::mt19937_64 random(7);
  for (const MatrixSize size : {MatrixSize{1, 1}, {3, 2}, {64, 10}, {33, 257}, {7, 20001}}) {
    for (const float scale : {1.0F, 60.0F}) {
      for (const float offset : {0.0F, 1024.0F}) {
        auto logits = random_values<T>(size.elements(), random, scale);
        for (T& value : logits) value = narrow<T>(widen(value) + offset);
        const auto targets = random_indices(size.rows, size.cols, random);
        const std::vector<double> x = as_doubles(logits);
        std::vector<double> gradient;
        double loss = 0;
        const auto rows = static_cast<double>(size.rows);
        for (std::int64_t row = 0; row < size.rows; ++row) {
          const auto begin = x.begin() + row * size.cols, end = begin + size.cols;
          const double largest = *std::max_element(begin, end);
          const double sum = std::accumulate(begin, end, 0.0, [&](double total, double value) {
            return total + std::exp(value - largest);
          });
          const std::int32_t target = targets[static_cast<std::size_t>(row)];
          loss += (largest - begin[target] + std::log(sum)) / rows;
          for (std::int64_t c = 0; c < size.cols; ++c) {
            const double p = std::exp(begin[c] - largest) / sum;
            gradient.push_back((c == target ? p - 1 : p) / rows);
          }
        }
        for_every_isa([&] {
          std::vector<float> result(1, kNan), scratch(static_cast<std::size_t>(size.rows), kNan);
          auto dlogits = unwritten<T>(size.elements());
          expect_repeatable(
              [&] {
                cross_entropy(size, logits.data(), targets.data(), result.data(), dlogits.data(),
                              scratch.data());
              },
              &result, &dlogits);
          expect_near(result, {loss}, 4 * 0x1p-24, 1e-3, "loss");
          // softmax - 1 has the sum's rounding, which is relative to 1.
          const double tolerance = kRoundoff<T> + 16 * 0x1p-24;
          expect_near(dlogits, gradient, tolerance, 4 * 0x1p-24 / rows / tolerance, "dlogits");
          std::vector<float> forward(1, kNan);
          cross_entropy(size, logits.data(), targets.data(), forward.data(),
                        static_cast<T*>(nullptr), scratch.data());
          EXPECT_EQ(forward[0], result[0]);
          auto in_place = logits;
          cross_entropy(size, in_place.data(), targets.data(), forward.data(), in_place.data(),
                        scratch.data());
          expect_same_bits(in_place, dlogits, "in place");
        });
      }
    }
  }
}

TYPED_TEST(HostLoss, EmbeddingIsRight) {
  using T = TypeParam;
  std::mt19937_64 random(8);
  for (const Sequence sequence : {Sequence{1, 1}, {3, 5}, {4, 64}}) {
    for (const MatrixSize table : {MatrixSize{2, 3}, {50, 130}, {300, 64}}) {
      const std::int64_t rows = sequence.batch * sequence.steps, cols = table.cols;
      const auto tokens = random_indices(rows, table.rows, random);
      const auto wte = random_values<T>(table.elements(), random);
      const auto wpe = random_values<T>(sequence.steps * cols, random);
      const auto dx = random_values<T>(rows * cols, random);
      std::vector<double> x, dwte(wte.size()), dwpe(wpe.size());
      for (std::int64_t i = 0; i < rows * cols; ++i) {
        const std::int64_t row = i / cols, token = tokens[static_cast<std::size_t>(row)];
        const auto word = static_cast<std::size_t>(token * cols + i % cols);
        const auto place = static_cast<std::size_t>(row % sequence.steps * cols + i % cols);
        const auto gradient = static_cast<double>(widen(dx[static_cast<std::size_t>(i)]));
        x.push_back(static_cast<double>(widen(wte[word])) + static_cast<double>(widen(wpe[place])));
        dwte[word] += gradient;
        dwpe[place] += gradient;
      }
      for_every_isa([&] {
        auto y = unwritten<T>(rows * cols);
        auto words = unwritten<float>(table.elements());
        auto places = unwritten<float>(sequence.steps * cols);
        expect_repeatable(
            [&] { embedding(sequence, cols, tokens.data(), wte.data(), wpe.data(), y.data()); },
            &y);
        expect_near(y, x, kRoundoff<T>, 0, "x");
        expect_repeatable(
            [&] {
              embedding_backward(sequence, table, dx.data(), tokens.data(), words.data(),
                                 places.data());
            },
            &words, &places);
        expect_near(words, dwte, 16 * 0x1p-24, 1, "dwte");
        expect_near(places, dwpe, 16 * 0x1p-24, 1, "dwpe");
      });
    }
  }
}

// Several tensors, one of them empty, one with a copy in bf16 and a decay of its own.
struct Model {
  struct Tensor {
    std::vector<float> w, g, m, v, next_w, next_m, next_v;
    std::vector<Bf16> copy;
    float decay;
  };

  explicit Model(std::mt19937_64& random) {
    for (const std::int64_t count : {7, 0, 20'001, 130, 4096}) {
      Tensor tensor{random_values<float>(count, random),
                    random_values<float>(count, random, 0.1F),
                    random_values<float>(count, random),
                    random_values<float>(count, random),
                    unwritten<float>(count),
                    unwritten<float>(count),
                    unwritten<float>(count),
                    unwritten<Bf16>(count),
                    count % 2 == 0 ? 0.1F : 0.0F};
      for (float& value : tensor.v) value = std::fabs(value);
      tensors.push_back(std::move(tensor));
    }
    for (Tensor& t : tensors) {
      updates.push_back({static_cast<std::int64_t>(t.w.size()), t.w.data(), t.g.data(), t.m.data(),
                         t.v.data(), t.next_w.data(), t.next_m.data(), t.next_v.data(),
                         t.w.size() == 130 ? nullptr : t.copy.data(), t.decay});
    }
  }

  std::vector<Tensor> tensors;
  std::vector<HostUpdate> updates;
};

TEST(HostOptimizer, SgdIsRight) {
  std::mt19937_64 random(9);
  Model model(random);
  for_every_isa([&] {
    const long before = allocation_count();
    sgd(model.updates, Sgd{0.05, 0.9, 77});
    EXPECT_EQ(allocation_count(), before);
    for (const Model::Tensor& t : model.tensors) {
      std::vector<double> v, w;
      for (std::size_t i = 0; i < t.w.size(); ++i) {
        v.push_back(0.9 * static_cast<double>(t.v[i]) + static_cast<double>(t.g[i]) +
                    static_cast<double>(t.decay) * static_cast<double>(t.w[i]));
        w.push_back(static_cast<double>(t.w[i]) - 0.05 * v.back());
      }
      expect_near(t.next_v, v, 0x1p-22, 1, "v");
      expect_near(t.next_w, w, 0x1p-23, 0.2, "w");
      if (t.w.size() != 130) expect_near(t.copy, as_doubles(t.next_w), 0x1p-8, 0, "copy");
    }
  });
}

TEST(HostOptimizer, AdamWIsRight) {
  std::mt19937_64 random(10);
  Model model(random);
  for (const std::int64_t step : {1, 2, 1000}) {
    for_every_isa([&] {
      adamw(model.updates, AdamW{3e-4, 0.9, 0.95, 1e-8, 77}, step);
      const double left1 = 1 - std::pow(0.9, static_cast<double>(step));
      const double left2 = 1 - std::pow(0.95, static_cast<double>(step));
      for (const Model::Tensor& t : model.tensors) {
        std::vector<double> m, v, w;
        for (std::size_t i = 0; i < t.w.size(); ++i) {
          const auto g = static_cast<double>(t.g[i]);
          m.push_back(0.9 * static_cast<double>(t.m[i]) + 0.1 * g);
          v.push_back(0.95 * static_cast<double>(t.v[i]) + 0.05 * g * g);
          w.push_back(static_cast<double>(t.w[i]) * (1 - 3e-4 * static_cast<double>(t.decay)) -
                      3e-4 * (m.back() / left1) / (std::sqrt(v.back() / left2) + 1e-8));
        }
        expect_near(t.next_m, m, 0x1p-22, 0.1, "m");
        expect_near(t.next_v, v, 0x1p-22, 0, "v");
        for (std::size_t i = 0; i < w.size(); ++i) {
          const double change = std::fabs(w[i] - static_cast<double>(t.w[i]));
          ASSERT_NEAR(static_cast<double>(t.next_w[i]), w[i],
                      0x1p-23 * std::fabs(w[i]) + 1e-5 * change + 1e-9);
        }
      }
    });
  }
}

}  // namespace
}  // namespace breakeven::training
