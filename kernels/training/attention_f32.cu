// Bounded by the f32 units: 4 length^2 columns / 2 flops forward. Backward does 7 products where
// one kernel could do with 5: queries and keys each have a kernel of their own that holds their
// gradients in registers, since adding up dq from the blocks of all keys takes atomics, whose order
// differs from run to run.
#include "kernels/training/attention_f32.h"

namespace breakeven::training {
namespace {

template <int kHead>
constexpr int kBackwardFloats = kAttentionTile * (4 * kHeadStride<kHead> + kScoreStride);

/// From scaled scores and the products dy v^T: the probabilities and the scores' gradients.
__device__ __forceinline__ void score_gradients(const AttentionProblem& p,
                                                const AttentionBlock& block, int first_query,
                                                int first_key, float (&scores)[4][4],
                                                float (&gradients)[4][4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int query = first_query + tile_row() + i;
    const bool inside = query < p.length;
    const std::int64_t at = block.place * p.length + query;
    const float lse = inside ? p.lse[at] * kLog2E : 0.0f, delta = inside ? p.delta[at] : 0.0f;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int key = first_key + tile_lane() + 16 * j;
      const bool seen = inside && key <= query + p.diagonal && key < p.length;
      scores[i][j] = seen ? exp2f(scores[i][j] * (p.scale * kLog2E) - lse) : 0.0f;
      gradients[i][j] = scores[i][j] * (gradients[i][j] - delta);
    }
  }
}

/// A tile of keys: dk and dv from all queries that see it.
template <int kHead>
__global__ void __launch_bounds__(kF32Threads)
    attention_keys_f32_kernel(const __grid_constant__ AttentionProblem p) {
  ptx::SharedMemory memory;
  float* q = memory.take<float>(kAttentionTile * kHeadStride<kHead>);
  float* k = memory.take<float>(kAttentionTile * kHeadStride<kHead>);
  float* v = memory.take<float>(kAttentionTile * kHeadStride<kHead>);
  float* dy = memory.take<float>(kAttentionTile * kHeadStride<kHead>);
  float* tile = memory.take<float>(kAttentionTile * kScoreStride);
  const AttentionBlock block(p, false);
  const std::int64_t stride = 3 * static_cast<std::int64_t>(p.columns);
  const float* head = static_cast<const float*>(p.qkv) + block.row * stride + block.column;
  const float* dy_head = static_cast<const float*>(p.dy) + block.row * p.columns + block.column;
  const int first = block.tile * kAttentionTile;

  float dk[4][kHead / 16] = {}, dv[4][kHead / 16] = {};
  load_head_tile<kHead>(k, head + p.columns, stride, first, p.length);
  load_head_tile<kHead>(v, head + 2 * p.columns, stride, first, p.length);
  for (int begin = first; begin < p.length; begin += kAttentionTile) {
    __syncthreads();  // before q, dy and the tile are written over
    load_head_tile<kHead>(q, head, stride, begin, p.length);
    load_head_tile<kHead>(dy, dy_head, p.columns, begin, p.length);
    __syncthreads();
    float scores[4][4] = {}, gradients[4][4] = {};
    rows_by_rows<kHead>(q, k, scores);
    rows_by_rows<kHead>(dy, v, gradients);
    score_gradients(p, block, begin, first, scores, gradients);
    store_scores(tile, scores);
    __syncthreads();
    scores_by_rows<kHead, true>(tile, dy, dv);
    __syncthreads();  // one tile serves both: with two, sm_86's shared memory has no room
    store_scores(tile, gradients);
    __syncthreads();
    scores_by_rows<kHead, true>(tile, q, dk);
  }
  float* to = static_cast<float*>(p.to) + block.row * stride + block.column;
  store_head_rows<kHead>(to + p.columns, stride, first, p.length, dk, p.scale);
  store_head_rows<kHead>(to + 2 * p.columns, stride, first, p.length, dv, 1);
}

/// A tile of queries: dq from all keys that it sees.
template <int kHead>
__global__ void __launch_bounds__(kF32Threads)
    attention_queries_f32_kernel(const __grid_constant__ AttentionProblem p) {
  ptx::SharedMemory memory;
  float* q = memory.take<float>(kAttentionTile * kHeadStride<kHead>);
  float* k = memory.take<float>(kAttentionTile * kHeadStride<kHead>);
  float* v = memory.take<float>(kAttentionTile * kHeadStride<kHead>);
  float* dy = memory.take<float>(kAttentionTile * kHeadStride<kHead>);
  float* tile = memory.take<float>(kAttentionTile * kScoreStride);
  const AttentionBlock block(p, true);
  const std::int64_t stride = 3 * static_cast<std::int64_t>(p.columns);
  const float* head = static_cast<const float*>(p.qkv) + block.row * stride + block.column;
  const int first = block.tile * kAttentionTile;

  float dq[4][kHead / 16] = {};
  load_head_tile<kHead>(q, head, stride, first, p.length);
  load_head_tile<kHead>(dy, static_cast<const float*>(p.dy) + block.row * p.columns + block.column,
                        p.columns, first, p.length);
  for (int begin = 0; begin <= first; begin += kAttentionTile) {
    __syncthreads();
    load_head_tile<kHead>(k, head + p.columns, stride, begin, p.length);
    load_head_tile<kHead>(v, head + 2 * p.columns, stride, begin, p.length);
    __syncthreads();
    float scores[4][4] = {}, gradients[4][4] = {};
    rows_by_rows<kHead>(q, k, scores);
    rows_by_rows<kHead>(dy, v, gradients);
    score_gradients(p, block, first, begin, scores, gradients);
    store_scores(tile, gradients);
    __syncwarp();  // a row's 16 threads are of one warp
    scores_by_rows<kHead, false>(tile, k, dq);
  }
  store_head_rows<kHead>(static_cast<float*>(p.to) + block.row * stride + block.column, stride,
                         first, p.length, dq, p.scale);
}

}  // namespace

PreparedLaunch attention_forward_f32(const AttentionProblem& p) {
  return with_head_size(p,
                        [&](auto head) { return prepare_attention_f32<decltype(head)::value>(p); });
}

PreparedLaunch attention_backward_f32(const AttentionProblem& p) {
  return with_head_size(p, [&](auto head) {
    constexpr int kHead = decltype(head)::value;
    const Grid grid = {dim3(static_cast<unsigned>(p.tiles() * p.batch * p.heads)),
                       dim3(kF32Threads), kBackwardFloats<kHead> * sizeof(float)};
    return in_order(prepare_launch(attention_keys_f32_kernel<kHead>, grid, p),
                    prepare_launch(attention_queries_f32_kernel<kHead>, grid, p));
  });
}

}  // namespace breakeven::training
