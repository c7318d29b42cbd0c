// Prints what the rungs launch, one JSON object a line: the kernel's symbol, threads of a block,
// dynamic shared bytes, blocks of a cluster. It needs no driver: the linker's --wrap sends every
// call of the CUDA runtime here, and nothing is launched. tools/budget reads it.
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <vector_types.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "kernels/host/allocation_count.h"
#include "kernels/matmul/dispatch.h"

namespace breakeven::matmul {
namespace {

/// The largest figures of all launches of one kernel.
struct Launched {
  unsigned threads = 0;
  std::size_t shared_bytes = 0;
  unsigned cluster = 1;
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

/// What was launched since it was last noted. Of fixed size, so that catching allocates nothing.
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
  caught.launches.at(caught.count++) = {kernel, launched};
}

void note_caught() {
  for (std::size_t i = 0; i < caught.count; ++i) {
    const auto& [kernel, launched] = caught.launches[i];
    Launched& largest = launches()[symbols().at(kernel)];
    largest.threads = std::max(largest.threads, launched.threads);
    largest.shared_bytes = std::max(largest.shared_bytes, launched.shared_bytes);
    largest.cluster = std::max(largest.cluster, launched.cluster);
  }
  caught.count = 0;
}

CUresult encode_tensor_map(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*, const cuuint64_t*,
                           const cuuint64_t*, const cuuint32_t*, const cuuint32_t*,
                           CUtensorMapInterleave, CUtensorMapSwizzle, CUtensorMapL2promotion,
                           CUtensorMapFloatOOBfill) {
  return CUDA_SUCCESS;
}

struct Size {
  std::int64_t m, n, k;
};

// Together they reach every kernel: large and small tiles, parts of k, one row, one column.
constexpr std::array<Size, 10> kSizes = {{{8192, 8192, 8192},
                                          {4096, 4096, 4096},
                                          {1024, 1024, 1024},
                                          {256, 256, 4096},
                                          {64, 64, 64},
                                          {16, 4096, 4096},
                                          {4096, 16, 4096},
                                          {33, 35, 37},
                                          {1, 4096, 4096},
                                          {4096, 1, 4096}}};

constexpr std::array<Gpu, 6> kGpus = {
    {{80, 108}, {86, 84}, {89, 142}, {90, 132}, {100, 148}, {120, 170}}};

/// Any addresses that are as aligned as cudaMalloc's; nothing reads them.
void* address(int number) { return reinterpret_cast<void*>(std::uintptr_t{0x10000000} << number); }

Gemm gemm_of(const Size& size, bool trans_a, bool trans_b, int padding) {
  Gemm gemm = dense_gemm(Matmul("launches", size.m, size.n, size.k, trans_a, trans_b));
  gemm.lda += padding;
  gemm.ldb += padding;
  gemm.ldc += padding;
  gemm.a = address(1);
  gemm.b = address(2);
  gemm.c = address(3);
  gemm.bias = address(4);
  return gemm;
}

/// Throws where what should only enqueue asks the heap for memory.
void launch_counted(const Rung& rung, const Gemm& gemm, const Gpu& gpu) {
  const PreparedGemm prepared = rung.prepare(gemm, address(5), gpu);
  const long before = allocation_count();
  prepared.enqueue(nullptr);
  if (allocation_count() != before) {
    throw std::logic_error(std::string(rung.name) + " allocates memory as it launches");
  }
  note_caught();
}

void launch_tilings(const Rung& rung, Gemm gemm, const Gpu& gpu) {
  for (int tiling = -1; tiling < static_cast<int>(rung.tilings.size()); ++tiling) {
    gemm.tiling = tiling;
    if (!unsupported_reason(rung, gemm, gpu).empty()) continue;
    launch_counted(rung, gemm, gpu);
  }
}

void launch_all(const Rung& rung) {
  for (const Gpu& gpu : kGpus) {
    for (const Size& size : kSizes) {
      for (const int variant : {0, 1, 2, 3}) {
        for (const int padding : {0, 1}) {  // 1: rows that no vector divides
          Gemm gemm = gemm_of(size, variant % 2 == 1, variant / 2 == 1, padding);
          for (const Epilogue epilogue : {Epilogue::none, Epilogue::bias_gelu}) {
            gemm.epilogue = epilogue;
            launch_tilings(rung, gemm, gpu);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace breakeven::matmul

extern "C" {

void __real___cudaRegisterFunction(void** handle, const char* host, char* device, const char* name,
                                   int thread_limit, uint3* thread, uint3* block, dim3* block_dim,
                                   dim3* grid_dim, int* warp_size);

void __wrap___cudaRegisterFunction(void** handle, const char* host, char* device, const char* name,
                                   int thread_limit, uint3* thread, uint3* block, dim3* block_dim,
                                   dim3* grid_dim, int* warp_size) {
  breakeven::matmul::symbols()[host] = name;
  __real___cudaRegisterFunction(handle, host, device, name, thread_limit, thread, block, block_dim,
                                grid_dim, warp_size);
}

cudaError_t __wrap_cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* kernel,
                                       void**) {
  breakeven::matmul::catch_launch(*config, kernel);
  return cudaSuccess;
}

cudaError_t __wrap_cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) { return cudaSuccess; }

cudaError_t __wrap_cudaGetDriverEntryPointByVersion(const char*, void** function, unsigned,
                                                    unsigned long long,
                                                    cudaDriverEntryPointQueryResult* found) {
  *function = reinterpret_cast<void*>(breakeven::matmul::encode_tensor_map);
  *found = cudaDriverEntryPointSuccess;
  return cudaSuccess;
}

}  // extern "C"

int main() {
  using namespace breakeven::matmul;
  for (const Rung* rung : all_rungs()) launch_all(*rung);
  for (const auto& [symbol, launched] : launches()) {
    std::printf("{\"symbol\": \"%s\", \"threads\": %u, \"shared\": %zu, \"cluster\": %u}\n",
                symbol.c_str(), launched.threads, launched.shared_bytes, launched.cluster);
  }
  return launches().empty() ? 1 : 0;
}
