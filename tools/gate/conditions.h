// What went on around a process while it was timed.
#pragma once

#include <nlohmann/json.hpp>

#include "tools/gate/program.h"

namespace breakeven::gate {

/// Readings of the system's counters; what it doesn't tell is 0.
struct Conditions {
  double load = 0;           ///< runnable processes, mean of the last minute
  double steal_seconds = 0;  ///< of all CPUs since the system started: taken by other machines
  long long throttles = 0;   ///< of all CPUs since the system started, for heat or power
  double clock_mhz = 0;      ///< mean of the CPUs that tell theirs

  static Conditions now();
};

/// Between two readings around one process: {"seconds", "load", "steal_seconds", "throttled"} and,
/// where the system tells it, "clock_mhz" at its end. `throttled` is true where a CPU was, or where
/// a row's counter of that name isn't 0.
nlohmann::json describe_process(const Conditions& before, const Conditions& after,
                                const ProgramRun& run);

}  // namespace breakeven::gate
