#include "kernels/host/device.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>

#include "kernels/host/cache_topology.h"
#include "kernels/host/system_files.h"

namespace breakeven {
namespace {

using Clock = std::chrono::steady_clock;

// The CPU that this thread was pinned to, so that a thread that the runtime made later is seen.
thread_local int pinned_to = -1;

// Masks for machines of any size: cpu_set_t ends at 1024 CPUs.
std::vector<int> allowed_cpus() {
  for (int capacity = 1024; capacity <= 1 << 20; capacity *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(capacity));
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(capacity));
    const int status = sched_getaffinity(0, bytes, set);
    std::vector<int> cpus;
    for (int cpu = 0; status == 0 && cpu < capacity; ++cpu) {
      if (CPU_ISSET_S(static_cast<std::size_t>(cpu), bytes, set)) cpus.push_back(cpu);
    }
    CPU_FREE(set);
    if (status == 0) return cpus;
  }
  throw std::runtime_error(std::string("sched_getaffinity: ") + std::strerror(errno));
}

void pin_this_thread(const std::vector<int>& cpus) {
  const int highest = *std::max_element(cpus.begin(), cpus.end());
  cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(highest) + 1);
  const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(highest) + 1);
  CPU_ZERO_S(bytes, set);
  for (const int cpu : cpus) CPU_SET_S(static_cast<std::size_t>(cpu), bytes, set);
  const bool pinned = sched_setaffinity(0, bytes, set) == 0;
  CPU_FREE(set);
  pinned_to = pinned && cpus.size() == 1 ? cpus.front() : -1;
}

double seconds_between(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double>(end - start).count();
}

double time_warm(Kernel& kernel, std::int64_t calls) {
  const auto start = Clock::now();
  for (std::int64_t call = 0; call < calls; ++call) kernel.run();
  return seconds_between(start, Clock::now());
}

double time_cold(Kernel& kernel, std::int64_t calls, Evictor& evictor) {
  double seconds = 0;
  for (std::int64_t call = 0; call < calls; ++call) {
    evictor.evict();
    const auto start = Clock::now();
    kernel.run();
    seconds += seconds_between(start, Clock::now());
  }
  return seconds;
}

}  // namespace

const std::vector<int>& usable_cpus() {
  static const std::vector<int> cpus = order_cpus(allowed_cpus(), cgroup_cpu_quota());
  return cpus;
}

HostDevice::HostDevice(std::vector<int> cpus) : cpus_(std::move(cpus)) {}

Facts HostDevice::facts() const {
  std::string order;
  for (const int cpu : cpus_) order += (order.empty() ? "" : ",") + std::to_string(cpu);
  return {{"cpu.order", order},
          {"cpu.pinning",
           "one thread per CPU, in cpu.order; where a library changes its team inside a call, the "
           "first thread may use all of them"}};
}

void HostDevice::configure(const Options& options) {
  if (options.threads < 1 || options.threads > static_cast<int>(cpus_.size())) {
    throw std::invalid_argument(
        std::to_string(options.threads) + " threads asked for, but this process may use 1 to " +
        std::to_string(cpus_.size()) + " CPUs (affinity mask and control-group quota)");
  }
  threads_ = options.threads;
  loose_ = false;
  omp_set_dynamic(0);
  omp_set_num_threads(threads_);
  pin_team();
  evictor_.reset();
  if (options.cache == Cache::cold) {
    // The measurement sees one cache; threads elsewhere may have others of the same size.
    const std::size_t caches =
        last_level_caches({cpus_.data(), static_cast<std::size_t>(threads_)});
    evictor_.emplace(3 * measured_cache_bytes() * caches, threads_);
  }
  std::ofstream("/proc/self/clear_refs") << "5";  // resets VmHWM to the present size
}

void HostDevice::pin_team() {
#pragma omp parallel num_threads(threads_)
  {
    const auto thread = static_cast<std::size_t>(omp_get_thread_num());
    if (thread == 0 && loose_) {
      pin_this_thread(cpus_);
    } else if (pinned_to != cpus_[thread]) {
      pin_this_thread({cpus_[thread]});
    }
  }
}

bool HostDevice::team_is_pinned() const {
  int pinned = 0;
#pragma omp parallel num_threads(threads_) reduction(+ : pinned)
  pinned += pinned_to == cpus_[static_cast<std::size_t>(omp_get_thread_num())] ? 1 : 0;
  return pinned == threads_;
}

// GNU OpenMP ends the threads that a smaller parallel region leaves over, and new ones inherit the
// mask of the first thread: its single CPU. A library that changes its team's size inside one call
// would then run everything on that CPU. So where threads were lost during a batch, the first
// thread is let loose over all CPUs and the batch is timed again.
Batch HostDevice::time(Kernel& kernel, std::int64_t calls) {
  Batch batch;
  while (true) {
    pin_team();
    batch.seconds = evictor_ ? time_cold(kernel, calls, *evictor_) : time_warm(kernel, calls);
    batch.clock_mhz = clock_mhz();
    if (loose_ || threads_ == 1 || team_is_pinned()) break;
    loose_ = true;
  }
  batch.host_seconds = batch.seconds;
  batch.calls_run = calls;
  return batch;
}

// The governor's own figure, averaged over the team's CPUs. Virtual machines don't have it, and
// what /proc/cpuinfo shows there is the nominal clock, not a measurement.
std::optional<double> HostDevice::clock_mhz() const {
  double sum = 0;
  for (int thread = 0; thread < threads_; ++thread) {
    const auto kilohertz = read_integer("/sys/devices/system/cpu/cpu" +
                                        std::to_string(cpus_[static_cast<std::size_t>(thread)]) +
                                        "/cpufreq/scaling_cur_freq");
    if (!kilohertz) return std::nullopt;
    sum += static_cast<double>(*kilohertz) * 1e-3;
  }
  return sum / threads_;
}

double HostDevice::resolution_seconds() const {
  double smallest = 1;
  for (int i = 0; i < 100; ++i) {
    const auto start = Clock::now();
    auto end = Clock::now();
    while (end == start) end = Clock::now();
    smallest = std::min(smallest, seconds_between(start, end));
  }
  return smallest;
}

std::size_t HostDevice::available_bytes() const { return available_memory_bytes(); }

std::optional<std::size_t> HostDevice::peak_bytes() const {
  const auto kibibytes = find_value(read_text("/proc/self/status").value_or(""), "VmHWM");
  if (!kibibytes) return std::nullopt;
  return static_cast<std::size_t>(std::atoll(kibibytes->c_str())) * 1024;
}

std::unique_ptr<Device> make_cpu_device() { return std::make_unique<HostDevice>(); }

}  // namespace breakeven
