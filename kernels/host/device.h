// The CPU as a Device: pinned OpenMP threads, the steady clock, cache eviction, energy.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "kernels/host/cache.h"
#include "kernels/host/energy.h"
#include "kernels/kernel.h"

namespace breakeven {

/// The CPUs that this process may use (affinity mask at the first call, cut to the control groups'
/// quota), in the order in which threads take them.
const std::vector<int>& usable_cpus();

class HostDevice : public Device {
 public:
  /// `cpus[i]` is where thread i of the team runs.
  explicit HostDevice(std::vector<int> cpus = usable_cpus());

  std::string kind() const override { return "cpu"; }
  /// "cpu.order", "cpu.pinning"; the machine itself is described by the harness.
  Facts facts() const override;

  /// Sets the size of the OpenMP team and pins each thread to a CPU of its own by
  /// sched_setaffinity. (Not by OMP_PROC_BIND: it makes OpenBLAS single-threaded.) Cold rows get
  /// their eviction buffer here. Starts a new high-water mark for peak_bytes().
  /// Throws std::invalid_argument unless 1 <= threads <= number of CPUs.
  void configure(const Options& options) override;

  /// Warm: one interval around a plain loop of run(). Cold: the sum of one interval per call, with
  /// every cache emptied before each, outside of it.
  Batch time(Kernel& kernel, std::int64_t calls) override;

  double resolution_seconds() const override;
  std::size_t available_bytes() const override;

  /// Resident memory at its highest since the last configure().
  std::optional<std::size_t> peak_bytes() const override;

  std::optional<double> energy_joules() override { return energy_.joules(); }

  /// Bytes that are read before each cold call, 0 in warm mode.
  std::size_t eviction_bytes() const { return evictor_ ? evictor_->bytes() : 0; }

 private:
  void pin_team();
  bool team_is_pinned() const;
  std::optional<double> clock_mhz() const;

  std::vector<int> cpus_;
  int threads_ = 1;
  bool loose_ = false;  // the first thread may run on every CPU: see time()
  std::optional<Evictor> evictor_;
  PackageEnergy energy_;
};

/// The device of every CPU module.
std::unique_ptr<Device> make_cpu_device();

}  // namespace breakeven
