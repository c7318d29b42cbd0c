#include "kernels/training/host_embedding.h"

#include "kernels/training/host_isa.h"

namespace breakeven::training {
namespace {

template <class T>
struct AddRows {
  [[gnu::always_inline]] static void run(const T* a, const T* b, T* c, std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) c[i] = narrow<T>(widen(a[i]) + widen(b[i]));
  }
};

template <class T>
struct Accumulate {
  [[gnu::always_inline]] static void run(const T* row, float* sum, std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) sum[i] += widen(row[i]);
  }
};

}  // namespace

template <class T>
void embedding(const Sequence& sequence, std::int64_t cols, const std::int32_t* tokens,
               const T* wte, const T* wpe, T* x) {
  const std::int64_t rows = sequence.batch * sequence.steps;
#pragma omp parallel for schedule(static) if (worth_team(rows * cols))
  for (std::int64_t row = 0; row < rows; ++row) {
    run_loop<AddRows<T>>(wte + tokens[row] * cols, wpe + row % sequence.steps * cols,
                         x + row * cols, cols);
  }
}

// Each thread owns rows of both tables and looks at every token: nothing is added by two threads,
// so the order of the sums does not even depend on their number.
template <class T>
void embedding_backward(const Sequence& sequence, MatrixSize table, const T* dx,
                        const std::int32_t* tokens, float* dwte, float* dwpe) {
  const std::int64_t rows = sequence.batch * sequence.steps, cols = table.cols;
#pragma omp parallel if (worth_team(table.elements() + rows * cols))
  {
    const Part words = own_part(table.rows);
    std::fill(dwte + words.begin * cols, dwte + words.end * cols, 0.0F);
    for (std::int64_t row = 0; row < rows; ++row) {
      if (tokens[row] < words.begin || tokens[row] >= words.end) continue;
      run_loop<Accumulate<T>>(dx + row * cols, dwte + tokens[row] * cols, cols);
    }
    const Part steps = own_part(sequence.steps);
    std::fill(dwpe + steps.begin * cols, dwpe + steps.end * cols, 0.0F);
    for (std::int64_t step = steps.begin; step < steps.end; ++step) {
      for (std::int64_t row = step; row < rows; row += sequence.steps) {
        run_loop<Accumulate<T>>(dx + row * cols, dwpe + step * cols, cols);
      }
    }
  }
}

template void embedding(const Sequence&, std::int64_t, const std::int32_t*, const float*,
                        const float*, float*);
template void embedding(const Sequence&, std::int64_t, const std::int32_t*, const Bf16*,
                        const Bf16*, Bf16*);
template void embedding_backward(const Sequence&, MatrixSize, const float*, const std::int32_t*,
                                 float*, float*);
template void embedding_backward(const Sequence&, MatrixSize, const Bf16*, const std::int32_t*,
                                 float*, float*);

}  // namespace breakeven::training
