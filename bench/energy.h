// Joules per call: the difference of a counter over a loop that is long enough for it.
#pragma once

#include <optional>

#include "kernels/kernel.h"

namespace breakeven {

/// RAPL and NVML update their counters every 1 to 100 ms; over a second that error is small.
struct EnergyPolicy {
  double least_seconds = 1.0;
  int most_batches = 200;  ///< a loop that is not long enough by then is refused
};

/// Runs batches of `calls` for at least `least_seconds` of wall time and divides what the counter
/// rose by all calls. Absent where there is no counter, it did not rise, or the loop stayed too
/// short. The scope is the device's: a CPU package or a GPU board.
std::optional<double> joules_per_call(Device& device, Kernel& kernel, std::int64_t calls,
                                      const EnergyPolicy& policy = {});

}  // namespace breakeven
