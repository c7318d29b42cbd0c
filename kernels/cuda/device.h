// The GPU as a Device: events behind a blocking kernel, L2 flushes, graphs, clocks, energy.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "kernels/cuda/buffers.h"
#include "kernels/cuda/nvml.h"
#include "kernels/cuda/stream_timer.h"
#include "kernels/kernel.h"

namespace breakeven {

/// What kernels and their `unsupported` functions need to know of the GPU. Read once; the board is
/// CUDA's device 0, so CUDA_VISIBLE_DEVICES chooses it. Throws CudaError where there is none.
struct DeviceInfo {
  std::string name;
  int compute_capability;  ///< 10 x major + minor: 90 on an H100
  int sms;
  std::size_t l2_bytes;
  std::size_t memory_bytes;
  std::string pci_bus_id;
};
const DeviceInfo& device_info();

/// The stream on which every kernel of this module runs. It does not synchronise with the legacy
/// default stream.
cudaStream_t work_stream();

class CudaDevice final : public Device {
 public:
  /// Throws CudaError, or Unsupported where the GPU can't run this binary.
  CudaDevice();

  std::string kind() const override { return "gpu"; }

  /// "gpu.name", "gpu.compute_capability", "gpu.sms", "gpu.l2_bytes", "gpu.memory_bytes",
  /// "gpu.driver", "gpu.max_clock_mhz", "gpu.power_limit_watts", "gpu.ecc", "gpu.mig", "gpu.pcie",
  /// "gpu.other_processes" (seen before this one used the GPU), "gpu.flush_bytes" (read before a
  /// cold call), "cuda.runtime", "cuda.driver_api". What can't be read is absent.
  Facts facts() const override;

  /// Also starts a new high-water mark for peak_bytes().
  void configure(const Options& options) override;

  /// The first call for a kernel runs it once unblocked, so that whatever is loaded lazily is
  /// there, then captures one run() into a graph: that counts its launches, and a run() that can't
  /// be captured waits for the device inside and is timed without a blocker. Graph mode replays it.
  /// Throws Unsupported where graph mode is asked for and the run can't be captured.
  Batch time(Kernel& kernel, std::int64_t calls) override;

  /// "around 0.5 microseconds" (CUDA runtime API, cudaEventElapsedTime).
  double resolution_seconds() const override { return 0.5e-6; }

  std::size_t available_bytes() const override;

  /// Device memory of this module's buffers at its highest since the last configure(), or since the
  /// first time() of a kernel, without the flush buffer, the context and code.
  std::optional<std::size_t> peak_bytes() const override;

  /// The whole board's.
  std::optional<double> energy_joules() override { return nvml_.energy_joules(); }

 private:
  void prepare(Kernel& kernel);

  Nvml nvml_;
  std::optional<std::size_t> other_processes_;
  StreamTimer timer_;
  Options options_;
  const Kernel* prepared_ = nullptr;
  std::optional<CapturedGraph> graph_;
  TimingPlan plan_;
};

/// The device, or throws Unsupported with the reason why there is none.
std::unique_ptr<Device> make_gpu_device();

/// "cuda.runtime" and "cuda.driver_api", the versions as "13.0".
Facts cuda_facts();

}  // namespace breakeven
