// Layer normalisation over the last dimension: Ba, Kiros & Hinton, arXiv:1607.06450.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/training/training.h"

namespace breakeven::training {

/// y = gamma (s - mean) rstd + beta with s = x, or x + residual, rounded to the storage, where a
/// residual is given; rstd = 1 / sqrt(biased variance + epsilon).
struct LayerNorm {
  std::int64_t rows = 1;
  std::int64_t columns = 1;
  const void* x = nullptr;         ///< [rows, columns] of the storage
  const void* residual = nullptr;  ///< like x, or nullptr
  void* sum = nullptr;             ///< s, like x, which it may be; needed with a residual alone
  const void* gamma = nullptr;     ///< [columns] of the storage
  const void* beta = nullptr;      ///< [columns] of the storage
  void* y = nullptr;               ///< like x
  float* mean = nullptr;           ///< [rows]
  float* rstd = nullptr;           ///< [rows]
  float epsilon = 1e-5f;
};

/// Throws std::invalid_argument for sizes below 1, a residual without a sum, and tensors that
/// aren't aligned.
PreparedLaunch prepare_layer_norm(const LayerNorm& p, ElementType storage);

/// dx = rstd (g - mean(g) - xhat mean(g xhat)) + residual with g = gamma dy, xhat = (x - mean)
/// rstd; dgamma = sum over rows of dy xhat, dbeta of dy.
struct LayerNormBackward {
  std::int64_t rows = 1;
  std::int64_t columns = 1;
  const void* dy = nullptr;        ///< [rows, columns] of the storage
  const void* x = nullptr;         ///< what was normalised
  const void* gamma = nullptr;     ///< [columns] of the storage
  const float* mean = nullptr;     ///< [rows]
  const float* rstd = nullptr;     ///< [rows]
  const void* residual = nullptr;  ///< the gradient that goes past the normalisation, or nullptr
  void* dx = nullptr;              ///< like x; may be the residual, not dy
  float* dgamma = nullptr;         ///< [columns]
  float* dbeta = nullptr;          ///< [columns]
};

/// Bytes of workspace.
std::size_t layer_norm_backward_workspace(const LayerNormBackward& p);

/// Throws std::invalid_argument as prepare_layer_norm() does.
PreparedLaunch prepare_layer_norm_backward(const LayerNormBackward& p, void* workspace,
                                           ElementType storage);

}  // namespace breakeven::training
