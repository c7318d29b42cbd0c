// The strawman: the triple loop that a textbook opens with, one thread, no blocking, no explicit
// vectors. It is here because it is the baseline behind many claims of "100 times faster", and is
// named as such. Bound by the latency of one addition per step of the inner loop (the compiler may
// not reorder a floating-point sum) and by a cache miss per step once B outgrows the caches.
#include <cstdint>
#include <memory>

#include "kernels/host/host_kernel.h"
#include "kernels/host/slow_rows.h"
#include "kernels/kernel.h"
#include "reference/matmul.h"

namespace breakeven::matmul {
namespace {

// Element (row, column) of op(X) lies at row * row_stride + column * column_stride.
struct Strides {
  std::int64_t row;
  std::int64_t column;
};

Strides strides(bool transposed, std::int64_t rows, std::int64_t columns) {
  return transposed ? Strides{1, rows} : Strides{columns, 1};
}

// Rows [begin, end) of C.
template <class T>
void multiply(const Matmul& size, std::int64_t begin, std::int64_t end, const T* a, const T* b,
              T* c) {
  const Strides sa = strides(size.trans_a, size.m, size.k);
  const Strides sb = strides(size.trans_b, size.k, size.n);
  for (std::int64_t i = begin; i < end; ++i) {
    for (std::int64_t j = 0; j < size.n; ++j) {
      T sum = 0;
      for (std::int64_t p = 0; p < size.k; ++p) {
        sum += a[i * sa.row + p * sa.column] * b[p * sb.row + j * sb.column];
      }
      c[i * size.n + j] = sum;
    }
  }
}

template <class T>
class Naive final : public HostKernel {
 public:
  Naive(const Matmul& size, Precision precision) : HostKernel(size, precision), size_(size) {
    refuse_if_slow(size.m, [this](std::int64_t i) { rows(i, i + 1); });
    poison_output();
  }

  void run() override { rows(0, size_.m); }

 private:
  void rows(std::int64_t begin, std::int64_t end) {
    multiply(size_, begin, end, input(0).template as<T>(), input(1).template as<T>(),
             result().template as<T>());
  }

  const Matmul& size_;
};

}  // namespace

void naive(Registry& registry) {
  Implementation naive;
  naive.op = "matmul";
  naive.name = "naive";
  naive.precisions = {Precision::f32, Precision::f64};
  naive.threaded = false;
  naive.unsupported = too_slow;
  naive.load = [](const Workload& workload, Precision precision,
                  const Options&) -> std::unique_ptr<Kernel> {
    const auto& size = static_cast<const Matmul&>(workload);
    if (precision == Precision::f64) return std::make_unique<Naive<double>>(size, precision);
    return std::make_unique<Naive<float>>(size, precision);
  };
  registry.add(std::move(naive));
}

}  // namespace breakeven::matmul
