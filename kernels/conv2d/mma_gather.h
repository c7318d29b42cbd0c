// Slabs of a convolution's operands on their way to shared memory, for the mma.sync main loop: what
// MmaCopy is to a matrix. All copy whole 16-byte vectors asynchronously; groups of channels and of
// filters, and the tensors' starts, are multiples of 16 bytes. What lies in the padding becomes
// zeros by the copies themselves.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/conv2d/gather.h"
#include "kernels/matmul/mma_copy.h"

namespace breakeven::conv2d {

using matmul::kSlabBytes;
using matmul::kVectorBytes;
using matmul::MmaLayout;
using matmul::MmaSlab;

/// Where a thread's 16-byte chunks lie in a slab: at `row` and `chunk`, and kRowsAPass rows on in
/// each of kPasses passes.
template <class Slab_, int kThreads>
struct SlabShare {
  using Slab = Slab_;
  static constexpr int kRowsAPass = kThreads / Slab::kChunks;
  static constexpr int kPasses = Slab::kRows / kRowsAPass;
  static_assert(kThreads % Slab::kChunks == 0 && Slab::kRows % kRowsAPass == 0);
  static_assert(kRowsAPass % Slab::kPeriod == 0);  // so that one swizzled place serves every pass

  __device__ static __forceinline__ int row() {
    return static_cast<int>(threadIdx.x) / Slab::kChunks;
  }
  __device__ static __forceinline__ int chunk() {
    return static_cast<int>(threadIdx.x) % Slab::kChunks;
  }
};

/// Pixels as rows, k contiguous within a tap. `kOneTap`: a tap's places fill whole slabs, so that
/// all threads are at the same one.
template <class T, int kExtent, int kThreads, bool kOneTap>
class GatherRows {
 public:
  using Slab = MmaSlab<T, kExtent, MmaLayout::k_major, true>;

  /// Rows of the grid from `first` on, of `extent`; k from `k` on, with `period` places a tap.
  __device__ __forceinline__ GatherRows(const GatherView& view, const T* data, int first,
                                        int extent, int k, int period)
      : view_(view),
        data_(data + (kOneTap ? Share::chunk() * kVector : 0)),
        period_(period),
        to_(Slab::offset(Share::row(), Share::chunk())),
        walk_(view, kOneTap ? k : k + Share::chunk() * kVector, period),
        end_(view.channels - (kOneTap ? Share::chunk() * kVector : 0)) {
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const int row = first + Share::row() + pass * Share::kRowsAPass;
      const GridPixel at = row < extent ? grid_pixel(view, row) : GridPixel{0, kNowhere, 0};
      h_[pass] = at.h;
      w_[pass] = at.w;
      offset_[pass] = row < extent ? pixel_offset(view, at) : 0;
    }
    look_at_tap();
  }

  /// Starts copying the next slab, of which `depth` elements of k count; the rest is zeros.
  __device__ __forceinline__ void next(std::byte* slab, int depth) {
    const bool counts = Share::chunk() * kVector < depth && walk_.channel < end_;
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const bool valid = counts && (inside_ >> pass & 1u) != 0;
      ptx::cp_async<kVectorBytes>(slab + to_ + pass * Share::kRowsAPass * Slab::kRowBytes,
                                  data_ + (offset_[pass] + tap_offset_ + walk_.channel), valid);
    }
    if (walk_.advance(view_, Slab::kDepth, period_)) look_at_tap();
  }

 private:
  using Share = SlabShare<Slab, kThreads>;
  static constexpr int kPasses = Share::kPasses;
  static constexpr int kVector = kVectorBytes / static_cast<int>(sizeof(T));
  static constexpr int kNowhere = -(1 << 30);  // a row that no tap brings inside

  __device__ __forceinline__ void look_at_tap() {
    const int dh = walk_.dh(view_), dw = walk_.dw(view_);
    tap_offset_ = (dh * view_.width + dw) * view_.pixel;
    inside_ = 0;
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const bool inside = is_inside(view_, h_[pass] + dh, w_[pass] + dw);
      inside_ |= static_cast<unsigned>(inside) << pass;
    }
  }

  const GatherView& view_;
  const T* data_;
  int period_;
  int to_;
  TapWalk walk_;
  int end_;  ///< of the channels, seen from walk_
  int h_[kPasses], w_[kPasses], offset_[kPasses];
  int tap_offset_;
  unsigned inside_;  ///< a bit for each pass: whether the tap lies on the image
};

/// Pixels along k, taps and channels as columns.
template <class T, int kExtent, int kThreads>
class GatherColumns {
 public:
  using Slab = MmaSlab<T, kExtent, MmaLayout::mn_major, true>;

  /// Columns from `first` on, of `extent` = taps x channels; pixels from `k` on. The divisors are
  /// by the grid's width and height.
  __device__ __forceinline__ GatherColumns(const GatherView& view, FastDivisor by_width,
                                           FastDivisor by_height, const T* data, int first,
                                           int extent, int k)
      : view_(view),
        by_width_(by_width),
        by_height_(by_height),
        to_(Slab::offset(Share::row(), Share::chunk())),
        pixel_(k + Share::row()) {
    const int column = first + Share::chunk() * kVector;
    const TapWalk walk(view, column, view.channels);
    data_ = data + walk.channel;
    origin_h_ = column < extent ? view.origin_h + walk.dh(view) : kNowhere;
    origin_w_ = view.origin_w + walk.dw(view);
  }

  __device__ __forceinline__ void next(std::byte* slab, int depth) {
#pragma unroll
    for (int pass = 0; pass < Share::kPasses; ++pass) {
      const int k = pass * Share::kRowsAPass;
      const int row = by_width_.divide(pixel_ + k);
      const int image = by_height_.divide(row);
      const int h = (row - image * view_.grid_h) * view_.step_h + origin_h_;
      const int w = (pixel_ + k - row * view_.grid_w) * view_.step_w + origin_w_;
      const bool valid = Share::row() + k < depth && is_inside(view_, h, w);
      const int offset = valid ? ((image * view_.height + h) * view_.width + w) * view_.pixel : 0;
      ptx::cp_async<kVectorBytes>(slab + to_ + k * Slab::kRowBytes, data_ + offset, valid);
    }
    pixel_ += Slab::kDepth;
  }

 private:
  using Share = SlabShare<Slab, kThreads>;
  static constexpr int kVector = kVectorBytes / static_cast<int>(sizeof(T));
  static constexpr int kNowhere = -(1 << 30);

  const GatherView& view_;
  FastDivisor by_width_, by_height_;
  const T* data_;
  int to_;
  int pixel_;
  int origin_h_, origin_w_;
};

/// The filters of backward data: filters along k, tap by tap; channels as columns.
template <class T, int kExtent, int kThreads>
class FilterColumns {
 public:
  using Slab = MmaSlab<T, kExtent, MmaLayout::mn_major, true>;

  /// Channels from `first` on; k from `k` on, with `period` places a tap, whole slabs of them.
  __device__ __forceinline__ FilterColumns(const FilterView& filters, const GatherView& view,
                                           const T* data, int first, int k, int period)
      : filters_(filters),
        view_(view),
        period_(period),
        to_(Slab::offset(Share::row(), Share::chunk())),
        walk_(view, k, period) {
    const int column = first + Share::chunk() * kVector;
    end_ = column < filters.channels ? filters.filters - Share::row() : 0;
    data_ = data + Share::row() * filters.filter + column;
  }

  __device__ __forceinline__ void next(std::byte* slab, int) {
    const T* from =
        data_ + (walk_.channel * filters_.filter + filters_.tap_offset(walk_.a, walk_.b));
#pragma unroll
    for (int pass = 0; pass < Share::kPasses; ++pass) {
      const int k = pass * Share::kRowsAPass;
      const bool valid = walk_.channel + k < end_;
      ptx::cp_async<kVectorBytes>(slab + to_ + k * Slab::kRowBytes, from + k * filters_.filter,
                                  valid);
    }
    walk_.advance(view_, Slab::kDepth, period_);
  }

 private:
  using Share = SlabShare<Slab, kThreads>;
  static constexpr int kVector = kVectorBytes / static_cast<int>(sizeof(T));

  const FilterView& filters_;
  const GatherView& view_;
  const T* data_;
  int period_;
  int to_;
  TapWalk walk_;  ///< channel: the slab's first filter
  int end_;       ///< of the filters, seen from the thread's row; 0 for a column beyond the last
};

}  // namespace breakeven::conv2d
