#include "kernels/host/energy.h"

#include <gtest/gtest.h>

#include "kernels/host/fake_files.h"

namespace breakeven {
namespace {

void write_domain(const FakeFiles& files, const std::string& directory, const char* name,
                  const char* microjoules) {
  files.write(directory + "/name", name);
  files.write(directory + "/max_energy_range_uj", "1000000");
  files.write(directory + "/energy_uj", microjoules);
}

TEST(PackageEnergy, SumsPackagesFromItsConstructionOn) {
  FakeFiles files;
  write_domain(files, "intel-rapl:0", "package-0", "500000");
  write_domain(files, "intel-rapl:1", "package-1", "100");
  write_domain(files, "intel-rapl:0:0", "core", "400000");  // is inside package-0
  write_domain(files, "intel-rapl:2", "psys", "900000");    // holds both packages
  PackageEnergy energy(files.root());
  EXPECT_DOUBLE_EQ(energy.joules().value(), 0);
  files.write("intel-rapl:0/energy_uj", "700000");
  files.write("intel-rapl:1/energy_uj", "50100");
  files.write("intel-rapl:0:0/energy_uj", "999999");
  EXPECT_DOUBLE_EQ(energy.joules().value(), 0.25);
}

TEST(PackageEnergy, OnlyGrowsWhereACounterWrapsAround) {
  FakeFiles files;
  write_domain(files, "intel-rapl:0", "package-0", "900000");
  PackageEnergy energy(files.root());
  files.write("intel-rapl:0/energy_uj", "100000");  // 100000 to the end, 100000 after it
  EXPECT_DOUBLE_EQ(energy.joules().value(), 0.2);
  files.write("intel-rapl:0/energy_uj", "50000");
  EXPECT_DOUBLE_EQ(energy.joules().value(), 1.15);
}

TEST(PackageEnergy, AbsentWhereThereIsNoCounter) {
  FakeFiles files;
  EXPECT_FALSE(PackageEnergy(files.root()).joules());
  EXPECT_FALSE(PackageEnergy(files.root() / "missing").joules());
}

TEST(PackageEnergy, AbsentWhereOneOfThemCanNotBeRead) {
  FakeFiles files;
  write_domain(files, "intel-rapl:0", "package-0", "1");
  files.write("intel-rapl:1/name", "package-1");  // its energy_uj is for root only
  EXPECT_FALSE(PackageEnergy(files.root()).joules());
}

TEST(PackageEnergy, AbsentOnceACounterIsGone) {
  FakeFiles files;
  write_domain(files, "intel-rapl:0", "package-0", "1");
  PackageEnergy energy(files.root());
  EXPECT_TRUE(energy.joules());
  std::filesystem::remove(files.root() / "intel-rapl:0/energy_uj");
  EXPECT_FALSE(energy.joules());
}

}  // namespace
}  // namespace breakeven
