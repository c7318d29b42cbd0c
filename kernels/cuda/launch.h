// Launching a kernel, on the GPU or on the host emulator, by the same call.
#pragma once

#include <cstddef>
#include <functional>
#include <tuple>
#include <utility>

#include "kernels/cuda/primitives.h"

#if defined(__CUDACC__)
#include <map>
#include <mutex>

#include "kernels/cuda/check.h"
#else
#include "kernels/simt/simt.h"
#endif

namespace breakeven {

/// What a launch asks for. `cluster`: blocks of a cluster, along x; it must divide blocks.x.
struct Grid {
  dim3 blocks;
  dim3 threads;
  std::size_t shared_bytes = 0;
  int cluster = 1;
};

#if defined(__CUDACC__)

using Stream = cudaStream_t;

namespace detail {

// More than 48 KB of shared memory must be allowed for; never less than another launch was.
inline void allow_shared_bytes(const void* kernel, std::size_t bytes) {
  if (bytes <= 48 * 1024) return;
  static std::mutex mutex;
  static std::map<const void*, std::size_t> allowed;
  const std::scoped_lock lock(mutex);
  std::size_t& have = allowed[kernel];
  if (bytes <= have) return;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(bytes)));
  have = bytes;
}

template <class... P>
void make_ready(void (*kernel)(P...), const Grid& grid) {
  allow_shared_bytes(reinterpret_cast<const void*>(kernel), grid.shared_bytes);
}

template <class... P>
void enqueue(void (*kernel)(P...), const Grid& grid, Stream stream,
             const std::tuple<P...>& parameters) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid.blocks;
  config.blockDim = grid.threads;
  config.dynamicSmemBytes = grid.shared_bytes;
  config.stream = stream;
  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim.x = static_cast<unsigned>(grid.cluster);
  cluster.val.clusterDim.y = 1;
  cluster.val.clusterDim.z = 1;
  config.attrs = &cluster;
  config.numAttrs = grid.cluster > 1 ? 1 : 0;
  std::apply(
      [&](const P&... parameter) {
        void* pointers[sizeof...(P) + 1] = {const_cast<P*>(&parameter)...};
        check(cudaLaunchKernelExC(&config, reinterpret_cast<const void*>(kernel), pointers));
      },
      parameters);
}

}  // namespace detail

#else

using Stream = simt::Stream;

namespace detail {

template <class... P>
void make_ready(void (*)(P...), const Grid&) {}

template <class... P>
void enqueue(void (*kernel)(P...), const Grid& grid, Stream stream,
             const std::tuple<P...>& parameters) {
  simt::enqueue(stream, {grid.blocks, grid.threads, grid.shared_bytes, grid.cluster}, kernel,
                parameters);
}

}  // namespace detail

#endif

/// A launch made ready, its arguments with it: each call enqueues it on a stream and allocates
/// nothing. Throws CudaError where CUDA refuses the launch.
using PreparedLaunch = std::function<void(Stream)>;

/// Arguments are converted to the kernel's parameter types. Throws CudaError where the GPU hasn't
/// as much shared memory.
template <class... P, class... A>
PreparedLaunch prepare_launch(void (*kernel)(P...), const Grid& grid, A&&... arguments) {
  detail::make_ready(kernel, grid);
  return [kernel, grid, parameters = std::tuple<P...>(static_cast<P>(arguments)...)](
             Stream stream) { detail::enqueue(kernel, grid, stream, parameters); };
}

/// One after the other.
inline PreparedLaunch in_order(PreparedLaunch first, PreparedLaunch second) {
  return [first = std::move(first), second = std::move(second)](Stream stream) {
    first(stream);
    second(stream);
  };
}

/// Prepares `kernel` and enqueues it.
template <class... P, class... A>
void launch(void (*kernel)(P...), const Grid& grid, Stream stream, A&&... arguments) {
  prepare_launch(kernel, grid, std::forward<A>(arguments)...)(stream);
}

}  // namespace breakeven
