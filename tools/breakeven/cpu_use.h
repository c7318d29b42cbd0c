// Who uses the CPUs: the difference of two looks at the kernel's counters of CPU time.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace breakeven {

/// Counters in clock ticks since the start of the machine.
struct CpuUse {
  struct Process {
    std::string name;
    double ticks = 0;
  };
  double busy = 0, stolen = 0, total = 0;  ///< of all CPUs together
  int cpus = 0;
  std::map<int, Process> processes;
};

/// Reads proc/stat and proc/<id>/stat under `root`; zeros where they can't be read.
CpuUse read_cpu_use(const std::filesystem::path& root);

/// CPUs that were busy on average, this process included.
double busy_cpus(const CpuUse& before, const CpuUse& after);

/// The share of CPU time that a hypervisor took while we wanted to run.
double stolen_share(const CpuUse& before, const CpuUse& after);

struct Consumer {
  int id;
  std::string name;
  double cpus;
};

/// At most three, the hungriest first, each with at least a twentieth of a CPU.
std::vector<Consumer> top_consumers(const CpuUse& before, const CpuUse& after);

}  // namespace breakeven
