// The kernels that serve the timing itself.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/timing.h"

namespace breakeven {

/// Enqueues one thread that spins until *release >= ticket, or for `limit_nanoseconds`; then it
/// writes `ticket` to *timed_out. Both lie in mapped host memory.
void enqueue_hold(const unsigned* release, unsigned* timed_out, unsigned ticket,
                  std::uint64_t limit_nanoseconds, cudaStream_t stream);

/// Enqueues one thread that reads the SM's cycle counter and the global timer, about 100 us apart.
void enqueue_clock_probe(ClockSample* sample, cudaStream_t stream);

/// Enqueues a read of `bytes` (a multiple of 16) at `buffer` by `blocks` blocks. Only reads: lines
/// that were written would be written back during the call that is timed next. `sink` is never
/// written.
void enqueue_read(const void* buffer, std::size_t bytes, int blocks, unsigned* sink,
                  cudaStream_t stream);

/// The architecture of this binary's code that the current device runs, e.g. 80 on one of compute
/// capability 8.9 where it has none for that; 0 where it has none at all, and launches fail.
int device_code_version();

}  // namespace breakeven
