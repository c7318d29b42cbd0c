// Causal multi-head self-attention, forward and backward, without a matrix of scores in memory:
// Dao, "FlashAttention-2", arXiv:2307.08691.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/training/training.h"

namespace breakeven::training {

/// y = softmax(q k^T / sqrt(columns / heads)) v, head by head, where query t sees keys 0 to t.
struct Attention {
  std::int64_t batch = 1;
  std::int64_t length = 1;  ///< of a sequence
  std::int64_t heads = 1;
  std::int64_t columns = 1;   ///< of all heads
  const void* qkv = nullptr;  ///< [batch, length, 3, columns] of the storage
  void* y = nullptr;          ///< [batch, length, columns] of the storage
  float* lse = nullptr;       ///< [batch, heads, length]: log of the sum of exp(scaled scores)
};

/// dqkv from dy and what the forward pass left.
struct AttentionBackward {
  Attention forward;
  const void* dy = nullptr;  ///< like y
  void* dqkv = nullptr;      ///< like qkv
};

/// "", or why there is no kernel for it: one clear phrase. f32 is computed in f32; bf16 by the
/// tensor cores with f32 sums, the softmax in f32, and probabilities and their gradients rounded to
/// bf16 as operands.
std::string attention_unsupported(const Attention& p, ElementType storage);

/// Throws std::invalid_argument for sizes below 1, tensors that aren't aligned, and where
/// attention_unsupported() has a reason.
PreparedLaunch prepare_attention(const Attention& p, ElementType storage);

/// Bytes of workspace: f32 [batch, heads, length].
std::size_t attention_backward_workspace(const AttentionBackward& p);

/// Throws std::invalid_argument as prepare_attention() does.
PreparedLaunch prepare_attention_backward(const AttentionBackward& p, void* workspace,
                                          ElementType storage);

}  // namespace breakeven::training
