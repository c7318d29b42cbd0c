// Launching a kernel, on the GPU or on the host emulator, by the same call.
#pragma once

#include <cstddef>

#include "kernels/cuda/primitives.h"

#if defined(__CUDACC__)
#include <map>
#include <mutex>

#include "kernels/cuda/check.h"
#else
#include <tuple>
#include <utility>

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

// More than 48 KB of shared memory must be allowed for once; a launch is timed, so it isn't asked
// again for what it already has.
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

}  // namespace detail

/// Enqueues `kernel`; throws CudaError where CUDA refuses the launch. Arguments are converted to
/// the kernel's parameter types.
template <class... P, class... A>
void launch(void (*kernel)(P...), const Grid& grid, Stream stream, A&&... arguments) {
  detail::allow_shared_bytes(reinterpret_cast<const void*>(kernel), grid.shared_bytes);
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
  check(cudaLaunchKernelEx(&config, kernel, static_cast<P>(arguments)...));
}

#else

using Stream = simt::Stream;

/// Runs `kernel` to its end on the emulator; throws simt::Fault where it misbehaves.
template <class... P, class... A>
void launch(void (*kernel)(P...), const Grid& grid, Stream, A&&... arguments) {
  const std::tuple<P...> parameters(static_cast<P>(arguments)...);
  simt::run({grid.blocks, grid.threads, grid.shared_bytes, grid.cluster},
            [&] { std::apply(kernel, parameters); });
}

#endif

}  // namespace breakeven
