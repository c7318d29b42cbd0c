// Slabs of a convolution's operands on their way to shared memory, for the f32 main loop: what
// SlabCopy is to a matrix. They lie there as [kSlab][kOuter]. k runs densely, tap by tap and
// channels within: where neighbours along k come from different taps makes no difference to copies
// of single floats, so few channels waste nothing.
#pragma once

#include <cstdint>

#include "kernels/conv2d/gather.h"

namespace breakeven::conv2d {

/// Where a row of the slab lies in the tensor under tap (0, 0).
struct alignas(16) GatheredRow {
  int h, w, offset;
  int unused;
};

/// Pixels across, k contiguous within a tap: float by float, so that the slab is turned. Where the
/// rows lie stands in shared memory: with eight registers more for it, 128x128 tiles would leave
/// room for one block on a multiprocessor only.
template <int kOuter, int kSlab, int kThreads>
class GatherAlongK {
 public:
  /// As SlabCopy's: a warp's stores, 8 along k by 4, fall into 32 banks.
  static constexpr int kStride = kOuter + 4;
  static constexpr int kFloats = kSlab * kStride;
  /// Floats of shared memory that its rows take.
  static constexpr int kRowFloats = kOuter * 4;

  /// Rows of the grid from `first` on, of `extent`; k from `k` on. `data`: the tensor, in which the
  /// group's channels begin at `channel`. `rows`: kRowFloats, aligned to 16 bytes, its own as long
  /// as it lives. A warp's threads call it together.
  __device__ __forceinline__ GatherAlongK(const GatherView& view, const float* data, int channel,
                                          int first, int extent, int k, int thread, float* rows)
      : view_(view),
        data_(data),
        thread_(thread),
        rows_(reinterpret_cast<GatheredRow*>(rows)),
        walk_(view, k + k_of(0), view.channels) {
    if (thread % kLanesK == 0) {  // the others of these lanes, of the same warp, have the same rows
#pragma unroll
      for (int i = 0; i < kGroups; ++i) {
        const int row = first + outer_of(i);
        const GridPixel at = row < extent ? grid_pixel(view, row) : GridPixel{0, kNowhere, 0};
        const int offset = row < extent ? pixel_offset(view, at) + channel : 0;
        ptx::store_shared(rows_ + outer_of(i), GatheredRow{at.h, at.w, offset, 0});
      }
    }
    __syncwarp();
  }

  __device__ __forceinline__ void copy(float* slab) const { copy_rows<false>(slab, kSlab); }
  __device__ __forceinline__ void copy_partial(float* slab, int rows) const {
    copy_rows<true>(slab, rows);
  }
  __device__ __forceinline__ void advance(int places) {
    walk_.advance(view_, places, view_.channels);
  }

 private:
  static constexpr int kLanesK = 8;  // read a sector of 32 bytes
  static constexpr int kLanesOuter = kThreads / kLanesK;
  static constexpr int kGroups = kOuter / kLanesOuter;
  static constexpr int kSteps = kSlab / kLanesK;
  static constexpr int kNowhere = -(1 << 30);  // a row that no tap brings inside
  static_assert(kGroups * kLanesOuter == kOuter && kSteps * kLanesK == kSlab);

  __device__ int outer_of(int group) const { return thread_ / kLanesK + group * kLanesOuter; }
  __device__ int k_of(int step) const { return thread_ % kLanesK + step * kLanesK; }

  template <bool kPartial>
  __device__ __forceinline__ void copy_rows(float* slab, int rows) const {
    TapWalk walk = walk_;
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      if (step > 0) walk.advance(view_, kLanesK, view_.channels);
      const int dh = walk.dh(view_), dw = walk.dw(view_);
      const int tap = (dh * view_.width + dw) * view_.pixel + walk.channel;
      const bool counts = !kPartial || k_of(step) < rows;
#pragma unroll
      for (int i = 0; i < kGroups; ++i) {
        const GatheredRow row = ptx::load_shared(rows_ + outer_of(i));
        const bool valid = counts && is_inside(view_, row.h + dh, row.w + dw);
        float* to = slab + k_of(step) * kStride + outer_of(i);
        ptx::cp_async<4>(to, data_ + (row.offset + tap), valid);
      }
    }
  }

  const GatherView& view_;
  const float* data_;
  int thread_;
  GatheredRow* rows_;
  TapWalk walk_;  ///< of the first step; the others are walked to anew, which saves registers
};

/// How a pass of all threads lies in a slab whose neighbours in memory are neighbours across.
template <int kOuter, int kSlab, int kThreads, bool kVector>
struct AcrossShare {
  static constexpr int kWidth = kVector ? 4 : 1;
  static constexpr int kAcross = kVector || kOuter < 32 ? kOuter : 32;
  static constexpr int kLanesK = kThreads * kWidth / kAcross;
  static constexpr int kLanesOuter = kThreads / kLanesK;
  static constexpr int kGroups = kOuter / (kLanesOuter * kWidth);
  static constexpr int kSteps = kSlab / kLanesK;
  static_assert(kLanesK * kLanesOuter == kThreads && kSteps * kLanesK == kSlab &&
                kGroups * kLanesOuter * kWidth == kOuter);

  __device__ static int outer_of(int thread, int group) {
    return (thread % kLanesOuter + group * kLanesOuter) * kWidth;
  }
  __device__ static int k_of(int thread, int step) { return thread / kLanesOuter + step * kLanesK; }
};

/// Pixels along k, taps and channels across; kVector: four channels at a time.
template <int kOuter, int kSlab, int kThreads, bool kVector>
class GatherAcross {
 public:
  static constexpr int kStride = kOuter;
  static constexpr int kFloats = kSlab * kStride;

  /// Columns from `first` on, of `extent` = taps x channels; pixels from `k` on.
  __device__ __forceinline__ GatherAcross(const GatherView& view, FastDivisor by_width,
                                          FastDivisor by_height, const float* data, int first,
                                          int extent, int k, int thread)
      : view_(view),
        by_width_(by_width),
        by_height_(by_height),
        data_(data),
        thread_(thread),
        k_(k) {
#pragma unroll
    for (int i = 0; i < Share::kGroups; ++i) {
      const int column = first + Share::outer_of(thread, i);
      const TapWalk walk(view, column, view.channels);
      channel_[i] = walk.channel;
      origin_h_[i] = column < extent ? view.origin_h + walk.dh(view) : kNowhere;
      origin_w_[i] = view.origin_w + walk.dw(view);
    }
  }

  __device__ __forceinline__ void copy(float* slab) const { copy_rows<false>(slab, kSlab); }
  __device__ __forceinline__ void copy_partial(float* slab, int rows) const {
    copy_rows<true>(slab, rows);
  }
  __device__ __forceinline__ void advance(int places) { k_ += places; }

 private:
  using Share = AcrossShare<kOuter, kSlab, kThreads, kVector>;
  static constexpr int kNowhere = -(1 << 30);

  template <bool kPartial>
  __device__ __forceinline__ void copy_rows(float* slab, int rows) const {
#pragma unroll
    for (int step = 0; step < Share::kSteps; ++step) {
      const int pixel = k_ + Share::k_of(thread_, step);
      const int row = by_width_.divide(pixel);
      const int image = by_height_.divide(row);
      const int h0 = (row - image * view_.grid_h) * view_.step_h;
      const int w0 = (pixel - row * view_.grid_w) * view_.step_w;
      const bool counts = !kPartial || Share::k_of(thread_, step) < rows;
#pragma unroll
      for (int i = 0; i < Share::kGroups; ++i) {
        const int h = h0 + origin_h_[i], w = w0 + origin_w_[i];
        const bool valid = counts && is_inside(view_, h, w);
        const int from =
            valid ? ((image * view_.height + h) * view_.width + w) * view_.pixel + channel_[i] : 0;
        float* to = slab + Share::k_of(thread_, step) * kStride + Share::outer_of(thread_, i);
        ptx::cp_async<Share::kWidth * 4>(to, data_ + from, valid);
      }
    }
  }

  const GatherView& view_;
  FastDivisor by_width_, by_height_;
  const float* data_;
  int thread_;
  int k_;
  int channel_[Share::kGroups], origin_h_[Share::kGroups], origin_w_[Share::kGroups];
};

/// The filters of backward data: filters along k, tap by tap; channels across.
template <int kOuter, int kSlab, int kThreads, bool kVector>
class FiltersAcross {
 public:
  static constexpr int kStride = kOuter;
  static constexpr int kFloats = kSlab * kStride;

  __device__ __forceinline__ FiltersAcross(const FilterView& filters, const GatherView& view,
                                           const float* data, int first, int k, int thread)
      : filters_(filters),
        view_(view),
        data_(data + first),
        thread_(thread),
        columns_(filters.channels - first),
        walk_(view, k + Share::k_of(thread, 0), filters.filters) {}

  __device__ __forceinline__ void copy(float* slab) const { copy_rows<false>(slab, kSlab); }
  __device__ __forceinline__ void copy_partial(float* slab, int rows) const {
    copy_rows<true>(slab, rows);
  }
  __device__ __forceinline__ void advance(int places) {
    walk_.advance(view_, places, filters_.filters);
  }

 private:
  using Share = AcrossShare<kOuter, kSlab, kThreads, kVector>;

  template <bool kPartial>
  __device__ __forceinline__ void copy_rows(float* slab, int rows) const {
    TapWalk walk = walk_;
#pragma unroll
    for (int step = 0; step < Share::kSteps; ++step) {
      if (step > 0) walk.advance(view_, Share::kLanesK, filters_.filters);
      const float* from =
          data_ + (walk.channel * filters_.filter + filters_.tap_offset(walk.a, walk.b));
      const bool counts = !kPartial || Share::k_of(thread_, step) < rows;
#pragma unroll
      for (int i = 0; i < Share::kGroups; ++i) {
        const int column = Share::outer_of(thread_, i);
        float* to = slab + Share::k_of(thread_, step) * kStride + column;
        ptx::cp_async<Share::kWidth * 4>(to, from + column, counts && column < columns_);
      }
    }
  }

  const FilterView& filters_;
  const GatherView& view_;
  const float* data_;
  int thread_;
  int columns_;
  TapWalk walk_;  ///< of the first step
};

}  // namespace breakeven::conv2d
