// Convolution by im2col and OpenBLAS's matrix products, over operands that lie anywhere.
//
// Either every thread has matrices of its own and calls a sequential product (a gradient of filters
// is then summed per thread, and the sums are added), or all threads make one matrix and share its
// product. The first needs enough output rows or images, the second costs a barrier after every
// step; choose() times both and keeps the faster.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

#include "kernels/conv2d/cblas_matrix.h"
#include "kernels/conv2d/fastest_way.h"
#include "kernels/conv2d/host_loops.h"
#include "kernels/conv2d/im2col.h"
#include "kernels/conv2d/row_blocks.h"
#include "kernels/host/openblas.h"
#include "kernels/kernel.h"
#include "reference/conv2d.h"

namespace breakeven::conv2d {

/// Sizes in memory of a convolution by im2col with elements of `element` bytes.
struct Im2colSizes {
  const Conv2d& conv;
  int threads;
  std::size_t element;

  /// A thread's scratch: its matrix and its sums of filters' gradients.
  static constexpr std::size_t kMostBytes = std::size_t{64} << 20;

  const Conv2dSize& size() const { return conv.size; }
  std::int64_t filter_length() const { return size().r * size().s * size().group_c(); }
  std::int64_t filter_elements() const { return size().k * filter_length(); }

  /// Of a matrix: one row of output; 0 where the input itself is the matrix.
  std::size_t row_bytes() const {
    if (is_matrix_product(size())) return 0;
    return static_cast<std::size_t>(size().q() * filter_length()) * element;
  }

  /// Sums of filters' gradients beside the output, which is the first block's.
  std::int64_t extra_sums() const {
    const std::size_t sum = static_cast<std::size_t>(filter_elements()) * element;
    const bool fits = sum + row_bytes() <= kMostBytes;
    if (conv.direction != Conv2dOp::backward_weights || !fits) return 0;
    return std::max<std::int64_t>(std::min<std::int64_t>(threads, size().n) - 1, 0);
  }

  /// Rows of one thread's matrix.
  std::int64_t most_rows() const {
    // The product packs the filters anew for every matrix, which wants many pixels; a matrix that
    // stays in cache wants few, and so does an output to which bias and ReLU come afterwards.
    constexpr std::size_t kLikedBytes = std::size_t{4} << 20;
    constexpr std::int64_t kLikedPixels = 512;
    constexpr std::size_t kLikedOutput = std::size_t{1} << 20;  // about a core's L2 cache
    constexpr std::int64_t kLeastPixels = 256;
    const auto rows_of = [this](std::int64_t pixels) {
      return (pixels + size().q() - 1) / size().q();
    };
    const auto inside = [](std::size_t bytes, std::size_t each) {
      return static_cast<std::int64_t>(bytes / each);
    };
    std::int64_t rows = size().n * size().p();
    if (conv.direction == Conv2dOp::bias_relu) {
      const std::size_t output = static_cast<std::size_t>(size().q() * size().group_k()) * element;
      rows = std::min(rows, std::max(inside(kLikedOutput, output), rows_of(kLeastPixels)));
    }
    if (const std::size_t row = row_bytes(); row > 0) {
      rows = std::min(rows, std::max(inside(kLikedBytes, row), rows_of(kLikedPixels)));
      const std::size_t sum =
          extra_sums() > 0 ? static_cast<std::size_t>(filter_elements()) * element : 0;
      rows = std::min(rows, inside(kMostBytes - sum, row));
    }
    return std::max<std::int64_t>(rows, 1);
  }

  /// A thread's matrix. One that all threads share may take all of theirs.
  std::size_t matrix_bytes() const { return static_cast<std::size_t>(most_rows()) * row_bytes(); }

  std::size_t sums_bytes() const {
    return static_cast<std::size_t>(extra_sums() * filter_elements()) * element;
  }

  std::size_t scratch_bytes() const {
    return static_cast<std::size_t>(threads) * matrix_bytes() + sums_bytes();
  }
};

/// Whether threads share every product or have products of their own.
enum class Products { shared, own, faster };

/// Where a convolution's operands begin; gradients take the places of what they are gradients of.
template <class T>
struct Im2colTensors {
  T* x;
  T* w;
  T* y;
  const T* bias = nullptr;  ///< of bias_relu
};

template <class T>
class Im2colProgram {
 public:
  /// `conv` must outlive it. Throws Unsupported for Products::own where there is too little to
  /// share out.
  Im2colProgram(const Conv2d& conv, int threads, Products products)
      : size_(conv.size),
        direction_(conv.direction),
        nhwc_(conv.layout == Conv2dLayout::nhwc),
        sizes_{conv, threads, sizeof(T)},
        products_(products),
        shared_(row_blocks(conv, sizes_.most_rows() * threads, 1)),
        own_(row_blocks(conv, sizes_.most_rows(), threads)),
        share_(sizes_.matrix_bytes() / sizeof(T)),
        sums_(share_ * static_cast<std::size_t>(threads)) {
    set_openblas_threads(threads);
    const auto blocks = static_cast<std::int64_t>(own_.size());
    const bool enough = direction_ == Conv2dOp::backward_weights ? sizes_.extra_sums() > 0
                                                                 : blocks * size_.groups >= threads;
    const bool can_own = threads > 1 && enough;
    if (products_ == Products::own && !can_own) {
      throw Unsupported("too few output rows or images for a product for every thread");
    }
    if (products_ == Products::faster && !can_own) products_ = Products::shared;
  }

  /// Of what run() takes.
  std::size_t scratch_bytes() const { return sizes_.scratch_bytes(); }

  /// Ends Products::faster by doing both, which writes the output.
  void choose(const Im2colTensors<T>& tensors, T* scratch) {
    if (products_ != Products::faster) return;
    constexpr Products kWays[] = {Products::shared, Products::own};
    products_ = kWays[fastest_way(std::size(kWays), [&](std::size_t i) {
      products_ = kWays[i];
      run(tensors, scratch);
    })];
  }

  /// What was asked for or chosen.
  Products products() const { return products_; }

  void run(const Im2colTensors<T>& tensors, T* scratch) {
    at_ = tensors;
    scratch_ = scratch;
    if (direction_ == Conv2dOp::backward_data && !is_matrix_product(size_)) zero_output();
    const std::vector<Block>& blocks = own() ? own_ : shared_;
    const auto tasks = static_cast<std::int64_t>(blocks.size()) * size_.groups;
    const auto task = [&](std::int64_t i, std::size_t thread) {
      do_block(blocks, static_cast<std::size_t>(i / size_.groups), i % size_.groups,
               scratch_ + thread * share_);
    };
    if (!own()) {
      for (std::int64_t i = 0; i < tasks; ++i) task(i, 0);
      return;
    }
#pragma omp parallel for schedule(dynamic)
    for (std::int64_t i = 0; i < tasks; ++i) {
      task(i, static_cast<std::size_t>(omp_get_thread_num()));
    }
    if (direction_ == Conv2dOp::backward_weights)
      add_sums(static_cast<std::int64_t>(blocks.size()));
  }

  Facts facts() const {
    return {
        {"algorithm", is_matrix_product(size_) ? "matrix product" : "im2col and matrix product"},
        {"threads", own() ? "a product each" : "share every product"}};
  }

 private:
  // Some output rows of a group: what one matrix holds.
  struct Part {
    Rows rows;
    std::int64_t group;
    std::int64_t pixels;
  };

  bool own() const { return products_ == Products::own; }

  // f(0) ... f(count - 1), by all threads, or by the one that calls where each has products of its
  // own.
  template <class Function>
  void each(std::int64_t count, const Function& f) const {
    if (own()) {
      for (std::int64_t i = 0; i < count; ++i) f(i);
      return;
    }
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < count; ++i) f(i);
  }

  // The group's channels of the images.
  T* images(std::int64_t group) {
    return at_.x + group * size_.group_c() * (nhwc_ ? 1 : size_.h * size_.w);
  }

  // [pixels, filter_length]
  Matrix<T> columns(const Part& part, T* scratch) {
    const std::int64_t length = sizes_.filter_length();
    if (!is_matrix_product(size_)) {
      return nhwc_ ? Matrix<T>{scratch, length} : Matrix<T>{scratch, part.pixels, true};
    }
    const std::int64_t first = part.rows.first;
    if (nhwc_) return {images(part.group) + first * size_.q() * size_.c, size_.c};
    const std::int64_t plane = size_.h * size_.w;
    const std::int64_t offset = first / size_.p() * size_.c * plane + first % size_.p() * size_.w;
    return {images(part.group) + offset, plane, true};
  }

  // [pixels, group_k]
  Matrix<T> outputs(const Part& part) {
    const std::int64_t filter = part.group * size_.group_k(), first = part.rows.first;
    if (nhwc_) return {at_.y + first * size_.q() * size_.k + filter, size_.k};
    const std::int64_t plane = size_.p() * size_.q();
    const std::int64_t offset = (first / size_.p() * size_.k + filter) * plane;
    return {at_.y + offset + first % size_.p() * size_.q(), plane, true};
  }

  // [group_k, filter_length], or their sums in a block but the first.
  Matrix<T> filters(std::int64_t group, std::size_t block) {
    const std::int64_t length = sizes_.filter_length();
    const bool own_sum = direction_ == Conv2dOp::backward_weights && block > 0;
    T* all = own_sum ? scratch_ + sums_ + (block - 1) * sizes_.filter_elements() : at_.w;
    return {all + group * size_.group_k() * length, length};
  }

  void add_sums(std::int64_t blocks) {
    constexpr std::int64_t kPiece = 1024;
    const std::int64_t elements = sizes_.filter_elements();
    const T* sums = scratch_ + sums_;
    T* dw = at_.w;
#pragma omp parallel for schedule(static)
    for (std::int64_t first = 0; first < elements; first += kPiece) {
      const std::int64_t count = std::min(kPiece, elements - first);
      for (std::int64_t block = 1; block < blocks; ++block) {
        loops_.scale_add(dw + first, 1, sums + (block - 1) * elements + first, 1, T{1}, count);
      }
    }
  }

  void do_block(const std::vector<Block>& blocks, std::size_t number, std::int64_t group,
                T* scratch) {
    const std::int64_t k = size_.group_k(), length = sizes_.filter_length();
    const Block& block = blocks[number];
    const Matrix<T> filter = filters(group, number);
    for (std::size_t i = 0; i < block.size(); ++i) {
      const Part part{block[i], group, block[i].count * size_.q()};
      const Matrix<T> col = columns(part, scratch), out = outputs(part);
      switch (direction_) {
        case Conv2dOp::backward_data:
          multiply(part.pixels, length, k, out, filter, T{0}, col);
          col2im(part, scratch);
          break;
        case Conv2dOp::backward_weights:
          im2col(part, scratch);
          multiply(k, length, part.pixels, out.transpose(), col, T(i == 0 ? 0 : 1), filter);
          break;
        default:
          im2col(part, scratch);
          multiply(part.pixels, k, length, col, filter.transpose(), T{0}, out);
          if (direction_ == Conv2dOp::bias_relu) bias_relu(part);
      }
    }
  }

  void im2col(const Part& part, T* scratch) {
    if (is_matrix_product(size_)) return;
    const T* from = images(part.group);
    const std::int64_t length = sizes_.filter_length();
    if (nhwc_) {
      each(part.rows.count, [&](std::int64_t i) {
        im2col_nhwc(size_, from, part.rows.first + i, scratch + i * size_.q() * length);
      });
    } else {
      each(length, [&](std::int64_t i) {
        im2col_nchw(size_, from, part.rows, i, scratch + i * part.pixels);
      });
    }
  }

  void col2im(const Part& part, const T* scratch) {
    if (is_matrix_product(size_)) return;
    T* to = images(part.group);
    if (nhwc_) {
      const std::int64_t first = part.rows.first / size_.p();
      const std::int64_t last = (part.rows.first + part.rows.count - 1) / size_.p();
      each((last - first + 1) * size_.h, [&](std::int64_t i) {
        col2im_nhwc(size_, loops_, scratch, part.rows, first + i / size_.h, i % size_.h, to);
      });
    } else {
      each(size_.group_c(),
           [&](std::int64_t c) { col2im_nchw(size_, loops_, scratch, part.rows, c, to); });
    }
  }

  void bias_relu(const Part& part) {
    const T* bias = at_.bias + part.group * size_.group_k();
    const Matrix<T> out = outputs(part);
    each(nhwc_ ? part.pixels : size_.group_k(), [&](std::int64_t i) {
      loops_.bias_relu(out.data + i * out.stride, nhwc_ ? bias : bias + i, nhwc_ ? 1 : 0,
                       nhwc_ ? size_.group_k() : part.pixels);
    });
  }

  void zero_output() {
    T* out = at_.x;
    const std::int64_t lines = size_.n * size_.c * size_.h;
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < lines; ++i) std::fill_n(out + i * size_.w, size_.w, T{0});
  }

  const Conv2dSize& size_;
  Conv2dOp direction_;
  bool nhwc_;
  Im2colSizes sizes_;
  Products products_;
  std::vector<Block> shared_, own_;
  std::size_t share_;  // elements of a thread's matrix
  std::size_t sums_;   // elements of scratch before the sums
  Im2colTensors<T> at_{};
  T* scratch_ = nullptr;
  HostLoops<T> loops_ = host_loops<T>();
};

}  // namespace breakeven::conv2d
