// Matrix fragments against matrices: what each lane must hold by the PTX manual's figures.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "kernels/simt/random.h"
#include "kernels/simt/testing.h"

namespace breakeven::simt {
namespace {

constexpr int kElements = 4 * 64;

template <bool kTransposed>
__global__ void load(const std::uint16_t* in, std::uint32_t* out) {
  ptx::SharedMemory shared;
  std::uint16_t* tile = shared.take<std::uint16_t>(kElements);
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < kElements; i += 32) tile[i] = in[i];
  __syncwarp();
  std::uint32_t four[4];
  std::uint32_t two[2];
  if constexpr (kTransposed) {
    ptx::ldmatrix_x4_trans(four, tile + lane * 8);
    ptx::ldmatrix_x2_trans(two, tile + lane % 16 * 8);
  } else {
    ptx::ldmatrix_x4(four, tile + lane * 8);
    ptx::ldmatrix_x2(two, tile + lane % 16 * 8);
  }
  for (int i = 0; i < 4; ++i) out[lane * 6 + i] = four[i];
  for (int i = 0; i < 2; ++i) out[lane * 6 + 4 + i] = two[i];
}

template <bool kTransposed>
void check_load() {
  std::array<std::uint16_t, kElements> in;
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::uint16_t>(i * 31 + 5);
  std::array<std::uint32_t, 32 * 6> out{};
  launch(load<kTransposed>, {dim3(1), dim3(32), sizeof in}, {}, in.data(), out.data());
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 6; ++i) {
      for (int half = 0; half < 2; ++half) {
        const int matrix = i % 4;
        int row = lane / 4;
        int column = lane % 4 * 2 + half;
        if (kTransposed) std::swap(row, column);
        const std::uint32_t bits = out[static_cast<std::size_t>(lane * 6 + i)] >> (16 * half);
        EXPECT_EQ(bits & 0xffffu, in[static_cast<std::size_t>(matrix * 64 + row * 8 + column)]);
      }
    }
  }
}

TEST(Matrix, LdmatrixGivesEachLaneItsPair) {
  for_seeds(3, [] {
    check_load<false>();
    check_load<true>();
  });
}

enum class Store { x4, x4_trans, x2 };

// Loads plainly and stores by `how`; returns the tile.
template <Store kHow>
__global__ void store(const std::uint16_t* in, std::uint16_t* out) {
  ptx::SharedMemory shared;
  std::uint16_t* from = shared.take<std::uint16_t>(kElements);
  std::uint16_t* to = shared.take<std::uint16_t>(kElements);
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < kElements; i += 32) {
    from[i] = in[i];
    to[i] = 0;
  }
  __syncwarp();
  if constexpr (kHow == Store::x2) {
    std::uint32_t r[2];
    ptx::ldmatrix_x2(r, from + lane % 16 * 8);
    ptx::stmatrix_x2(to + lane % 16 * 8, r);
  } else {
    std::uint32_t r[4];
    ptx::ldmatrix_x4(r, from + lane * 8);
    if constexpr (kHow == Store::x4) ptx::stmatrix_x4(to + lane * 8, r);
    if constexpr (kHow == Store::x4_trans) ptx::stmatrix_x4_trans(to + lane * 8, r);
  }
  __syncwarp();
  for (int i = lane; i < kElements; i += 32) out[i] = to[i];
}

TEST(Matrix, StmatrixIsTheReverse) {
  std::vector<std::uint16_t> in(kElements);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::uint16_t>(i * 31 + 5);
  const auto stored = [&](void (*kernel)(const std::uint16_t*, std::uint16_t*)) {
    std::vector<std::uint16_t> out(kElements);
    launch(kernel, {dim3(1), dim3(32), 4 * kElements}, {}, in.data(), out.data());
    return out;
  };
  EXPECT_EQ(stored(store<Store::x4>), in);
  const auto two = stored(store<Store::x2>);
  EXPECT_TRUE(std::equal(two.begin(), two.begin() + 128, in.begin()));
  EXPECT_EQ(two[128], 0);
  const auto transposed = stored(store<Store::x4_trans>);
  for (std::size_t i = 0; i < in.size(); ++i) {
    EXPECT_EQ(transposed[i], in[i / 64 * 64 + i % 8 * 8 + i / 8 % 8]);
  }
}

__global__ void half_a_warp(float* out) {
  float d[4] = {};
  const std::uint32_t a[4] = {};
  const std::uint32_t b[2] = {};
  if (threadIdx.x < 16) ptx::mma_m16n8k16<bf16>(d, a, b);
  out[threadIdx.x] = d[0];
}
__global__ void crooked_row() {
  ptx::SharedMemory shared;
  std::uint16_t* tile = shared.take<std::uint16_t>(kElements + 8);
  std::uint32_t r[4];
  ptx::ldmatrix_x4(r, tile + threadIdx.x * 8 + 1);
}
__global__ void global_row(const std::uint16_t* global) {
  std::uint32_t r[2];
  ptx::ldmatrix_x2(r, global);
}

TEST(Matrix, Faults) {
  alignas(16) std::array<std::uint16_t, 64> global{};
  std::array<float, 32> out{};
  for_seeds(5, [&] {
    EXPECT_NE(fault_of([&] { launch(half_a_warp, {dim3(1), dim3(32)}, {}, out.data()); }),
              "no fault");
  });
  EXPECT_TRUE(says(fault_of([&] { launch(half_a_warp, {dim3(1), dim3(16)}, {}, out.data()); }),
                   "mma.bf16, which needs all 32 threads"));
  EXPECT_TRUE(says(fault_of([] { launch(crooked_row, {dim3(1), dim3(32), 1024}, {}); }),
                   "ldmatrix: the address isn't a multiple of 16 bytes"));
  EXPECT_TRUE(says(fault_of([&] { launch(global_row, {dim3(1), dim3(32)}, {}, global.data()); }),
                   "ldmatrix: the address isn't in shared memory"));
}

}  // namespace
}  // namespace breakeven::simt
