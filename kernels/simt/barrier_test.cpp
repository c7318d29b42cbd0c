// __syncthreads and named barriers, and kernels that use them wrongly.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "kernels/simt/testing.h"

namespace breakeven::simt {
namespace {

// Sum of the block's numbers by a tree.
__global__ void block_sum(const float* in, float* out) {
  ptx::SharedMemory shared;
  float* partial = shared.take<float>(static_cast<int>(blockDim.x));
  partial[threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
  }
  if (threadIdx.x == 0) out[blockIdx.x] = partial[0];
}

TEST(Barrier, OrdersATreeOfSums) {
  std::vector<float> in(4 * 256);
  std::iota(in.begin(), in.end(), 0.0f);
  for_seeds(10, [&] {
    std::vector<float> out(4);
    reset_counters();
    launch(block_sum, {dim3(4), dim3(256), 256 * sizeof(float)}, {}, in.data(), out.data());
    EXPECT_EQ(out[1], 256.0f * (256 + 511) / 2);
    EXPECT_EQ(counters().barriers, 4u * 8);
    EXPECT_EQ(counters().blocks, 4u);
  });
}

__global__ void at_two_places() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

TEST(Barrier, FaultsWhereThreadsWaitAtDifferentPlaces) {
  for_seeds(5, [] {
    EXPECT_TRUE(says(fault_of([] { launch(at_two_places, {dim3(1), dim3(64)}, {}); }),
                     "divergent __syncthreads: waits in line ",
                     " while other threads wait in line "));
  });
}

__global__ void some_return() {
  if (threadIdx.x >= 60) return;
  __syncthreads();
}

TEST(Barrier, FaultsWhereThreadsReturnInstead) {
  for_seeds(10, [] {
    EXPECT_TRUE(says(fault_of([] { launch(some_return, {dim3(1), dim3(64)}, {}); }),
                     "divergent __syncthreads"));
  });
}

__global__ void half_elsewhere() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    ptx::named_barrier_sync(1, 64);
  }
}

TEST(Barrier, ReportsADeadlockBetweenTwoBarriers) {
  EXPECT_TRUE(says(fault_of([] { launch(half_elsewhere, {dim3(1), dim3(64)}, {}); }), "deadlock",
                   "32 wait for __syncthreads in line", "32 wait for a named barrier"));
}

// Warp 0 makes numbers, warp 1 uses them; two named barriers pass one slot to and fro.
__global__ void pass_on(int rounds, int* out) {
  ptx::SharedMemory shared;
  int* slot = shared.take<int>(32);
  const unsigned lane = threadIdx.x % 32;
  for (int round = 0; round < rounds; ++round) {
    if (threadIdx.x < 32) {
      if (round > 0) ptx::named_barrier_sync(2, 64);  // emptied
      slot[lane] = round * 100 + static_cast<int>(lane);
      ptx::named_barrier_arrive(1, 64);  // filled
    } else {
      ptx::named_barrier_sync(1, 64);
      out[round * 32 + static_cast<int>(lane)] = slot[lane ^ 1];
      if (round + 1 < rounds) ptx::named_barrier_arrive(2, 64);
    }
  }
}

TEST(Barrier, NamedBarriersPassASlotBetweenWarps) {
  for_seeds(20, [] {
    std::vector<int> out(5 * 32);
    launch(pass_on, {dim3(1), dim3(64), 128}, {}, 5, out.data());
    for (int i = 0; i < 5 * 32; ++i) {
      EXPECT_EQ(out[static_cast<std::size_t>(i)], i / 32 * 100 + (i % 32 ^ 1));
    }
  });
}

__global__ void counts_differ() { ptx::named_barrier_sync(3, threadIdx.x < 32 ? 64 : 96); }
__global__ void comes_twice() {
  ptx::named_barrier_arrive(3, 64);
  ptx::named_barrier_arrive(3, 64);
}
__global__ void barrier_number(int id, int threads) { ptx::named_barrier_arrive(id, threads); }

TEST(Barrier, FaultsOfNamedBarriers) {
  EXPECT_TRUE(says(fault_of([] { launch(counts_differ, {dim3(1), dim3(96)}, {}); }),
                   "named barrier 3: comes for"));
  EXPECT_TRUE(says(fault_of([] { launch(comes_twice, {dim3(1), dim3(64)}, {}); }),
                   "named barrier 3: comes twice in one phase"));
  const auto with = [](int id, int threads) {
    return fault_of([=] { launch(barrier_number, {dim3(1), dim3(64)}, {}, id, threads); });
  };
  EXPECT_TRUE(says(with(0, 64), "no named barrier 0"));
  EXPECT_TRUE(says(with(16, 64), "no named barrier 16"));
  EXPECT_TRUE(says(with(1, 48), "48 threads are no whole warps"));
  EXPECT_TRUE(says(with(1, 96), "96 threads are no whole warps of this block"));
  EXPECT_EQ(with(15, 64), "no fault");
}

enum class Part { whole, halves, two_places, sync_and_arrive, rest_returns };

// Two warps of a block of three; each comes to a barrier of 64, as a whole or not.
template <Part kPart>
__global__ void by_parts() {
  const unsigned lane = threadIdx.x % 32;
  if constexpr (kPart == Part::whole) {
    if (threadIdx.x < 64) ptx::named_barrier_sync(1, 64);
  } else if constexpr (kPart == Part::halves) {
    if (threadIdx.x < 32 || lane < 16) ptx::named_barrier_sync(1, 64);
  } else if constexpr (kPart == Part::two_places) {
    if (threadIdx.x < 64 && lane < 16) ptx::named_barrier_arrive(1, 64);
    if (threadIdx.x < 64 && lane >= 16) ptx::named_barrier_arrive(1, 64);
  } else if constexpr (kPart == Part::sync_and_arrive) {
    if (threadIdx.x < 64 && lane == 0) ptx::named_barrier_sync(1, 64);
    if (threadIdx.x < 64 && lane != 0) ptx::named_barrier_arrive(1, 64);
  } else if constexpr (kPart == Part::rest_returns) {
    if (lane >= 16) return;
    ptx::named_barrier_arrive(1, 96);
    return;
  }
  __syncthreads();
}

TEST(Barrier, NamedBarriersCountWholeWarps) {
  for_seeds(10, [] {
    const auto fault = [](auto* kernel) {
      return fault_of([=] { launch(kernel, {dim3(1), dim3(96)}, {}); });
    };
    EXPECT_EQ(fault(by_parts<Part::whole>), "no fault");
    EXPECT_TRUE(says(fault(by_parts<Part::halves>), "named barrier 1", "count whole warps"));
    EXPECT_TRUE(says(fault(by_parts<Part::two_places>), "named barrier 1: comes from line",
                     "other lanes of its warp from line"));
    EXPECT_TRUE(says(fault(by_parts<Part::sync_and_arrive>), "named barrier 1: comes from line"));
    EXPECT_TRUE(says(fault(by_parts<Part::rest_returns>), "named barrier 1"));
  });
}

// The last warp has 8 lanes, and counts as one of 32.
__global__ void with_a_small_warp(int* out) {
  ptx::SharedMemory shared;
  int* slot = shared.take<int>(40);
  slot[threadIdx.x] = static_cast<int>(threadIdx.x);
  ptx::named_barrier_sync(2, 64);
  out[threadIdx.x] = slot[39 - threadIdx.x];
}

TEST(Barrier, NamedBarriersCountASmallWarpAsWhole) {
  for_seeds(5, [] {
    std::vector<int> out(40);
    launch(with_a_small_warp, {dim3(1), dim3(40), 160}, {}, out.data());
    EXPECT_EQ(out[3], 36);
  });
}

}  // namespace
}  // namespace breakeven::simt
