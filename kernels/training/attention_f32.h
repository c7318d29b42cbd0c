// Attention's forward kernel in f32.
#pragma once

#include <cmath>

#include "kernels/training/attention_tiles.h"
#include "kernels/training/block_reduce.h"

namespace breakeven::training {

template <int kHead>
inline constexpr int kForwardFloats = kAttentionTile * (3 * kHeadStride<kHead> + kScoreStride);

/// A tile of queries against all keys that it sees. (`Barrier`: so that a test can leave it out.)
template <int kHead, class Barrier>
__global__ void __launch_bounds__(kF32Threads)
    attention_f32_kernel(const __grid_constant__ AttentionProblem p) {
  ptx::SharedMemory memory;
  float* q = memory.take<float>(kAttentionTile * kHeadStride<kHead>);
  float* k = memory.take<float>(kAttentionTile * kHeadStride<kHead>);
  float* v = memory.take<float>(kAttentionTile * kHeadStride<kHead>);
  float* probabilities = memory.take<float>(kAttentionTile * kScoreStride);
  const AttentionBlock block(p, true);
  const std::int64_t stride = 3 * static_cast<std::int64_t>(p.columns);
  const float* head = static_cast<const float*>(p.qkv) + block.row * stride + block.column;
  const int first = block.tile * kAttentionTile;
  const float scale = p.scale * kLog2E;

  float sums[4][kHead / 16] = {}, most[4], total[4] = {};
  for (float& value : most) value = -INFINITY;
  load_head_tile<kHead>(q, head, stride, first, p.length);
  for (int begin = 0; begin <= first; begin += kAttentionTile) {
    Barrier()();  // before k and v are written over
    load_head_tile<kHead>(k, head + p.columns, stride, begin, p.length);
    load_head_tile<kHead>(v, head + 2 * p.columns, stride, begin, p.length);
    Barrier()();
    float scores[4][4] = {};
    rows_by_rows<kHead>(q, k, scores);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float row_most = most[i];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int key = begin + tile_lane() + 16 * j;
        const bool seen = key <= first + tile_row() + i + p.diagonal && key < p.length;
        scores[i][j] = seen ? scores[i][j] * scale : -INFINITY;
        row_most = max(row_most, scores[i][j]);
      }
      row_most = lanes_max<16>(row_most);
      const float shrink = exp2f(most[i] - row_most);
      most[i] = row_most;
      float row_sum = 0;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        scores[i][j] = exp2f(scores[i][j] - row_most);
        row_sum += scores[i][j];
      }
      total[i] = total[i] * shrink + row_sum;  // of this lane's keys
#pragma unroll
      for (int c = 0; c < kHead / 16; ++c) sums[i][c] *= shrink;
    }
    store_scores(probabilities, scores);
    __syncwarp();  // a row's 16 threads are of one warp
    scores_by_rows<kHead, false>(probabilities, v, sums);
  }
  float* y = static_cast<float*>(p.to) + block.row * p.columns + block.column;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    total[i] = lanes_sum<16>(total[i]);
    const int query = first + tile_row() + i;
#pragma unroll
    for (int c = 0; c < kHead / 16; ++c) sums[i][c] /= total[i];
    if (tile_lane() == 0 && query < p.length) {
      p.lse[block.place * p.length + query] = (most[i] + log2f(total[i])) / kLog2E;
    }
  }
  store_head_rows<kHead>(y, p.columns, first, p.length, sums, 1);
}

template <int kHead, class Barrier = BlockBarrier>
PreparedLaunch prepare_attention_f32(const AttentionProblem& p) {
  return prepare_launch(attention_f32_kernel<kHead, Barrier>,
                        {dim3(static_cast<unsigned>(p.tiles() * p.batch * p.heads)),
                         dim3(kF32Threads), kForwardFloats<kHead> * sizeof(float)},
                        p);
}

}  // namespace breakeven::training
