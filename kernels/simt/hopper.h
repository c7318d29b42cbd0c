// The model of the primitives of kernels/cuda/ptx_hopper.h: same names, same meaning, and faults
// where the hardware would be undefined. Copies and multiplications happen at a moment drawn from
// the seed between their start and the wait for them; until then their results are NaN.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/simt/hopper_im2col.h"
#include "kernels/simt/hopper_memory.h"
#include "kernels/simt/ptx_base.h"

namespace breakeven::simt {

void mbarrier_init(std::uint64_t* barrier, int arrivals);
void mbarrier_fence_init();
void mbarrier_arrive(std::uint64_t* barrier, int expect_bytes);
void mbarrier_arrive_remote(std::uint64_t* barrier, int cta_rank);
void mbarrier_wait(std::uint64_t* barrier, int parity);
bool mbarrier_test(std::uint64_t* barrier, int parity);

/// `cta_mask` 0: to this block.
void tma_load(void* shared, const ptx::TensorMap& map, std::uint64_t* barrier, int column, int row,
              std::uint32_t cta_mask);
void tma_load_im2col(void* shared, const ptx::Im2colMap& map, std::uint64_t* barrier,
                     const Im2colCopy& copy, std::uint32_t cta_mask);
void tma_store(const ptx::TensorMap& map, const void* shared, int column, int row);
void tma_store_commit();
void tma_store_wait(int pending, bool only_reads);
void fence_async_proxy();
void cluster_sync();
void set_registers(int registers, bool increase);

struct WgmmaShape {
  MmaType type;
  int n;
  bool trans_a;
  bool trans_b;
  bool operator==(const WgmmaShape&) const = default;
};
void wgmma(const WgmmaShape& shape, float* d, std::uint64_t a, std::uint64_t b, bool accumulate);
void wgmma_fence();
void wgmma_commit();
void wgmma_wait(int pending);
std::uint64_t wgmma_descriptor(const void* shared, int leading_bytes, int stride_bytes,
                               ptx::Swizzle swizzle);

template <class T>
inline constexpr MmaType kWgmmaType = MmaType::e4m3;
template <>
inline constexpr MmaType kWgmmaType<bf16> = MmaType::bf16;
template <>
inline constexpr MmaType kWgmmaType<f16> = MmaType::f16;
template <>
inline constexpr MmaType kWgmmaType<float> = MmaType::tf32;

}  // namespace breakeven::simt

namespace breakeven::ptx {

using Mbarrier = std::uint64_t;

/// Throws std::runtime_error where the hardware's rules forbid it: see kernels/cuda/ptx_tma.h.
template <class T>
TensorMap make_tensor_map(const T* global, std::int64_t rows, std::int64_t columns,
                          std::int64_t row_stride, int box_rows, int box_columns,
                          Swizzle swizzle = Swizzle::b128) {
  return simt::checked_tensor_map({reinterpret_cast<const std::byte*>(global), rows, columns,
                                   row_stride * static_cast<std::int64_t>(sizeof(T)),
                                   static_cast<int>(sizeof(T)), box_rows, box_columns, swizzle});
}

/// The same: see kernels/cuda/ptx_im2col.h.
template <class T>
Im2colMap make_im2col_map(const T* global, const Im2colView& view,
                          Swizzle swizzle = Swizzle::b128) {
  return simt::checked_im2col_map(
      {reinterpret_cast<const std::byte*>(global), view, static_cast<int>(sizeof(T)), swizzle});
}

inline void mbarrier_init(Mbarrier* barrier, int arrivals) {
  simt::mbarrier_init(barrier, arrivals);
}
inline void mbarrier_fence_init() { simt::mbarrier_fence_init(); }
inline void mbarrier_arrive(Mbarrier* barrier) { simt::mbarrier_arrive(barrier, 0); }
inline void mbarrier_arrive_expect_tx(Mbarrier* barrier, int bytes) {
  simt::mbarrier_arrive(barrier, bytes);
}
inline void mbarrier_arrive_remote(Mbarrier* barrier, int cta_rank) {
  simt::mbarrier_arrive_remote(barrier, cta_rank);
}
inline bool mbarrier_test(Mbarrier* barrier, int parity) {
  return simt::mbarrier_test(barrier, parity);
}
inline void mbarrier_wait(Mbarrier* barrier, int parity) { simt::mbarrier_wait(barrier, parity); }

inline void tma_prefetch_descriptor(const TensorMap&) {}
inline void tma_load(void* shared, const TensorMap& map, Mbarrier* barrier, int column, int row) {
  simt::tma_load(shared, map, barrier, column, row, 0);
}
inline void tma_load_multicast(void* shared, const TensorMap& map, Mbarrier* barrier, int column,
                               int row, std::uint16_t cta_mask) {
  if (cta_mask == 0) simt::fault("tma_load_multicast to no block");
  simt::tma_load(shared, map, barrier, column, row, cta_mask);
}
inline void tma_prefetch_descriptor(const Im2colMap&) {}
inline void tma_load_im2col(void* shared, const Im2colMap& map, Mbarrier* barrier,
                            const Im2colPlace& from, std::uint16_t offset_w,
                            std::uint16_t offset_h) {
  simt::tma_load_im2col(shared, map, barrier, {from, offset_w, offset_h}, 0);
}
inline void tma_load_im2col_multicast(void* shared, const Im2colMap& map, Mbarrier* barrier,
                                      const Im2colPlace& from, std::uint16_t offset_w,
                                      std::uint16_t offset_h, std::uint16_t cta_mask) {
  if (cta_mask == 0) simt::fault("tma_load_im2col_multicast to no block");
  simt::tma_load_im2col(shared, map, barrier, {from, offset_w, offset_h}, cta_mask);
}
inline void tma_store(const TensorMap& map, const void* shared, int column, int row) {
  simt::tma_store(map, shared, column, row);
}
inline void tma_store_commit() { simt::tma_store_commit(); }
template <int kPending>
void tma_store_wait_read() {
  simt::tma_store_wait(kPending, true);
}
template <int kPending>
void tma_store_wait() {
  simt::tma_store_wait(kPending, false);
}
inline void fence_async_proxy() { simt::fence_async_proxy(); }

inline int cluster_rank() { return simt::current_block().rank; }
inline int cluster_size() { return simt::current_cluster().size(); }
inline void cluster_sync() { simt::cluster_sync(); }

template <int kRegisters>
void setmaxnreg_decrease() {
  static_assert(kRegisters >= 24 && kRegisters <= 256 && kRegisters % 8 == 0);
  simt::set_registers(kRegisters, false);
}
template <int kRegisters>
void setmaxnreg_increase() {
  static_assert(kRegisters >= 24 && kRegisters <= 256 && kRegisters % 8 == 0);
  simt::set_registers(kRegisters, true);
}

inline std::uint64_t wgmma_descriptor(const void* shared, int leading_bytes, int stride_bytes,
                                      Swizzle swizzle = Swizzle::b128) {
  return simt::wgmma_descriptor(shared, leading_bytes, stride_bytes, swizzle);
}
inline void wgmma_fence() { simt::wgmma_fence(); }
inline void wgmma_commit() { simt::wgmma_commit(); }
template <int kPending>
void wgmma_wait() {
  simt::wgmma_wait(kPending);
}
template <int kCount>
void wgmma_hold(float (&)[kCount]) {}

template <class T, int kN, int kTransA = 0, int kTransB = 0>
void wgmma(float (&d)[kN / 2], std::uint64_t a, std::uint64_t b, bool accumulate) {
  static_assert(kN == 64 || kN == 128 || kN == 192 || kN == 256);
  static_assert(sizeof(T) == 2 || (kTransA == 0 && kTransB == 0));
  simt::wgmma({simt::kWgmmaType<T>, kN, kTransA != 0, kTransB != 0}, d, a, b, accumulate);
}

}  // namespace breakeven::ptx
