// Bias, ReLU and GELU on the CPU, forward and backward, and sums of columns. Bound by memory
// bandwidth beyond the caches, so what follows on each other is one pass; inside them GELU is bound
// by its exponential and division.
//
// Elements are float or Bf16; arithmetic is f32. Vectors (biases and their gradients) are f32 in
// every precision. Nothing allocates; calls come from outside parallel regions.
#pragma once

#include "kernels/training/host_math.h"
#include "kernels/training/host_team.h"

namespace breakeven::training {

/// y = z + bias of each column; bias null: none. y may be z. Z and T: float to either, or Bf16 to
/// Bf16. Without bias it converts.
template <class Z, class T>
void add_bias(MatrixSize size, const Z* z, const float* bias, T* y);

/// y = max(z + bias, 0); a NaN stays. y may be z.
template <class Z, class T>
void bias_relu(MatrixSize size, const Z* z, const float* bias, T* y);

/// x = z + bias as stored, y = gelu(x), the tanh form. x may be z; null: not kept.
template <class Z, class T>
void bias_gelu(MatrixSize size, const Z* z, const float* bias, T* x, T* y);

/// c = a + b; c may be either.
template <class T>
void add(std::int64_t count, const T* a, const T* b, T* c);

/// dx = dy where y > 0, else 0; dx may be dy. db: the sums of dx's columns before they are stored,
/// with column_scratch() floats of scratch; null: neither is used.
template <class T>
void relu_backward(MatrixSize size, const T* dy, const T* y, T* dx, float* db, float* scratch);

/// dx = dy gelu'(x), else as relu_backward().
template <class T>
void gelu_backward(MatrixSize size, const T* dy, const T* x, T* dx, float* db, float* scratch);

/// sums[c] = the sum of column c, with column_scratch() floats of scratch.
template <class T>
void column_sums(MatrixSize size, const T* x, float* sums, float* scratch);

}  // namespace breakeven::training
