#include "kernels/cuda/stream_timer.h"

#include <atomic>
#include <chrono>
#include <stdexcept>

#include "kernels/cuda/probes.h"

namespace breakeven {
namespace {

// Longer than any chunk takes to enqueue on a loaded host, short enough to notice a call that
// waits.
constexpr std::uint64_t kBlockerLimitNanoseconds = 1'000'000'000;

}  // namespace

StreamTimer::StreamTimer(cudaStream_t stream, const Nvml* nvml)
    : stream_(stream), nvml_(nvml), memory_(sizeof(Shared)), sink_(sizeof(unsigned)) {
  shared() = {};
  device_shared_ = static_cast<Shared*>(memory_.device_address());
  events_.resize(kTimingEvents);
  int device = 0, sms = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, device));
  flush_blocks_ = 8 * sms;
}

void StreamTimer::set_flush_bytes(std::size_t bytes) {
  if (bytes == flush_.bytes()) return;
  flush_ = DeviceBuffer();
  if (bytes == 0) return;
  flush_ = DeviceBuffer(bytes);
  check(cudaMemsetAsync(flush_.data(), 0, bytes, stream_));
}

void StreamTimer::enqueue_flush() {
  if (flush_.bytes() == 0) throw std::logic_error("a cold call without a flush buffer");
  enqueue_read(flush_.data(), flush_.bytes(), flush_blocks_, sink_.as<unsigned>(), stream_);
}

void StreamTimer::record(std::size_t event) {
  check(cudaEventRecord(events_.at(event).get(), stream_));
}

void StreamTimer::start_blocker() {
  ++ticket_;
  enqueue_hold(&device_shared_->release, &device_shared_->timed_out, ticket_,
               kBlockerLimitNanoseconds, stream_);
}

void StreamTimer::release_blocker() noexcept {
  std::atomic_ref(shared().release).store(ticket_, std::memory_order_release);
}

bool StreamTimer::blocker_timed_out() {
  return std::atomic_ref(shared().timed_out).load(std::memory_order_acquire) == ticket_;
}

void StreamTimer::enqueue_clock_probe() {
  breakeven::enqueue_clock_probe(&device_shared_->sample, stream_);
}

std::optional<double> StreamTimer::clock_mhz() { return breakeven::clock_mhz(shared().sample); }

std::optional<bool> StreamTimer::throttled() {
  const auto reasons = nvml_ ? nvml_->clock_reasons() : std::nullopt;
  if (!reasons) return std::nullopt;
  return is_throttled(*reasons);
}

void StreamTimer::synchronise() { check(cudaStreamSynchronize(stream_)); }

double StreamTimer::event_seconds(std::size_t from, std::size_t to) {
  return seconds_between(events_.at(from), events_.at(to));
}

double StreamTimer::wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace breakeven
