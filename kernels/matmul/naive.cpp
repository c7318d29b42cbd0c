// The strawman: the triple loop that a textbook opens with, one thread, no blocking, no explicit
// vectors. It is here because it is the baseline behind many claims of "100 times faster", and is
// named as such. Bound by the latency of one addition per step of the inner loop (the compiler may
// not reorder a floating-point sum) and by a cache miss per step once B outgrows the caches.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "kernels/host/host_kernel.h"
#include "kernels/kernel.h"
#include "reference/matmul.h"

namespace breakeven::matmul {
namespace {

constexpr double kLongestSeconds = 2;

// One multiply-add per addition latency (3 cycles at the least) at 6.5 GHz is 4.3 GFLOP/s: what
// exceeds 2 s at 10 GFLOP/s needs no try.
constexpr double kUnreachedFlopsPerSecond = 10e9;

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
    refuse_if_slow();
    poison_output();
  }

  void run() override { rows(0, size_.m); }

 private:
  void rows(std::int64_t begin, std::int64_t end) {
    multiply(size_, begin, end, input(0).template as<T>(), input(1).template as<T>(),
             result().template as<T>());
  }

  // Times the first rows. The estimate decides whether the row is left out and is never reported
  // as a result.
  void refuse_if_slow() {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    std::chrono::duration<double> elapsed{0};
    std::int64_t done = 0;
    for (; done < size_.m && elapsed.count() < 0.05; ++done) {
      rows(done, done + 1);
      elapsed = Clock::now() - start;
    }
    const double estimate =
        elapsed.count() / static_cast<double>(done) * static_cast<double>(size_.m);
    if (estimate <= kLongestSeconds) return;
    char reason[80];
    std::snprintf(reason, sizeof reason,
                  "one call would take over 2 s (by its first rows, about %.0f s)", estimate);
    throw Unsupported(reason);
  }

  const Matmul& size_;
};

std::string too_slow(const Workload& workload, Precision precision, const Options&) {
  if (workload.cost(precision).flops <= kLongestSeconds * kUnreachedFlopsPerSecond) return "";
  return "one call would take over 2 s, even at 10 GFLOP/s";
}

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
