#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <set>
#include <vector>

#include "kernels/simt/testing.h"

namespace breakeven::simt {
namespace {

__global__ void note_arrays(std::set<void*>* arrays, int* misplaced) {
  ptx::SharedMemory shared;
  float* first = shared.take<float>(3);
  std::uint16_t* second = shared.take<std::uint16_t>(5, 1024);
  double* third = shared.take<double>(2, 8);
  const Quiet quiet;
  arrays->insert({first, second, third});
  *misplaced += reinterpret_cast<std::uintptr_t>(first) % 16 != 0;
  *misplaced += reinterpret_cast<std::uintptr_t>(second) % 1024 != 0;
  *misplaced += reinterpret_cast<std::uintptr_t>(third) % 8 != 0;
  *misplaced += reinterpret_cast<std::byte*>(second) < reinterpret_cast<std::byte*>(first + 3);
}

TEST(SharedMemory, GivesAllThreadsTheSameAlignedArrays) {
  using ptx::shared_bytes;
  constexpr int kBytes = shared_bytes(shared_bytes(shared_bytes(0, 12), 10, 1024), 16, 8);
  for_seeds(3, [] {
    std::set<void*> arrays;
    int misplaced = 0;
    launch(note_arrays, {dim3(1), dim3(64), kBytes}, {}, &arrays, &misplaced);
    EXPECT_EQ(arrays.size(), 3u);
    EXPECT_EQ(misplaced, 0);
    EXPECT_TRUE(says(fault_of([&] {
                       launch(note_arrays, {dim3(1), dim3(64), kBytes - 1}, {}, &arrays,
                              &misplaced);
                     }),
                     "takes 1056 bytes of shared memory, the launch asked for 1055"));
  });
}

__global__ void note_static(std::set<void*>* arrays, int* wrong, int dirt) {
  float* first = ptx::static_shared<float, 5>();
  float* again = ptx::static_shared<float, 5>();
  float* second = ptx::static_shared<float, 5, 1>();
  int* third = ptx::static_shared<int, 5>();
  ptx::SharedMemory shared;
  float* dynamic = shared.take<float>(4);
  {
    const Quiet quiet;
    arrays->insert({first, second, third, dynamic});
    *wrong += first != again;
    *wrong += reinterpret_cast<std::uintptr_t>(second) % 128 != 0;
    *wrong += std::abs(first - second) < 5;
  }
  if (threadIdx.x < 5 && !std::isnan(first[threadIdx.x])) ++*wrong;
  __syncthreads();
  if (threadIdx.x < 5) first[threadIdx.x] = static_cast<float>(dirt);
}

__global__ void take_much() {
  ptx::static_shared<char, 40 * 1024>();
  if (threadIdx.x == 0) ptx::static_shared<char, 8 * 1024 + 1>();
}

TEST(SharedMemory, StaticArraysAreNamedByTypeCountAndTag) {
  for_seeds(3, [] {
    std::set<void*> arrays;
    int wrong = 0;
    launch(note_static, {dim3(3), dim3(64), 16}, {}, &arrays, &wrong, 1);
    EXPECT_EQ(arrays.size(), 4u);
    EXPECT_EQ(wrong, 0);
  });
  EXPECT_TRUE(says(fault_of([] { launch(take_much, {dim3(1), dim3(1)}, {}); }),
                   "takes 49153 bytes of static shared memory"));
  EXPECT_TRUE(says(fault_of([] { launch(take_much, {dim3(1), dim3(2), 200 * 1024}, {}); }),
                   "40960 bytes of static shared memory beside 204800"));
}

__global__ void dirty(float* seen) {
  ptx::SharedMemory shared;
  float* array = shared.take<float>(64);
  seen[blockIdx.x * 64 + threadIdx.x] = array[threadIdx.x];
  array[threadIdx.x] = 1.0f;
}

TEST(SharedMemory, EachBlockStartsWithNaNs) {
  std::vector<float> seen(3 * 64, 0.0f);
  launch(dirty, {dim3(3), dim3(64), 256}, {}, seen.data());
  for (const float value : seen) EXPECT_TRUE(std::isnan(value));
}

__global__ void take_different_sizes() {
  ptx::SharedMemory shared;
  shared.take<float>(threadIdx.x == 9 ? 17 : 16);
}
__global__ void take_crooked() {
  ptx::SharedMemory shared;
  shared.take<float>(16, 24);
}
__global__ void take_again(int* differ) {
  ptx::SharedMemory one;
  ptx::SharedMemory other;  // the same memory, from its begin
  if (one.take<float>(16) != other.take<float>(16)) atomicAdd(differ, 1);
}

TEST(SharedMemory, FaultsWhereThreadsDisagree) {
  EXPECT_TRUE(says(fault_of([] { launch(take_different_sizes, {dim3(1), dim3(32), 128}, {}); }),
                   "array 0 of shared memory"));
  EXPECT_TRUE(says(fault_of([] { launch(take_crooked, {dim3(1), dim3(1), 128}, {}); }),
                   "aligned to 24 bytes"));
  int differ = 0;
  launch(take_again, {dim3(1), dim3(32), 64}, {}, &differ);
  EXPECT_EQ(differ, 0);
}

}  // namespace
}  // namespace breakeven::simt
