// How much cache this process really has, and how to empty it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/host/buffer.h"

namespace breakeven {

/// What one dependent random load costs in a buffer of this size.
struct LoadLatency {
  std::size_t bytes;
  double nanoseconds;
};

/// The largest size whose loads cost less than 60 % of those of the last (largest) size. With
/// random loads over S bytes and a cache of C, C/S of them hit, so this is 1.5 to 2 times the true
/// size: an upper bound, as an eviction needs it. At least the first size. `curve` grows in size.
std::size_t cache_bytes_from(std::span<const LoadLatency> curve);

/// The last-level cache that this process can use, measured by pointer chasing over 1 MiB to 256
/// MiB (or 4 times what sysfs claims, up to 1 GiB) once per process, about 0.3 s. sysfs is not
/// trusted: a virtual machine may show the whole host's cache, and neighbours take their share.
std::size_t measured_cache_bytes();

/// A buffer larger than the caches, read from end to end to throw everything else out of them.
class Evictor {
 public:
  /// `threads` threads, each with caches of its own, read `bytes` together, but at least
  /// kPrivateBytes each.
  Evictor(std::size_t bytes, int threads);

  /// Reads all of it with the team of threads; nothing is written, so that no write-back is left to
  /// disturb the call that is timed next.
  void evict();

  std::size_t bytes() const { return buffer_.bytes(); }

  /// 3 times the largest private (second-level) cache there is today, 4 MiB.
  static constexpr std::size_t kPrivateBytes = std::size_t{12} << 20;

 private:
  HostBuffer buffer_;
  int threads_;
};

}  // namespace breakeven
