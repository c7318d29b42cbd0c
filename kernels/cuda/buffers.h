// Owners of device memory, pinned host memory, events and graphs. Destructors never throw: at exit
// the driver may be gone before them.
#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "kernels/cuda/check.h"

namespace breakeven {

/// Bytes that this module's DeviceBuffers hold now, and the most since restart(). One thread.
class DeviceMemory {
 public:
  void add(std::size_t bytes) { peak_ = std::max(peak_, held_ += bytes); }
  void remove(std::size_t bytes) noexcept { held_ -= bytes; }
  void restart() { peak_ = held_; }
  std::size_t held() const { return held_; }
  std::size_t peak() const { return peak_; }

 private:
  std::size_t held_ = 0;
  std::size_t peak_ = 0;
};

inline DeviceMemory& device_memory() {
  static DeviceMemory memory;
  return memory;
}

/// Uninitialised device memory, 256-byte aligned. Throws CudaError where there is too little.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  explicit DeviceBuffer(std::size_t bytes) : bytes_(bytes) {
    check(cudaMalloc(&data_, std::max<std::size_t>(bytes, 1)));
    device_memory().add(bytes_);
  }
  ~DeviceBuffer() {
    if (!data_) return;
    cudaFree(data_);
    device_memory().remove(bytes_);
  }
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Page-locked host memory that the device can also address. Throws CudaError.
class PinnedBuffer {
 public:
  explicit PinnedBuffer(std::size_t bytes) : bytes_(bytes) {
    check(cudaHostAlloc(&data_, std::max<std::size_t>(bytes, 1), cudaHostAllocMapped));
  }
  ~PinnedBuffer() { cudaFreeHost(data_); }
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;

  std::byte* data() const { return static_cast<std::byte*>(data_); }
  std::size_t bytes() const { return bytes_; }
  /// The address under which kernels see it.
  void* device_address() const {
    void* address = nullptr;
    check(cudaHostGetDevicePointer(&address, data_, 0));
    return address;
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A timing event.
class Event {
 public:
  Event() { check(cudaEventCreate(&event_)); }
  ~Event() {
    if (event_) cudaEventDestroy(event_);
  }
  Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&& other) noexcept {
    std::swap(event_, other.event_);
    return *this;
  }
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Seconds between two events that have both passed.
inline double seconds_between(const Event& from, const Event& to) {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, from.get(), to.get()));
  return milliseconds * 1e-3;
}

/// A captured graph, ready to launch. Takes over `graph`.
class CapturedGraph {
 public:
  explicit CapturedGraph(cudaGraph_t graph) : graph_(graph) {}
  ~CapturedGraph() {
    if (executable_) cudaGraphExecDestroy(executable_);
    if (graph_) cudaGraphDestroy(graph_);
  }
  CapturedGraph(CapturedGraph&& other) noexcept
      : graph_(std::exchange(other.graph_, nullptr)),
        executable_(std::exchange(other.executable_, nullptr)) {}
  CapturedGraph& operator=(CapturedGraph&& other) noexcept {
    std::swap(graph_, other.graph_);
    std::swap(executable_, other.executable_);
    return *this;
  }

  std::size_t nodes() const {
    std::size_t count = 0;
    check(cudaGraphGetNodes(graph_, nullptr, &count));
    return count;
  }
  void instantiate(cudaStream_t stream) {
    check(cudaGraphInstantiate(&executable_, graph_, 0));
    check(cudaGraphUpload(executable_, stream));
  }
  void launch(cudaStream_t stream) const { check(cudaGraphLaunch(executable_, stream)); }

 private:
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace breakeven
