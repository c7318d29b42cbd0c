// Hopper's asynchronous machinery as inline PTX: barriers in shared memory, the tensor memory
// accelerator (TMA), clusters and register quotas. The emulator's models of the same functions are
// in kernels/simt/hopper.h. Compiled for another architecture than sm_90a, every function traps, so
// that one source serves all.
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "kernels/cuda/check.h"
#include "kernels/cuda/ptx_base.h"

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define BREAKEVEN_HOPPER(...) __VA_ARGS__
#else
#define BREAKEVEN_HOPPER(...) __trap()
#endif

namespace breakeven::ptx {

/// A barrier in shared memory that counts arrivals and bytes. Phase 0 is in progress after
/// mbarrier_init; a phase ends when all arrivals and all announced bytes have come.
using Mbarrier = std::uint64_t;

/// How 16-byte pieces of shared memory are permuted: bits 4-6 of an address are XORed with bits
/// 7-9 (b128), bits 4-5 with 7-8 (b64), bit 4 with 7 (b32). The values are those of descriptors.
enum class Swizzle : int { none = 0, b128 = 1, b64 = 2, b32 = 3 };

/// A matrix in global memory and the box that one copy moves; passed to kernels as
/// `const __grid_constant__ TensorMap`.
using TensorMap = CUtensorMap;

namespace detail {

template <class T>
constexpr CUtensorMapDataType tensor_map_type() {
  if constexpr (std::is_same_v<T, bf16>) return CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  if constexpr (std::is_same_v<T, f16>) return CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
  if constexpr (std::is_same_v<T, float>) return CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
  return CU_TENSOR_MAP_DATA_TYPE_UINT8;
}

/// The driver's function of that name and type, looked up at run time: linking the driver would
/// keep the program from starting where there is none.
template <class Function>
Function driver_function(const char* name) {
  void* entry = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  check(cudaGetDriverEntryPointByVersion(name, &entry, 12000, cudaEnableDefault, &found));
  if (found != cudaDriverEntryPointSuccess) {
    throw std::runtime_error(std::string("the CUDA driver has no ") + name + " (12.0 or later)");
  }
  return reinterpret_cast<Function>(entry);
}

inline CUtensorMapSwizzle tensor_map_swizzle(Swizzle swizzle) {
  constexpr CUtensorMapSwizzle kSwizzles[] = {CU_TENSOR_MAP_SWIZZLE_NONE,
                                              CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_SWIZZLE_64B,
                                              CU_TENSOR_MAP_SWIZZLE_32B};
  return kSwizzles[static_cast<int>(swizzle)];
}

}  // namespace detail

/// Describes the row-major matrix [rows,columns] at `global` (16-byte aligned; the stride, in
/// elements, a multiple of 16 bytes) for copies of boxes [box_rows,box_columns], each at most 256,
/// a swizzled box's rows as wide as the swizzle. Boxes may reach past the matrix: loads fill
/// with zeros, stores leave out. Throws std::runtime_error where the driver refuses it.
template <class T>
TensorMap make_tensor_map(const T* global, std::int64_t rows, std::int64_t columns,
                          std::int64_t row_stride, int box_rows, int box_columns,
                          Swizzle swizzle = Swizzle::b128) {
  static const auto encode =
      detail::driver_function<decltype(&cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled");
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(columns), static_cast<cuuint64_t>(rows)};
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(row_stride) * sizeof(T)};
  const cuuint32_t box[] = {static_cast<cuuint32_t>(box_columns),
                            static_cast<cuuint32_t>(box_rows)};
  const cuuint32_t steps[] = {1, 1};
  TensorMap map;
  const CUresult result =
      encode(&map, detail::tensor_map_type<T>(), 2, const_cast<T*>(global), sizes, strides, box,
             steps, CU_TENSOR_MAP_INTERLEAVE_NONE, detail::tensor_map_swizzle(swizzle),
             CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    throw std::runtime_error("cuTensorMapEncodeTiled refused a matrix of " + std::to_string(rows) +
                             " x " + std::to_string(columns) + ", stride " +
                             std::to_string(row_stride) + ": error " + std::to_string(result));
  }
  return map;
}

// ---- barriers -----------------------------------------------------------------------------------

/// One thread makes the barrier; then mbarrier_fence_init and a barrier of the block or cluster.
__device__ __forceinline__ void mbarrier_init(Mbarrier* barrier, int arrivals) {
  BREAKEVEN_HOPPER(asm volatile(
      "mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals)
      : "memory"));
}

/// Shows fresh barriers to the cluster's other blocks and to the TMA.
__device__ __forceinline__ void mbarrier_fence_init() {
  BREAKEVEN_HOPPER(asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"));
}

__device__ __forceinline__ void mbarrier_arrive(Mbarrier* barrier) {
  BREAKEVEN_HOPPER(
      asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
                   : "memory"));
}

/// Arrives, and makes the phase wait for `bytes` more bytes of TMA loads.
__device__ __forceinline__ void mbarrier_arrive_expect_tx(Mbarrier* barrier, int bytes) {
  BREAKEVEN_HOPPER(asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
      "r"(bytes)
      : "memory"));
}

/// Arrives at the barrier at the same place in the shared memory of block `cta_rank` of the
/// cluster, this one included.
__device__ __forceinline__ void mbarrier_arrive_remote(Mbarrier* barrier, int cta_rank) {
  BREAKEVEN_HOPPER(
      asm volatile("{\n"
                   ".reg .b32 remote;\n"
                   "mapa.shared::cluster.u32 remote, %0, %1;\n"
                   "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [remote];\n"
                   "}\n" ::"r"(shared_address(barrier)),
                   "r"(cta_rank)
                   : "memory"));
}

/// Has the phase of this parity ended? For a fresh barrier: 0 no, 1 yes (the phase before it).
__device__ __forceinline__ bool mbarrier_test(Mbarrier* barrier, int parity) {
  std::uint32_t done = 0;
  BREAKEVEN_HOPPER(
      asm volatile("{\n"
                   ".reg .pred p;\n"
                   "mbarrier.test_wait.parity.shared::cta.b64 p, [%1], %2;\n"
                   "selp.u32 %0, 1, 0, p;\n"
                   "}\n"
                   : "=r"(done)
                   : "r"(shared_address(barrier)), "r"(parity)
                   : "memory"));
  return done != 0;
}

__device__ __forceinline__ void mbarrier_wait(Mbarrier* barrier, int parity) {
  BREAKEVEN_HOPPER(
      asm volatile("{\n"
                   ".reg .pred p;\n"
                   "WAIT:\n"
                   "mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n"
                   "@p bra DONE;\n"
                   "bra WAIT;\n"
                   "DONE:\n"
                   "}\n" ::"r"(shared_address(barrier)),
                   "r"(parity)
                   : "memory"));
}

// ---- TMA ----------------------------------------------------------------------------------------

__device__ __forceinline__ void tma_prefetch_descriptor(const TensorMap& map) {
  BREAKEVEN_HOPPER(asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory"));
}

/// One thread starts the copy of the box at (row, column) to `shared` (128-byte aligned, 1024 for
/// descriptors); its bytes, those out of bounds included, are counted by `barrier`.
__device__ __forceinline__ void tma_load(void* shared, const TensorMap& map, Mbarrier* barrier,
                                         int column, int row) {
  BREAKEVEN_HOPPER(
      asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx"
                   "::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(shared_address(shared)),
                   "l"(&map), "r"(shared_address(barrier)), "r"(column), "r"(row)
                   : "memory"));
}

/// The same box to the same place in every block of the cluster whose bit is set in `cta_mask`,
/// counted by the barrier at the same place there.
__device__ __forceinline__ void tma_load_multicast(void* shared, const TensorMap& map,
                                                   Mbarrier* barrier, int column, int row,
                                                   std::uint16_t cta_mask) {
  BREAKEVEN_HOPPER(asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx"
      "::bytes.multicast::cluster [%0], [%1, {%3, %4}], [%2], %5;" ::"r"(shared_address(shared)),
      "l"(&map), "r"(shared_address(barrier)), "r"(column), "r"(row), "h"(cta_mask)
      : "memory"));
}

/// One thread starts the copy of `shared` to the box at (row, column); writes by threads need
/// fence_async_proxy and a barrier before.
__device__ __forceinline__ void tma_store(const TensorMap& map, const void* shared, int column,
                                          int row) {
  BREAKEVEN_HOPPER(
      asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group "
                   "[%0, {%2, %3}], [%1];" ::"l"(&map),
                   "r"(shared_address(shared)), "r"(column), "r"(row)
                   : "memory"));
}

/// Closes this thread's group of stores.
__device__ __forceinline__ void tma_store_commit() {
  BREAKEVEN_HOPPER(asm volatile("cp.async.bulk.commit_group;" ::: "memory"));
}

/// Until at most kPending of this thread's groups still read shared memory.
template <int kPending>
__device__ __forceinline__ void tma_store_wait_read() {
  BREAKEVEN_HOPPER(asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(kPending) : "memory"));
}

/// Until at most kPending of this thread's groups still write global memory.
template <int kPending>
__device__ __forceinline__ void tma_store_wait() {
  BREAKEVEN_HOPPER(asm volatile("cp.async.bulk.wait_group %0;" ::"n"(kPending) : "memory"));
}

/// Between writes of shared memory by threads and reads of it by TMA or wgmma.
__device__ __forceinline__ void fence_async_proxy() {
  BREAKEVEN_HOPPER(asm volatile("fence.proxy.async.shared::cta;" ::: "memory"));
}

// ---- clusters and registers ---------------------------------------------------------------------

__device__ __forceinline__ int cluster_rank() {
  std::uint32_t rank = 0;
  BREAKEVEN_HOPPER(asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank)));
  return static_cast<int>(rank);
}

__device__ __forceinline__ int cluster_size() {
  std::uint32_t size = 1;
  BREAKEVEN_HOPPER(asm volatile("mov.u32 %0, %%cluster_nctarank;" : "=r"(size)));
  return static_cast<int>(size);
}

/// A barrier of all threads of the cluster.
__device__ __forceinline__ void cluster_sync() {
  BREAKEVEN_HOPPER(
      asm volatile("barrier.cluster.arrive.release.aligned;\n"
                   "barrier.cluster.wait.acquire.aligned;" ::
                       : "memory"));
}

/// All 128 threads of a warp group give up, or take, registers: kRegisters each from here on, a
/// multiple of 8 in 24 ... 256.
template <int kRegisters>
__device__ __forceinline__ void setmaxnreg_decrease() {
  static_assert(kRegisters >= 24 && kRegisters <= 256 && kRegisters % 8 == 0);
  BREAKEVEN_HOPPER(asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters)));
}

template <int kRegisters>
__device__ __forceinline__ void setmaxnreg_increase() {
  static_assert(kRegisters >= 24 && kRegisters <= 256 && kRegisters % 8 == 0);
  BREAKEVEN_HOPPER(asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters)));
}

}  // namespace breakeven::ptx
