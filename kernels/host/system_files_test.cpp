#include "kernels/host/system_files.h"

#include <gtest/gtest.h>

#include "kernels/host/fake_files.h"

namespace breakeven {
namespace {

using Cpus = std::vector<int>;

TEST(ParseCpuList, ReadsRangesAndSingles) {
  EXPECT_EQ(parse_cpu_list("0-2,8,10-11\n"), (Cpus{0, 1, 2, 8, 10, 11}));
  EXPECT_EQ(parse_cpu_list(""), Cpus{});
}

TEST(ParseCpuList, TakesNothingFromMalformedLists) {
  for (const char* list : {"a", "1-", "3-1", "1;2", "0,x"})
    EXPECT_EQ(parse_cpu_list(list), Cpus{}) << list;
}

TEST(FindValue, MatchesWholeKeysOnly) {
  const char* text = "inactive_file_x 1\ninactive_file 23\nmodel name\t: AMD EPYC \n";
  EXPECT_EQ(find_value(text, "inactive_file"), "23");
  EXPECT_EQ(find_value(text, "model name"), "AMD EPYC");
  EXPECT_EQ(find_value(text, "model"), "name\t: AMD EPYC");
  EXPECT_FALSE(find_value(text, "file"));
}

TEST(CpuQuota, Version1) {
  FakeFiles files;
  files.write("proc/self/cgroup", "4:memory:/job\n3:cpu,cpuacct:/job/step\n0::/");
  files.write("sys/fs/cgroup/cpu/job/step/cpu.cfs_quota_us", "-1");
  files.write("sys/fs/cgroup/cpu/job/step/cpu.cfs_period_us", "100000");
  EXPECT_FALSE(cgroup_cpu_quota(files.root()));
  files.write("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "150000");
  files.write("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000");
  EXPECT_DOUBLE_EQ(cgroup_cpu_quota(files.root()).value(), 1.5);  // the group above counts too
}

TEST(CpuQuota, Version2TakesTheTightestOfAllLevels) {
  FakeFiles files;
  files.write("proc/self/cgroup", "0::/a/b");
  files.write("sys/fs/cgroup/a/b/cpu.max", "max 100000");
  EXPECT_FALSE(cgroup_cpu_quota(files.root()));
  files.write("sys/fs/cgroup/a/cpu.max", "800000 100000");
  files.write("sys/fs/cgroup/cpu.max", "400000 100000");
  EXPECT_DOUBLE_EQ(cgroup_cpu_quota(files.root()).value(), 4);
}

// In a container the path is the host's, and only the mount's root exists.
TEST(CpuQuota, FindsTheRootWhereThePathIsAnotherNamespaces) {
  FakeFiles files;
  files.write("proc/self/cgroup", "0::/docker/0123456789");
  files.write("sys/fs/cgroup/cpu.max", "200000 100000");
  EXPECT_DOUBLE_EQ(cgroup_cpu_quota(files.root()).value(), 2);
}

TEST(CpuQuota, AbsentWithoutControlGroups) {
  FakeFiles files;
  EXPECT_FALSE(cgroup_cpu_quota(files.root()));
  EXPECT_FALSE(cgroup_memory_left(files.root()));
}

TEST(AvailableMemory, IsCappedByTheGroupsLimit) {
  FakeFiles files;
  files.write("proc/meminfo", "MemTotal: 100 kB\nMemAvailable:   1000000 kB");
  EXPECT_EQ(available_memory_bytes(files.root()), 1'024'000'000u);
  files.write("proc/self/cgroup", "0::/");
  files.write("sys/fs/cgroup/memory.max", "max");
  files.write("sys/fs/cgroup/memory.current", "700");
  EXPECT_EQ(available_memory_bytes(files.root()), 1'024'000'000u);
  files.write("sys/fs/cgroup/memory.max", "1000");
  files.write("sys/fs/cgroup/memory.stat", "anon 600\ninactive_file 50");
  EXPECT_EQ(available_memory_bytes(files.root()), 350u);  // the page cache can be given back
  files.write("sys/fs/cgroup/memory.current", "2000");
  EXPECT_EQ(available_memory_bytes(files.root()), 0u);
}

TEST(AvailableMemory, Version1) {
  FakeFiles files;
  files.write("proc/meminfo", "MemAvailable: 1000000 kB");
  files.write("proc/self/cgroup", "4:memory:/job");
  files.write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "5000");
  files.write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "1500");
  files.write("sys/fs/cgroup/memory/job/memory.stat", "total_inactive_file 500");
  EXPECT_EQ(available_memory_bytes(files.root()), 4000u);
}

TEST(OrderCpus, OneHardwareThreadOfEachCoreFirst) {
  FakeFiles files;
  for (const auto& [cpu, siblings] : {std::pair(0, "0,4"), {1, "1,5"}, {4, "0,4"}, {5, "1,5"}}) {
    files.write(
        "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list",
        siblings);
  }
  EXPECT_EQ(order_cpus({0, 4, 1, 5}, std::nullopt, files.root()), (Cpus{0, 1, 4, 5}));
  // A sibling that is not allowed does not push its core back.
  EXPECT_EQ(order_cpus({1, 4}, std::nullopt, files.root()), (Cpus{1, 4}));
  EXPECT_EQ(order_cpus({4, 5, 0}, std::nullopt, files.root()), (Cpus{0, 5, 4}));
}

TEST(OrderCpus, NoMoreThanTheQuotaGrants) {
  FakeFiles files;
  EXPECT_EQ(order_cpus({0, 1, 2, 3}, 2.5, files.root()), (Cpus{0, 1}));
  EXPECT_EQ(order_cpus({0, 1, 2, 3}, 0.5, files.root()), Cpus{0});
  EXPECT_EQ(order_cpus({0, 1}, 8.0, files.root()), (Cpus{0, 1}));
}

}  // namespace
}  // namespace breakeven
