// What Hopper's short sums of fp8 do to a long k, and how a kernel comes round it.
#include "kernels/simt/fp8_sum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/primitives.h"
#include "kernels/simt/hopper_test_product.h"
#include "kernels/simt/random.h"

namespace breakeven::simt {
namespace {

/// sum + the products of `a` and `b`, whose missing elements are 0.
float add(float sum, std::vector<float> a, std::vector<float> b) {
  a.resize(32);
  b.resize(32);
  add_fp8_products(a.data(), b.data(), 1, 1, &sum);
  return sum;
}

TEST(Fp8Sum, KeepsWhatFitsIn14Bits) {
  EXPECT_EQ(add(0, {}, {}), 0);
  EXPECT_EQ(add(0, {448}, {448}), 448.0f * 448.0f);
  EXPECT_EQ(add(0, {0x1p-9f}, {-0x1p-9f}), -0x1p-18f);
  EXPECT_EQ(add(8191, {8}, {1}), 8199);
  EXPECT_EQ(add(-100, {8, 3, 1}, {8, -2, 0.5f}), -41.5f);
}

TEST(Fp8Sum, CutsWhatDoesNotFit) {
  EXPECT_EQ(add(16384, {1.75f}, {1}), 16384);
  EXPECT_EQ(add(16384, {1.75f, 1.75f}, {1, 1}), 16384);  // each by itself
  EXPECT_EQ(add(16383, {2}, {1}), 16384);                // the total
  EXPECT_EQ(add(-16384, {-3}, {1}), -16386);
  EXPECT_EQ(add(0.75f, {256}, {256}), 65536);
  EXPECT_EQ(add(1.0f + 0x1p-14f, {}, {}), 1);
  EXPECT_EQ(add(0, {256, -256, 1}, {256, 256, 1}), 0);  // cut before they cancel
}

TEST(Fp8Sum, PassesNanAndInfinityOn) {
  EXPECT_TRUE(std::isnan(add(0, {NAN, 1}, {0, 1})));
  EXPECT_TRUE(std::isnan(add(0, {1}, {NAN})));
  EXPECT_TRUE(std::isnan(add(NAN, {1}, {1})));
  EXPECT_EQ(add(INFINITY, {1}, {1}), INFINITY);
}

constexpr int kDepth = 4096;
constexpr int kSize = 64;

/// c[64,64] = A B^T over all of k; kPromote moves the sums to f32 registers every 128.
template <bool kPromote>
__global__ void long_product(const __grid_constant__ ptx::TensorMap a,
                             const __grid_constant__ ptx::TensorMap b, float* c) {
  ptx::SharedMemory shared;
  char* const a_tile = shared.take<char>(kSize * 128, 1024);
  char* const b_tile = shared.take<char>(kSize * 128, 1024);
  ptx::Mbarrier* const full = shared.take<ptx::Mbarrier>(1);
  const int me = static_cast<int>(threadIdx.x);
  if (me == 0) {
    ptx::mbarrier_init(full, 1);
    ptx::mbarrier_fence_init();
  }
  __syncthreads();
  float sums[32] = {};
  float d[32] = {};
  for (int tile = 0; tile < kDepth / 128; ++tile) {
    if (me == 0) {
      ptx::mbarrier_arrive_expect_tx(full, 2 * kSize * 128);
      ptx::tma_load(a_tile, a, full, tile * 128, 0);
      ptx::tma_load(b_tile, b, full, tile * 128, 0);
    }
    ptx::mbarrier_wait(full, tile & 1);
    ptx::wgmma_fence();
    for (int step = 0; step < 4; ++step) {
      ptx::wgmma<e4m3, kSize>(d, ptx::wgmma_descriptor(a_tile + step * 32, 1024, 1024),
                              ptx::wgmma_descriptor(b_tile + step * 32, 1024, 1024),
                              step > 0 || (!kPromote && tile > 0));
    }
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>();
    for (int i = 0; i < 32; ++i) sums[i] = kPromote ? sums[i] + d[i] : d[i];
    __syncthreads();
  }
  for (int i = 0; i < 32; ++i) {
    const int row = 16 * (me / 32) + 8 * (i / 2 % 2) + me % 32 / 4;
    c[row * kSize + 8 * (i / 4) + 2 * (me % 4) + i % 2] = sums[i];
  }
}

/// The largest |got - exact| / (|exact| + sigma), as the reference measures.
template <bool kPromote>
double worst_error(const TestElements<e4m3>& a, const TestElements<e4m3>& b) {
  std::vector<float> c(kSize * kSize);
  launch(long_product<kPromote>, Grid{dim3(1), dim3(128), 2 * kSize * 128 + 1024, 1}, Stream{},
         ptx::make_tensor_map(a.data.get(), kSize, kDepth, kDepth, kSize, 128),
         ptx::make_tensor_map(b.data.get(), kSize, kDepth, kDepth, kSize, 128), c.data());
  double worst = 0;
  for (int i = 0; i < kSize * kSize; ++i) {
    double exact = 0;
    double squares = 0;
    for (int k = 0; k < kDepth; ++k) {
      const double product = to_float(a.data.get()[i / kSize * kDepth + k]) *
                             to_float(b.data.get()[i % kSize * kDepth + k]);
      exact += product;
      squares += product * product;
    }
    const double scale = std::fabs(exact) + std::sqrt(squares);
    worst = std::max(worst, std::fabs(c[static_cast<std::size_t>(i)] - exact) / scale);
  }
  return worst;
}

TEST(Fp8Sum, OfALongDepthNeedsPromotion) {
  TestElements<e4m3> a(kSize * kDepth);
  TestElements<e4m3> b(kSize * kDepth);
  const auto fill = [&](auto draw) {
    for (int i = 0; i < kSize * kDepth; ++i) {
      a.data.get()[i] = from_float<e4m3>(draw());
      b.data.get()[i] = from_float<e4m3>(draw());
    }
  };
  const auto limit = [](int k) { return 3 * std::sqrt(static_cast<double>(k)); };
  Random random(20);
  // 128 products of integers up to 8 fit in 14 bits, 4096 don't.
  fill([&] { return static_cast<float>(random.below(9)); });
  EXPECT_GT(worst_error<false>(a, b), limit(kDepth) * 0x1p-14);
  EXPECT_LE(worst_error<true>(a, b), limit(kDepth) * 0x1p-24);
  // Any values: what is left is what 128 products lose among themselves.
  fill([&] { return static_cast<float>(random.below(2001)) / 1000 - 1; });
  EXPECT_GT(worst_error<false>(a, b), limit(128) * 0x1p-14);
  EXPECT_LE(worst_error<true>(a, b), limit(128) * 0x1p-15);
}

}  // namespace
}  // namespace breakeven::simt
