// The same slabs element by element, for channels that 16-byte vectors can't take, such as an
// image's three. k runs densely here, so that few channels waste nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/conv2d/gather.h"
#include "kernels/conv2d/mma_gather.h"

namespace breakeven::conv2d {

template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 1, std::uint8_t,
                                  std::conditional_t<sizeof(T) == 2, std::uint16_t, std::uint32_t>>;

/// Fills a slab by threads that each take 16-byte chunks of k of one row: at(row, k) is the element
/// k places behind `first_k` in a row from `first_row` on. Only depth places of k and rows before
/// `rows` are asked for.
template <class T, int kExtent, int kThreads>
class ElementSlab {
 public:
  using Slab = MmaSlab<T, kExtent, MmaLayout::strided, true>;
  static constexpr int kVector = kVectorBytes / static_cast<int>(sizeof(T));

  /// `chunk_at(row, k)` makes what `element(j)` of the k-th and next places is asked of.
  template <class ChunkAt>
  __device__ static __forceinline__ void fill(std::byte* slab, int rows, int depth, bool along_k,
                                              const ChunkAt& chunk_at) {
#pragma unroll 1
    for (int i = static_cast<int>(threadIdx.x); i < kExtent * Slab::kChunks; i += kThreads) {
      const int row = along_k ? i / Slab::kChunks : i % kExtent;
      const int chunk = along_k ? i % Slab::kChunks : i / kExtent;
      const int count = row < rows ? min(depth - chunk * kVector, kVector) : 0;
      std::uint32_t words[4] = {};
      if (count > 0) {
        auto elements = chunk_at(row, chunk * kVector);
#pragma unroll
        for (int j = 0; j < kVector; ++j) {
          const std::uint32_t bits = j < count ? elements.next() : BitsOf<T>{0};
          words[j * 4 / kVector] |= bits << (j * static_cast<int>(sizeof(T)) % 4 * 8);
        }
      }
      ptx::store_shared(reinterpret_cast<uint4*>(slab + Slab::offset(row, chunk)),
                        make_uint4(words[0], words[1], words[2], words[3]));
    }
  }
};

/// Pixels as rows; k dense: tap by tap, channels within.
template <class T, int kExtent, int kThreads>
class GatherRowElements {
  using Fill = ElementSlab<T, kExtent, kThreads>;

 public:
  using Slab = typename Fill::Slab;

  __device__ __forceinline__ GatherRowElements(const GatherView& view, const T* data, int first,
                                               int extent, int k)
      : view_(view),
        data_(reinterpret_cast<const BitsOf<T>*>(data)),
        first_(first),
        rows_(extent - first),
        k_(k) {}

  __device__ __forceinline__ void next(std::byte* slab, int depth) {
    Fill::fill(slab, rows_, depth, true, [&](int row, int k) {
      const GridPixel at = grid_pixel(view_, first_ + row);
      return Elements{view_, data_, at, pixel_offset(view_, at),
                      TapWalk(view_, k_ + k, view_.channels)};
    });
    k_ += Slab::kDepth;
  }

 private:
  struct Elements {
    const GatherView& view;
    const BitsOf<T>* data;
    GridPixel at;
    int offset;
    TapWalk walk;

    __device__ __forceinline__ BitsOf<T> next() {
      const int dh = walk.dh(view), dw = walk.dw(view);
      const bool inside = is_inside(view, at.h + dh, at.w + dw);
      const int place = offset + (dh * view.width + dw) * view.pixel + walk.channel;
      walk.advance(view, 1, view.channels);
      return inside ? data[place] : BitsOf<T>{0};
    }
  };

  const GatherView& view_;
  const BitsOf<T>* data_;
  int first_, rows_, k_;
};

/// Taps and channels as rows (columns of B), pixels along k.
template <class T, int kExtent, int kThreads>
class GatherColumnElements {
  using Fill = ElementSlab<T, kExtent, kThreads>;

 public:
  using Slab = typename Fill::Slab;

  /// As GatherColumns'.
  __device__ __forceinline__ GatherColumnElements(const GatherView& view, FastDivisor by_width,
                                                  FastDivisor by_height, const T* data, int first,
                                                  int extent, int k)
      : view_(view), by_width_(by_width), by_height_(by_height), rows_(extent - first), k_(k) {
    // A thread's row of the slab is the same in each of its passes.
    static_assert(kThreads % kExtent == 0);
    const TapWalk walk(view, first + static_cast<int>(threadIdx.x) % kExtent, view.channels);
    data_ = reinterpret_cast<const BitsOf<T>*>(data) + walk.channel;
    origin_h_ = view.origin_h + walk.dh(view);
    origin_w_ = view.origin_w + walk.dw(view);
  }

  __device__ __forceinline__ void next(std::byte* slab, int depth) {
    Fill::fill(slab, rows_, depth, false, [&](int, int k) {
      int column = k_ + k;
      int row = by_width_.split(column, view_.grid_w);
      const int image = by_height_.split(row, view_.grid_h);
      const int h = row * view_.step_h + origin_h_;
      return Elements{
          view_, data_, image * view_.height + h, h, column * view_.step_w + origin_w_, origin_w_,
          row,   column};
    });
    k_ += Slab::kDepth;
  }

 private:
  struct Elements {
    const GatherView& view;
    const BitsOf<T>* data;
    int line;  ///< of all images' rows below one another: h of this one
    int h, w;
    int origin_w;
    int row, column;  ///< of the grid

    /// Pixels follow one another, so that only their carries are left to look for.
    __device__ __forceinline__ BitsOf<T> next() {
      const bool inside = is_inside(view, h, w);
      const int place = (line * view.width + w) * view.pixel;
      w += view.step_w;
      if (++column == view.grid_w) {
        column = 0;
        w = origin_w;
        h += view.step_h;
        line += view.step_h;
        if (++row == view.grid_h) {
          row = 0;
          const int back = view.grid_h * view.step_h;
          h -= back;
          line += view.height - back;
        }
      }
      return inside ? data[place] : BitsOf<T>{0};
    }
  };

  const GatherView& view_;
  FastDivisor by_width_, by_height_;
  const BitsOf<T>* data_;
  int rows_, k_;
  int origin_h_, origin_w_;
};

/// Channels of the filters as rows (columns of B); k dense: tap by tap, filters within.
template <class T, int kExtent, int kThreads>
class FilterElements {
  using Fill = ElementSlab<T, kExtent, kThreads>;

 public:
  using Slab = typename Fill::Slab;

  __device__ __forceinline__ FilterElements(const FilterView& filters, const GatherView& view,
                                            const T* data, int first, int k)
      : filters_(filters),
        view_(view),
        data_(reinterpret_cast<const BitsOf<T>*>(data) + first),
        rows_(filters.channels - first),
        k_(k) {}

  __device__ __forceinline__ void next(std::byte* slab, int depth) {
    Fill::fill(slab, rows_, depth, false, [&](int row, int k) {
      return Elements{filters_, view_, data_ + row, TapWalk(view_, k_ + k, filters_.filters)};
    });
    k_ += Slab::kDepth;
  }

 private:
  struct Elements {
    const FilterView& filters;
    const GatherView& view;
    const BitsOf<T>* data;
    TapWalk walk;

    __device__ __forceinline__ BitsOf<T> next() {
      const int place = walk.channel * filters.filter + filters.tap_offset(walk.a, walk.b);
      walk.advance(view, 1, filters.filters);
      return data[place];
    }
  };

  const FilterView& filters_;
  const GatherView& view_;
  const BitsOf<T>* data_;
  int rows_, k_;
};

}  // namespace breakeven::conv2d
