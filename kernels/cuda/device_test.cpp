// Where there is no driver: the device must say so and nothing must crash. On a GPU machine the
// same file times a real kernel of known behaviour.
#include "kernels/cuda/device.h"

#include <gtest/gtest.h>

#include "kernels/cuda/driver.h"

namespace breakeven {
namespace {

// Zeroes a buffer: one launch.
class Memset final : public Kernel {
 public:
  void run() override { check(cudaMemsetAsync(buffer_.data(), 0, buffer_.bytes(), work_stream())); }
  void poison_output() override {}
  std::span<const std::byte> output() override { return {}; }

 private:
  DeviceBuffer buffer_{std::size_t{64} << 20};
};

// Waits for the device inside.
class Waiting final : public Kernel {
 public:
  void run() override {
    memset_.run();
    check(cudaStreamSynchronize(work_stream()));
  }
  void poison_output() override {}
  std::span<const std::byte> output() override { return {}; }

 private:
  Memset memset_;
};

TEST(CudaDevice, SaysWhyThereIsNone) {
  if (gpu_missing_reason().empty()) GTEST_SKIP() << "this machine has a GPU";
  try {
    make_gpu_device();
    FAIL() << "a device where there is none";
  } catch (const Unsupported& error) {
    EXPECT_EQ(error.what(), gpu_missing_reason());
  }
}

TEST(CudaDevice, FactsNeedNoDriver) { EXPECT_EQ(cuda_facts().count("cuda.runtime"), 1u); }

TEST(CudaDevice, AFailedCallNamesItsPlace) {
  try {
    check(cudaErrorInvalidValue);
    FAIL() << "an error passed";
  } catch (const CudaError& error) {
    EXPECT_EQ(std::string(error.what()).rfind("device_test.cpp:", 0), 0u) << error.what();
    EXPECT_EQ(error.code(), cudaErrorInvalidValue);
  }
}

class OnGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (!gpu_missing_reason().empty()) GTEST_SKIP() << gpu_missing_reason();
    device_ = make_gpu_device();
  }
  std::unique_ptr<Device> device_;
};

TEST_F(OnGpu, TimesEveryMode) {
  for (const Cache cache : {Cache::warm, Cache::cold}) {
    for (const Launch launch : {Launch::stream, Launch::graph}) {
      device_->configure({.threads = 0, .cache = cache, .launch = launch});
      Memset kernel;
      const Batch batch = device_->time(kernel, 20);
      EXPECT_GT(batch.seconds, 0);
      EXPECT_GT(batch.host_seconds, 0);
      EXPECT_TRUE(batch.clock_mhz.has_value());
      EXPECT_GE(device_->peak_bytes().value_or(0), std::size_t{64} << 20);
      EXPECT_LT(device_->peak_bytes().value_or(0), std::size_t{80} << 20);
    }
  }
}

TEST_F(OnGpu, TimesACallThatWaitsInside) {
  device_->configure({});
  Waiting kernel;
  const Batch batch = device_->time(kernel, 20);
  EXPECT_GT(batch.seconds, 0);
  EXPECT_LT(batch.host_seconds, 1) << "a blocker ran into its time-out";
  device_->configure({.threads = 0, .cache = Cache::warm, .launch = Launch::graph});
  EXPECT_THROW(device_->time(kernel, 1), Unsupported);
}

}  // namespace
}  // namespace breakeven
