// TMA loads in im2col mode as inline PTX; see kernels/cuda/ptx_tma.h.
#pragma once

#include "kernels/cuda/im2col.h"
#include "kernels/cuda/ptx_tma.h"

namespace breakeven::ptx {

/// An NHWC tensor in global memory and the walk of its copies; passed to kernels as
/// `const __grid_constant__ Im2colMap`. A type of its own, for the two kinds of copies take each
/// other's maps for what they aren't.
struct Im2colMap {
  CUtensorMap map;
};

/// Describes the tensor at `global` (16-byte aligned, dense, its channels a multiple of 16 bytes)
/// for tma_load_im2col. Throws std::runtime_error where the driver refuses it.
template <class T>
Im2colMap make_im2col_map(const T* global, const Im2colView& view,
                          Swizzle swizzle = Swizzle::b128) {
  static const auto encode =
      detail::driver_function<decltype(&cuTensorMapEncodeIm2col)>("cuTensorMapEncodeIm2col");
  const auto size = [](std::int64_t value) { return static_cast<cuuint64_t>(value); };
  const cuuint64_t sizes[] = {size(view.channels), size(view.width), size(view.height),
                              size(view.images)};
  const cuuint64_t pixel = sizes[0] * sizeof(T);
  const cuuint64_t strides[] = {pixel, pixel * sizes[1], pixel * sizes[1] * sizes[2]};
  const int lower[] = {view.lower_w, view.lower_h};
  const int upper[] = {view.upper_w, view.upper_h};
  const cuuint32_t steps[] = {1, static_cast<cuuint32_t>(view.stride_w),
                              static_cast<cuuint32_t>(view.stride_h), 1};
  Im2colMap made;
  const CUresult result = encode(
      &made.map, detail::tensor_map_type<T>(), 4, const_cast<T*>(global), sizes, strides, lower,
      upper, static_cast<cuuint32_t>(view.box_channels), static_cast<cuuint32_t>(view.pixels),
      steps, CU_TENSOR_MAP_INTERLEAVE_NONE, detail::tensor_map_swizzle(swizzle),
      CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    throw std::runtime_error("cuTensorMapEncodeIm2col refused images of " +
                             std::to_string(view.height) + " x " + std::to_string(view.width) +
                             " x " + std::to_string(view.channels) + ": error " +
                             std::to_string(result));
  }
  return made;
}

__device__ __forceinline__ void tma_prefetch_descriptor(const Im2colMap& map) {
  tma_prefetch_descriptor(map.map);
}

/// One thread starts the copy of `pixels` pixels from `from` on, the filter's tap offset_h rows and
/// offset_w columns further (0 to kMostIm2colOffset), to `shared` (128-byte aligned, 1024 for
/// descriptors); its bytes, zeros included, are counted by `barrier`.
__device__ __forceinline__ void tma_load_im2col(void* shared, const Im2colMap& map,
                                                Mbarrier* barrier, const Im2colPlace& from,
                                                std::uint16_t offset_w, std::uint16_t offset_h) {
  BREAKEVEN_HOPPER(asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};" ::"r"(shared_address(shared)),
      "l"(&map), "r"(shared_address(barrier)), "r"(from.channel), "r"(from.w), "r"(from.h),
      "r"(from.image), "h"(offset_w), "h"(offset_h)
      : "memory"));
}

/// The same pixels to the same place in every block of the cluster whose bit is set in `cta_mask`,
/// counted by the barrier at the same place there.
__device__ __forceinline__ void tma_load_im2col_multicast(
    void* shared, const Im2colMap& map, Mbarrier* barrier, const Im2colPlace& from,
    std::uint16_t offset_w, std::uint16_t offset_h, std::uint16_t cta_mask) {
  BREAKEVEN_HOPPER(asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes"
      ".multicast::cluster [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8}, %9;" ::"r"(
          shared_address(shared)),
      "l"(&map), "r"(shared_address(barrier)), "r"(from.channel), "r"(from.w), "r"(from.h),
      "r"(from.image), "h"(offset_w), "h"(offset_h), "h"(cta_mask)
      : "memory"));
}

}  // namespace breakeven::ptx
