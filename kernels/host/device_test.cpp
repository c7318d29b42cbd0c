#include "kernels/host/device.h"

#include <gtest/gtest.h>
#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <vector>

#include "kernels/host/cache.h"

namespace breakeven {
namespace {

int all_threads() { return static_cast<int>(usable_cpus().size()); }

class CountingKernel : public Kernel {
 public:
  void run() override { ++calls; }
  void poison_output() override {}
  std::span<const std::byte> output() override { return {}; }
  int calls = 0;
};

// The CPUs that each thread of a full team may run on, and the one that it does.
struct Placement {
  int allowed = 0;
  int cpu = -1;
};
std::vector<Placement> placements(int threads) {
  std::vector<Placement> found(static_cast<std::size_t>(threads));
#pragma omp parallel num_threads(threads)
  {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    found[static_cast<std::size_t>(omp_get_thread_num())] = {CPU_COUNT(&set), sched_getcpu()};
  }
  return found;
}

void expect_pinned(int threads) {
  const std::vector<Placement> found = placements(threads);
  for (int thread = 0; thread < threads; ++thread) {
    const auto i = static_cast<std::size_t>(thread);
    EXPECT_EQ(found[i].allowed, 1);
    EXPECT_EQ(found[i].cpu, usable_cpus()[i]);
  }
}

TEST(HostDevice, PinsEveryThreadToItsOwnCpu) {
  HostDevice device;
  device.configure({.threads = all_threads()});
  EXPECT_EQ(omp_get_max_threads(), all_threads());
  expect_pinned(all_threads());
}

TEST(HostDevice, PinsAgainWhenTheNumberOfThreadsChanges) {
  HostDevice device;
  for (const int threads : {all_threads(), 1, all_threads()}) {
    device.configure({.threads = threads});
    EXPECT_EQ(omp_get_max_threads(), threads);
    expect_pinned(threads);
  }
}

TEST(HostDevice, RefusesThreadCountsOutsideTheQuota) {
  HostDevice device;
  for (const int threads : {-1, 0, all_threads() + 1}) {
    EXPECT_THROW(device.configure({.threads = threads}), std::invalid_argument) << threads;
  }
}

TEST(HostDevice, TimesExactlyTheCallsAskedFor) {
  HostDevice device;
  device.configure({.threads = all_threads()});
  CountingKernel kernel;
  const Batch batch = device.time(kernel, 1000);
  EXPECT_EQ(kernel.calls, 1000);
  EXPECT_GT(batch.seconds, 0);
  EXPECT_EQ(batch.host_seconds, batch.seconds);
  EXPECT_FALSE(batch.throttled);
}

// Ends every thread but the first, as a library does whose team has another size in each region.
class ShrinkingKernel : public CountingKernel {
 public:
  void run() override {
    CountingKernel::run();
#pragma omp parallel num_threads(1)
    most_allowed = std::max(most_allowed, placements(1).front().allowed);
    team = placements(3);
    team = placements(2);
    team = placements(3);
  }
  std::vector<Placement> team;
  int most_allowed = 0;
};

TEST(HostDevice, LetsTheFirstThreadLooseWhereALibraryLosesThreads) {
  if (all_threads() < 2) GTEST_SKIP() << "needs two CPUs";
  const std::vector<int> two = {usable_cpus()[0], usable_cpus()[1]};
  HostDevice device({two[0], two[1], two[0]});  // three threads, so that some can be lost
  device.configure({.threads = 3});
  ShrinkingKernel kernel;
  device.time(kernel, 5);
  EXPECT_EQ(kernel.calls, 10);  // timed again, with threads that inherit all CPUs
  EXPECT_EQ(kernel.most_allowed, 2);
  EXPECT_EQ(kernel.team.back().allowed, 2);
  HostDevice().configure({.threads = all_threads()});
}

TEST(HostDevice, ColdCallsEvictMoreThanTheMeasuredCache) {
  HostDevice device;
  device.configure({.threads = all_threads(), .cache = Cache::cold});
  EXPECT_GE(device.eviction_bytes(), 3 * measured_cache_bytes());
  CountingKernel kernel;
  EXPECT_GT(device.time(kernel, 3).seconds, 0);
  EXPECT_EQ(kernel.calls, 3);
  device.configure({.threads = all_threads()});
  EXPECT_EQ(device.eviction_bytes(), 0u);  // a warm row's memory is its own
}

TEST(HostDevice, PeakStartsAgainWithEachCase) {
  HostDevice device;
  device.configure({.threads = 1});
  const std::size_t before = device.peak_bytes().value();
  {
    HostBuffer buffer(std::size_t{64} << 20);
    poison(buffer.span());
    EXPECT_GE(device.peak_bytes().value(), before + (std::size_t{60} << 20));
  }
  device.configure({.threads = 1});
  EXPECT_LT(device.peak_bytes().value(), before + (std::size_t{60} << 20));
}

TEST(HostDevice, KnowsItsClockAndMemory) {
  HostDevice device;
  EXPECT_EQ(device.kind(), "cpu");
  EXPECT_GT(device.resolution_seconds(), 0);
  EXPECT_LT(device.resolution_seconds(), 1e-3);
  EXPECT_GT(device.available_bytes(), 0u);
  const std::string order = device.facts().at("cpu.order");
  EXPECT_EQ(std::count(order.begin(), order.end(), ',') + 1, all_threads());
}

}  // namespace
}  // namespace breakeven
