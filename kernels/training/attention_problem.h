// What the attention kernels are told, and how a block finds its part.
#pragma once

#include <cstdint>

#include "kernels/training/training.h"

namespace breakeven::training {

inline constexpr int kAttentionTile = 64;  // queries or keys
inline constexpr float kLog2E = 1.4426950408889634f;

/// A kernel's parameter, the same for all of them. Exponentials are taken to base 2, which is what
/// the hardware has: exp(scale s - lse) = exp2(scale log2(e) s - log2(e) lse).
struct AttentionProblem {
  int batch, length, heads, columns;
  const void* qkv;
  const void* y;
  const void* dy;
  void* to;  ///< y or dqkv
  float* lse;
  float* delta;  ///< [batch, heads, length]: sum of dy y over a head's columns
  float scale;   ///< 1 / sqrt(columns of a head)
  int diagonal;  ///< query t sees keys 0 to t + diagonal: 0, but for tests that plant a fault

  int tiles() const { return static_cast<int>(ceil_div(length, kAttentionTile)); }
};

/// A block's head and tile. Blocks start in the order of their number, so the tiles with the
/// longest way come first.
struct AttentionBlock {
  int tile;
  std::int64_t place;  ///< batch heads' number: where its lse and delta start is place * length
  std::int64_t row;    ///< the sequence's first row in [batch * length, ...]
  int column;          ///< the head's first

  __device__ AttentionBlock(const AttentionProblem& p, bool last_tile_first) {
    const int sequences = p.batch * p.heads;
    const int order = static_cast<int>(blockIdx.x) / sequences;
    const int tiles = static_cast<int>(gridDim.x) / sequences;
    const int head = static_cast<int>(blockIdx.x) % sequences;
    tile = last_tile_first ? tiles - 1 - order : order;
    place = head;
    row = static_cast<std::int64_t>(head / p.heads) * p.length;
    column = head % p.heads * (p.columns / p.heads);
  }
};

/// The launches by head size, 32 or 64. Forward takes qkv, to = y and lse; delta takes y, dy and
/// delta, backward all.
PreparedLaunch attention_delta(const AttentionProblem& p, ElementType storage);
PreparedLaunch attention_forward_f32(const AttentionProblem& p);
PreparedLaunch attention_backward_f32(const AttentionProblem& p);
PreparedLaunch attention_forward_bf16(const AttentionProblem& p);
PreparedLaunch attention_backward_bf16(const AttentionProblem& p);

/// With diagonal = 0. Pointers are the caller's to fill in.
AttentionProblem attention_problem(std::int64_t batch, std::int64_t length, std::int64_t heads,
                                   std::int64_t columns);

/// Calls f with the head size, which is 32 or 64, as a std::integral_constant.
template <class F>
auto with_head_size(const AttentionProblem& p, F f) {
  return p.columns / p.heads == 32 ? f(std::integral_constant<int, 32>())
                                   : f(std::integral_constant<int, 64>());
}

}  // namespace breakeven::training
