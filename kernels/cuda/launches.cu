// Catches what kernels are launched with and prints it, one JSON object a line: the kernel's
// symbol, threads of a block, dynamic shared bytes, blocks of a cluster. It needs no driver: the
// linker's "wrap" option sends every call of the CUDA runtime here, and nothing is launched.
// tools/budget reads it.
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <vector_types.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cuda/launches.h"
#include "kernels/host/allocation_count.h"

namespace breakeven {
namespace {

/// The largest figures of all launches of one kernel.
struct Launched {
  unsigned threads = 0;
  std::size_t shared_bytes = 0;
  unsigned cluster = 1;

  void add(const Launched& other) {
    threads = std::max(threads, other.threads);
    shared_bytes = std::max(shared_bytes, other.shared_bytes);
    cluster = std::max(cluster, other.cluster);
  }
};

// By address of the kernel's host function, as the runtime knows kernels.
std::map<const void*, std::string>& symbols() {
  static std::map<const void*, std::string> all;
  return all;
}

std::map<std::string, Launched>& launches() {
  static std::map<std::string, Launched> all;
  return all;
}

/// What was launched since it was last noted, one entry a kernel. Of fixed size, so that catching
/// allocates nothing.
struct Caught {
  std::array<std::pair<const void*, Launched>, 16> launches;
  std::size_t count = 0;
};
Caught caught;

void catch_launch(const cudaLaunchConfig_t& config, const void* kernel) {
  const dim3& threads = config.blockDim;
  Launched launched = {threads.x * threads.y * threads.z, config.dynamicSmemBytes};
  for (unsigned i = 0; i < config.numAttrs; ++i) {
    if (config.attrs[i].id != cudaLaunchAttributeClusterDimension) continue;
    launched.cluster = config.attrs[i].val.clusterDim.x;
  }
  std::size_t i = 0;
  while (i < caught.count && caught.launches[i].first != kernel) ++i;
  if (i == caught.count) caught.launches.at(caught.count++) = {kernel, {}};
  caught.launches[i].second.add(launched);
}

void note_caught() {
  for (std::size_t i = 0; i < caught.count; ++i) {
    const auto& [kernel, launched] = caught.launches[i];
    launches()[symbols().at(kernel)].add(launched);
  }
  caught.count = 0;
}

CUresult encode_tensor_map(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*, const cuuint64_t*,
                           const cuuint64_t*, const cuuint32_t*, const cuuint32_t*,
                           CUtensorMapInterleave, CUtensorMapSwizzle, CUtensorMapL2promotion,
                           CUtensorMapFloatOOBfill) {
  return CUDA_SUCCESS;
}

CUresult encode_im2col_map(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*, const cuuint64_t*,
                           const cuuint64_t*, const int*, const int*, cuuint32_t, cuuint32_t,
                           const cuuint32_t*, CUtensorMapInterleave, CUtensorMapSwizzle,
                           CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
  return CUDA_SUCCESS;
}

std::vector<void (*)()>& launchers() {
  static std::vector<void (*)()> all;
  return all;
}

}  // namespace

Launcher::Launcher(void (*launch_all)()) { launchers().push_back(launch_all); }

void catch_launches(const std::string& name, const PreparedLaunch& prepared) {
  const long before = allocation_count();
  prepared(nullptr);
  if (allocation_count() != before) {
    throw std::logic_error(name + " allocates memory as it launches");
  }
  note_caught();
}

}  // namespace breakeven

extern "C" {

void __real___cudaRegisterFunction(void** handle, const char* host, char* device, const char* name,
                                   int thread_limit, uint3* thread, uint3* block, dim3* block_dim,
                                   dim3* grid_dim, int* warp_size);

void __wrap___cudaRegisterFunction(void** handle, const char* host, char* device, const char* name,
                                   int thread_limit, uint3* thread, uint3* block, dim3* block_dim,
                                   dim3* grid_dim, int* warp_size) {
  breakeven::symbols()[host] = name;
  __real___cudaRegisterFunction(handle, host, device, name, thread_limit, thread, block, block_dim,
                                grid_dim, warp_size);
}

cudaError_t __wrap_cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* kernel,
                                       void**) {
  breakeven::catch_launch(*config, kernel);
  return cudaSuccess;
}

cudaError_t __wrap_cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) { return cudaSuccess; }

cudaError_t __wrap_cudaGetDriverEntryPointByVersion(const char* name, void** function, unsigned,
                                                    unsigned long long,
                                                    cudaDriverEntryPointQueryResult* found) {
  *function = std::string(name) == "cuTensorMapEncodeIm2col"
                  ? reinterpret_cast<void*>(breakeven::encode_im2col_map)
                  : reinterpret_cast<void*>(breakeven::encode_tensor_map);
  *found = cudaDriverEntryPointSuccess;
  return cudaSuccess;
}

}  // extern "C"

int main() {
  using namespace breakeven;
  for (const auto launch_all : launchers()) launch_all();
  for (const auto& [symbol, launched] : launches()) {
    std::printf("{\"symbol\": \"%s\", \"threads\": %u, \"shared\": %zu, \"cluster\": %u}\n",
                symbol.c_str(), launched.threads, launched.shared_bytes, launched.cluster);
  }
  return launches().empty() ? 1 : 0;
}
