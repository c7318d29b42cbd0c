#include "kernels/training/host_attention.h"

#include <cmath>
#include <limits>

#include "kernels/training/host_isa.h"
#include "kernels/training/host_team.h"

namespace breakeven::training {
namespace {

template <class T>
struct Load {
  [[gnu::always_inline]] static void run(const T* from, std::int64_t stride, float* to,
                                         std::int64_t rows, std::int64_t count) {
    for (std::int64_t row = 0; row < rows; ++row) {
#pragma GCC ivdep
      for (std::int64_t c = 0; c < count; ++c) to[row * count + c] = widen(from[row * stride + c]);
    }
  }
};

// Rows times factors[row]; null: times 1.
template <class T>
struct Store {
  [[gnu::always_inline]] static void run(const float* from, const float* factors, T* to,
                                         std::int64_t stride, std::int64_t rows,
                                         std::int64_t count) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const float factor = factors ? factors[row] : 1.0F;
#pragma GCC ivdep
      for (std::int64_t c = 0; c < count; ++c) {
        to[row * stride + c] = narrow<T>(from[row * count + c] * factor);
      }
    }
  }
};

struct RowSum {
  float largest, sum;
};

// The first `seen` scores become exp(score - largest), those up to `keys` 0.
struct Softmax {
  [[gnu::always_inline]] static RowSum run(float* scores, std::int64_t seen, std::int64_t keys) {
    float largest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : largest)
    for (std::int64_t i = 0; i < seen; ++i) largest = scores[i] > largest ? scores[i] : largest;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < seen; ++i) {
      const float e = exponential(scores[i] - largest);
      scores[i] = e;
      sum += e;
    }
    for (std::int64_t i = seen; i < keys; ++i) scores[i] = 0;
    return {largest, sum};
  }
};

// Scores become probabilities p, and slopes, the products dy v^T, become p (slope - delta).
struct SoftmaxBackward {
  [[gnu::always_inline]] static void run(float* scores, float* slopes, float lse, float delta,
                                         std::int64_t seen, std::int64_t keys) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < seen; ++i) {
      const float p = exponential(scores[i] - lse);
      scores[i] = p;
      slopes[i] = p * (slopes[i] - delta);
    }
    for (std::int64_t i = seen; i < keys; ++i) scores[i] = slopes[i] = 0;
  }
};

template <class T>
struct Dot {
  [[gnu::always_inline]] static float run(const float* a, const T* b, std::int64_t count) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < count; ++i) sum += a[i] * widen(b[i]);
    return sum;
  }
};

// A head of one sequence, and its thread's scratch: matrices [steps, width] and those of a block.
struct Head {
  Head(const Sequence& sequence, std::int64_t channels, std::int64_t index, float* all_scratch)
      : steps(sequence.steps),
        width(channels / sequence.heads),
        cols(channels),
        row(index / sequence.heads * steps),
        column(index % sequence.heads * width),
        scale(static_cast<float>(1 / std::sqrt(static_cast<double>(width)))),
        scratch(all_scratch + omp_get_thread_num() * floats(sequence, channels)) {}

  static std::int64_t floats(const Sequence& sequence, std::int64_t channels) {
    const std::int64_t queries = kQueryRows * (2 * sequence.steps + channels / sequence.heads + 1);
    return sums_stride(6 * sequence.steps * (channels / sequence.heads) + queries);
  }

  float* matrix(std::int64_t index) const { return scratch + index * steps * width; }
  float* scores() const { return matrix(6); }
  float* slopes() const { return scores() + kQueryRows * steps; }
  float* block() const { return slopes() + kQueryRows * steps; }
  float* factors() const { return block() + kQueryRows * width; }

  // Where this head's q, k or v (0, 1, 2) begins in qkv, and its channels in y.
  std::int64_t in_qkv(std::int64_t which) const { return (row * 3 + which) * cols + column; }
  std::int64_t in_y() const { return row * cols + column; }

  std::int64_t steps, width, cols, row, column;
  float scale;
  float* scratch;
};

template <class T>
void load_qkv(const Head& head, const T* qkv) {
  for (std::int64_t which = 0; which < 3; ++which) {
    run_loop<Load<T>>(qkv + head.in_qkv(which), 3 * head.cols, head.matrix(which), head.steps,
                      head.width);
  }
}

// scores[rows, keys] = scale q k^T of the block that begins at query `first`.
void multiply_scores(const Head& head, std::int64_t first, std::int64_t rows, Multiply multiply) {
  multiply({false, true, rows, first + rows, head.width, head.scale,
            head.matrix(0) + first * head.width, head.width, head.matrix(1), head.width, 0,
            head.scores(), head.steps});
}

template <class T>
void head_forward(const Head& head, const T* qkv, T* y, float* lse, Multiply multiply) {
  load_qkv(head, qkv);
  const std::int64_t width = head.width;
  for (std::int64_t first = 0; first < head.steps; first += kQueryRows) {
    const std::int64_t rows = std::min(kQueryRows, head.steps - first), keys = first + rows;
    multiply_scores(head, first, rows, multiply);
    for (std::int64_t i = 0; i < rows; ++i) {
      const RowSum row = run_loop<Softmax>(head.scores() + i * head.steps, first + i + 1, keys);
      lse[first + i] = row.largest + std::log(row.sum);
      head.factors()[i] = 1.0F / row.sum;
    }
    multiply({false, false, rows, width, keys, 1, head.scores(), head.steps, head.matrix(2), width,
              0, head.block(), width});
    run_loop<Store<T>>(head.block(), head.factors(), y + head.in_y() + first * head.cols, head.cols,
                       rows, width);
  }
}

template <class T>
void head_backward(const Head& head, const T* dy, const T* qkv, const T* y, const float* lse,
                   T* dqkv, Multiply multiply) {
  load_qkv(head, qkv);
  const std::int64_t width = head.width, steps = head.steps, cols = head.cols;
  float *own_dy = head.matrix(3), *dk = head.matrix(4), *dv = head.matrix(5);
  run_loop<Load<T>>(dy + head.in_y(), cols, own_dy, steps, width);
  std::fill_n(dk, 2 * steps * width, 0.0F);
  for (std::int64_t first = 0; first < steps; first += kQueryRows) {
    const std::int64_t rows = std::min(kQueryRows, steps - first), keys = first + rows;
    const float* block_dy = own_dy + first * width;
    multiply_scores(head, first, rows, multiply);
    multiply({false, true, rows, keys, width, 1, block_dy, width, head.matrix(2), width, 0,
              head.slopes(), steps});
    for (std::int64_t i = 0; i < rows; ++i) {
      const float delta =
          run_loop<Dot<T>>(block_dy + i * width, y + head.in_y() + (first + i) * cols, width);
      run_loop<SoftmaxBackward>(head.scores() + i * steps, head.slopes() + i * steps,
                                lse[first + i], delta, first + i + 1, keys);
    }
    multiply(
        {true, false, keys, width, rows, 1, head.scores(), steps, block_dy, width, 1, dv, width});
    multiply({true, false, keys, width, rows, head.scale, head.slopes(), steps,
              head.matrix(0) + first * width, width, 1, dk, width});
    multiply({false, false, rows, width, keys, head.scale, head.slopes(), steps, head.matrix(1),
              width, 0, head.block(), width});
    run_loop<Store<T>>(head.block(), static_cast<const float*>(nullptr),
                       dqkv + head.in_qkv(0) + first * 3 * cols, 3 * cols, rows, width);
  }
  run_loop<Store<T>>(dk, static_cast<const float*>(nullptr), dqkv + head.in_qkv(1), 3 * cols, steps,
                     width);
  run_loop<Store<T>>(dv, static_cast<const float*>(nullptr), dqkv + head.in_qkv(2), 3 * cols, steps,
                     width);
}

}  // namespace

std::int64_t attention_scratch(const Sequence& sequence, std::int64_t cols, int threads) {
  return threads * Head::floats(sequence, cols);
}

template <class T>
void attention(const Sequence& sequence, std::int64_t cols, const T* qkv, T* y, float* lse,
               Multiply multiply, float* scratch) {
  for_each_in_team(sequence.batch * sequence.heads, [&](std::int64_t i) {
    head_forward(Head(sequence, cols, i, scratch), qkv, y, lse + i * sequence.steps, multiply);
  });
}

template <class T>
void attention_backward(const Sequence& sequence, std::int64_t cols, const T* dy, const T* qkv,
                        const T* y, const float* lse, T* dqkv, Multiply multiply, float* scratch) {
  for_each_in_team(sequence.batch * sequence.heads, [&](std::int64_t i) {
    head_backward(Head(sequence, cols, i, scratch), dy, qkv, y, lse + i * sequence.steps, dqkv,
                  multiply);
  });
}

template void attention(const Sequence&, std::int64_t, const float*, float*, float*, Multiply,
                        float*);
template void attention(const Sequence&, std::int64_t, const Bf16*, Bf16*, float*, Multiply,
                        float*);
template void attention_backward(const Sequence&, std::int64_t, const float*, const float*,
                                 const float*, const float*, float*, Multiply, float*);
template void attention_backward(const Sequence&, std::int64_t, const Bf16*, const Bf16*,
                                 const Bf16*, const float*, Bf16*, Multiply, float*);

}  // namespace breakeven::training
