#include "bench/environment.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

namespace breakeven {
namespace {

/// A directory that looks like another machine's root.
class Tree {
 public:
  Tree()
      : root_(::testing::TempDir() + "machine_" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }

  Tree& file(const std::string& path, const std::string& content) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << content;
    return *this;
  }

  Machine machine() const { return Machine(root_); }

 private:
  std::filesystem::path root_;
};

TEST(Machine, ReadsCpuLists) {
  EXPECT_EQ(Machine::cpu_list("0-2,8\n"), (std::vector{0, 1, 2, 8}));
  EXPECT_EQ(Machine::cpu_list("5"), (std::vector{5}));
  for (const char* bad : {"", "a", "3-1", "-1", "0-", "0-99999999"}) {
    EXPECT_TRUE(Machine::cpu_list(bad).empty()) << bad;
  }
}

TEST(Machine, AnEmptyTreeHasNoFactsAndOneCpu) {
  const Machine machine = Tree().machine();
  EXPECT_TRUE(machine.facts().empty());
  EXPECT_EQ(machine.allowed_cpus(), (std::vector{0}));
  EXPECT_EQ(machine.physical_cores({0}), 1);
  EXPECT_FALSE(machine.cpu_quota());
  EXPECT_EQ(machine.available_bytes(), std::numeric_limits<std::size_t>::max());
}

TEST(Machine, CountsHyperthreadsOfACoreOnce) {
  Tree tree;
  tree.file("proc/self/status", "Name:\tx\nCpus_allowed:\tf\nCpus_allowed_list:\t0-3\n");
  for (int cpu = 0; cpu < 4; ++cpu) {
    tree.file("sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list",
              cpu % 2 == 0 ? "0,2\n" : "1,3\n");
  }
  EXPECT_EQ(tree.machine().allowed_cpus().size(), 4u);
  EXPECT_EQ(tree.machine().physical_cores({0, 1, 2, 3}), 2);
  EXPECT_EQ(tree.machine().physical_cores({0, 2}), 1);
}

TEST(Machine, ReadsTheQuotaOfCgroupVersion2) {
  Tree tree;
  tree.file("proc/self/cgroup", "0::/user/job\n")
      .file("sys/fs/cgroup/user/job/cpu.max", "max 100000\n")
      .file("sys/fs/cgroup/user/cpu.max", "150000 100000\n");
  EXPECT_DOUBLE_EQ(tree.machine().cpu_quota().value(), 1.5);  // an ancestor's is tighter
}

TEST(Machine, ReadsTheQuotaOfCgroupVersion1) {
  Tree tree;
  tree.file("proc/self/cgroup", "4:cpuset:/\n3:cpu,cpuacct:/docker/abc\n0::/\n")
      .file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "400000\n")
      .file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(tree.machine().cpu_quota().value(), 4);
  tree.file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  EXPECT_FALSE(tree.machine().cpu_quota());
}

TEST(Machine, MemoryIsWhatTheCgroupLeaves) {
  Tree tree;
  tree.file("proc/meminfo", "MemTotal:  1000 kB\nMemAvailable:   800 kB\n")
      .file("proc/self/cgroup", "0::/job\n");
  EXPECT_EQ(tree.machine().available_bytes(), 800u * 1024);
  tree.file("sys/fs/cgroup/job/memory.max", "1000\n")
      .file("sys/fs/cgroup/job/memory.current", "700\n")
      .file("sys/fs/cgroup/job/memory.stat", "anon 500\ninactive_file 50\n");
  EXPECT_EQ(tree.machine().available_bytes(), 350u);
  tree.file("sys/fs/cgroup/job/memory.current", "2000\n").file("sys/fs/cgroup/job/memory.stat", "");
  EXPECT_EQ(tree.machine().available_bytes(), 0u);
}

TEST(Machine, CountsASharedCacheOnce) {
  Tree tree;
  tree.file("proc/self/status", "Cpus_allowed_list:\t0-1\n");
  for (const std::string cpu : {"cpu0", "cpu1"}) {
    tree.file("sys/devices/system/cpu/" + cpu + "/cache/index3/size", "32768K\n")
        .file("sys/devices/system/cpu/" + cpu + "/cache/index3/shared_cpu_list", "0-1\n");
  }
  EXPECT_EQ(tree.machine().facts().at("cpu.l3_bytes"), "33554432");
}

TEST(Machine, CollectsFacts) {
  Tree tree;
  tree.file("proc/cpuinfo",
            "processor : 0\nmodel name\t: Test CPU 9000\nflags\t: fpu hypervisor avx2 avx512f "
            "amx_bf16\n")
      .file("sys/devices/system/cpu/online", "0-1\n")
      .file("sys/devices/system/cpu/cpu0/topology/physical_package_id", "0\n")
      .file("sys/devices/system/cpu/cpu1/topology/physical_package_id", "1\n")
      .file("sys/devices/system/cpu/cpu0/cache/index3/size", "32768K\n")
      .file("sys/devices/system/cpu/cpu0/cache/index3/shared_cpu_list", "0\n")
      .file("sys/devices/system/cpu/cpu1/cache/index3/size", "32768K\n")
      .file("sys/devices/system/cpu/cpu1/cache/index3/shared_cpu_list", "1\n")
      .file("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n")
      .file("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n")
      .file("sys/devices/system/node/online", "0-1\n")
      .file("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
      .file("proc/loadavg", "0.52 0.4 0.3 1/90 8024\n")
      .file("proc/meminfo", "MemTotal:  1000 kB\n")
      .file("proc/sys/kernel/osrelease", "6.1.0\n")
      .file("etc/os-release", "NAME=\"x\"\nPRETTY_NAME=\"Test Linux 12\"\n")
      .file("proc/self/status", "Cpus_allowed_list:\t0-1\n");
  const Facts expected = {{"cpu.model", "Test CPU 9000"}, {"cpu.isa", "avx2 avx512f amx_bf16"},
                          {"cpu.virtual", "true"},        {"cpu.sockets", "2"},
                          {"cpu.threads", "2"},           {"cpu.cores", "2"},
                          {"cpu.allowed", "0-1"},         {"cpu.numa_nodes", "2"},
                          {"cpu.l3_bytes", "67108864"},   {"cpu.governor", "powersave"},
                          {"cpu.turbo", "off"},           {"memory.total_bytes", "1024000"},
                          {"os.kernel", "6.1.0"},         {"os.name", "Test Linux 12"},
                          {"load.1min", "0.52"},          {"thp", "madvise"}};
  EXPECT_EQ(tree.machine().facts(), expected);
}

TEST(Environment, KeepsWhatChangesTimings) {
  const char* environment[] = {"OMP_NUM_THREADS=4",
                               "HOME=/root",
                               "CUDA_VISIBLE_DEVICES=",
                               "LD_PRELOAD=x.so",
                               "BREAKEVEN_ANSWERS=results.json.answers",
                               "malformed",
                               "OPENBLAS_CORETYPE=SkylakeX",
                               nullptr};
  const Facts expected = {{"env.OMP_NUM_THREADS", "4"},
                          {"env.CUDA_VISIBLE_DEVICES", ""},
                          {"env.LD_PRELOAD", "x.so"},
                          {"env.OPENBLAS_CORETYPE", "SkylakeX"}};
  EXPECT_EQ(environment_facts(environment), expected);
}

TEST(Build, SaysWhereTheBinaryComesFrom) {
  const Facts facts = build_facts();
  for (const char* key : {"git.commit", "git.dirty", "compiler", "compiler.flags", "build.type"}) {
    EXPECT_TRUE(facts.contains(key)) << key;
  }
  EXPECT_FALSE(facts.at("git.commit").empty());
  EXPECT_NE(facts.at("compiler").find(' '), std::string::npos);
}

}  // namespace
}  // namespace breakeven
