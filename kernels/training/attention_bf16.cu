// Bounded by the tensor cores and, with heads this small, as much by the exponentials: 64 scores
// take one warp 64 multiply-adds of 16x8x16 and 32 exponentials a lane. Keys and values of the next
// tile are copied while this one's are multiplied.
#include <cmath>

#include "kernels/training/attention_mma.h"
#include "kernels/training/block_reduce.h"

namespace breakeven::training {
namespace {

template <int kHead>
constexpr int kForwardElements = 5 * kMmaTileElements<kHead>;

template <int kHead>
__global__ void __launch_bounds__(kMmaThreads)
    attention_bf16_kernel(const __grid_constant__ AttentionProblem p) {
  constexpr int kTileElements = kMmaTileElements<kHead>;
  ptx::SharedMemory memory;
  bf16* queries = memory.take<bf16>(kTileElements);
  bf16* keys = memory.take<bf16>(2 * kTileElements);  // two stages
  bf16* values = memory.take<bf16>(2 * kTileElements);
  const AttentionBlock block(p, true);
  const MmaLane own;
  const std::int64_t stride = 3 * static_cast<std::int64_t>(p.columns);
  const bf16* head = static_cast<const bf16*>(p.qkv) + block.row * stride + block.column;
  const int first = block.tile * kAttentionTile;
  const float scale = p.scale * kLog2E;

  copy_head_tile<kHead>(queries, head, stride, first, p.length);
  copy_head_tile<kHead>(keys, head + p.columns, stride, 0, p.length);
  copy_head_tile<kHead>(values, head + 2 * p.columns, stride, 0, p.length);
  ptx::cp_async_commit();

  std::uint32_t q[kHead / 16][4];
  float sums[kHead / 8][4] = {}, most[2] = {-INFINITY, -INFINITY}, total[2] = {};
  for (int tile = 0; tile <= block.tile; ++tile) {
    const int stage = tile % 2 * kTileElements, begin = tile * kAttentionTile;
    if (tile < block.tile) {
      const int next = kTileElements - stage, behind = begin + kAttentionTile;
      copy_head_tile<kHead>(keys + next, head + p.columns, stride, behind, p.length);
      copy_head_tile<kHead>(values + next, head + 2 * p.columns, stride, behind, p.length);
    }
    ptx::cp_async_commit();
    ptx::cp_async_wait<1>();
    __syncthreads();
    if (tile == 0) load_rows<kHead>(q, queries, own);

    float scores[8][4] = {};
    multiply_rows<kHead, kAttentionTile>(scores, q, keys + stage, 0, own);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int last = min(first + own.warp_row + own.row + 8 * half + p.diagonal, p.length - 1);
      float row_most = most[half];
#pragma unroll
      for (int i = 0; i < 16; ++i) {
        float& score = scores[i / 2][2 * half + i % 2];
        const int key = begin + i / 2 * 8 + own.column + i % 2;
        score = key <= last ? score * scale : -INFINITY;
        row_most = max(row_most, score);
      }
      row_most = lanes_max<4>(row_most);
      const float shrink = exp2f(most[half] - row_most);
      most[half] = row_most;
      float row_sum = 0;
#pragma unroll
      for (int i = 0; i < 16; ++i) {
        float& score = scores[i / 2][2 * half + i % 2];
        score = exp2f(score - row_most);
        row_sum += score;
      }
      total[half] = total[half] * shrink + row_sum;  // of this lane's keys
#pragma unroll
      for (int octet = 0; octet < kHead / 8; ++octet) {
        sums[octet][2 * half] *= shrink;
        sums[octet][2 * half + 1] *= shrink;
      }
    }
    multiply_scores<kHead, kAttentionTile>(sums, scores, values + stage, 0, own);
    __syncthreads();  // before this stage is copied over
  }
  float per_total[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    total[half] = lanes_sum<4>(total[half]);
    per_total[half] = 1.0f / total[half];
    const int query = first + own.warp_row + own.row + 8 * half;
    if (own.column == 0 && query < p.length) {
      p.lse[block.place * p.length + query] = (most[half] + log2f(total[half])) / kLog2E;
    }
  }
  store_rows<kHead>(static_cast<bf16*>(p.to) + block.row * p.columns + block.column, p.columns,
                    first, p.length, sums, per_total, own);
}

}  // namespace

PreparedLaunch attention_forward_bf16(const AttentionProblem& p) {
  return with_head_size(p, [&](auto head) {
    constexpr int kHead = decltype(head)::value;
    return prepare_launch(attention_bf16_kernel<kHead>,
                          {dim3(static_cast<unsigned>(p.tiles() * p.batch * p.heads)),
                           dim3(kMmaThreads), kForwardElements<kHead> * sizeof(bf16)},
                          p);
  });
}

}  // namespace breakeven::training
