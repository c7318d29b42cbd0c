// The model of the primitives of kernels/cuda/ptx_base.h: same names, same meaning, and faults
// where the hardware would be undefined. Extra parameters of type std::source_location are the
// emulator's.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

#include "kernels/simt/collectives.h"
#include "kernels/simt/counting.h"
#include "kernels/simt/scheduler.h"
#include "kernels/simt/types.h"

namespace breakeven::simt {

void* take_shared(int sequence, std::size_t bytes, std::size_t alignment);
void* static_shared(const void* key, std::size_t bytes);
template <class T, int kCount, int kTag>
inline constexpr char kStaticKey = 0;
void cp_async(void* shared, const void* global, int bytes, bool valid, const Site& where);
void cp_async_commit();
void cp_async_wait(int pending);
void ldmatrix(std::uint32_t* registers, int matrices, bool transposed, const void* row);
void stmatrix(void* row, int matrices, bool transposed, const std::uint32_t* registers);

enum class MmaType { bf16, f16, tf32, e4m3 };
void mma(MmaType type, float* d, const std::uint32_t* a, const std::uint32_t* b);
void mma_s8(std::int32_t* d, const std::uint32_t* a, const std::uint32_t* b);

template <class T>
inline constexpr MmaType kMmaType = MmaType::bf16;
template <>
inline constexpr MmaType kMmaType<f16> = MmaType::f16;

}  // namespace breakeven::simt

namespace breakeven::ptx {

/// Where an array lies after `offset` bytes have been taken, and where the next may begin:
/// int bytes = shared_bytes(shared_bytes(0, 512, 1024), 64, 16) sizes a launch of these two.
constexpr int shared_bytes(int offset, int bytes, int alignment = 16) {
  return (offset + alignment - 1) / alignment * alignment + bytes;
}

/// The block's dynamic shared memory. Every thread makes the same take() calls in the same order
/// and gets the same arrays; taking more than the launch asked for faults. It starts as 0xFF bytes
/// (NaN).
class SharedMemory {
 public:
  template <class T>
  T* take(int count, int alignment = 16) {
    return static_cast<T*>(simt::take_shared(taken_++, static_cast<std::size_t>(count) * sizeof(T),
                                             static_cast<std::size_t>(alignment)));
  }

 private:
  int taken_ = 0;
};

/// An array of static shared memory, which no launch asks for: the block's own of this T, kCount
/// and kTag, whoever asks for it and wherever. It starts as 0xFF bytes (NaN).
template <class T, int kCount, int kTag = 0>
T* static_shared() {
  return static_cast<T*>(
      simt::static_shared(&simt::kStaticKey<T, kCount, kTag>, kCount * sizeof(T)));
}

inline void named_barrier_sync(int id, int threads,
                               std::source_location where = std::source_location::current()) {
  simt::named_barrier(id, threads, true, where);
}
inline void named_barrier_arrive(int id, int threads,
                                 std::source_location where = std::source_location::current()) {
  simt::named_barrier(id, threads, false, where);
}

template <int kBytes>
void cp_async(void* shared, const void* global, bool valid = true,
              std::source_location where = std::source_location::current()) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
  simt::cp_async(shared, global, kBytes, valid, where);
}
inline void cp_async_commit() { simt::cp_async_commit(); }
template <int kPending>
void cp_async_wait() {
  static_assert(kPending >= 0);
  simt::cp_async_wait(kPending);
}

inline void ldmatrix_x4(std::uint32_t (&r)[4], const void* row) {
  simt::ldmatrix(r, 4, false, row);
}
inline void ldmatrix_x2(std::uint32_t (&r)[2], const void* row) {
  simt::ldmatrix(r, 2, false, row);
}
inline void ldmatrix_x4_trans(std::uint32_t (&r)[4], const void* row) {
  simt::ldmatrix(r, 4, true, row);
}
inline void ldmatrix_x2_trans(std::uint32_t (&r)[2], const void* row) {
  simt::ldmatrix(r, 2, true, row);
}
inline void stmatrix_x4(void* row, const std::uint32_t (&r)[4]) {
  simt::stmatrix(row, 4, false, r);
}
inline void stmatrix_x4_trans(void* row, const std::uint32_t (&r)[4]) {
  simt::stmatrix(row, 4, true, r);
}
inline void stmatrix_x2(void* row, const std::uint32_t (&r)[2]) {
  simt::stmatrix(row, 2, false, r);
}

template <class T>
void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  static_assert(std::is_same_v<T, bf16> || std::is_same_v<T, f16>);
  simt::mma(simt::kMmaType<T>, d, a, b);
}
inline void mma_m16n8k8_tf32(float (&d)[4], const std::uint32_t (&a)[4],
                             const std::uint32_t (&b)[2]) {
  simt::mma(simt::MmaType::tf32, d, a, b);
}
inline constexpr bool kShortFp8Sums = true;  // as Ada's
inline void mma_m16n8k32_e4m3(float (&d)[4], const std::uint32_t (&a)[4],
                              const std::uint32_t (&b)[2]) {
  simt::mma(simt::MmaType::e4m3, d, a, b);
}
inline void mma_m16n8k32_s8(std::int32_t (&d)[4], const std::uint32_t (&a)[4],
                            const std::uint32_t (&b)[2]) {
  simt::mma_s8(d, a, b);
}

/// cvt.rna.tf32.f32: 10 mantissa bits, nearest, ties away from zero; the low 13 bits come out as 0.
inline std::uint32_t round_to_tf32(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fffe000u;  // NaN
  return (bits + 0x1000u) & 0xffffe000u;
}

/// Two 16-bit elements in a register, `low` in the low half.
template <class T>
std::uint32_t pack(float low, float high) {
  static_assert(sizeof(T) == 2);
  return from_float<T>(low).bits | static_cast<std::uint32_t>(from_float<T>(high).bits) << 16;
}

/// Plain accesses, whose bank conflicts and sectors are counted; they fault where not aligned to V.
template <class V>
V load_shared(const V* from, std::source_location where = std::source_location::current()) {
  simt::count_access(simt::Space::shared, false, from, sizeof(V), where);
  return *from;
}
template <class V>
void store_shared(V* to, const V& value,
                  std::source_location where = std::source_location::current()) {
  simt::count_access(simt::Space::shared, true, to, sizeof(V), where);
  *to = value;
}
template <class V>
V load_global(const V* from, std::source_location where = std::source_location::current()) {
  simt::count_access(simt::Space::global, false, from, sizeof(V), where);
  return *from;
}
template <class V>
void store_global(V* to, const V& value,
                  std::source_location where = std::source_location::current()) {
  simt::count_access(simt::Space::global, true, to, sizeof(V), where);
  *to = value;
}

}  // namespace breakeven::ptx
