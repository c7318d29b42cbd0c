// Other primitives' accesses to shared memory that TMA still reads or writes.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/simt/hopper_test_product.h"
#include "kernels/simt/testing.h"

namespace breakeven::simt {
namespace {

enum class Access { ldmatrix, load_shared, stmatrix, store_shared, cp_async };

/// Reads or writes 16 bytes of shared memory; what was read.
template <Access kAccess>
__device__ std::uint32_t touch(f16* row, const float* from) {
  std::uint32_t r[4] = {};
  if constexpr (kAccess == Access::ldmatrix) ptx::ldmatrix_x4(r, row);
  if constexpr (kAccess == Access::load_shared) r[0] = ptx::load_shared(row).bits;
  if constexpr (kAccess == Access::stmatrix) ptx::stmatrix_x4(row, r);
  if constexpr (kAccess == Access::store_shared) ptx::store_shared(row, from_float<f16>(1.0f));
  if constexpr (kAccess == Access::cp_async) {
    ptx::cp_async<16>(row, from);
    ptx::cp_async_commit();
    ptx::cp_async_wait<0>();
  }
  return r[0];
}

/// One warp loads a box of 8 x 64 and reads or writes it, having waited or not.
template <Access kAccess>
__global__ void touch_load(const __grid_constant__ ptx::TensorMap from, bool wait, float* out) {
  ptx::SharedMemory shared;
  f16* const box = shared.take<f16>(8 * 64, 1024);
  ptx::Mbarrier* const full = shared.take<ptx::Mbarrier>(1);
  const int lane = static_cast<int>(threadIdx.x);
  if (lane == 0) {
    ptx::mbarrier_init(full, 1);
    ptx::mbarrier_fence_init();
    ptx::mbarrier_arrive_expect_tx(full, 1024);
    ptx::tma_load(box, from, full, 0, 0);
  }
  __syncwarp();
  if (wait) ptx::mbarrier_wait(full, 0);
  const std::uint32_t read = touch<kAccess>(box + lane * 8, out + lane * 4);
  if (!wait) ptx::mbarrier_wait(full, 0);
  out[128 + lane] = static_cast<float>(read);
}

/// The same with a box that is stored.
template <Access kAccess>
__global__ void touch_store(const __grid_constant__ ptx::TensorMap to, bool wait, float* in) {
  ptx::SharedMemory shared;
  f16* const box = shared.take<f16>(8 * 64, 1024);
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < 512; i += 32) box[i] = from_float<f16>(1.0f);
  ptx::fence_async_proxy();
  __syncwarp();
  if (lane == 0) {
    ptx::tma_store(to, box, 0, 0);
    ptx::tma_store_commit();
    if (wait) ptx::tma_store_wait_read<0>();
  }
  __syncwarp();
  touch<kAccess>(box + lane * 8, in + lane * 4);
  if (lane == 0 && !wait) ptx::tma_store_wait_read<0>();
}

class Overlap : public testing::Test {
 protected:
  Overlap() {
    std::fill_n(box_.data.get(), 512, from_float<f16>(1.0f));
    std::fill_n(floats_.data.get(), 128, 1.0f);
  }

  /// How many of 20 seeds fault, all of them saying `text`.
  template <class Kernel>
  int faults(Kernel kernel, bool wait, const char* text) {
    int count = 0;
    for_seeds(20, [&] {
      const std::string fault = fault_of([&] {
        launch(kernel, Grid{dim3(1), dim3(32), 1024 + 16}, Stream{},
               ptx::make_tensor_map(box_.data.get(), 8, 64, 64, 8, 64), wait, floats_.data.get());
      });
      if (fault == "no fault") return;
      ++count;
      EXPECT_TRUE(says(fault, text));
    });
    return count;
  }

 private:
  TestElements<f16> box_{512};
  TestElements<float> floats_{160};
};

TEST_F(Overlap, AccessesAfterTheWaitAreFree) {
  EXPECT_EQ(faults(touch_load<Access::ldmatrix>, true, ""), 0);
  EXPECT_EQ(faults(touch_load<Access::load_shared>, true, ""), 0);
  EXPECT_EQ(faults(touch_load<Access::stmatrix>, true, ""), 0);
  EXPECT_EQ(faults(touch_load<Access::store_shared>, true, ""), 0);
  EXPECT_EQ(faults(touch_load<Access::cp_async>, true, ""), 0);
  EXPECT_EQ(faults(touch_store<Access::stmatrix>, true, ""), 0);
  EXPECT_EQ(faults(touch_store<Access::store_shared>, true, ""), 0);
  EXPECT_EQ(faults(touch_store<Access::cp_async>, true, ""), 0);
  EXPECT_EQ(faults(touch_store<Access::ldmatrix>, false, ""), 0) << "both only read";
  EXPECT_EQ(faults(touch_store<Access::load_shared>, false, ""), 0);
}

TEST_F(Overlap, AccessesBeforeTheWaitFault) {
  if (kThreadSanitizer) GTEST_SKIP() << kPlantedRaces;
  // Under some seeds the load has come.
  EXPECT_GE(faults(touch_load<Access::ldmatrix>, false, "ldmatrix reads byte"), 10);
  EXPECT_GE(faults(touch_load<Access::load_shared>, false, "shared memory reads byte"), 10);
  EXPECT_GE(faults(touch_load<Access::stmatrix>, false, "stmatrix writes byte"), 10);
  EXPECT_GE(faults(touch_load<Access::store_shared>, false, "shared memory writes byte"), 10);
  EXPECT_GE(faults(touch_load<Access::cp_async>, false, "cp.async writes byte"), 10);
  EXPECT_EQ(faults(touch_store<Access::stmatrix>, false, "stmatrix writes byte"), 20);
  EXPECT_EQ(faults(touch_store<Access::store_shared>, false, "shared memory writes byte"), 20);
  EXPECT_EQ(faults(touch_store<Access::cp_async>, false, "cp.async writes byte"), 20);
}

}  // namespace
}  // namespace breakeven::simt
