#include "kernels/training/activation.h"

#include "kernels/training/training_testing.h"

namespace breakeven::training {
namespace {

constexpr double kRootTwoOverPi = 0.79788456080286536;

double activate(Activation activation, double x) {
  if (activation == Activation::relu) return std::max(x, 0.0);
  if (activation == Activation::none) return x;
  return 0.5 * x * (1 + std::tanh(kRootTwoOverPi * (x + 0.044715 * x * x * x)));
}

double derivative(Activation activation, double x) {
  if (activation == Activation::relu) return x > 0 ? 1 : 0;
  if (activation == Activation::none) return 1;
  const double t = std::tanh(kRootTwoOverPi * (x + 0.044715 * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * kRootTwoOverPi * (1 + 3 * 0.044715 * x * x);
}

template <class T>
double forward_error(Activation activation, std::int64_t rows, std::int64_t columns, bool biased,
                     bool in_place) {
  Tensor<T> x(rows * columns, 1, 3), bias(columns, 2), apart(rows * columns), y(rows * columns);
  std::vector<double> want_sum, want;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    want_sum.push_back(x[i] + (biased ? bias[i % columns] : 0));
    const double stored = to_float(from_float<T>(static_cast<float>(want_sum.back())));
    want.push_back(activate(activation, stored));
  }
  Tensor<T>& sum = in_place ? x : apart;
  prepare_bias_activation({.activation = activation,
                           .rows = rows,
                           .columns = columns,
                           .x = x.data(),
                           .bias = biased ? bias.data() : nullptr,
                           .sum = sum.data(),
                           .y = y.data()},
                          kStorage<T>)(Stream{});
  return std::max(worst(sum, want_sum, 2), worst(y, want, 16));
}

/// `saved` is x for GELU and y for ReLU; `judged` is the activation that the answer should be of.
template <class T>
double backward_error(Activation activation, Activation judged, std::int64_t rows,
                      std::int64_t columns, bool in_place, bool summed) {
  Tensor<T> dy(rows * columns, 1), saved(rows * columns, 2, 4), apart(rows * columns);
  std::vector<double> want, want_bias(static_cast<std::size_t>(columns));
  for (std::int64_t i = 0; i < dy.size(); ++i) {
    want.push_back(dy[i] * derivative(judged, saved[i]));
    want_bias[static_cast<std::size_t>(i % columns)] += want.back();
  }
  Tensor<float> dbias(columns);
  Tensor<T>& dx = in_place ? dy : apart;
  const BiasActivationBackward p = {.activation = activation,
                                    .rows = rows,
                                    .columns = columns,
                                    .dy = dy.data(),
                                    .saved = saved.data(),
                                    .dx = dx.data(),
                                    .dbias = summed ? dbias.data() : nullptr};
  Tensor<std::uint8_t> workspace(static_cast<std::int64_t>(bias_activation_backward_workspace(p)));
  prepare_bias_activation_backward(p, workspace.data(), kStorage<T>)(Stream{});
  const double error = worst(dx, want, 32);
  return summed ? std::max(error, worst(dbias, want_bias, 64)) : error;
}

constexpr Activation kActivations[] = {Activation::none, Activation::relu, Activation::gelu};

TEST(BiasActivation, ForwardInSeveralThreadOrders) {
  in_thread_orders(2, [] {
    for (const Activation activation : kActivations) {
      for (const std::int64_t columns : {1, 6, 84, 130}) {
        EXPECT_LE(forward_error<float>(activation, 13, columns, true, false), 1) << columns;
        EXPECT_LE(forward_error<bf16>(activation, 70, columns, true, true), 1) << columns;
      }
      EXPECT_LE(forward_error<float>(activation, 3, 1028, false, true), 1);
    }
  });
}

TEST(BiasActivation, BackwardInSeveralThreadOrders) {
  in_thread_orders(2, [] {
    for (const Activation activation : kActivations) {
      for (const std::int64_t columns : {1, 6, 84, 130}) {
        for (const bool summed : {true, false}) {
          EXPECT_LE(backward_error<float>(activation, activation, 13, columns, false, summed), 1);
          EXPECT_LE(backward_error<bf16>(activation, activation, 150, columns, true, summed), 1);
        }
      }
    }
  });
}

TEST(BiasActivation, TheBackwardOfAnotherIsSeen) {
  EXPECT_GT(backward_error<float>(Activation::gelu, Activation::relu, 13, 84, false, true), 1);
  EXPECT_GT(backward_error<bf16>(Activation::none, Activation::relu, 13, 84, false, true), 1);
}

TEST(BiasActivation, TailsOfGeluKeepTheirRelativeAccuracy) {
  Tensor<float> dy(4), x(4), dx(4);
  const double at[] = {-6, -4, 5, 12};
  for (int i = 0; i < 4; ++i) {
    x.data()[i] = static_cast<float>(at[i]);
    dy.data()[i] = 1;
  }
  prepare_bias_activation_backward({.activation = Activation::gelu,
                                    .rows = 1,
                                    .columns = 4,
                                    .dy = dy.data(),
                                    .saved = x.data(),
                                    .dx = dx.data()},
                                   nullptr, ElementType::f32)(Stream{});
  for (int i = 0; i < 4; ++i) {
    const double want = derivative(Activation::gelu, at[i]);
    EXPECT_NEAR(dx[i] / want, 1, 1e-5) << at[i];
  }
}

TEST(Add, OddAndEvenSizes) {
  for (const std::int64_t size : {1, 7, 1000, 5003}) {
    Tensor<bf16> a(size, 1), b(size, 2);
    std::vector<double> want;
    for (std::int64_t i = 0; i < size; ++i) want.push_back(a[i] + b[i]);
    prepare_add(a.data(), b.data(), a.data(), size, ElementType::bf16)(Stream{});
    EXPECT_LE(worst(a, want, 2), 1);
    want[0] *= 1.02;
    EXPECT_GT(worst(a, want, 2), 1);
  }
}

}  // namespace
}  // namespace breakeven::training
