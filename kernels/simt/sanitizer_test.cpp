// Bugs that values may not show: the sanitizers see them in kernels, too. Each is planted, and its
// right twin runs clean beside it. Plain builds run the twins only.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "kernels/simt/hopper_test_product.h"
#include "kernels/simt/testing.h"

namespace breakeven::simt {
namespace {

constexpr int kThreads = 128;

// An array of exactly its size: AddressSanitizer sees an access one past it.
std::unique_ptr<float[]> exact(int count) {
  auto array = std::make_unique<float[]>(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) array[static_cast<std::size_t>(i)] = static_cast<float>(i);
  return array;
}

// Ends the process with 0 after a launch in which no sanitizer saw anything; a fault of the model
// beside what they see is another test's.
template <class... P, class... A>
[[noreturn]] void run_to_the_end(void (*kernel)(P...), const Grid& grid, A... arguments) {
  try {
    launch(kernel, grid, {}, arguments...);
  } catch (const Fault&) {  // NOLINT(bugprone-empty-catch)
  }
  std::exit(0);
}

bool failed(int status) { return status != 0; }

// Reads `extra` elements past the end of a shared array that another array follows.
__global__ void overrun_shared(int extra, float* out) {
  ptx::SharedMemory shared;
  float* first = shared.take<float>(kThreads);
  float* second = shared.take<float>(kThreads);
  const int me = static_cast<int>(threadIdx.x);
  first[me] = second[me] = 1.0f;
  __syncthreads();
  out[me] = first[me + extra];
}

__global__ void overrun_global(const float* in, int extra, float* out) {
  const int me = static_cast<int>(threadIdx.x);
  out[me] = in[me + extra];
}

__global__ void overrun_async(const float* in, int extra, float* out) {
  ptx::SharedMemory shared;
  float* stage = shared.take<float>(kThreads);
  const int me = static_cast<int>(threadIdx.x);
  ptx::cp_async<4>(stage + me, in + me + extra);
  ptx::cp_async_commit();
  ptx::cp_async_wait<0>();
  out[me] = stage[me];
}

// out[i] = in[(i + 1) % n] by way of shared memory.
template <bool kBarrier>
__global__ void rotate(const float* in, float* out) {
  ptx::SharedMemory shared;
  float* tile = shared.take<float>(kThreads);
  const int me = static_cast<int>(threadIdx.x);
  tile[me] = in[me];
  if constexpr (kBarrier) __syncthreads();
  if (blockIdx.x == 0) out[me] = tile[(me + 1) % kThreads];
}

// A second round writes the tile while others still read the first.
template <bool kBarrier>
__global__ void rotate_twice(const float* in, float* out) {
  ptx::SharedMemory shared;
  float* tile = shared.take<float>(kThreads);
  const int me = static_cast<int>(threadIdx.x);
  float sum = 0;
  for (int round = 0; round < 2; ++round) {
    tile[me] = in[me];
    __syncthreads();
    sum += tile[(me + 1) % kThreads];
    if constexpr (kBarrier) __syncthreads();
  }
  if (blockIdx.x == 0) out[me] = sum;
}

// Shuffles order no memory: that takes __syncwarp.
template <bool kSyncwarp>
__global__ void shuffle_for_barrier(const float* in, float* out) {
  ptx::SharedMemory shared;
  float* tile = shared.take<float>(kThreads);
  const int me = static_cast<int>(threadIdx.x);
  tile[me] = in[me];
  __shfl_sync(0xffffffffu, me, 0);
  if constexpr (kSyncwarp) __syncwarp();
  if (blockIdx.x == 0) out[me] = tile[me ^ 1];
}

// Warps 0 and 1 wait for each other, warps 2 and 3 read as well.
template <int kReaders>
__global__ void named_for_too_few(const float* in, float* out) {
  ptx::SharedMemory shared;
  float* tile = shared.take<float>(kThreads);
  const int me = static_cast<int>(threadIdx.x);
  tile[me] = in[me];
  if (me >= kReaders) return;
  ptx::named_barrier_sync(1, kReaders);
  if (blockIdx.x == 0) out[me] = tile[(me + kThreads - 32) % kReaders];
  if (kReaders < kThreads && blockIdx.x == 0) out[me] += tile[me + kThreads - kReaders];
}

// Reads what another thread's copy wrote after its own wait only.
template <bool kBarrier>
__global__ void read_anothers_copy(const float* in, float* out) {
  ptx::SharedMemory shared;
  float* stage = shared.take<float>(kThreads);
  const int me = static_cast<int>(threadIdx.x);
  ptx::cp_async<4>(stage + me, in + me);
  ptx::cp_async_commit();
  ptx::cp_async_wait<0>();
  if constexpr (kBarrier) __syncthreads();
  if (blockIdx.x == 0) out[me] = stage[(me + 1) % kThreads];
}

__global__ void same_output(float* out) { out[threadIdx.x / 2] = 1.0f; }

enum class Slip {
  none,
  no_full_wait,   // of the readers' lanes all but one read a stage without waiting for its load
  sync_for_wait,  // they wait for the thread that loads, not for the load
  no_empty_wait,  // a load into a stage whose last load has come, but may still be read
};

constexpr int kBoxes = 4;
constexpr int kBoxFloats = 8 * 32;

// Thread 0 loads boxes of 8 x 32 through two stages, warp 1 adds up their columns. A pair of
// barriers for each box, so that a slip is nothing but a race.
template <Slip kSlip>
__global__ void add_boxes(const __grid_constant__ ptx::TensorMap from, float* out) {
  ptx::SharedMemory shared;
  float* stages = shared.take<float>(2 * kBoxFloats, 128);
  ptx::Mbarrier* full = shared.take<ptx::Mbarrier>(kBoxes);
  ptx::Mbarrier* empty = shared.take<ptx::Mbarrier>(kBoxes);
  const int me = static_cast<int>(threadIdx.x);
  if (me == 0) {
    for (int box = 0; box < kBoxes; ++box) {
      ptx::mbarrier_init(full + box, 1);
      ptx::mbarrier_init(empty + box, 1);
    }
    ptx::mbarrier_fence_init();
  }
  __syncthreads();
  float sum = 0;
  for (int box = 0; box < kBoxes; ++box) {
    const float* stage = stages + box % 2 * kBoxFloats;
    if (me == 0) {
      if (box >= 2) {
        ptx::mbarrier_wait((kSlip == Slip::no_empty_wait ? full : empty) + box - 2, 0);
      }
      ptx::mbarrier_arrive_expect_tx(full + box, kBoxFloats * 4);
      ptx::tma_load(stages + box % 2 * kBoxFloats, from, full + box, 0, 8 * box);
    }
    if constexpr (kSlip == Slip::sync_for_wait) __syncthreads();
    if (me >= 32) {
      if (kSlip == Slip::none || kSlip == Slip::no_empty_wait || me == 32) {
        ptx::mbarrier_wait(full + box, 0);
      }
      for (int row = 0; row < 8; ++row) sum += stage[row * 32 + me - 32];
      __syncwarp();
      if (me == 32) ptx::mbarrier_arrive(empty + box);
    }
  }
  if (me >= 32) out[me - 32] = sum;
}

// Thread 32 waits for phase 0 and reads what thread 0 writes before it arrives: in phase 0, or in
// phase 1, which nobody waits for.
template <bool kBefore>
__global__ void wait_for_phase(float* out) {
  ptx::SharedMemory shared;
  float* tile = shared.take<float>(1);
  ptx::Mbarrier* barrier = shared.take<ptx::Mbarrier>(1);
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(barrier, 2);
    ptx::mbarrier_fence_init();
  }
  __syncthreads();
  if (threadIdx.x == 32) {
    while (!ptx::mbarrier_test(barrier, 0)) {
    }
    *out = *tile;
  } else if (threadIdx.x < 2) {
    if (threadIdx.x == 0 && kBefore) *tile = 3.0f;
    ptx::mbarrier_arrive(barrier);
    if (threadIdx.x == 0) {
      ptx::mbarrier_wait(barrier, 0);
      if constexpr (!kBefore) *tile = 3.0f;
      ptx::mbarrier_arrive(barrier);
    }
  }
}

// Both blocks write and read their tiles; then block 0 loads a box into the tiles of both.
template <bool kClusterSync>
__global__ void load_for_peers(const __grid_constant__ ptx::TensorMap from, float* out) {
  ptx::SharedMemory shared;
  float* tile = shared.take<float>(kBoxFloats, 128);
  ptx::Mbarrier* full = shared.take<ptx::Mbarrier>(1);
  const int me = static_cast<int>(threadIdx.x);
  if (me == 0) {
    ptx::mbarrier_init(full, 1);
    ptx::mbarrier_fence_init();
    ptx::mbarrier_arrive_expect_tx(full, kBoxFloats * 4);
  }
  ptx::cluster_sync();
  tile[me] = 1.0f;
  __syncthreads();
  float sum = tile[(me + 1) % 64];
  if constexpr (kClusterSync) ptx::cluster_sync();
  if constexpr (!kClusterSync) __syncthreads();
  if (me == 0 && ptx::cluster_rank() == 0) ptx::tma_load_multicast(tile, from, full, 0, 0, 3);
  ptx::mbarrier_wait(full, 0);
  sum += tile[me];
  out[static_cast<int>(blockIdx.x) * 64 + me] = sum;
  ptx::cluster_sync();
}

// 128 threads write two operands of ones, which all of them then multiply.
template <bool kBarrier>
__global__ void multiply_ones(float* out) {
  ptx::SharedMemory shared;
  bf16* tile = shared.take<bf16>(64 * 16, 1024);
  const int me = static_cast<int>(threadIdx.x);
  for (int i = me; i < 64 * 16; i += 128) tile[i] = from_float<bf16>(1.0f);
  ptx::fence_async_proxy();
  if constexpr (kBarrier) __syncthreads();
  float d[32];
  ptx::wgmma_fence();
  const std::uint64_t ones = ptx::wgmma_descriptor(tile, 128, 256, ptx::Swizzle::none);
  ptx::wgmma<bf16, 64>(d, ones, ones, false);
  ptx::wgmma_commit();
  ptx::wgmma_wait<0>();
  out[me] = d[me % 32];
}

// Threads write a box, one stores it; then they write it again.
template <bool kBefore, bool kAfter>
__global__ void store_box_twice(const __grid_constant__ ptx::TensorMap to) {
  ptx::SharedMemory shared;
  float* tile = shared.take<float>(kBoxFloats, 128);
  const int me = static_cast<int>(threadIdx.x);
  for (int round = 0; round < 2; ++round) {
    for (int i = me; i < kBoxFloats; i += 64) tile[i] = 2.0f;
    ptx::fence_async_proxy();
    if constexpr (kBefore) __syncthreads();
    if (me == 0) {
      ptx::tma_store(to, tile, 0, 8 * round);
      ptx::tma_store_commit();
      ptx::tma_store_wait_read<0>();
    }
    if constexpr (kAfter) __syncthreads();
  }
}

class Sanitizer : public testing::Test {
 protected:
  void SetUp() override {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    std::fill_n(boxes_.data.get(), kBoxes * kBoxFloats, 1.0f);
  }

  std::unique_ptr<float[]> in_ = exact(kThreads);
  std::unique_ptr<float[]> out_ = exact(kThreads);
  const float* in = in_.get();
  float* out = out_.get();
  const Grid grid{dim3(2), dim3(kThreads), 2 * kThreads * sizeof(float)};
  const Grid one_block{dim3(1), dim3(kThreads), 2 * kThreads * sizeof(float)};
  TestElements<float> boxes_{kBoxes * kBoxFloats};
  const ptx::TensorMap boxes =
      ptx::make_tensor_map(boxes_.data.get(), 8 * kBoxes, 32, 32, 8, 32, ptx::Swizzle::none);
  const Grid fetch{dim3(1), dim3(64), 2 * kBoxFloats * 4 + 256};
  const Grid cluster{dim3(2), dim3(64), kBoxFloats * 4 + 128, 2};
  const Grid group{dim3(1), dim3(128), 2048};
};

TEST_F(Sanitizer, RightKernelsRunClean) {
  for_seeds(4, [this] {
    launch(overrun_shared, one_block, {}, 0, out);
    launch(overrun_global, one_block, {}, in, 0, out);
    launch(overrun_async, one_block, {}, in, 0, out);
    launch(rotate<true>, grid, {}, in, out);
    EXPECT_EQ(out[5], 6.0f);
    launch(rotate_twice<true>, grid, {}, in, out);
    EXPECT_EQ(out[5], 12.0f);
    launch(shuffle_for_barrier<true>, grid, {}, in, out);
    EXPECT_EQ(out[5], 4.0f);
    launch(named_for_too_few<kThreads>, grid, {}, in, out);
    EXPECT_EQ(out[40], 8.0f);
    launch(read_anothers_copy<true>, grid, {}, in, out);
    EXPECT_EQ(out[5], 6.0f);
  });
}

TEST_F(Sanitizer, RightAsynchronousKernelsRunClean) {
  for_seeds(10, [this] {
    launch(add_boxes<Slip::none>, fetch, {}, boxes, out);
    EXPECT_EQ(out[5], 8.0f * kBoxes);
    launch(wait_for_phase<true>, fetch, {}, out);
    EXPECT_EQ(out[0], 3.0f);
    launch(load_for_peers<true>, cluster, {}, boxes, out);
    EXPECT_EQ(out[100], 2.0f);
    launch(multiply_ones<true>, group, {}, out);
    EXPECT_EQ(out[5], 16.0f);
    launch(store_box_twice<true, true>, fetch, {}, boxes);
    EXPECT_EQ(boxes_.data.get()[300], 2.0f);
    SetUp();
  });
}

TEST_F(Sanitizer, AddressSanitizerSeesOverruns) {
  if (!kAddressSanitizer) GTEST_SKIP() << "not built with AddressSanitizer";
  EXPECT_EXIT(run_to_the_end(overrun_shared, grid, 1, out), failed, "use-after-poison");
  EXPECT_EXIT(run_to_the_end(overrun_shared, grid, -1, out), failed, "AddressSanitizer");
  EXPECT_EXIT(run_to_the_end(overrun_global, grid, in, 1, out), failed, "heap-buffer-overflow");
  EXPECT_EXIT(run_to_the_end(overrun_async, grid, in, 1, out), failed, "heap-buffer-overflow");
}

TEST_F(Sanitizer, ThreadSanitizerSeesMissingBarriers) {
  if (!kThreadSanitizer) GTEST_SKIP() << "not built with ThreadSanitizer";
  const char* const race = "data race";
  // Of the children: names and a second's sleep at the end take nearly all of their time.
  setenv("TSAN_OPTIONS", "symbolize=0:atexit_sleep_ms=0", 1);
  for_seeds(2, [&] {
    EXPECT_EXIT(run_to_the_end(rotate<false>, grid, in, out), failed, race);
    EXPECT_EXIT(run_to_the_end(rotate_twice<false>, grid, in, out), failed, race);
    EXPECT_EXIT(run_to_the_end(shuffle_for_barrier<false>, grid, in, out), failed, race);
    EXPECT_EXIT(run_to_the_end(named_for_too_few<64>, grid, in, out), failed, race);
    EXPECT_EXIT(run_to_the_end(read_anothers_copy<false>, grid, in, out), failed, race);
    EXPECT_EXIT(run_to_the_end(same_output, grid, out), failed, race);
  });
}

TEST_F(Sanitizer, ThreadSanitizerSeesRacesWithAsynchronousCopies) {
  if (!kThreadSanitizer) GTEST_SKIP() << "not built with ThreadSanitizer";
  const char* const race = "data race";
  setenv("TSAN_OPTIONS", "symbolize=0:atexit_sleep_ms=0", 1);
  for_seeds(3, [&] {
    EXPECT_EXIT(run_to_the_end(add_boxes<Slip::no_full_wait>, fetch, boxes, out), failed, race);
    EXPECT_EXIT(run_to_the_end(add_boxes<Slip::sync_for_wait>, fetch, boxes, out), failed, race);
    EXPECT_EXIT(run_to_the_end(add_boxes<Slip::no_empty_wait>, fetch, boxes, out), failed, race);
    EXPECT_EXIT(run_to_the_end(wait_for_phase<false>, fetch, out), failed, race);
    EXPECT_EXIT(run_to_the_end(load_for_peers<false>, cluster, boxes, out), failed, race);
    EXPECT_EXIT(run_to_the_end(multiply_ones<false>, group, out), failed, race);
    EXPECT_EXIT(run_to_the_end(store_box_twice<false, true>, fetch, boxes), failed, race);
    EXPECT_EXIT(run_to_the_end(store_box_twice<true, false>, fetch, boxes), failed, race);
  });
}

}  // namespace
}  // namespace breakeven::simt
