#include "bench/energy.h"

namespace breakeven {

std::optional<double> joules_per_call(Device& device, Kernel& kernel, std::int64_t calls,
                                      const EnergyPolicy& policy) {
  const std::optional<double> before = device.energy_joules();
  if (!before) return std::nullopt;
  double seconds = 0;
  std::int64_t all_calls = 0;
  for (int batch = 0; seconds < policy.least_seconds && batch < policy.most_batches; ++batch) {
    const Batch timed = device.time(kernel, calls);
    seconds += timed.host_seconds;
    all_calls += timed.calls_run;
  }
  if (seconds < policy.least_seconds) return std::nullopt;
  const std::optional<double> after = device.energy_joules();
  if (!after || !(*after > *before)) return std::nullopt;
  return (*after - *before) / static_cast<double>(all_calls);
}

}  // namespace breakeven
