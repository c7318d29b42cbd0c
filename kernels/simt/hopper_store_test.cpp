// TMA stores and the order between threads' writes and the asynchronous proxy's reads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/simt/hopper_test_product.h"

namespace breakeven::simt {
namespace {

using testing::HasSubstr;

enum class Slip {
  none,
  no_fence,     // threads' writes, no fence_async_proxy
  early_fence,  // each thread fences before it writes
  no_barrier,   // one thread stores before the others have written
  no_wait,      // the buffer is written again while the store may read it
  no_commit,
  no_final_wait,     // the block ends with a store that may still read its memory
  load_over_source,  // a TMA load into what a store may still read
  unaligned,
};

/// Writes `rounds` boxes of 8 x 64, element (r, c) of round i being 100 i + r + c / 64, through one
/// buffer.
template <Slip kSlip>
__global__ void store_boxes(const __grid_constant__ ptx::TensorMap to, int rounds) {
  ptx::SharedMemory shared;
  auto* const buffer = shared.take<f16>(8 * 64 + 64, 1024);
  auto* const barrier = shared.take<ptx::Mbarrier>(1);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) {
    ptx::mbarrier_init(barrier, 1);
    ptx::mbarrier_fence_init();
  }
  __syncthreads();
  for (int round = 0; round < rounds; ++round) {
    if (thread == 0 && kSlip != Slip::no_wait) ptx::tma_store_wait_read<0>();
    __syncthreads();
    if (kSlip == Slip::early_fence) ptx::fence_async_proxy();
    for (int i = thread; i < 512; i += 64) {
      const int row = i / 64, column = i % 64;
      const int place = row * 64 + ((column / 8 ^ row) * 8 + column % 8);
      buffer[place] = from_float<f16>(100.0f * round + row + column / 64.0f);
    }
    if (kSlip != Slip::no_fence && kSlip != Slip::early_fence) ptx::fence_async_proxy();
    if (kSlip != Slip::no_barrier) __syncthreads();
    if (thread == 0) {
      ptx::tma_store(to, buffer + (kSlip == Slip::unaligned ? 8 : 0), 0, 8 * round);
      if (kSlip != Slip::no_commit) ptx::tma_store_commit();
      if (kSlip == Slip::load_over_source) {
        ptx::mbarrier_arrive_expect_tx(barrier, 1024);
        ptx::tma_load(buffer, to, barrier, 0, 0);
      }
    }
    if (kSlip == Slip::no_barrier) __syncthreads();
  }
  if (thread == 0 && kSlip != Slip::no_final_wait) ptx::tma_store_wait_read<0>();
}

template <Slip kSlip>
std::string run_stores(std::uint64_t seed) {
  constexpr int kRounds = 3, kRows = 8 * kRounds - 3, kColumns = 56;  // the last box reaches out
  TestElements<f16> out(kRows * kColumns);
  std::fill_n(out.data.get(), kRows * kColumns, from_float<f16>(-1.0f));
  settings().seed = seed;
  try {
    launch(store_boxes<kSlip>, Grid{dim3(1), dim3(64), 3072, 1}, Stream{},
           ptx::make_tensor_map(out.data.get(), kRows, kColumns, kColumns, 8, 64), kRounds);
  } catch (const Fault& fault) {
    return fault.what();
  }
  for (int i = 0; i < kRows * kColumns; ++i) {
    const int row = i / kColumns;
    const float expected = to_float(
        from_float<f16>(100.0f * (row / 8) + row % 8 + static_cast<float>(i % kColumns) / 64));
    if (!(to_float(out.data.get()[i]) == expected)) return "wrong at " + std::to_string(i);
  }
  return "";
}

template <Slip kSlip>
int seen(const std::string& text = "") {
  int count = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string result = run_stores<kSlip>(seed);
    if (result.empty()) continue;
    ++count;
    EXPECT_THAT(result, HasSubstr(text));
  }
  return count;
}

TEST(TmaStore, WritesWhatThreadsWroteInsideTheMatrix) {
  for (int seed = 1; seed <= 30; ++seed) EXPECT_EQ(run_stores<Slip::none>(seed), "") << seed;
}

TEST(TmaStoreMistake, WritesThatTheAsynchronousProxyMayNotSee) {
  if (kThreadSanitizer) GTEST_SKIP() << kPlantedRaces;
  EXPECT_EQ(seen<Slip::no_fence>("wrong"), 20);
  EXPECT_GE(seen<Slip::early_fence>("wrong"), 15);
  EXPECT_GE(seen<Slip::no_barrier>(), 15);
}

TEST(TmaStoreMistake, ABufferThatIsStillRead) {
  if (kThreadSanitizer) GTEST_SKIP() << kPlantedRaces;
  EXPECT_EQ(seen<Slip::no_wait>("written over"), 20);
  EXPECT_EQ(seen<Slip::load_over_source>("still reads"), 20);
  EXPECT_EQ(seen<Slip::no_final_wait>("returned without tma_store_wait"), 20);
  EXPECT_EQ(seen<Slip::no_commit>("tma_store_commit"), 20);
}

TEST(TmaStoreMistake, AnUnalignedBuffer) { EXPECT_EQ(seen<Slip::unaligned>("tma_store"), 20); }

/// 64 x 64 from memory that threads wrote: A is the identity, so the sums are B.
template <bool kFence, bool kOverwrite = false>
__global__ void multiply_written(float* c) {
  ptx::SharedMemory shared;
  auto* const a = shared.take<bf16>(64 * 16, 1024);
  auto* const b = shared.take<bf16>(64 * 16, 1024);
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < 64 * 16; i += 128) {
    // Unswizzled: 8 x 8 matrices, the two halves of k behind each other.
    const int row = i / 16, k = i % 16;
    const int place = row / 8 * 128 + k / 8 * 64 + row % 8 * 8 + k % 8;
    a[place] = from_float<bf16>(row == k ? 1.0f : 0.0f);
    b[place] = from_float<bf16>(static_cast<float>(row - k));
  }
  if (kFence) ptx::fence_async_proxy();
  __syncthreads();
  float d[32];
  ptx::wgmma_fence();
  ptx::wgmma<bf16, 64>(d, ptx::wgmma_descriptor(a, 128, 256, ptx::Swizzle::none),
                       ptx::wgmma_descriptor(b, 128, 256, ptx::Swizzle::none), false);
  ptx::wgmma_commit();
  if (kOverwrite && thread == 5) b[3] = from_float<bf16>(100.0f);
  ptx::wgmma_wait<0>();
  for (int i = 0; i < 32; ++i) {
    const int row = 16 * (thread / 32) + 8 * (i / 2 % 2) + thread % 32 / 4;
    c[row * 64 + 8 * (i / 4) + 2 * (thread % 4) + i % 2] = d[i];
  }
}

TEST(Wgmma, ReadsWhatThreadsWroteOnlyBehindAFence) {
  std::vector<float> c(64 * 64);
  launch(multiply_written<true>, Grid{dim3(1), dim3(128), 4096, 1}, Stream{}, c.data());
  for (int row = 0; row < 64; ++row) {
    for (int column = 0; column < 64; ++column) {
      ASSERT_EQ(c[row * 64 + column], row < 16 ? column - row : 0.0f) << row << "," << column;
    }
  }
  launch(multiply_written<false>, Grid{dim3(1), dim3(128), 4096, 1}, Stream{}, c.data());
  EXPECT_TRUE(c[0] != c[0]);
}

TEST(WgmmaMistake, OperandsWrittenWhileTheyAreRead) {
  if (kThreadSanitizer) GTEST_SKIP() << kPlantedRaces;
  std::vector<float> c(64 * 64);
  int faults = 0;
  for (int seed = 1; seed <= 20; ++seed) {
    settings().seed = seed;
    try {
      launch(multiply_written<true, true>, Grid{dim3(1), dim3(128), 4096, 1}, Stream{}, c.data());
    } catch (const Fault& fault) {
      EXPECT_THAT(fault.what(), HasSubstr("written over"));
      ++faults;
    }
  }
  EXPECT_EQ(faults, 20);
}

}  // namespace
}  // namespace breakeven::simt
