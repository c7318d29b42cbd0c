// Causal multi-head self-attention on the CPU, forward and backward. Bound by its matrix products,
// which a library multiplies: a thread has a whole head of one sequence, whose scores exist for
// kQueryRows queries at a time, so that they stay in its second-level cache. Batch times heads is
// what there is to share out. Keys beyond a block's last query are never multiplied, which saves
// nearly half.
//
// qkv, y and their gradients are float or Bf16; heads are widened to f32 in scratch, so products
// and softmax are f32.
#pragma once

#include "kernels/training/host_math.h"
#include "reference/training/graph.h"

namespace breakeven::training {

/// c[m,n] = alpha op(a) op(b) + beta c, row-major; op(a) is a[m,k] or the transpose of a[k,m],
/// op(b) likewise. lda, ldb, ldc: elements from a stored row to the next. Where beta is 0, c isn't
/// read.
struct Product {
  bool transpose_a, transpose_b;
  std::int64_t m, n, k;
  float alpha;
  const float* a;
  std::int64_t lda;
  const float* b;
  std::int64_t ldb;
  float beta;
  float* c;
  std::int64_t ldc;
};

/// A library's product by the calling thread alone: several threads of a parallel region call it.
using Multiply = void (*)(const Product& product);

inline constexpr std::int64_t kQueryRows = 64;

/// Floats of scratch for either direction by up to `threads` threads. cols: channels of y.
std::int64_t attention_scratch(const Sequence& sequence, std::int64_t cols, int threads);

/// y[batch steps, cols] = softmax(q k^T / sqrt(cols / heads)) v of qkv[batch steps, 3 cols] =
/// q|k|v, each step over itself and those before; lse[batch, heads, steps]: the logarithm of the
/// sum of its scaled scores' exponentials. cols is a multiple of heads.
template <class T>
void attention(const Sequence& sequence, std::int64_t cols, const T* qkv, T* y, float* lse,
               Multiply multiply, float* scratch);

/// dqkv, the gradient of attention(). Scores are computed again, and the sum over keys of
/// dP P is taken as that over channels of dy y (Dao et al., "FlashAttention", 2022).
template <class T>
void attention_backward(const Sequence& sequence, std::int64_t cols, const T* dy, const T* qkv,
                        const T* y, const float* lse, T* dqkv, Multiply multiply, float* scratch);

}  // namespace breakeven::training
