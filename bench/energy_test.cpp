#include "bench/energy.h"

#include <gtest/gtest.h>

#include "bench/testing/fakes.h"

namespace breakeven {
namespace {

using testing::FakeDevice;
using testing::FakeKernel;

TEST(Energy, DividesTheCountersRiseByTheCalls) {
  FakeDevice device;
  device.joules = 1000;
  device.watts = 40;
  FakeKernel kernel(testing::right());
  // 100 calls of 1.25 ms of wall time at 40 W.
  EXPECT_NEAR(joules_per_call(device, kernel, 100).value(), 0.05, 1e-9);
  EXPECT_EQ(device.batches.size(), 8u);  // 8 x 125 ms is the second that is asked for
}

TEST(Energy, CountsEveryCallThatTheDeviceMakes) {
  FakeDevice device;
  device.joules = 1000;
  device.watts = 40;
  device.passes = 2;  // by events, then by the host's clock
  FakeKernel kernel(testing::right());
  EXPECT_NEAR(joules_per_call(device, kernel, 100).value(), 0.05, 1e-9);
}

TEST(Energy, IsAbsentWithoutACounter) {
  FakeDevice device;
  FakeKernel kernel(testing::right());
  EXPECT_FALSE(joules_per_call(device, kernel, 100));
  EXPECT_TRUE(device.batches.empty());
}

TEST(Energy, RefusesALoopThatIsTooShort) {
  FakeDevice device;
  device.joules = 0;
  FakeKernel kernel(testing::right());
  EXPECT_FALSE(joules_per_call(device, kernel, 1, {1.0, 100}));  // 125 ms in 100 batches
}

TEST(Energy, RefusesACounterThatDoesNotRise) {
  FakeDevice device;
  device.joules = 5;
  FakeKernel kernel(testing::right());
  device.watts = 0;
  EXPECT_FALSE(joules_per_call(device, kernel, 1000));
  device.watts = -1;  // wrapped around
  EXPECT_FALSE(joules_per_call(device, kernel, 1000));
}

TEST(Energy, RefusesACounterThatBecomesUnreadable) {
  FakeDevice device;
  device.joules = 5;
  FakeKernel kernel(testing::right());
  device.distort = [&](Batch batch) {
    device.joules.reset();
    return batch;
  };
  EXPECT_FALSE(joules_per_call(device, kernel, 1000));
}

}  // namespace
}  // namespace breakeven
