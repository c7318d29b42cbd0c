// What every GPU implementation shares: operands in device memory, and their transfers.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernels/cuda/buffers.h"
#include "kernels/kernel.h"

namespace breakeven {

/// Holds the inputs on the device, uploaded, and the poisoned output. Everything is enqueued on
/// work_stream(). The workload must outlive the kernel. All of it throws CudaError.
class BufferedKernel : public Kernel {
 public:
  BufferedKernel(const Workload& workload, Precision precision);

  /// `result_bytes`: for a kernel whose result on the device is not the plain output; it overrides
  /// output().
  BufferedKernel(const Workload& workload, Precision precision, std::size_t result_bytes);

  void poison_output() override;
  std::span<const std::byte> output() override;

  /// All inputs up, the result down: each operand's median of kCopies copies, pinned by events,
  /// pageable (a staging copy of the driver's included) by the host's clock.
  Transfers time_transfers() override;

  static constexpr int kCopies = 5;

 protected:
  const DeviceBuffer& input(std::size_t index) const { return inputs_[index]; }
  const DeviceBuffer& result() const { return result_; }
  void replace_input(std::size_t index, DeviceBuffer buffer) { inputs_[index] = std::move(buffer); }

  /// Waits for the stream, then copies.
  std::vector<std::byte> download(const DeviceBuffer& buffer) const;

 private:
  std::vector<DeviceBuffer> inputs_;
  DeviceBuffer result_;
  std::vector<std::byte> host_output_;
};

/// Copies host memory to the device and waits.
DeviceBuffer upload(std::span<const std::byte> bytes);

}  // namespace breakeven
