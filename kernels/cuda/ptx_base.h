// The primitives of kernels/cuda/primitives.h that every architecture from sm_80 on has, as PTX.
// Chapters named below are those of NVIDIA's "PTX ISA" manual. What an architecture lacks traps:
// a kernel is compiled for all of them and launched where it is at home.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

namespace breakeven {

using bf16 = __nv_bfloat16;
using f16 = __half;
using e4m3 = __nv_fp8_e4m3;

__host__ __device__ inline float to_float(float value) { return value; }
__host__ __device__ inline float to_float(bf16 value) { return __bfloat162float(value); }
__host__ __device__ inline float to_float(f16 value) { return __half2float(value); }
__host__ __device__ inline float to_float(e4m3 value) { return static_cast<float>(value); }

/// Rounds to nearest, ties to even; e4m3 saturates at 448, the others overflow to infinity.
template <class T>
__host__ __device__ inline T from_float(float value) {
  if constexpr (std::is_same_v<T, bf16>) {
    return __float2bfloat16_rn(value);
  } else if constexpr (std::is_same_v<T, f16>) {
    return __float2half_rn(value);
  } else {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, e4m3>);
    return T(value);
  }
}

}  // namespace breakeven

namespace breakeven::ptx {

/// Where an array lies after `offset` bytes have been taken, and where the next may begin:
/// int bytes = shared_bytes(shared_bytes(0, 512, 1024), 64, 16) sizes a launch of these two.
__host__ __device__ constexpr int shared_bytes(int offset, int bytes, int alignment = 16) {
  return (offset + alignment - 1) / alignment * alignment + bytes;
}

extern __shared__ __align__(1024) unsigned char dynamic_shared_memory[];

/// The block's dynamic shared memory. Every thread makes the same take() calls in the same order
/// and gets the same arrays; nothing checks here that the launch asked for as much, the emulator
/// does.
class SharedMemory {
 public:
  __device__ SharedMemory() {}
  template <class T>
  __device__ T* take(int count, int alignment = 16) {
    const int begin = shared_bytes(taken_, 0, alignment);
    taken_ = begin + count * static_cast<int>(sizeof(T));
    return reinterpret_cast<T*>(dynamic_shared_memory + begin);
  }

 private:
  int taken_ = 0;
};

/// An array of static shared memory, which no launch asks for: the block's own of this T, kCount
/// and kTag, whoever asks for it and wherever. The compiler refuses more than 48 KB of them.
template <class T, int kCount, int kTag = 0>
__device__ inline T* static_shared() {
  __shared__ __align__(128) T array[kCount];
  return array;
}

/// The address that instructions on shared memory take.
__device__ inline std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

/// Waits until `threads` threads (a multiple of 32, whole warps) have come to barrier `id`, 1 to
/// 15, by sync or arrive. Chapter "barrier".
__device__ inline void named_barrier_sync(int id, int threads) {
  asm volatile("barrier.sync.aligned %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
/// Counts as come to the barrier without waiting.
__device__ inline void named_barrier_arrive(int id, int threads) {
  asm volatile("barrier.arrive.aligned %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

/// Copies 4, 8 or 16 bytes (both addresses aligned to as many) into shared memory some time before
/// a cp_async_wait() that covers it; writes zeros and reads nothing unless `valid`.
/// Chapter "cp.async".
template <int kBytes>
__device__ inline void cp_async(void* shared, const void* global, bool valid = true) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
  const int source_bytes = valid ? kBytes : 0;
  if constexpr (kBytes == 16) {  // past the L1 cache: a tile is read once by a block
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
                 "l"(global), "r"(source_bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(shared)),
                 "l"(global), "n"(kBytes), "r"(source_bytes)
                 : "memory");
  }
}
/// Closes the group of this thread's copies since the last commit.
__device__ inline void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits until at most the `kPending` youngest groups of this thread are under way.
template <int kPending>
__device__ inline void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

/// Loads 8x8 matrices of 16-bit elements: lanes 8i to 8i+7 give the addresses of the 16-byte rows
/// of matrix i, register i of lane l gets elements 2(l%4) and the next of its row l/4; of column
/// l/4 with _trans. x2 reads the addresses of lanes 0 to 15. Chapter "ldmatrix".
__device__ inline void ldmatrix_x4(std::uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
__device__ inline void ldmatrix_x2(std::uint32_t (&r)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
}
__device__ inline void ldmatrix_x4_trans(std::uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
__device__ inline void ldmatrix_x2_trans(std::uint32_t (&r)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
}

/// The reverse of ldmatrix; sm_90 and later. Chapter "stmatrix".
__device__ inline void stmatrix_x4([[maybe_unused]] void* row,
                                   [[maybe_unused]] const std::uint32_t (&r)[4]) {
#if __CUDA_ARCH__ >= 900
  asm volatile(
      "stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(row)),
      "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
      : "memory");
#else
  __trap();
#endif
}
__device__ inline void stmatrix_x4_trans([[maybe_unused]] void* row,
                                         [[maybe_unused]] const std::uint32_t (&r)[4]) {
#if __CUDA_ARCH__ >= 900
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(
                   shared_address(row)),
               "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
               : "memory");
#else
  __trap();
#endif
}
__device__ inline void stmatrix_x2([[maybe_unused]] void* row,
                                   [[maybe_unused]] const std::uint32_t (&r)[2]) {
#if __CUDA_ARCH__ >= 900
  asm volatile(
      "stmatrix.sync.aligned.m8n8.x2.shared.b16 [%0], {%1, %2};" ::"r"(shared_address(row)),
      "r"(r[0]), "r"(r[1])
      : "memory");
#else
  __trap();
#endif
}

/// d[16,8] += a[16,16] b[16,8] by one warp, a row-major, b column-major; lane l = 4g + t holds
///   d: rows g, g, g+8, g+8, columns 2t, 2t+1, 2t, 2t+1
///   a: pairs along k at (row, k) = (g, 2t), (g+8, 2t), (g, 2t+8), (g+8, 2t+8)
///   b: pairs along k at (k, column) = (2t, g), (2t+8, g)
/// so that ldmatrix_x4 of a's four 8x8 quarters, and ldmatrix_x2 of b stored by columns, are the
/// fragments. Chapter "mma", as for the shapes below.
template <class T>
__device__ inline void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4],
                                    const std::uint32_t (&b)[2]) {
  if constexpr (std::is_same_v<T, bf16>) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, "
        "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    static_assert(std::is_same_v<T, f16>);
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, "
        "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
}

/// f32 operands of which 10 mantissa bits count. a at (row, k) = (g, t), (g+8, t), (g, t+4),
/// (g+8, t+4); b at (k, column) = (t, g), (t+4, g).
__device__ inline void mma_m16n8k8_tf32(float (&d)[4], const std::uint32_t (&a)[4],
                                        const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, "
      "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// Whether mma_m16n8k32_e4m3's sums are short: Ada's tensor cores keep 14 bits of them (Zhang et
/// al., "SageAttention2", arXiv:2411.10958), and sm_120, which nobody is known to have measured, is
/// taken to do the same. sm_90 and sm_100 have no fp8 of their own in mma.sync and multiply it as
/// f16. It is that of the target: PTX for sm_90 that a driver compiles for a later GPU says false.
#if defined(__CUDA_ARCH__) && (__CUDA_ARCH__ < 890 || __CUDA_ARCH__ == 900 || __CUDA_ARCH__ == 1000)
inline constexpr bool kShortFp8Sums = false;
#else
inline constexpr bool kShortFp8Sums = true;
#endif

/// Fours along k: a at (row, k) = (g, 4t), (g+8, 4t), (g, 4t+16), (g+8, 4t+16); b at (k, column) =
/// (4t, g), (4t+16, g). sm_89 and later.
__device__ inline void mma_m16n8k32_e4m3([[maybe_unused]] float (&d)[4],
                                         [[maybe_unused]] const std::uint32_t (&a)[4],
                                         [[maybe_unused]] const std::uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 890
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, "
      "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  __trap();
#endif
}

/// As e4m3's fragments; sums wrap around.
__device__ inline void mma_m16n8k32_s8(std::int32_t (&d)[4], const std::uint32_t (&a)[4],
                                       const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, "
      "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// To 10 mantissa bits, nearest, ties away from zero. Chapter "cvt".
__device__ inline std::uint32_t round_to_tf32(float value) {
  std::uint32_t rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(value));
  return rounded;
}

/// Two 16-bit elements in a register, `low` in the low half.
template <class T>
__device__ inline std::uint32_t pack(float low, float high) {
  static_assert(sizeof(T) == 2);
  std::uint32_t bits;
  if constexpr (std::is_same_v<T, bf16>) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    memcpy(&bits, &pair, sizeof bits);
  } else {
    const __half2 pair = __floats2half2_rn(low, high);
    memcpy(&bits, &pair, sizeof bits);
  }
  return bits;
}

/// Plain accesses; the emulator counts their bank conflicts and sectors.
template <class V>
__device__ inline V load_shared(const V* from) {
  return *from;
}
template <class V>
__device__ inline void store_shared(V* to, const V& value) {
  *to = value;
}
template <class V>
__device__ inline V load_global(const V* from) {
  return *from;
}
template <class V>
__device__ inline void store_global(V* to, const V& value) {
  *to = value;
}

}  // namespace breakeven::ptx
