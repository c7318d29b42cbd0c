// Which runs are of one machine, and what may be said of runs of two.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reports/model.h"

namespace breakeven {

/// Those facts of a results file's context that say which hardware its times are of: Breakeven's
/// cpu.* and gpu.name, Google Benchmark's num_cpus and caches. Not the host's name, which is new in
/// every container, nor the clock, which is never the same twice.
std::map<std::string, std::string> hardware_facts(
    const std::map<std::string, std::string>& context);

/// Both name their CPU, and no fact of hardware_facts() differs or is missing in one of them.
bool same_machine(const Run& a, const Run& b);

/// Two runs of one machine and one method version, in order of their dates; of files without dates
/// as they were given.
struct Rerun {
  const Run* before;
  const Run* after;
};

/// Each run with the last one of its machine before it.
std::vector<Rerun> reruns(const std::vector<Run>& runs);

/// A case that both runs have a trusted time of, for the same work by as many threads. Their rounds
/// are of two hours, so that `ratio` (after / before, of the medians) has no interval and no
/// verdict.
struct Rerow {
  const Case* before;
  const Case* after;
  double ratio;
};

/// The largest change first.
std::vector<Rerow> rerows(const Rerun& rerun);

/// What is said wherever such a ratio is shown.
inline constexpr const char* kUnpaired = "two runs, not paired, no verdict";

/// The fastest that a device of one machine is at some workload, chosen as the answer's is.
struct MachineTime {
  const Run* run;
  std::string device;
  const Case* favourite;
  Estimate seconds;
};

/// One workload and precision on several machines: warm, verified, at the default threads.
struct AcrossMachines {
  std::string op;
  std::string shape;
  std::string precision;
  std::vector<MachineTime> times;  ///< by run, then device
};

/// What runs of two machines or more have, in the order of their cases.
std::vector<AcrossMachines> across_machines(const std::vector<Run>& runs);

/// The first machine's time that another's is compared with across machines: of the same device,
/// or of its CPU where it has no such device; null where it has neither.
const MachineTime* reference_of(const AcrossMachines& workload, const MachineTime& time,
                                const Run& first);

}  // namespace breakeven
