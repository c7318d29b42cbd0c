// The host emulator from without: run a kernel, choose its seed, read its counters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/simt/fault.h"
#include "kernels/simt/types.h"

namespace breakeven::simt {

struct Settings {
  std::uint64_t seed = 1;  ///< of the order of blocks and threads, and of asynchronous completions
  bool count_accesses = false;  ///< bank conflicts and sectors: slower, for tests that ask for them
};

/// Of this process; a change holds for the launches that follow.
Settings& settings();

/// What the launches since reset_counters() did. The accesses are those that primitives see
/// (cp_async, ldmatrix, stmatrix, load_*, store_*), per warp, and TMA's of global memory, per box
/// (a multicast is one), only with count_accesses.
struct Counters {
  std::uint64_t blocks = 0;
  std::uint64_t switches = 0;               ///< between fibers
  std::uint64_t barriers = 0;               ///< __syncthreads, once a block
  std::uint64_t named_barriers = 0;         ///< completions
  std::uint64_t warp_operations = 0;        ///< shuffles, votes, matrix operations: once a warp
  std::uint64_t mma = 0;                    ///< warp-level multiplies
  std::uint64_t async_copies = 0;           ///< cp.async, once a thread
  std::uint64_t shared_wavefronts = 0;      ///< passes through the 32 banks, conflicts included
  std::uint64_t shared_bank_conflicts = 0;  ///< those beyond the least that the widths need
  std::uint64_t global_requests = 0;        ///< once a warp, once a box
  std::uint64_t global_sectors = 0;         ///< distinct 32-byte sectors of each request
};
Counters& counters();
void reset_counters();

struct LaunchShape {
  dim3 blocks;
  dim3 threads;
  std::size_t shared_bytes = 0;
  int cluster = 1;
};

/// Runs `kernel` once for each thread of each block. Blocks (clusters) run one after another in a
/// seeded order, the threads of one together. Throws Fault; std::invalid_argument for a shape that
/// no GPU takes; whatever the kernel throws.
void run(const LaunchShape& shape, const std::function<void()>& kernel);

/// A launch as a captured graph holds it, with its arguments' values.
struct RecordedLaunch {
  const void* kernel;
  LaunchShape shape;
  std::vector<std::byte> arguments;  ///< their bytes, to tell launches apart
  std::function<void()> body;        ///< for run()
};

/// The host's stand-in for cudaStream_t: every launch has ended when it returns, but on a stream
/// with a recording, which keeps the launch instead, as a stream under capture does.
struct Stream {
  std::vector<RecordedLaunch>* recording = nullptr;
};

/// Runs or records kernel(arguments...). Throws as run() does.
template <class... P>
void enqueue(Stream stream, const LaunchShape& shape, void (*kernel)(P...),
             const std::tuple<P...>& arguments) {
  if (stream.recording == nullptr) return run(shape, [&] { std::apply(kernel, arguments); });
  std::vector<std::byte> bytes;
  const auto append = [&bytes](const void* from, std::size_t count) {
    bytes.insert(bytes.end(), static_cast<const std::byte*>(from),
                 static_cast<const std::byte*>(from) + count);
  };
  std::apply([&](const P&... each) { (append(&each, sizeof each), ...); }, arguments);
  stream.recording->push_back({reinterpret_cast<const void*>(kernel), shape, std::move(bytes),
                               [kernel, arguments] { std::apply(kernel, arguments); }});
}

/// Runs what was recorded, in its order.
inline void replay(const std::vector<RecordedLaunch>& recording) {
  for (const RecordedLaunch& launch : recording) run(launch.shape, launch.body);
}

}  // namespace breakeven::simt
