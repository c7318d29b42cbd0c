#include "kernels/training/optimizer.h"

#include <array>

#include "kernels/training/training_testing.h"

namespace breakeven::training {
namespace {

constexpr std::array<std::int64_t, 5> kSizes = {1, 10, 4096, 4099, 9001};

/// The tensors of a small model; the second has decay and a copy, as have the fourth and the fifth.
struct Model {
  std::vector<Tensor<float>> g, w, m, v, next_w, next_m, next_v;
  std::vector<Tensor<bf16>> copy;
  std::vector<OptimizerTensor> table;

  explicit Model(bool squares) {
    std::uint32_t stream = 0;
    for (const std::int64_t size : kSizes) {
      g.emplace_back(size, ++stream, 0.1);
      w.emplace_back(size, ++stream);
      m.emplace_back(size, ++stream, 0.1);
      v.emplace_back(size, ++stream, 0.01, 0.0101);
      next_w.emplace_back(size);
      next_m.emplace_back(size);
      next_v.emplace_back(size);
      copy.emplace_back(size);
    }
    for (std::size_t i = 0; i < kSizes.size(); ++i) {
      const bool special = i % 2 == 1 || i == 4;
      table.push_back({kSizes[i], g[i].data(), w[i].data(), m[i].data(),
                       squares ? v[i].data() : nullptr, next_w[i].data(), next_m[i].data(),
                       squares ? next_v[i].data() : nullptr, special ? copy[i].data() : nullptr,
                       special ? 0.1f : 0.0f});
    }
  }
};

/// `judged_step` is the step that the answer should be of.
double adamw_error(int step, int judged_step) {
  Model model(true);
  const std::vector<OptimizerChunk> chunks = optimizer_chunks(model.table);
  AdamwScalars scalars = adamw_scalars(3e-4f, 0.9f, 0.95f, 1e-8f, step);
  prepare_adamw(model.table.data(), chunks.data(), static_cast<std::int64_t>(chunks.size()),
                &scalars)(Stream{});
  double error = 0;
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    const double lr = 3e-4f, b1 = 0.9f, b2 = 0.95f, decay = model.table[i].decay;
    std::vector<double> w, m, v, changes;
    Tensor<float> changed(kSizes[i]);
    for (std::int64_t j = 0; j < kSizes[i]; ++j) {
      const double g = model.g[i][j];
      m.push_back(b1 * model.m[i][j] + (1 - b1) * g);
      v.push_back(b2 * model.v[i][j] + (1 - b2) * g * g);
      const double denominator = std::sqrt(v.back() / (1 - std::pow(b2, judged_step))) + 1e-8;
      const double change = lr * decay * model.w[i][j] +
                            lr * (m.back() / (1 - std::pow(b1, judged_step))) / denominator;
      w.push_back(model.w[i][j] - change);
    }
    // Against the change, 3e-4, a wrong factor of it shows; against the weights it might not.
    for (std::int64_t j = 0; j < kSizes[i]; ++j) {
      const double got = model.w[i][j] - model.next_w[i][j];
      const double want = model.w[i][j] - w[static_cast<std::size_t>(j)];
      const double off = std::abs(got - want) / (0x1p-22 + 1e-5 * std::abs(want));
      error = std::isnan(off) ? INFINITY : std::max(error, off);
    }
    error = std::max({error, worst(model.next_m[i], m, 8), worst(model.next_v[i], v, 8)});
    if (model.table[i].copy != nullptr) error = std::max(error, worst(model.copy[i], w, 4));
  }
  return error;
}

/// `judged_momentum` is the momentum that the answer should be of.
double sgd_error(double judged_momentum) {
  Model model(false);
  const std::vector<OptimizerChunk> chunks = optimizer_chunks(model.table);
  const SgdScalars scalars = {0.05f, 0.9f};
  prepare_sgd(model.table.data(), chunks.data(), static_cast<std::int64_t>(chunks.size()),
              &scalars)(Stream{});
  double error = 0;
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    std::vector<double> w, m;
    for (std::int64_t j = 0; j < kSizes[i]; ++j) {
      m.push_back(judged_momentum * model.m[i][j] + model.g[i][j] +
                  model.table[i].decay * model.w[i][j]);
      w.push_back(model.w[i][j] - 0.05f * m.back());
    }
    error = std::max({error, worst(model.next_w[i], w, 8), worst(model.next_m[i], m, 8)});
    if (model.table[i].copy != nullptr) error = std::max(error, worst(model.copy[i], w, 4));
  }
  return error;
}

TEST(Optimizer, AdamwOfManyTensorsInSeveralThreadOrders) {
  in_thread_orders(2, [] {
    EXPECT_LE(adamw_error(1, 1), 1);
    EXPECT_LE(adamw_error(7, 7), 1);
  });
}

TEST(Optimizer, SgdOfManyTensorsInSeveralThreadOrders) {
  in_thread_orders(2, [] { EXPECT_LE(sgd_error(0.9f), 1); });
}

TEST(Optimizer, PlantedFaultsAreSeen) {
  EXPECT_GT(adamw_error(2, 1), 1);  // a bias correction of another step
  EXPECT_GT(sgd_error(0.0), 1);     // a momentum left out
  Model model(false);
  std::vector<OptimizerChunk> chunks = optimizer_chunks(model.table);
  chunks.pop_back();  // a chunk never done stays NaN
  const SgdScalars scalars = {0.05f, 0.9f};
  prepare_sgd(model.table.data(), chunks.data(), static_cast<std::int64_t>(chunks.size()),
              &scalars)(Stream{});
  EXPECT_TRUE(std::isnan(model.next_w[4][9000]));
}

TEST(Optimizer, TheNextStepIsCountedOnTheDevice) {
  AdamwScalars scalars = adamw_scalars(3e-4f, 0.9f, 0.95f, 1e-8f, 1);
  const AdamwScalars third = adamw_scalars(3e-4f, 0.9f, 0.95f, 1e-8f, 3);
  const PreparedLaunch next = prepare_next_step(&scalars);
  next(Stream{});
  next(Stream{});
  EXPECT_EQ(scalars.step, 3);
  EXPECT_EQ(scalars.first_correction, third.first_correction);
  EXPECT_EQ(scalars.second_correction, third.second_correction);
  EXPECT_NEAR(scalars.first_correction, 1 - std::pow(0.9, 3), 1e-6);
}

TEST(Optimizer, RefusesWhatItCannotTake) {
  EXPECT_THROW(adamw_scalars(1, 0.9f, 0.9f, 0, 0), std::invalid_argument);
  const OptimizerTensor empty;
  EXPECT_THROW(optimizer_chunks({&empty, 1}), std::invalid_argument);
}

}  // namespace
}  // namespace breakeven::training
