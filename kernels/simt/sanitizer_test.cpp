// Bugs that values may not show: the sanitizers see them in kernels, too. Each is planted, and its
// right twin runs clean beside it. Plain builds run the twins only.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <vector>

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

// Ends the process with 0 after a launch in which no sanitizer saw anything.
template <class... P, class... A>
[[noreturn]] void run_to_the_end(void (*kernel)(P...), const Grid& grid, A... arguments) {
  launch(kernel, grid, {}, arguments...);
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

class Sanitizer : public testing::Test {
 protected:
  void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }

  std::unique_ptr<float[]> in_ = exact(kThreads);
  std::unique_ptr<float[]> out_ = exact(kThreads);
  const float* in = in_.get();
  float* out = out_.get();
  const Grid grid{dim3(2), dim3(kThreads), 2 * kThreads * sizeof(float)};
  const Grid one_block{dim3(1), dim3(kThreads), 2 * kThreads * sizeof(float)};
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

}  // namespace
}  // namespace breakeven::simt
