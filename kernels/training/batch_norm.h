// Batch normalisation per channel: Ioffe & Szegedy, arXiv:1502.03167.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/training/training.h"

namespace breakeven::training {

/// y = relu(gamma (x - mean) rstd + beta + residual), the last two where they are asked for. Images
/// in NHWC are rows of channels.
struct BatchNorm {
  std::int64_t rows = 1;           ///< n h w
  std::int64_t columns = 1;        ///< channels
  const void* x = nullptr;         ///< [rows, columns] of the storage
  const void* gamma = nullptr;     ///< [columns] of the storage
  const void* beta = nullptr;      ///< [columns] of the storage
  const void* residual = nullptr;  ///< like x, or nullptr
  bool relu = false;
  void* y = nullptr;                        ///< like x
  const float* running_mean = nullptr;      ///< [columns]
  const float* running_variance = nullptr;  ///< [columns]
  float epsilon = 1e-5f;

  // Of training alone. Each may be the running one it follows.
  float* mean = nullptr;                   ///< [columns], of the batch
  float* rstd = nullptr;                   ///< [columns], 1 / sqrt(biased variance + epsilon)
  float* next_running_mean = nullptr;      ///< [columns]: (1 - momentum) old + momentum mean
  float* next_running_variance = nullptr;  ///< [columns]: so too, of the unbiased variance
  float momentum = 0.1f;
};

/// Bytes of workspace of the training pass.
std::size_t batch_norm_workspace(const BatchNorm& p);

/// By the batch's statistics. Throws std::invalid_argument for sizes below 1 and tensors that
/// aren't aligned.
PreparedLaunch prepare_batch_norm(const BatchNorm& p, void* workspace, ElementType storage);

/// By the running statistics. Throws as prepare_batch_norm() does.
PreparedLaunch prepare_batch_norm_inference(const BatchNorm& p, ElementType storage);

/// dx = gamma rstd (dy - mean(dy) - xhat mean(dy xhat)), means over the rows; dgamma = sum of dy
/// xhat, dbeta of dy.
struct BatchNormBackward {
  std::int64_t rows = 1;
  std::int64_t columns = 1;
  const void* dy = nullptr;     ///< [rows, columns] of the storage
  const void* x = nullptr;      ///< like dy
  const void* gamma = nullptr;  ///< [columns] of the storage
  const float* mean = nullptr;  ///< [columns]
  const float* rstd = nullptr;  ///< [columns]
  void* dx = nullptr;           ///< like dy, which it may be
  float* dgamma = nullptr;      ///< [columns]
  float* dbeta = nullptr;       ///< [columns]
};

/// Bytes of workspace.
std::size_t batch_norm_backward_workspace(const BatchNormBackward& p);

/// Throws std::invalid_argument as prepare_batch_norm() does.
PreparedLaunch prepare_batch_norm_backward(const BatchNormBackward& p, void* workspace,
                                           ElementType storage);

}  // namespace breakeven::training
