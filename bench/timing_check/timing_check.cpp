#include "bench/timing_check/timing_check.h"

#include <algorithm>
#include <stdexcept>

namespace breakeven {
namespace {

// The kernels of kernels/cuda/probes.cu that enclose a chunk, as the compiler mangles their names.
bool is(const TracedKernel& kernel, const char* mangled) {
  return kernel.name.find(mangled) != std::string::npos;
}
bool is_blocker(const TracedKernel& kernel) { return is(kernel, "4holdE"); }
bool is_clock_probe(const TracedKernel& kernel) { return is(kernel, "11clock_probeE"); }

double seconds_per_call(const Sample& sample) {
  return sample.batch.seconds / static_cast<double>(sample.calls);
}

class Watch {
 public:
  explicit Watch(Tracer& tracer) : tracer_(tracer) { tracer.start(); }
  ~Watch() { tracer_.stop(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  Tracer& tracer_;
};

}  // namespace

HeldCalls held_calls(const std::vector<TracedKernel>& kernels) {
  HeldCalls held;
  auto next = kernels.begin();
  while ((next = std::find_if(next, kernels.end(), is_blocker)) != kernels.end()) {
    const auto first = next + 1;
    const auto probe = std::find_if(first, kernels.end(), is_clock_probe);
    if (probe == kernels.end() || std::find_if(first, probe, is_blocker) != probe) {
      throw std::runtime_error("a chunk of calls has no clock probe behind it");
    }
    if (probe == first) throw std::runtime_error("a chunk of calls without a kernel was traced");
    std::uint64_t end = 0;
    for (auto kernel = first; kernel != probe; ++kernel) {
      end = std::max(end, kernel->end_nanoseconds);
    }
    held.seconds += 1e-9 * static_cast<double>(end - first->start_nanoseconds);
    held.kernels += probe - first;
    next = probe;
  }
  if (held.kernels == 0) throw std::runtime_error("no blocking kernel was traced");
  return held;
}

TimingCheck check_timing(Session& session, Tracer& tracer) {
  constexpr int kTries = 3;
  session.load();
  session.verify();
  session.settle();
  TimingCheck check;
  check.untraced_seconds = seconds_per_call(session.batch());
  const Watch watch(tracer);
  session.batch();  // with whatever a profiler sets up at its first kernels
  for (int i = 0; i < kTries; ++i) {
    tracer.take();
    const Sample sample = session.batch();
    // Each call runs twice, once by each clock; any more were a chunk's that was discarded.
    if (sample.batch.launch_gaps || sample.batch.calls_run != 2 * sample.calls) continue;
    const HeldCalls held = held_calls(tracer.take());
    if (held.kernels % sample.calls != 0) {
      throw std::runtime_error(std::to_string(held.kernels) + " kernels were traced of " +
                               std::to_string(sample.calls) + " calls");
    }
    check.event_seconds = seconds_per_call(sample);
    check.traced_seconds = held.seconds / static_cast<double>(sample.calls);
    check.kernels_per_call = held.kernels / sample.calls;
    return check;
  }
  throw std::runtime_error("no batch of " + std::to_string(kTries) +
                           " could be held back at the first try");
}

}  // namespace breakeven
