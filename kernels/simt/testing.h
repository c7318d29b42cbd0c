// For tests of kernels on the emulator: many seeds, and faults by what they say.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "kernels/cuda/launch.h"

namespace breakeven::simt {

/// Puts the settings back when it goes.
class SettingsGuard {
 public:
  SettingsGuard() : saved_(settings()) {}
  ~SettingsGuard() { settings() = saved_; }
  SettingsGuard(const SettingsGuard&) = delete;
  SettingsGuard& operator=(const SettingsGuard&) = delete;

 private:
  Settings saved_;
};

/// Calls body() under the seeds 1 to `count`.
template <class Body>
void for_seeds(int count, Body body) {
  const SettingsGuard guard;
  for (int seed = 1; seed <= count; ++seed) {
    settings().seed = static_cast<std::uint64_t>(seed);
    body();
  }
}

/// What the Fault that body() throws says; "no fault" where it throws none.
template <class Body>
std::string fault_of(Body body) {
  try {
    body();
  } catch (const Fault& fault) {
    return fault.what();
  }
  return "no fault";
}

/// Whether all of `parts` stand in the fault's text.
template <class... Parts>
testing::AssertionResult says(const std::string& fault, const Parts&... parts) {
  if ((... && (fault.find(parts) != std::string::npos))) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "it says: " << fault;
}

}  // namespace breakeven::simt
