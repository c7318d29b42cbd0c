// What happens to a sum on its way to memory, for every kernel that ends in a product: one text for
// the GPU and the host, so that both round alike but for expf.
#pragma once

#include <cmath>

#include "kernels/cuda/primitives.h"

namespace breakeven {

/// GELU in the tanh form of Hendrycks & Gimpel 2016, x/2 (1 + tanh(u)), u = sqrt(2/pi) (x +
/// 0.044715 x^3). Since (1 + tanh(u)) / 2 = 1 / (1 + exp(-2u)), it takes one exponential, and the
/// tail of large negative x keeps its relative accuracy, which 1 + tanh(u) cancels away.
__host__ __device__ __forceinline__ float gelu(float x) {
  constexpr float kTwoRootTwoOverPi = 1.5957691216057308f;
  const float twice_u = kTwoRootTwoOverPi * (x + 0.044715f * x * x * x);
  return x / (1.0f + expf(-twice_u));
}

/// NaN stays NaN, which max() would drop.
__host__ __device__ __forceinline__ float relu(float x) { return x < 0.0f ? 0.0f : x; }

/// `Kind` is an enum with none, bias, bias_relu and bias_gelu, such as matmul::Epilogue. `bias` is
/// ignored where the kind is none.
template <class Kind>
__host__ __device__ __forceinline__ float apply_epilogue(Kind kind, float value, float bias) {
  if (kind == Kind::none) return value;
  const float sum = value + bias;
  if (kind == Kind::bias_relu) return relu(sum);
  if (kind == Kind::bias_gelu) return gelu(sum);
  return sum;
}

}  // namespace breakeven
