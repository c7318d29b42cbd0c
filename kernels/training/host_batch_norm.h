// Batch normalisation of NHWC images, as matrices [n h w, channels], on the CPU. Bound by memory
// bandwidth: one pass for the statistics and one for the result, forward and backward.
//
// x, y and their gradients are float or Bf16; the rest is f32, of `cols` channels.
#pragma once

#include "kernels/training/host_math.h"
#include "kernels/training/host_team.h"

namespace breakeven::training {

/// Running statistics, out of place: next = 0.9 old + 0.1 of the batch, the variance unbiased.
struct RunningStatistics {
  const float *mean, *variance;
  float *next_mean, *next_variance;
};

/// Floats of scratch for batch_norm() and batch_norm_backward() by up to `threads` threads.
std::int64_t batch_norm_scratch(std::int64_t cols, int threads);

/// y = gamma (x - mean) rstd + beta with the batch's mean and biased variance, both kept as
/// mean[cols] and rstd[cols]. Each block of rows has a mean and a sum of squared differences of its
/// own, and blocks are merged (Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm
/// for computing sample variances", 1979), so that a large mean cancels nothing. One row has no
/// unbiased variance: the running one is then NaN, as PyTorch refuses it.
template <class T>
void batch_norm(MatrixSize size, const T* x, const float* gamma, const float* beta, T* y,
                float* mean, float* rstd, const RunningStatistics& running, float* scratch);

/// y by given statistics.
template <class T>
void batch_norm_inference(MatrixSize size, const T* x, const float* gamma, const float* beta,
                          const float* mean, const float* variance, T* y, float* scratch);

/// dbeta, dgamma: the sums over rows of dy and dy xhat with xhat = (x - mean) rstd, and
/// dx = gamma rstd (dy - dbeta / rows - xhat dgamma / rows). dx may be dy.
template <class T>
void batch_norm_backward(MatrixSize size, const T* dy, const T* x, const float* gamma,
                         const float* mean, const float* rstd, T* dx, float* dgamma, float* dbeta,
                         float* scratch);

}  // namespace breakeven::training
