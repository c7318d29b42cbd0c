// Linear layers and convolutions. A convolution is a product with the matrix of its input's
// patches, [n p q, r s c], which is made for some images at a time.
#include <algorithm>

#include "reference/parallel.h"
#include "reference/training/matrix.h"
#include "reference/training/operations.h"

namespace breakeven {
namespace {

constexpr std::int64_t kPatchElements = std::int64_t{1} << 21;  // held at a time: 16 MB

// out[columns] = the sum of the rows of x[rows, columns].
void sum_rows(std::int64_t rows, std::int64_t columns, const double* x, double* out) {
  std::fill_n(out, columns, 0.0);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) out[j] += x[i * columns + j];
  }
}

void add_to_rows(std::int64_t rows, std::int64_t columns, const double* bias, double* x) {
  if (bias == nullptr) return;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) x[i * columns + j] += bias[j];
  }
}

// Which images' patches are held together, and where patches lie.
struct Patches {
  explicit Patches(const Conv2dSize& size_)
      : size(size_),
        rows(size.p() * size.q()),
        columns(size.r * size.s * size.c),
        images(std::clamp<std::int64_t>(kPatchElements / (rows * columns), 1, size.n)),
        values(static_cast<std::size_t>(images * rows * columns)) {}

  // Calls part(first image, count of images) for all.
  template <class Part>
  void for_each_part(Part part) const {
    for (std::int64_t n = 0; n < size.n; n += images) part(n, std::min(images, size.n - n));
  }

  // values[count p q, r s c] of images first ... first + count - 1 of x.
  void gather(const double* x, std::int64_t first, std::int64_t count) {
#pragma omp parallel for schedule(static)
    for (std::int64_t row = 0; row < count * size.p(); ++row) {
      const std::int64_t n = row / size.p();
      const std::int64_t p = row % size.p();
      double* out = values.data() + row * size.q() * columns;
      for (std::int64_t q = 0; q < size.q(); ++q) {
        for (std::int64_t r = 0; r < size.r; ++r) {
          const std::int64_t h = p * size.stride_h - size.pad_h + r * size.dilation_h;
          for (std::int64_t s = 0; s < size.s; ++s, out += size.c) {
            const std::int64_t w = q * size.stride_w - size.pad_w + s * size.dilation_w;
            const bool inside = h >= 0 && h < size.h && w >= 0 && w < size.w;
            if (!inside) {
              std::fill_n(out, size.c, 0.0);
              continue;
            }
            std::copy_n(x + (((first + n) * size.h + h) * size.w + w) * size.c, size.c, out);
          }
        }
      }
    }
  }

  // Each pixel of dx is the sum of the patches' elements that were gathered from it.
  void scatter(double* dx, std::int64_t first, std::int64_t count) const {
#pragma omp parallel for schedule(static)
    for (std::int64_t row = 0; row < count * size.h; ++row) {
      const std::int64_t n = row / size.h;
      const std::int64_t h = row % size.h;
      for (std::int64_t w = 0; w < size.w; ++w) {
        double* out = dx + (((first + n) * size.h + h) * size.w + w) * size.c;
        std::fill_n(out, size.c, 0.0);
        for (std::int64_t r = 0; r < size.r; ++r) {
          const std::int64_t down = h + size.pad_h - r * size.dilation_h;
          if (down < 0 || down % size.stride_h != 0 || down / size.stride_h >= size.p()) continue;
          for (std::int64_t s = 0; s < size.s; ++s) {
            const std::int64_t right = w + size.pad_w - s * size.dilation_w;
            if (right < 0 || right % size.stride_w != 0) continue;
            if (right / size.stride_w >= size.q()) continue;
            const std::int64_t pixel =
                (n * size.p() + down / size.stride_h) * size.q() + right / size.stride_w;
            const double* from = values.data() + pixel * columns + (r * size.s + s) * size.c;
            for (std::int64_t c = 0; c < size.c; ++c) out[c] += from[c];
          }
        }
      }
    }
  }

  Conv2dSize size;
  std::int64_t rows;     // of one image
  std::int64_t columns;  // elements of one patch
  std::int64_t images;   // held at a time
  std::vector<double> values;
};

}  // namespace

void run_linear(const Call& call) {
  const std::int64_t m = call.in_shape(0)[0];
  const std::int64_t k = call.in_shape(0)[1];
  const std::int64_t n = call.in_shape(1)[0];
  multiply(m, n, k, rows_of(call.in[0], k), rows_of(call.in[1], k).transposed(), call.out[0], n);
  add_to_rows(m, n, call.in[2], call.out[0]);
}

void run_linear_backward_data(const Call& call) {
  const std::int64_t m = call.in_shape(0)[0];
  const std::int64_t n = call.in_shape(1)[0];
  const std::int64_t k = call.in_shape(1)[1];
  multiply(m, k, n, rows_of(call.in[0], n), rows_of(call.in[1], k), call.out[0], k);
}

void run_linear_backward_weights(const Call& call) {
  const std::int64_t m = call.in_shape(0)[0];
  const std::int64_t n = call.in_shape(0)[1];
  const std::int64_t k = call.in_shape(1)[1];
  if (call.out[0] != nullptr) {
    multiply(n, k, m, rows_of(call.in[0], n).transposed(), rows_of(call.in[1], k), call.out[0], k);
  }
  if (call.out[1] != nullptr) sum_rows(m, n, call.in[0], call.out[1]);
}

void run_conv2d(const Call& call) {
  const auto& size = std::get<Conv2dSize>(call.node.attribute);
  Patches patches(size);
  patches.for_each_part([&](std::int64_t first, std::int64_t count) {
    patches.gather(call.in[0], first, count);
    multiply(count * patches.rows, size.k, patches.columns,
             rows_of(patches.values.data(), patches.columns),
             rows_of(call.in[1], patches.columns).transposed(),
             call.out[0] + first * patches.rows * size.k, size.k);
  });
  add_to_rows(size.n * patches.rows, size.k, call.in[2], call.out[0]);
}

void run_conv2d_backward_data(const Call& call) {
  const auto& size = std::get<Conv2dSize>(call.node.attribute);
  Patches patches(size);
  patches.for_each_part([&](std::int64_t first, std::int64_t count) {
    multiply(count * patches.rows, patches.columns, size.k,
             rows_of(call.in[0] + first * patches.rows * size.k, size.k),
             rows_of(call.in[1], patches.columns), patches.values.data(), patches.columns);
    patches.scatter(call.out[0], first, count);
  });
}

void run_conv2d_backward_weights(const Call& call) {
  const auto& size = std::get<Conv2dSize>(call.node.attribute);
  Patches patches(size);
  if (call.out[0] != nullptr) {
    patches.for_each_part([&](std::int64_t first, std::int64_t count) {
      patches.gather(call.in[1], first, count);
      multiply(size.k, patches.columns, count * patches.rows,
               rows_of(call.in[0] + first * patches.rows * size.k, size.k).transposed(),
               rows_of(patches.values.data(), patches.columns), call.out[0], patches.columns,
               first > 0);
    });
  }
  if (call.out[1] != nullptr) sum_rows(size.n * patches.rows, size.k, call.in[0], call.out[1]);
}

}  // namespace breakeven
