#include "kernels/cuda/nvml.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <vector>

namespace breakeven {
namespace {

int board = 0;
std::vector<unsigned> pids;
std::string asked_for;

NvmlCalls fake() {
  NvmlCalls calls;
  calls.init = [] { return 0; };
  calls.device_by_pci = [](const char* bus_id, void** device) {
    asked_for = bus_id;
    *device = &board;
    return 0;
  };
  calls.energy_millijoules = [](void*, unsigned long long* energy) {
    *energy = 12345;
    return 0;
  };
  calls.clock_mhz = [](void*, int domain, unsigned* mhz) {
    *mhz = domain == 1 ? 1755 : 2619;  // SM, memory
    return 0;
  };
  calls.clock_reasons = [](void*, unsigned long long* reasons) {
    *reasons = 0x44;
    return 0;
  };
  calls.power_limit_milliwatts = [](void*, unsigned* limit) {
    *limit = 700000;
    return 0;
  };
  calls.ecc_mode = [](void*, unsigned* current, unsigned*) {
    *current = 1;
    return 0;
  };
  calls.mig_mode = [](void*, unsigned*, unsigned*) { return 3; };  // not supported
  calls.driver_version = [](char* text, unsigned bytes) {
    std::strncpy(text, "580.65.06", bytes);
    return 0;
  };
  calls.compute_processes = [](void*, unsigned* count, NvmlProcess* list) {
    const bool fits = pids.size() <= *count;
    *count = static_cast<unsigned>(pids.size());
    if (!fits) return 7;
    for (std::size_t i = 0; i < pids.size(); ++i) list[i] = {pids[i], 0, 0, 0};
    return 0;
  };
  return calls;
}

TEST(Nvml, ReadsInSiUnits) {
  const Nvml nvml(fake(), "0000:1b:00.0");
  ASSERT_TRUE(nvml.available());
  EXPECT_EQ(asked_for, "0000:1b:00.0");
  EXPECT_DOUBLE_EQ(nvml.energy_joules().value_or(0), 12.345);
  EXPECT_DOUBLE_EQ(nvml.sm_clock_mhz().value_or(0), 1755);
  EXPECT_DOUBLE_EQ(nvml.power_limit_watts().value_or(0), 700);
  EXPECT_EQ(nvml.clock_reasons(), 0x44u);
  EXPECT_EQ(nvml.ecc(), true);
  EXPECT_EQ(nvml.driver_version(), "580.65.06");
}

TEST(Nvml, WhatCantBeReadIsAbsent) {
  const Nvml nvml(fake(), "0000:1b:00.0");
  EXPECT_FALSE(nvml.mig().has_value());               // the board says no
  EXPECT_FALSE(nvml.max_sm_clock_mhz().has_value());  // the library lacks the function
  EXPECT_FALSE(nvml.pcie_generation().has_value());
}

TEST(Nvml, AbsentLibraryGivesNothing) {
  const Nvml nvml(open_nvml("libno_such_nvml.so.1"), "0000:1b:00.0");
  EXPECT_FALSE(nvml.available());
  EXPECT_FALSE(nvml.energy_joules().has_value());
  EXPECT_FALSE(nvml.clock_reasons().has_value());
  EXPECT_FALSE(nvml.ecc().has_value());
  EXPECT_FALSE(nvml.driver_version().has_value());
  EXPECT_FALSE(nvml.other_processes().has_value());
}

TEST(Nvml, UnknownBoardGivesNothing) {
  NvmlCalls calls = fake();
  calls.device_by_pci = [](const char*, void** device) {
    *device = &board;  // left over beside an error
    return 6;
  };
  const Nvml nvml(calls, "ffff:00:00.0");
  EXPECT_FALSE(nvml.available());
  EXPECT_FALSE(nvml.energy_joules().has_value());
}

TEST(Nvml, FailedInitialisationGivesNothing) {
  NvmlCalls calls = fake();
  calls.init = [] { return 9; };
  EXPECT_FALSE(Nvml(calls, "0000:1b:00.0").available());
}

TEST(Nvml, CountsOtherProcesses) {
  const Nvml nvml(fake(), "0000:1b:00.0");
  pids = {static_cast<unsigned>(getpid())};
  EXPECT_EQ(nvml.other_processes(), 0u);
  pids = {static_cast<unsigned>(getpid()), 1, 2};
  EXPECT_EQ(nvml.other_processes(), 2u);
  pids.assign(200, 1);  // longer than the first list
  EXPECT_EQ(nvml.other_processes(), 200u);
}

TEST(Throttling, HeatAndHardwareCountThePowerCapDoesNot) {
  EXPECT_FALSE(is_throttled(0));
  EXPECT_FALSE(is_throttled(0x1));
  EXPECT_FALSE(is_throttled(0x4));
  EXPECT_TRUE(is_throttled(0x8));
  EXPECT_TRUE(is_throttled(0x20));
  EXPECT_TRUE(is_throttled(0x40));
  EXPECT_TRUE(is_throttled(0x80));
  EXPECT_TRUE(is_throttled(0x44));
}

}  // namespace
}  // namespace breakeven
