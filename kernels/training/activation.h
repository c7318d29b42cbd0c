// Bias, ReLU and GELU, forward and backward, and the sum of two tensors.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/training/training.h"

namespace breakeven::training {

/// GELU in the tanh form (Hendrycks & Gimpel, arXiv:1606.08415).
enum class Activation { none, relu, gelu };

/// y = activation(x + bias).
struct BiasActivation {
  Activation activation = Activation::none;
  std::int64_t rows = 1;
  std::int64_t columns = 1;
  const void* x = nullptr;     ///< [rows, columns] of the storage
  const void* bias = nullptr;  ///< [columns] of the storage, or nullptr
  void* sum = nullptr;         ///< x + bias, like x, which it may be; nullptr: not stored
  void* y = nullptr;           ///< like x, which it may be
};

/// Throws std::invalid_argument for sizes below 1 and tensors that aren't aligned.
PreparedLaunch prepare_bias_activation(const BiasActivation& p, ElementType storage);

/// dx = dy activation'(x + bias); dbias = sum over rows of dx before it is rounded.
struct BiasActivationBackward {
  Activation activation = Activation::none;
  std::int64_t rows = 1;
  std::int64_t columns = 1;
  const void* dy = nullptr;     ///< [rows, columns] of the storage
  const void* saved = nullptr;  ///< like dy: y for ReLU, x + bias for GELU, unused for none
  void* dx = nullptr;           ///< like dy, which it may be; nullptr: dbias alone
  float* dbias = nullptr;       ///< [columns]; nullptr: dx alone
};

/// Bytes of workspace; 0 without dbias.
std::size_t bias_activation_backward_workspace(const BiasActivationBackward& p);

/// Throws std::invalid_argument as prepare_bias_activation() does.
PreparedLaunch prepare_bias_activation_backward(const BiasActivationBackward& p, void* workspace,
                                                ElementType storage);

/// c = a + b, `elements` of the storage each; c may be a or b. Throws std::invalid_argument as
/// prepare_bias_activation() does.
PreparedLaunch prepare_add(const void* a, const void* b, void* c, std::int64_t elements,
                           ElementType storage);

}  // namespace breakeven::training
