#include "kernels/host/cache_topology.h"

#include <gtest/gtest.h>

#include <array>

#include "kernels/host/fake_files.h"

namespace breakeven {
namespace {

TEST(LastLevelCaches, CountsTheCachesUnderTheTeam) {
  FakeFiles files;  // two L3s, each under two of four CPUs, and an L1 each
  for (int cpu = 0; cpu < 4; ++cpu) {
    const std::string cache = "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cache";
    files.write(cache + "/index0/level", "1");
    files.write(cache + "/index0/shared_cpu_list", std::to_string(cpu));
    files.write(cache + "/index1/level", "3");
    files.write(cache + "/index1/shared_cpu_list", cpu % 2 == 0 ? "0,2" : "1,3");
  }
  EXPECT_EQ(last_level_caches(std::array{0, 2}, files.root()), 1u);
  EXPECT_EQ(last_level_caches(std::array{0, 1, 2}, files.root()), 2u);
}

TEST(LastLevelCaches, AreOneWhereTheSystemSaysNothing) {
  FakeFiles unknown;
  EXPECT_EQ(last_level_caches(std::array{0, 1}, unknown.root()), 1u);
}

}  // namespace
}  // namespace breakeven
