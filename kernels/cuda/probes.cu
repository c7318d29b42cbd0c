#include "kernels/cuda/check.h"
#include "kernels/cuda/probes.h"

namespace breakeven {
namespace {

__device__ std::uint64_t nanoseconds() {
  std::uint64_t value;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(value));
  return value;
}

__global__ void hold(const volatile unsigned* release, volatile unsigned* timed_out,
                     unsigned ticket, std::uint64_t limit_nanoseconds) {
  const std::uint64_t start = nanoseconds();
  while (*release < ticket) {
    if (nanoseconds() - start > limit_nanoseconds) {
      *timed_out = ticket;
      return;
    }
  }
}

// The global timer ticks once in 32 ns to 1 us, by the board: readings are taken at a tick.
__device__ std::uint64_t next_tick() {
  const std::uint64_t now = nanoseconds();
  std::uint64_t tick = now;
  while (tick == now) tick = nanoseconds();
  return tick;
}

__global__ void clock_probe(ClockSample* sample) {
  const std::uint64_t start = next_tick();
  const std::uint64_t start_cycles = static_cast<std::uint64_t>(clock64());
  while (nanoseconds() - start < 100000) {
  }
  const std::uint64_t end = next_tick();
  const std::uint64_t end_cycles = static_cast<std::uint64_t>(clock64());
  *sample = {start_cycles, start, end_cycles, end};
}

__global__ void read_all(const uint4* data, std::size_t count, unsigned* sink) {
  unsigned sum = 0;
  const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride) {
    const uint4 value = data[i];
    sum |= value.x | value.y | value.z | value.w;
  }
  // The buffer holds zeros, but the compiler can't know, so it keeps the loads.
  if (sum != 0) *sink = sum;
}

}  // namespace

void enqueue_hold(const unsigned* release, unsigned* timed_out, unsigned ticket,
                  std::uint64_t limit_nanoseconds, cudaStream_t stream) {
  hold<<<1, 1, 0, stream>>>(release, timed_out, ticket, limit_nanoseconds);
  check(cudaGetLastError());
}

void enqueue_clock_probe(ClockSample* sample, cudaStream_t stream) {
  clock_probe<<<1, 1, 0, stream>>>(sample);
  check(cudaGetLastError());
}

void enqueue_read(const void* buffer, std::size_t bytes, int blocks, unsigned* sink,
                  cudaStream_t stream) {
  read_all<<<static_cast<unsigned>(blocks), 256, 0, stream>>>(static_cast<const uint4*>(buffer),
                                                              bytes / sizeof(uint4), sink);
  check(cudaGetLastError());
}

int device_code_version() {
  static const int version = [] {
    cudaFuncAttributes attributes;
    if (cudaFuncGetAttributes(&attributes, hold) == cudaSuccess) return attributes.binaryVersion;
    cudaGetLastError();  // an error that was seen must not surface at the next launch
    return 0;
  }();
  return version;
}

}  // namespace breakeven
