#include "kernels/training/host_cross_entropy.h"

#include <cmath>
#include <limits>

#include "kernels/training/host_isa.h"

namespace breakeven::training {
namespace {

// Exponentials that are added in f32 before their sum goes to f64: of fifty thousand, the last ones
// would otherwise lose ten bits.
constexpr std::int64_t kChunk = 1024;

template <class T>
struct Largest {
  [[gnu::always_inline]] static float run(const T* x, std::int64_t count) {
    float largest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : largest)
    for (std::int64_t i = 0; i < count; ++i) {
      const float value = widen(x[i]);
      largest = value > largest ? value : largest;
    }
    return largest;
  }
};

template <class T>
struct SumExponentials {
  [[gnu::always_inline]] static double run(const T* x, float largest, std::int64_t count) {
    double total = 0;
    for (std::int64_t first = 0; first < count; first += kChunk) {
      const std::int64_t end = std::min(count, first + kChunk);
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t i = first; i < end; ++i) sum += exponential(widen(x[i]) - largest);
      total += static_cast<double>(sum);
    }
    return total;
  }
};

template <class T>
struct Gradient {
  [[gnu::always_inline]] static void run(const T* x, float largest, float scale, T* dx,
                                         std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) {
      dx[i] = narrow<T>(exponential(widen(x[i]) - largest) * scale);
    }
  }
};

template <class T>
float row_loss(const T* x, std::int32_t target, std::int64_t cols, std::int64_t rows, T* dx) {
  const float largest = run_loop<Largest<T>>(x, cols);
  const double sum = run_loop<SumExponentials<T>>(x, largest, cols);
  // Differences first: the logits themselves may be large, and the loss small.
  const double of_target = static_cast<double>(widen(x[target])) - static_cast<double>(largest);
  if (dx) {
    const double share = 1 / static_cast<double>(rows);
    run_loop<Gradient<T>>(x, largest, static_cast<float>(share / sum), dx, cols);
    // In f64: where the target is certain, the two cancel.
    dx[target] = narrow<T>(static_cast<float>(share * (std::exp(of_target) / sum - 1)));
  }
  return static_cast<float>(std::log(sum) - of_target);
}

}  // namespace

template <class T>
void cross_entropy(MatrixSize size, const T* logits, const std::int32_t* targets, float* loss,
                   T* dlogits, float* scratch) {
#pragma omp parallel for schedule(static) if (worth_team(size.elements()))
  for (std::int64_t row = 0; row < size.rows; ++row) {
    const std::int64_t first = row * size.cols;
    scratch[row] = row_loss(logits + first, targets[row], size.cols, size.rows,
                            dlogits ? dlogits + first : nullptr);
  }
  double sum = 0;
  for (std::int64_t row = 0; row < size.rows; ++row) sum += static_cast<double>(scratch[row]);
  *loss = static_cast<float>(sum / static_cast<double>(size.rows));
}

template void cross_entropy(MatrixSize, const float*, const std::int32_t*, float*, float*, float*);
template void cross_entropy(MatrixSize, const Bf16*, const std::int32_t*, float*, Bf16*, float*);

}  // namespace breakeven::training
