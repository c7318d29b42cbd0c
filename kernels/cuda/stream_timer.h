// TimedStream on a real CUDA stream.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "kernels/cuda/buffers.h"
#include "kernels/cuda/nvml.h"
#include "kernels/cuda/timing.h"

namespace breakeven {

/// Times what `call` enqueues on `stream`. Both must outlive the timer, as must `nvml` (may be
/// null: throttling is unknown). All of it throws CudaError.
class StreamTimer final : public TimedStream {
 public:
  StreamTimer(cudaStream_t stream, const Nvml* nvml);

  void set_call(std::function<void()> call) { call_ = std::move(call); }

  /// What a cold call reads before: 0 frees the buffer.
  void set_flush_bytes(std::size_t bytes);
  std::size_t flush_bytes() const { return flush_.bytes(); }

  void enqueue_call() override { call_(); }
  void enqueue_flush() override;
  void record(std::size_t event) override;
  void start_blocker() override;
  void release_blocker() noexcept override;
  bool blocker_timed_out() override;
  void enqueue_clock_probe() override;
  std::optional<double> clock_mhz() override;
  std::optional<bool> throttled() override;
  void synchronise() override;
  double event_seconds(std::size_t from, std::size_t to) override;
  double wall_seconds() override;

 private:
  // Shared with the device. `release` and `timed_out` hold tickets, which only grow, so that
  // nothing needs to be reset while a blocker may still read it.
  struct Shared {
    unsigned release;
    unsigned timed_out;
    ClockSample sample;
  };
  Shared& shared() const { return *reinterpret_cast<Shared*>(memory_.data()); }

  cudaStream_t stream_;
  const Nvml* nvml_;
  std::function<void()> call_;
  std::vector<Event> events_;
  PinnedBuffer memory_;
  Shared* device_shared_;
  unsigned ticket_ = 0;
  DeviceBuffer flush_;
  DeviceBuffer sink_;
  int flush_blocks_ = 0;
};

}  // namespace breakeven
