// The strawman: the definition as a textbook's loops, one thread, no blocking, no explicit vectors,
// the bounds of the image tested where a row or column comes up, so a column's in the innermost
// loop. Bound by the latency of one addition per step, as the matrix product's is, and by those
// tests.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "kernels/conv2d/strides.h"
#include "kernels/host/host_kernel.h"
#include "kernels/host/slow_rows.h"
#include "kernels/kernel.h"
#include "reference/conv2d.h"

namespace breakeven::conv2d {
namespace {

template <class T>
class Naive final : public HostKernel {
 public:
  Naive(const Conv2d& conv, Precision precision)
      : HostKernel(conv, precision),
        size_(conv.size),
        direction_(conv.direction),
        x_(strides(conv.layout, size_.h, size_.w, size_.c)),
        w_(strides(conv.layout, size_.r, size_.s, size_.group_c())),
        y_(strides(conv.layout, size_.p(), size_.q(), size_.k)) {
    refuse_if_slow(rows(), [this](std::int64_t i) { row(i); });
    poison_output();
  }

  void run() override {
    for (std::int64_t i = 0; i < rows(); ++i) row(i);
  }

 private:
  // Rows of the output, whatever it is: [n,k,p], [n,c,h] or [k,c/groups,r].
  std::int64_t rows() const {
    switch (direction_) {
      case Conv2dOp::backward_data:
        return size_.n * size_.c * size_.h;
      case Conv2dOp::backward_weights:
        return size_.k * size_.group_c() * size_.r;
      default:
        return size_.n * size_.k * size_.p();
    }
  }

  void row(std::int64_t i) {
    const T* first = input(0).template as<T>();
    const T* second = input(1).template as<T>();
    T* out = result().template as<T>();
    switch (direction_) {
      case Conv2dOp::forward:
        return forward(i, first, second, nullptr, out);
      case Conv2dOp::bias_relu:
        return forward(i, first, second, input(2).template as<T>(), out);
      case Conv2dOp::backward_data:
        return backward_data(i, first, second, out);
      case Conv2dOp::backward_weights:
        return backward_weights(i, first, second, out);
    }
  }

  void forward(std::int64_t i, const T* x, const T* w, const T* bias, T* y) const {
    const std::int64_t p = i % size_.p(), k = i / size_.p() % size_.k, n = i / size_.p() / size_.k;
    const std::int64_t channel = k / size_.group_k() * size_.group_c();  // its group's first
    for (std::int64_t q = 0; q < size_.q(); ++q) {
      T sum = 0;
      for (std::int64_t c = 0; c < size_.group_c(); ++c) {
        for (std::int64_t r = 0; r < size_.r; ++r) {
          const std::int64_t h = p * size_.stride_h - size_.pad_h + r * size_.dilation_h;
          if (h < 0 || h >= size_.h) continue;
          for (std::int64_t s = 0; s < size_.s; ++s) {
            const std::int64_t column = q * size_.stride_w - size_.pad_w + s * size_.dilation_w;
            if (column < 0 || column >= size_.w) continue;
            sum += x[at(x_, n, h, column, channel + c)] * w[at(w_, k, r, s, c)];
          }
        }
      }
      y[at(y_, n, p, q, k)] = bias ? std::max(sum + bias[k], T{0}) : sum;
    }
  }

  void backward_data(std::int64_t i, const T* dy, const T* w, T* dx) const {
    const std::int64_t h = i % size_.h, c = i / size_.h % size_.c, n = i / size_.h / size_.c;
    const std::int64_t filter = c / size_.group_c() * size_.group_k();  // its group's first
    for (std::int64_t column = 0; column < size_.w; ++column) {
      T sum = 0;
      for (std::int64_t k = filter; k < filter + size_.group_k(); ++k) {
        for (std::int64_t r = 0; r < size_.r; ++r) {
          const std::int64_t p = seen_by(h + size_.pad_h - r * size_.dilation_h, size_.stride_h);
          if (p < 0 || p >= size_.p()) continue;
          for (std::int64_t s = 0; s < size_.s; ++s) {
            const std::int64_t q =
                seen_by(column + size_.pad_w - s * size_.dilation_w, size_.stride_w);
            if (q < 0 || q >= size_.q()) continue;
            sum += dy[at(y_, n, p, q, k)] * w[at(w_, k, r, s, c % size_.group_c())];
          }
        }
      }
      dx[at(x_, n, h, column, c)] = sum;
    }
  }

  void backward_weights(std::int64_t i, const T* x, const T* dy, T* dw) const {
    const std::int64_t r = i % size_.r, c = i / size_.r % size_.group_c();
    const std::int64_t k = i / size_.r / size_.group_c();
    const std::int64_t channel = k / size_.group_k() * size_.group_c() + c;
    for (std::int64_t s = 0; s < size_.s; ++s) {
      T sum = 0;
      for (std::int64_t n = 0; n < size_.n; ++n) {
        for (std::int64_t p = 0; p < size_.p(); ++p) {
          const std::int64_t h = p * size_.stride_h - size_.pad_h + r * size_.dilation_h;
          if (h < 0 || h >= size_.h) continue;
          for (std::int64_t q = 0; q < size_.q(); ++q) {
            const std::int64_t column = q * size_.stride_w - size_.pad_w + s * size_.dilation_w;
            if (column < 0 || column >= size_.w) continue;
            sum += x[at(x_, n, h, column, channel)] * dy[at(y_, n, p, q, k)];
          }
        }
      }
      dw[at(w_, k, r, s, c)] = sum;
    }
  }

  // The output that is `offset` inputs from the first one's window; -1: none is.
  static std::int64_t seen_by(std::int64_t offset, std::int64_t stride) {
    return offset < 0 || offset % stride != 0 ? -1 : offset / stride;
  }

  static std::int64_t at(const Strides& strides, std::int64_t outer, std::int64_t row,
                         std::int64_t column, std::int64_t channel) {
    return outer * strides.outer + row * strides.row + column * strides.column +
           channel * strides.channel;
  }

  const Conv2dSize& size_;
  Conv2dOp direction_;
  Strides x_, w_, y_;
};

}  // namespace

void naive(Registry& registry) {
  for (const Conv2dOp op : {Conv2dOp::forward, Conv2dOp::bias_relu, Conv2dOp::backward_data,
                            Conv2dOp::backward_weights}) {
    Implementation naive;
    naive.op = conv2d_op_name(op);
    naive.name = "naive";
    naive.precisions = {Precision::f32, Precision::f64};
    naive.threaded = false;
    naive.unsupported = too_slow;
    naive.load = [](const Workload& workload, Precision precision,
                    const Options&) -> std::unique_ptr<Kernel> {
      const auto& conv = static_cast<const Conv2d&>(workload);
      if (precision == Precision::f64) return std::make_unique<Naive<double>>(conv, precision);
      return std::make_unique<Naive<float>>(conv, precision);
    };
    registry.add(std::move(naive));
  }
}

}  // namespace breakeven::conv2d
