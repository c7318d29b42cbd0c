#include "kernels/host/host_facts.h"

#include <gtest/gtest.h>

#include <array>

#include "kernels/host/fake_files.h"

namespace breakeven {
namespace {

// Two sockets of one core with two hardware threads each, and an L3 per socket.
void write_two_sockets(const FakeFiles& files) {
  files.write("proc/cpuinfo", "processor : 0\nmodel name\t: Fake CPU @ 2 GHz\nprocessor : 1");
  files.write("proc/meminfo", "MemTotal:  2048 kB");
  files.write("sys/devices/system/cpu/online", "0-3");
  files.write("sys/devices/system/node/online", "0-1");
  files.write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never");
  for (int cpu = 0; cpu < 4; ++cpu) {
    const std::string directory = "sys/devices/system/cpu/cpu" + std::to_string(cpu);
    const char* siblings = cpu % 2 == 0 ? "0,2" : "1,3";
    files.write(directory + "/topology/physical_package_id", std::to_string(cpu % 2));
    files.write(directory + "/topology/thread_siblings_list", siblings);
    files.write(directory + "/cpufreq/scaling_governor", "powersave");
    files.write(directory + "/cache/index0/level", "1");
    files.write(directory + "/cache/index0/size", "48K");
    files.write(directory + "/cache/index1/level", "3");
    files.write(directory + "/cache/index1/size", "32768K");
    files.write(directory + "/cache/index1/shared_cpu_list", siblings);
  }
}

TEST(MachineFacts, DescribesTheMachineAndWhatIsUsedOfIt) {
  FakeFiles files;
  write_two_sockets(files);
  const Facts facts = machine_facts({1, 0}, files.root());
  EXPECT_EQ(facts.at("cpu.model"), "Fake CPU @ 2 GHz");
  EXPECT_EQ(facts.at("cpu.sockets"), "2");
  EXPECT_EQ(facts.at("cpu.cores"), "2");
  EXPECT_EQ(facts.at("cpu.threads"), "4");
  EXPECT_EQ(facts.at("cpu.quota"), "2");
  EXPECT_EQ(facts.at("cpu.order"), "1,0");
  EXPECT_EQ(facts.at("cpu.governor"), "powersave");
  EXPECT_EQ(facts.at("cpu.numa_nodes"), "2");
  EXPECT_EQ(facts.at("cpu.l3_bytes"), "33554432");
  EXPECT_EQ(facts.at("memory.total_bytes"), "2097152");
  EXPECT_EQ(facts.at("thp"), "madvise");
}

TEST(MachineFacts, LeavesOutWhatCanNotBeRead) {
  FakeFiles files;
  const Facts facts = machine_facts({0}, files.root());
  for (const char* key : {"cpu.model", "cpu.sockets", "cpu.governor", "cpu.l3_bytes", "thp"}) {
    EXPECT_EQ(facts.count(key), 0u) << key;
  }
  EXPECT_EQ(facts.at("cpu.quota"), "1");
}

TEST(LastLevelCaches, CountsTheCachesUnderTheTeam) {
  FakeFiles files;
  write_two_sockets(files);
  EXPECT_EQ(last_level_caches(std::array{0, 2}, files.root()), 1u);
  EXPECT_EQ(last_level_caches(std::array{0, 1, 2}, files.root()), 2u);
  FakeFiles unknown;
  EXPECT_EQ(last_level_caches(std::array{0, 1}, unknown.root()), 1u);
}

}  // namespace
}  // namespace breakeven
