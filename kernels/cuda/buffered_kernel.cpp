#include "kernels/cuda/buffered_kernel.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "kernels/cuda/device.h"

namespace breakeven {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class Copy>
double median_seconds(Copy copy) {
  copy();  // the first touches pages and sets up mappings
  std::vector<double> samples(BufferedKernel::kCopies);
  for (double& sample : samples) sample = copy();
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

double time_by_events(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const Event start, stop;
  return median_seconds([&] {
    check(cudaEventRecord(start.get(), work_stream()));
    check(cudaMemcpyAsync(to, from, bytes, kind, work_stream()));
    check(cudaEventRecord(stop.get(), work_stream()));
    check(cudaStreamSynchronize(work_stream()));
    return seconds_between(start, stop);
  });
}

double time_by_host(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return median_seconds([&] {
    const double start = now_seconds();
    check(cudaMemcpyAsync(to, from, bytes, kind, work_stream()));
    check(cudaStreamSynchronize(work_stream()));
    return now_seconds() - start;
  });
}

}  // namespace

DeviceBuffer upload(std::span<const std::byte> bytes) {
  DeviceBuffer buffer(bytes.size());
  check(cudaMemcpyAsync(buffer.data(), bytes.data(), bytes.size(), cudaMemcpyHostToDevice,
                        work_stream()));
  check(cudaStreamSynchronize(work_stream()));
  return buffer;
}

BufferedKernel::BufferedKernel(const Workload& workload, Precision precision)
    : BufferedKernel(workload, precision, workload.output(precision).bytes()) {}

BufferedKernel::BufferedKernel(const Workload& workload, Precision precision,
                               std::size_t result_bytes)
    : result_(result_bytes) {
  const std::vector<Operand> operands = workload.inputs(precision);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    std::vector<std::byte> host(operands[i].bytes());
    workload.fill_input(i, precision, host);
    inputs_.push_back(upload(host));
  }
  check(cudaMemsetAsync(result_.data(), 0xFF, result_.bytes(), work_stream()));
}

void BufferedKernel::poison_output() {
  check(cudaMemsetAsync(result_.data(), 0xFF, result_.bytes(), work_stream()));
}

std::vector<std::byte> BufferedKernel::download(const DeviceBuffer& buffer) const {
  std::vector<std::byte> host(buffer.bytes());
  check(cudaMemcpyAsync(host.data(), buffer.data(), buffer.bytes(), cudaMemcpyDeviceToHost,
                        work_stream()));
  check(cudaStreamSynchronize(work_stream()));
  return host;
}

std::span<const std::byte> BufferedKernel::output() {
  host_output_ = download(result_);
  return host_output_;
}

Transfers BufferedKernel::time_transfers() {
  Transfers transfers;
  double pinned = 0, pageable = 0;
  for (const DeviceBuffer& buffer : inputs_) {
    // The operand's own bytes go down and up again, so the inputs stay as they are.
    const PinnedBuffer host(buffer.bytes());
    std::vector<std::byte> plain = download(buffer);
    std::memcpy(host.data(), plain.data(), plain.size());
    pinned += time_by_events(buffer.data(), host.data(), buffer.bytes(), cudaMemcpyHostToDevice);
    pageable += time_by_host(buffer.data(), plain.data(), buffer.bytes(), cudaMemcpyHostToDevice);
  }
  transfers.upload_seconds = pinned;
  transfers.upload_pageable_seconds = pageable;

  const PinnedBuffer host(result_.bytes());
  std::vector<std::byte> plain(result_.bytes());
  transfers.download_seconds =
      time_by_events(host.data(), result_.data(), result_.bytes(), cudaMemcpyDeviceToHost);
  transfers.download_pageable_seconds =
      time_by_host(plain.data(), result_.data(), result_.bytes(), cudaMemcpyDeviceToHost);
  return transfers;
}

}  // namespace breakeven
