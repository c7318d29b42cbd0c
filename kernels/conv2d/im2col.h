// A convolution's input as a matrix with a row for every output pixel and a column for every weight
// of a filter, so that a convolution is a matrix product, and the way back for the gradient
// (Chellapilla, Puri & Simard, "High performance convolutional neural networks for document
// processing", 2006). Bound by memory: r s times the input is written and read again.
//
// "Rows" are rows of the output, counted through all images: row n p() + p. The matrix of rows
// [first, first + count) has count q() pixels; in nhwc it is stored as [pixels, r s group_c], in
// nchw transposed, as [group_c r s, pixels], where all rows must be of one image. Pointers to
// images start at their group's first channel.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/conv2d/host_loops.h"
#include "reference/conv2d.h"

namespace breakeven::conv2d {

/// Whether the input itself is the matrix: nothing is copied.
inline bool is_matrix_product(const Conv2dSize& size) {
  return size.r == 1 && size.s == 1 && size.pad_h == 0 && size.pad_w == 0 && size.stride_h == 1 &&
         size.stride_w == 1;
}

struct Rows {
  std::int64_t first;
  std::int64_t count;
};

struct Range {
  std::int64_t begin;
  std::int64_t end;  ///< `begin` where it is empty
};

/// The i in [0, count) for which start + i step lies in [0, size). step > 0.
inline Range inside(std::int64_t start, std::int64_t step, std::int64_t count, std::int64_t size) {
  const std::int64_t begin = start >= 0 ? 0 : std::min((step - 1 - start) / step, count);
  const std::int64_t end = start >= size ? 0 : std::min((size - start + step - 1) / step, count);
  return {begin, std::max(begin, end)};
}

/// nhwc: writes the matrix's lines of one row of pixels. x [n,h,w,c], to [q, r s group_c].
template <class T>
void im2col_nhwc(const Conv2dSize& size, const T* x, std::int64_t row, T* to) {
  const std::int64_t n = row / size.p(), p = row % size.p(), channels = size.group_c();
  const bool contiguous = size.dilation_w == 1 && size.groups == 1;  // along s, then c
  for (std::int64_t q = 0; q < size.q(); ++q) {
    const std::int64_t column = q * size.stride_w - size.pad_w;
    const Range s = inside(column, size.dilation_w, size.s, size.w);
    for (std::int64_t r = 0; r < size.r; ++r, to += size.s * channels) {
      const std::int64_t h = p * size.stride_h - size.pad_h + r * size.dilation_h;
      if (h < 0 || h >= size.h) {
        std::fill_n(to, size.s * channels, T{0});
        continue;
      }
      const T* from = x + ((n * size.h + h) * size.w + column) * size.c;
      std::fill(to, to + s.begin * channels, T{0});
      if (contiguous) {
        std::copy(from + s.begin * channels, from + s.end * channels, to + s.begin * channels);
      } else {
        for (std::int64_t i = s.begin; i < s.end; ++i) {
          std::copy_n(from + i * size.dilation_w * size.c, channels, to + i * channels);
        }
      }
      std::fill(to + s.end * channels, to + size.s * channels, T{0});
    }
  }
}

/// nchw: writes line `weight` = (c r + r) s + s of the matrix. x [n,c,h,w], to [pixels].
template <class T>
void im2col_nchw(const Conv2dSize& size, const T* x, Rows rows, std::int64_t weight, T* to) {
  const std::int64_t s = weight % size.s, r = weight / size.s % size.r;
  const std::int64_t c = weight / size.s / size.r, n = rows.first / size.p();
  const T* plane = x + (n * size.c + c) * size.h * size.w;
  const std::int64_t column = s * size.dilation_w - size.pad_w;
  const Range q = inside(column, size.stride_w, size.q(), size.w);
  for (std::int64_t row = rows.first; row < rows.first + rows.count; ++row, to += size.q()) {
    const std::int64_t h = row % size.p() * size.stride_h - size.pad_h + r * size.dilation_h;
    if (h < 0 || h >= size.h) {
      std::fill_n(to, size.q(), T{0});
      continue;
    }
    const T* from = plane + h * size.w + column;
    std::fill(to, to + q.begin, T{0});
    if (size.stride_w == 1) {
      std::copy(from + q.begin, from + q.end, to + q.begin);
    } else {
      for (std::int64_t i = q.begin; i < q.end; ++i) to[i] = from[i * size.stride_w];
    }
    std::fill(to + q.end, to + size.q(), T{0});
  }
}

/// nhwc: adds what the matrix `from` holds for row `h` of image `n` to dx [n,h,w,c].
template <class T>
void col2im_nhwc(const Conv2dSize& size, const HostLoops<T>& loops, const T* from, Rows rows,
                 std::int64_t n, std::int64_t h, T* dx) {
  const std::int64_t channels = size.group_c();
  const bool contiguous = size.dilation_w == 1 && size.groups == 1;
  for (std::int64_t r = 0; r < size.r; ++r) {
    const std::int64_t below = h + size.pad_h - r * size.dilation_h;
    if (below < 0 || below % size.stride_h != 0 || below / size.stride_h >= size.p()) continue;
    const std::int64_t row = n * size.p() + below / size.stride_h - rows.first;
    if (row < 0 || row >= rows.count) continue;
    for (std::int64_t q = 0; q < size.q(); ++q) {
      const std::int64_t column = q * size.stride_w - size.pad_w;
      const Range s = inside(column, size.dilation_w, size.s, size.w);
      const T* line = from + ((row * size.q() + q) * size.r + r) * size.s * channels;
      T* to = dx + ((n * size.h + h) * size.w + column) * size.c;
      if (contiguous) {
        loops.scale_add(to + s.begin * channels, 1, line + s.begin * channels, 1, T{1},
                        (s.end - s.begin) * channels);
        continue;
      }
      for (std::int64_t i = s.begin; i < s.end; ++i) {
        loops.scale_add(to + i * size.dilation_w * size.c, 1, line + i * channels, 1, T{1},
                        channels);
      }
    }
  }
}

/// nchw: adds what the matrix `from` holds for the group's channel `c` to dx [n,c,h,w].
template <class T>
void col2im_nchw(const Conv2dSize& size, const HostLoops<T>& loops, const T* from, Rows rows,
                 std::int64_t c, T* dx) {
  const std::int64_t n = rows.first / size.p(), pixels = rows.count * size.q();
  T* plane = dx + (n * size.c + c) * size.h * size.w;
  const T* line = from + c * size.r * size.s * pixels;
  for (std::int64_t r = 0; r < size.r; ++r) {
    for (std::int64_t s = 0; s < size.s; ++s, line += pixels) {
      const std::int64_t column = s * size.dilation_w - size.pad_w;
      const Range q = inside(column, size.stride_w, size.q(), size.w);
      for (std::int64_t i = 0; i < rows.count; ++i) {
        const std::int64_t p = (rows.first + i) % size.p();
        const std::int64_t h = p * size.stride_h - size.pad_h + r * size.dilation_h;
        if (h < 0 || h >= size.h) continue;
        loops.scale_add(plane + h * size.w + column + q.begin * size.stride_w, size.stride_w,
                        line + i * size.q() + q.begin, 1, T{1}, q.end - q.begin);
      }
    }
  }
}

}  // namespace breakeven::conv2d
