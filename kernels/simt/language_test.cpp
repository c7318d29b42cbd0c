// Shuffles, votes, atomics: against what CUDA's programming guide says of each lane.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "kernels/simt/testing.h"

namespace breakeven::simt {
namespace {

constexpr unsigned kAll = 0xffffffffu;

__global__ void shuffles(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = __shfl_sync(kAll, lane * 10, 5);
  out[32 + lane] = __shfl_sync(kAll, lane * 10, 3, 8);
  out[64 + lane] = __shfl_up_sync(kAll, lane, 3u, 16);
  out[96 + lane] = __shfl_down_sync(kAll, lane, 3u, 16);
  out[128 + lane] = __shfl_xor_sync(kAll, lane, 9);
  out[160 + lane] = static_cast<int>(__shfl_sync(kAll, 1.5 * lane, lane + 1));
}

TEST(Language, Shuffles) {
  for_seeds(5, [] {
    std::array<int, 192> out{};
    launch(shuffles, {dim3(1), dim3(32)}, {}, out.data());
    for (int lane = 0; lane < 32; ++lane) {
      const auto at = [&](int row) { return out[static_cast<std::size_t>(row * 32 + lane)]; };
      EXPECT_EQ(at(0), 50);
      EXPECT_EQ(at(1), (lane / 8 * 8 + 3) * 10);
      EXPECT_EQ(at(2), lane % 16 < 3 ? lane : lane - 3);
      EXPECT_EQ(at(3), lane % 16 > 12 ? lane : lane + 3);
      EXPECT_EQ(at(4), lane ^ 9);
      EXPECT_EQ(at(5), static_cast<int>(1.5 * ((lane + 1) % 32)));
    }
  });
}

__global__ void votes(unsigned* out) {
  const int lane = static_cast<int>(threadIdx.x);
  if (lane < 16) {
    out[lane] = __ballot_sync(0xffffu, lane % 3 == 0);
  } else {
    out[lane] = __ballot_sync(0xffff0000u, lane % 3 == 0);
  }
  out[32 + lane] = static_cast<unsigned>(__any_sync(kAll, lane == 31)) |
                   static_cast<unsigned>(__all_sync(kAll, lane < 31)) << 1 |
                   static_cast<unsigned>(__all_sync(kAll, lane < 32)) << 2;
  out[64 + lane] = __match_any_sync(kAll, lane % 5);
  __syncwarp();
}

TEST(Language, VotesAmongHalvesAndWhole) {
  for_seeds(5, [] {
    std::array<unsigned, 96> out{};
    launch(votes, {dim3(1), dim3(32)}, {}, out.data());
    for (unsigned lane = 0; lane < 32; ++lane) {
      unsigned thirds = 0;
      unsigned fifths = 0;
      for (unsigned i = 0; i < 32; ++i) {
        if (i % 3 == 0) thirds |= 1u << i;
        if (i % 5 == lane % 5) fifths |= 1u << i;
      }
      EXPECT_EQ(out[lane], thirds & (lane < 16 ? 0xffffu : 0xffff0000u));
      EXPECT_EQ(out[32 + lane], 0b101u);
      EXPECT_EQ(out[64 + lane], fifths);
    }
  });
}

__global__ void some_have_returned(int* sum) {
  if (threadIdx.x >= 20) return;
  const unsigned votes = __ballot_sync(kAll, 1);
  if (threadIdx.x == 0) *sum = __popc(votes);
}

TEST(Language, ReturnedLanesAreNotWaitedFor) {
  for_seeds(20, [] {
    int sum = 0;
    launch(some_have_returned, {dim3(1), dim3(32)}, {}, &sum);
    EXPECT_EQ(sum, 20);
    launch(some_have_returned, {dim3(1), dim3(24)}, {}, &sum);  // half a warp never was
    EXPECT_EQ(sum, 20);
  });
}

__global__ void different_operations() {
  if (threadIdx.x < 16) {
    __ballot_sync(kAll, 1);
  } else {
    __shfl_sync(kAll, 1, 0);
  }
}
__global__ void different_masks() { __ballot_sync(threadIdx.x < 16 ? kAll : 0xffff0001u, 1); }
__global__ void not_in_mask() { __ballot_sync(0xffu, 1); }
__global__ void from_outside() {
  if (threadIdx.x < 16) __shfl_sync(0xffffu, 1, 20);
}
__global__ void lane_missing() {
  if (threadIdx.x != 7) __syncwarp();
  __syncthreads();
}

TEST(Language, FaultsOfWarpOperations) {
  const auto faults = [](void (*kernel)()) {
    return fault_of([=] { launch(kernel, {dim3(1), dim3(32)}, {}); });
  };
  EXPECT_TRUE(says(faults(different_operations), "while lanes of its mask wait at"));
  EXPECT_TRUE(says(faults(different_masks), "with another mask"));
  EXPECT_TRUE(says(faults(not_in_mask), "isn't in its own mask"));
  EXPECT_TRUE(says(faults(from_outside), "shuffles from lane 20, which isn't in the mask"));
  EXPECT_TRUE(says(faults(lane_missing), "31 wait for __syncwarp"));
}

__global__ void atomics(int* sum, unsigned* most, int* last, unsigned long long* lock,
                        int* locked) {
  const int me = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(sum, me);
  atomicMax(most, static_cast<unsigned>(me * 7 % 512));
  atomicExch(last, me);
  while (atomicCAS(lock, 0ull, 1ull) != 0ull) {
  }
  __threadfence();
  const int seen = *locked;
  yield("a critical section");
  *locked = seen + 1;
  __threadfence();
  atomicExch(lock, 0ull);
}

TEST(Language, Atomics) {
  for_seeds(5, [] {
    int sum = 0;
    unsigned most = 0;
    int last = -1;
    unsigned long long lock = 0;
    int locked = 0;
    launch(atomics, {dim3(4), dim3(64)}, {}, &sum, &most, &last, &lock, &locked);
    EXPECT_EQ(sum, 255 * 256 / 2);
    EXPECT_EQ(most, 511u);
    EXPECT_GE(last, 0);
    EXPECT_EQ(locked, 256);
  });
}

__global__ void not_atomic(int* count) {
  const int seen = *count;
  yield("between reading and writing");
  *count = seen + 1;
}

TEST(Language, PlainReadModifyWritesLoseUpdates) {
  if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer would end the program at this race";
  int count = 0;
  launch(not_atomic, {dim3(1), dim3(64)}, {}, &count);
  EXPECT_LT(count, 64);
}

TEST(Language, BitsOfNumbers) {
  EXPECT_EQ(__popc(0xf0f0u), 8);
  EXPECT_EQ(__clz(1), 31);
  EXPECT_EQ(__clz(0), 32);
  EXPECT_EQ(__ffs(0), 0);
  EXPECT_EQ(__ffs(8), 4);
  EXPECT_EQ(__float_as_uint(1.0f), 0x3f800000u);
  EXPECT_EQ(__uint_as_float(0x40000000u), 2.0f);
}

}  // namespace
}  // namespace breakeven::simt
