#include "kernels/simt/counting.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/simt/testing.h"

namespace breakeven::simt {
namespace {

BankPasses passes_of(int stride_bytes, std::size_t bytes, std::uint32_t mask = ~0u) {
  std::uint64_t addresses[32];
  for (std::uint64_t lane = 0; lane < 32; ++lane) {
    addresses[lane] = 4096 + lane * static_cast<std::uint64_t>(stride_bytes);
  }
  return bank_passes(addresses, mask, bytes);
}

TEST(Counting, BankPasses) {
  EXPECT_EQ(passes_of(4, 4).passes, 1);
  EXPECT_EQ(passes_of(0, 4).passes, 1) << "one word is broadcast";
  EXPECT_EQ(passes_of(2, 2).passes, 1) << "two lanes share a word";
  EXPECT_EQ(passes_of(8, 4).passes, 2);
  EXPECT_EQ(passes_of(128, 4).passes, 32);
  EXPECT_EQ(passes_of(128, 4, 0xff).passes, 8);
  EXPECT_EQ(passes_of(132, 4).passes, 1) << "padded rows";
  EXPECT_EQ(passes_of(8, 8).passes, 2);
  EXPECT_EQ(passes_of(8, 8).least, 2);
  EXPECT_EQ(passes_of(16, 16).passes, 4);
  EXPECT_EQ(passes_of(16, 16).least, 4);
  EXPECT_EQ(passes_of(128, 16).passes, 32);
  EXPECT_EQ(passes_of(4, 4, 0).passes, 0);
}

TEST(Counting, Sectors) {
  std::uint64_t addresses[32];
  for (std::uint64_t lane = 0; lane < 32; ++lane) addresses[lane] = 1024 + lane * 4;
  EXPECT_EQ(sectors(addresses, ~0u, 4), 4);
  for (std::uint64_t lane = 0; lane < 32; ++lane) addresses[lane] = 1024 + 16 + lane * 4;
  EXPECT_EQ(sectors(addresses, ~0u, 4), 5) << "not aligned to a sector";
  for (std::uint64_t lane = 0; lane < 32; ++lane) addresses[lane] = lane * 512;
  EXPECT_EQ(sectors(addresses, ~0u, 4), 32);
  EXPECT_EQ(sectors(addresses, 0x3, 4), 2);
}

constexpr int kPitch = 64;  // 16-bit elements: 128 bytes, so that rows lie in the same banks

__global__ void accesses(const float* in, float* out, int stride) {
  ptx::SharedMemory shared;
  float* tile = shared.take<float>(64 * 32);
  const int me = static_cast<int>(threadIdx.x);
  for (int i = 0; i < 2; ++i) {
    ptx::store_shared(tile + me * stride, ptx::load_global(in + i * 64 + me));
  }
  __syncthreads();
  std::uint32_t r[4];
  ptx::ldmatrix_x4(r, reinterpret_cast<std::uint16_t*>(tile) + me % 32 * kPitch);
  ptx::store_global(out + me * 16, __uint_as_float(r[0]));
}

TEST(Counting, CountsAKernelsAccessesByWarp) {
  const SettingsGuard guard;
  alignas(32) float in[128] = {};
  std::vector<float> out(64 * 16);
  const auto count = [&](int stride) {
    reset_counters();
    launch(accesses, {dim3(1), dim3(64), 64 * 32 * sizeof(float)}, {}, in, out.data(), stride);
    return counters();
  };
  EXPECT_EQ(count(1).global_sectors, 0u) << "unless asked for";
  settings().count_accesses = true;
  const std::uint64_t rows = 2 * (32 - 4);  // each warp's ldmatrix of 128-byte rows
  for_seeds(3, [&] {
    const Counters straight = count(1);
    EXPECT_EQ(straight.global_requests, 2u * 2 + 2);
    EXPECT_EQ(straight.global_sectors, 2u * 2 * 4 + 2 * 32);
    EXPECT_EQ(straight.shared_wavefronts, 2u * 2 + 2 * 32);
    EXPECT_EQ(straight.shared_bank_conflicts, rows);
    EXPECT_EQ(count(32).shared_bank_conflicts, rows + 2 * 2 * 31);
  });
}

__global__ void crooked_access(float* global) {
  ptx::load_global(reinterpret_cast<const float4*>(global + 1));
}

__global__ void wrong_space(float* global) { ptx::load_shared(global); }

TEST(Counting, Faults) {
  alignas(16) float global[8] = {};
  EXPECT_NE(fault_of([&] {
              launch(crooked_access, {dim3(1), dim3(1)}, {}, global);
            }).find("isn't a multiple of 16 bytes"),
            std::string::npos);
  EXPECT_NE(fault_of([&] {
              launch(wrong_space, {dim3(1), dim3(1)}, {}, global);
            }).find("isn't in shared memory"),
            std::string::npos);
}

}  // namespace
}  // namespace breakeven::simt
