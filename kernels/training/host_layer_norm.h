// Layer normalisation over the last dimension, on the CPU. Bound by memory bandwidth: a row is read
// from memory once and stays in the first cache for its second and third pass.
//
// x, y and their gradients are float or Bf16; the rest is f32.
#pragma once

#include "kernels/training/host_math.h"
#include "kernels/training/host_team.h"

namespace breakeven::training {

/// y = gamma (x - mean) rstd + beta in each row; mean[rows]; rstd[rows] = 1 / sqrt(variance + eps),
/// the variance biased. Two passes over a row, so that a large mean cancels nothing.
template <class T>
void layer_norm(MatrixSize size, const T* x, const float* gamma, const float* beta, T* y,
                float* mean, float* rstd);

/// Floats of scratch for layer_norm_backward() by up to `threads` threads.
std::int64_t layer_norm_scratch(std::int64_t cols, int threads);

/// dgamma and dbeta, sums over the rows of dy xhat and dy with xhat = (x - mean) rstd, and
/// dx = rstd (g - average(g) - xhat average(g xhat)) with g = dy gamma. dx may be dy.
template <class T>
void layer_norm_backward(MatrixSize size, const T* dy, const T* x, const float* gamma,
                         const float* mean, const float* rstd, T* dx, float* dgamma, float* dbeta,
                         float* scratch);

}  // namespace breakeven::training
