// Bounded by memory: forward, a row of the table read and one of x written for each token;
// backward, dx read twice, and dtable written once, which for a large vocabulary is most of it.
// Backward without atomics, whose sums would differ from run to run: a block owns some rows of the
// table and looks through all tokens for them.
#include <algorithm>

#include "kernels/training/block_reduce.h"
#include "kernels/training/embedding.h"
#include "kernels/training/vectors.h"

namespace breakeven::training {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / 32;
constexpr int kTile = 1024;  // tokens looked through at a time

template <class T, int kVector>
__global__ void __launch_bounds__(kThreads) embedding_kernel(const __grid_constant__ Embedding p) {
  const std::int64_t place = blockIdx.x;
  const int columns = static_cast<int>(p.columns);
  const T* row =
      static_cast<const T*>(p.table) + static_cast<std::int64_t>(p.tokens[place]) * columns;
  const T* position = static_cast<const T*>(p.positions) + place % p.length * columns;
  T* x = static_cast<T*>(p.x) + place * columns;
  for (int column = static_cast<int>(threadIdx.x) * kVector; column < columns;
       column += kThreads * kVector) {
    float a[kVector], b[kVector];
    load_vector(a, row + column);
    load_vector(b, position + column);
#pragma unroll
    for (int i = 0; i < kVector; ++i) a[i] += b[i];
    store_vector(x + column, a);
  }
}

/// Where in a tile of tokens a row of the table occurs.
struct Match {
  int token, place;
};

/// The matches of rows [first, end) among the tile's tokens, in their order; all threads get their
/// number. `counts` has a number for each warp.
__device__ __forceinline__ int find_matches(const std::int32_t* tokens, int begin, int tile_end,
                                            int first, int end, Match* matches, int* counts) {
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  int found = 0;
  for (int at = begin; at < tile_end; at += kThreads) {
    const int place = at + thread;
    const int token = place < tile_end ? tokens[place] : -1;
    const bool mine = token >= first && token < end;
    const unsigned votes = __ballot_sync(kWholeWarp, mine);
    __syncthreads();  // the counts of the round before have been read
    if (lane == 0) counts[warp] = __popc(votes);
    __syncthreads();
    int before = found;
    for (int other = 0; other < kWarps; ++other) {
      if (other < warp) before += counts[other];
      found += counts[other];
    }
    if (mine) matches[before + __popc(votes & ((1u << lane) - 1))] = {token, place};
  }
  __syncthreads();
  return found;
}

template <class T>
__global__ void __launch_bounds__(kThreads, 8)  // left to choose, ptxas spills for more blocks
    embedding_table_kernel(const __grid_constant__ EmbeddingBackward p, int rows_per_block) {
  ptx::SharedMemory memory;
  Match* matches = memory.take<Match>(kTile);
  int* counts = memory.take<int>(kWarps);
  const int columns = static_cast<int>(p.columns), thread = static_cast<int>(threadIdx.x);
  const int places = static_cast<int>(p.batch * p.length);
  const int first = static_cast<int>(blockIdx.x) * rows_per_block;
  const int end = min(static_cast<int>(p.vocabulary), first + rows_per_block);
  const T* dx = static_cast<const T*>(p.dx);
  for (int begin = 0; begin < places; begin += kTile) {
    const int found =
        find_matches(p.tokens, begin, min(places, begin + kTile), first, end, matches, counts);
    const bool starts = begin == 0 && !p.accumulate;
    for (int row = first; row < end; ++row) {
      int at = 0;
      while (at < found && matches[at].token != row) ++at;
      if (at == found && !starts) continue;
      float* to = p.dtable + static_cast<std::int64_t>(row) * columns;
      for (int column = thread; column < columns; column += kThreads) {
        float sum = starts ? 0.0f : to[column];
        for (int i = at; i < found; ++i) {
          const Match match = matches[i];
          if (match.token != row) continue;
          sum += to_float(dx[static_cast<std::int64_t>(match.place) * columns + column]);
        }
        to[column] = sum;
      }
    }
    __syncthreads();  // before the next tile's matches
  }
}

template <class T, int kVector>
__global__ void __launch_bounds__(kThreads)
    embedding_positions_kernel(const __grid_constant__ EmbeddingBackward p, std::int64_t vectors) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= vectors) return;
  const T* dx = static_cast<const T*>(p.dx) + i * kVector;
  float sum[kVector] = {};
#pragma unroll 4
  for (std::int64_t b = 0; b < p.batch; ++b) {
    float x[kVector];
    load_vector(x, dx + b * vectors * kVector);
#pragma unroll
    for (int j = 0; j < kVector; ++j) sum[j] += x[j];
  }
  store_vector(p.dpositions + i * kVector, sum);
}

}  // namespace

PreparedLaunch prepare_embedding(const Embedding& p, ElementType storage) {
  require_extents("embedding", {p.batch, p.length, p.columns, p.vocabulary, p.batch * p.length});
  require_aligned("embedding", {p.tokens, p.table, p.positions, p.x});
  const Grid grid = {dim3(static_cast<unsigned>(p.batch * p.length)), dim3(kThreads)};
  return with_storage(storage, [&](auto element) {
    return with_vectors<4>(p.columns, [&](auto width) {
      return prepare_launch(embedding_kernel<decltype(element), decltype(width)::value>, grid, p);
    });
  });
}

PreparedLaunch prepare_embedding_backward(const EmbeddingBackward& p, ElementType storage) {
  require_extents("embedding", {p.batch, p.length, p.columns, p.vocabulary, p.batch * p.length});
  require_aligned("embedding", {p.tokens, p.dx, p.dtable, p.dpositions});
  // Many rows a block, so that tokens are looked through seldom; yet about a thousand blocks.
  const auto rows_per_block =
      static_cast<int>(std::clamp<std::int64_t>(p.vocabulary / 1024, 1, 64));
  const Grid grid = {dim3(static_cast<unsigned>(ceil_div(p.vocabulary, rows_per_block))),
                     dim3(kThreads),
                     static_cast<std::size_t>(ptx::shared_bytes(
                         ptx::shared_bytes(0, kTile * sizeof(Match)), kWarps * sizeof(int)))};
  return with_storage(storage, [&](auto element) {
    using T = decltype(element);
    PreparedLaunch table = prepare_launch(embedding_table_kernel<T>, grid, p, rows_per_block);
    return with_vectors<4>(p.columns, [&](auto width) {
      constexpr int kVector = decltype(width)::value;
      const std::int64_t vectors = p.length * p.columns / kVector;
      return in_order(
          std::move(table),
          prepare_launch(embedding_positions_kernel<T, kVector>,
                         {dim3(static_cast<unsigned>(ceil_div(vectors, kThreads))), dim3(kThreads)},
                         p, vectors));
    });
  });
}

}  // namespace breakeven::training
