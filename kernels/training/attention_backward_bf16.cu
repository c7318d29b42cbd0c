// Bounded by the tensor cores. As in f32, keys and queries have a kernel each, 7 products instead
// of 5, and no atomics. The kernel of keys computes the scores transposed, a warp's keys down and
// queries across: its accumulators then are operand a of dv and dk without a way through shared
// memory. Tiles go by in halves of 32, which leaves registers for both gradients.
#include <cmath>

#include "kernels/training/attention_mma.h"

namespace breakeven::training {
namespace {

constexpr int kHalf = kAttentionTile / 2;

// Tiles held and two stages of two that come by; the kernel of keys, lse and delta of two stages.
template <int kHead>
constexpr int kBackwardBytes = 6 * kMmaTileElements<kHead> * static_cast<int>(sizeof(bf16)) +
                               4 * kAttentionTile * static_cast<int>(sizeof(float));

/// A tile of keys: dk and dv from all queries that see it.
template <int kHead>
__global__ void __launch_bounds__(kMmaThreads)
    attention_keys_bf16_kernel(const __grid_constant__ AttentionProblem p) {
  constexpr int kTileElements = kMmaTileElements<kHead>;
  ptx::SharedMemory memory;
  bf16* keys = memory.take<bf16>(kTileElements);
  bf16* values = memory.take<bf16>(kTileElements);
  bf16* queries = memory.take<bf16>(2 * kTileElements);  // two stages
  bf16* gradients = memory.take<bf16>(2 * kTileElements);
  float* lses = memory.take<float>(2 * kAttentionTile);
  float* deltas = memory.take<float>(2 * kAttentionTile);
  const AttentionBlock block(p, false);
  const MmaLane own;
  const std::int64_t stride = 3 * static_cast<std::int64_t>(p.columns);
  const bf16* head = static_cast<const bf16*>(p.qkv) + block.row * stride + block.column;
  const bf16* dy = static_cast<const bf16*>(p.dy) + block.row * p.columns + block.column;
  const int first = block.tile * kAttentionTile,
            tiles = static_cast<int>(gridDim.x) / (p.batch * p.heads);
  const float scale = p.scale * kLog2E;
  const auto copy_queries = [&](int tile) {
    const int stage = tile % 2, begin = tile * kAttentionTile;
    copy_head_tile<kHead>(queries + stage * kTileElements, head, stride, begin, p.length);
    copy_head_tile<kHead>(gradients + stage * kTileElements, dy, p.columns, begin, p.length);
    copy_numbers(lses + stage * kAttentionTile, p.lse + block.place * p.length, begin, p.length);
    copy_numbers(deltas + stage * kAttentionTile, p.delta + block.place * p.length, begin,
                 p.length);
  };

  copy_head_tile<kHead>(keys, head + p.columns, stride, first, p.length);
  copy_head_tile<kHead>(values, head + 2 * p.columns, stride, first, p.length);
  copy_queries(block.tile);
  ptx::cp_async_commit();

  std::uint32_t k[kHead / 16][4], v[kHead / 16][4];
  float dk[kHead / 8][4] = {}, dv[kHead / 8][4] = {};
  for (int tile = block.tile; tile < tiles; ++tile) {
    if (tile + 1 < tiles) copy_queries(tile + 1);
    ptx::cp_async_commit();
    ptx::cp_async_wait<1>();
    __syncthreads();
    if (tile == block.tile) {
      load_rows<kHead>(k, keys, own);
      load_rows<kHead>(v, values, own);
    }
    const bf16* q_tile = queries + tile % 2 * kTileElements;
    const bf16* dy_tile = gradients + tile % 2 * kTileElements;
    const float* lse = lses + tile % 2 * kAttentionTile;
    const float* delta = deltas + tile % 2 * kAttentionTile;
#pragma unroll 1
    for (int half = 0; half < kAttentionTile; half += kHalf) {
      float scores[kHalf / 8][4] = {}, slopes[kHalf / 8][4] = {};
      multiply_rows<kHead, kHalf>(scores, k, q_tile, half, own);
      multiply_rows<kHead, kHalf>(slopes, v, dy_tile, half, own);
#pragma unroll
      for (int octet = 0; octet < kHalf / 8; ++octet) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int within = half + octet * 8 + own.column + i % 2;
          const int query = tile * kAttentionTile + within;
          const int key = first + own.warp_row + own.row + i / 2 * 8;
          const bool seen = key <= query + p.diagonal && query < p.length;
          float& score = scores[octet][i];
          score = seen ? exp2f(score * scale - lse[within] * kLog2E) : 0.0f;
          slopes[octet][i] = score * (slopes[octet][i] - delta[within]);
        }
      }
      multiply_scores<kHead, kHalf>(dv, scores, dy_tile, half, own);
      multiply_scores<kHead, kHalf>(dk, slopes, q_tile, half, own);
    }
    __syncthreads();  // before this stage is copied over
  }
  bf16* to = static_cast<bf16*>(p.to) + block.row * stride + block.column;
  const float scales[2] = {p.scale, p.scale}, ones[2] = {1, 1};
  store_rows<kHead>(to + p.columns, stride, first, p.length, dk, scales, own);
  store_rows<kHead>(to + 2 * p.columns, stride, first, p.length, dv, ones, own);
}

/// A tile of queries: dq from all keys that it sees. Three blocks a multiprocessor: left to itself
/// the compiler aims at four for sm_120, and spills.
template <int kHead>
__global__ void __launch_bounds__(kMmaThreads, 3)
    attention_queries_bf16_kernel(const __grid_constant__ AttentionProblem p) {
  constexpr int kTileElements = kMmaTileElements<kHead>;
  ptx::SharedMemory memory;
  bf16* queries = memory.take<bf16>(kTileElements);
  bf16* gradients = memory.take<bf16>(kTileElements);
  bf16* keys = memory.take<bf16>(2 * kTileElements);  // two stages
  bf16* values = memory.take<bf16>(2 * kTileElements);
  const AttentionBlock block(p, true);
  const MmaLane own;
  const std::int64_t stride = 3 * static_cast<std::int64_t>(p.columns);
  const bf16* head = static_cast<const bf16*>(p.qkv) + block.row * stride + block.column;
  const bf16* dy = static_cast<const bf16*>(p.dy) + block.row * p.columns + block.column;
  const int first = block.tile * kAttentionTile;
  const float scale = p.scale * kLog2E;
  const auto copy_keys = [&](int tile) {
    const int stage = tile % 2 * kTileElements, begin = tile * kAttentionTile;
    copy_head_tile<kHead>(keys + stage, head + p.columns, stride, begin, p.length);
    copy_head_tile<kHead>(values + stage, head + 2 * p.columns, stride, begin, p.length);
  };

  copy_head_tile<kHead>(queries, head, stride, first, p.length);
  copy_head_tile<kHead>(gradients, dy, p.columns, first, p.length);
  copy_keys(0);
  ptx::cp_async_commit();

  float lse[2] = {}, delta[2] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int query = first + own.warp_row + own.row + 8 * half;
    if (query >= p.length) continue;
    lse[half] = p.lse[block.place * p.length + query] * kLog2E;
    delta[half] = p.delta[block.place * p.length + query];
  }
  std::uint32_t q[kHead / 16][4], g[kHead / 16][4];
  float dq[kHead / 8][4] = {};
  for (int tile = 0; tile <= block.tile; ++tile) {
    if (tile < block.tile) copy_keys(tile + 1);
    ptx::cp_async_commit();
    ptx::cp_async_wait<1>();
    __syncthreads();
    if (tile == 0) {
      load_rows<kHead>(q, queries, own);
      load_rows<kHead>(g, gradients, own);
    }
    const bf16* k_tile = keys + tile % 2 * kTileElements;
    const bf16* v_tile = values + tile % 2 * kTileElements;
#pragma unroll 1
    for (int half = 0; half < kAttentionTile; half += kHalf) {
      float scores[kHalf / 8][4] = {}, slopes[kHalf / 8][4] = {};
      multiply_rows<kHead, kHalf>(scores, q, k_tile, half, own);
      multiply_rows<kHead, kHalf>(slopes, g, v_tile, half, own);
#pragma unroll
      for (int octet = 0; octet < kHalf / 8; ++octet) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int key = tile * kAttentionTile + half + octet * 8 + own.column + i % 2;
          const int query = first + own.warp_row + own.row + i / 2 * 8;
          const bool seen = key <= query + p.diagonal && key < p.length;
          const float score = seen ? exp2f(scores[octet][i] * scale - lse[i / 2]) : 0.0f;
          slopes[octet][i] = score * (slopes[octet][i] - delta[i / 2]);
        }
      }
      multiply_scores<kHead, kHalf>(dq, slopes, k_tile, half, own);
    }
    __syncthreads();  // before this stage is copied over
  }
  const float scales[2] = {p.scale, p.scale};
  store_rows<kHead>(static_cast<bf16*>(p.to) + block.row * stride + block.column, stride, first,
                    p.length, dq, scales, own);
}

}  // namespace

PreparedLaunch attention_backward_bf16(const AttentionProblem& p) {
  return with_head_size(p, [&](auto head) {
    constexpr int kHead = decltype(head)::value;
    const Grid grid = {dim3(static_cast<unsigned>(p.tiles() * p.batch * p.heads)),
                       dim3(kMmaThreads), kBackwardBytes<kHead>};
    return in_order(prepare_launch(attention_keys_bf16_kernel<kHead>, grid, p),
                    prepare_launch(attention_queries_bf16_kernel<kHead>, grid, p));
  });
}

}  // namespace breakeven::training
