// cp.async: right kernels are right under every seed, wrong ones are caught.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "kernels/simt/testing.h"

namespace breakeven::simt {
namespace {

// What a kernel of this file leaves out.
enum class Bug { none, no_wait, waits_too_few, no_barrier_before_reuse };

constexpr int kThreads = 64;
constexpr int kStages = 2;

// out[i] = sum over slabs of in[slab][(i + 1) % 64], staged through shared memory by 4-byte copies.
template <Bug kBug>
__global__ void pipeline(const int* in, int slabs, int* out) {
  ptx::SharedMemory shared;
  int* stages = shared.take<int>(kStages * kThreads);
  const int me = static_cast<int>(threadIdx.x);
  const auto fetch = [&](int slab) {
    if (slab < slabs) {
      ptx::cp_async<4>(stages + slab % kStages * kThreads + me, in + slab * kThreads + me);
    }
    ptx::cp_async_commit();
  };
  fetch(0);
  int sum = 0;
  for (int slab = 0; slab < slabs; ++slab) {
    fetch(slab + 1);
    if constexpr (kBug == Bug::none || kBug == Bug::no_barrier_before_reuse) {
      ptx::cp_async_wait<1>();
    } else if constexpr (kBug == Bug::waits_too_few) {
      ptx::cp_async_wait<2>();
    }
    __syncthreads();
    sum += stages[slab % kStages * kThreads + (me + 1) % kThreads];
    if constexpr (kBug != Bug::no_barrier_before_reuse) __syncthreads();
  }
  ptx::cp_async_wait<0>();
  out[me] = sum;
}

// How many of 20 seeds give a wrong sum.
template <Bug kBug>
int wrong_seeds() {
  constexpr int kSlabs = 7;
  std::vector<int> in(kSlabs * kThreads);
  std::iota(in.begin(), in.end(), 1);
  int wrong = 0;
  for_seeds(20, [&] {
    std::vector<int> out(kThreads);
    launch(pipeline<kBug>, {dim3(1), dim3(kThreads), kStages * kThreads * sizeof(int)}, {},
           in.data(), kSlabs, out.data());
    for (int i = 0; i < kThreads; ++i) {
      int expected = 0;
      for (int slab = 0; slab < kSlabs; ++slab) {
        expected += in[static_cast<std::size_t>(slab * kThreads + (i + 1) % kThreads)];
      }
      if (out[static_cast<std::size_t>(i)] != expected) {
        ++wrong;
        break;
      }
    }
  });
  return wrong;
}

TEST(AsyncCopy, ArrivesBeforeItsWait) { EXPECT_EQ(wrong_seeds<Bug::none>(), 0); }

TEST(AsyncCopy, PlantedBugsGiveWrongSums) {
  if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer would end the program at these races";
  EXPECT_EQ(wrong_seeds<Bug::no_wait>(), 20);
  EXPECT_EQ(wrong_seeds<Bug::waits_too_few>(), 20);
  EXPECT_GT(wrong_seeds<Bug::no_barrier_before_reuse>(), 10);
}

// The copied bytes as they are right after the copy was issued, and after its wait.
template <int kBytes>
__global__ void one_copy(const unsigned char* in, bool valid, unsigned char* out) {
  ptx::SharedMemory shared;
  unsigned char* stage = shared.take<unsigned char>(2 * kBytes);
  for (int i = 0; i < 2 * kBytes; ++i) stage[i] = 7;
  ptx::cp_async<kBytes>(stage + kBytes, in, valid);
  for (int i = 0; i < 2 * kBytes; ++i) out[i] = stage[i];
  ptx::cp_async_commit();
  ptx::cp_async_wait<0>();
  for (int i = 0; i < 2 * kBytes; ++i) out[2 * kBytes + i] = stage[i];
}

template <int kBytes>
void check_one_copy() {
  alignas(16) unsigned char in[kBytes];
  for (int i = 0; i < kBytes; ++i) in[i] = static_cast<unsigned char>(50 + i);
  for (const bool valid : {true, false}) {
    std::vector<unsigned char> out(4 * kBytes);
    const unsigned char* from = valid ? in : in + 16 * 1000;  // not read
    launch(one_copy<kBytes>, {dim3(1), dim3(1), 2 * kBytes}, {}, from, valid, out.data());
    for (std::size_t i = 0; i < kBytes; ++i) {
      EXPECT_EQ(out[i], 7);
      EXPECT_EQ(out[kBytes + i], 0xff) << "garbage until the wait";
      EXPECT_EQ(out[2 * kBytes + i], 7);
      EXPECT_EQ(out[3 * kBytes + i], valid ? 50 + i : 0);
    }
  }
}

TEST(AsyncCopy, IsGarbageUntilTheWaitAndZeroFills) {
  check_one_copy<4>();
  check_one_copy<8>();
  check_one_copy<16>();
}

enum class Misuse { destination, source, not_shared, from_shared, never_waits };

__global__ void misuse(Misuse how, float* global) {
  ptx::SharedMemory shared;
  float* stage = shared.take<float>(32);
  switch (how) {
    case Misuse::destination:
      return ptx::cp_async<16>(stage + 2, global);
    case Misuse::source:
      return ptx::cp_async<8>(stage, global + 1);
    case Misuse::not_shared:
      return ptx::cp_async<4>(global + 1, global);
    case Misuse::from_shared:
      return ptx::cp_async<4>(stage, stage + 1);
    case Misuse::never_waits:
      ptx::cp_async<4>(stage, global);
      ptx::cp_async_commit();
      return ptx::cp_async_wait<1>();
  }
}

TEST(AsyncCopy, Faults) {
  alignas(16) float global[32] = {};
  const auto faults = [&](Misuse how) {
    return fault_of([&] { launch(misuse, {dim3(1), dim3(1), 128}, {}, how, global); });
  };
  EXPECT_TRUE(says(faults(Misuse::destination), "destination: the address isn't a multiple"));
  EXPECT_TRUE(says(faults(Misuse::source), "source: the address isn't a multiple of 8"));
  EXPECT_TRUE(says(faults(Misuse::not_shared), "the address isn't in shared memory"));
  EXPECT_TRUE(says(faults(Misuse::from_shared), "source lies in shared memory"));
  const SettingsGuard guard;
  int caught = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    settings().seed = seed;
    caught += faults(Misuse::never_waits).find("hasn't waited for") != std::string::npos;
  }
  EXPECT_GT(caught, 5);
}

}  // namespace
}  // namespace breakeven::simt
