#include "kernels/training/host_pointwise.h"

#include <array>

#include "kernels/training/host_isa.h"

namespace breakeven::training {
namespace {

struct Identity {
  [[gnu::always_inline]] static float value(float x) { return x; }
};
struct Relu {
  [[gnu::always_inline]] static float value(float x) { return x < 0.0F ? 0.0F : x; }
  [[gnu::always_inline]] static float gradient(float dy, float y) { return y > 0.0F ? dy : 0.0F; }
};
struct Gelu {
  [[gnu::always_inline]] static float value(float x) { return gelu(x); }
  [[gnu::always_inline]] static float gradient(float dy, float x) { return dy * gelu_slope(x); }
};

// What backward passes read of the forward one is read as stored, so the activation is of that.
template <class Function, class Z, class T>
struct Forward {
  [[gnu::always_inline]] static void run(const Z* z, const float* bias, T* y, std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) {
      y[i] = narrow<T>(Function::value(widen(narrow<T>(widen(z[i]) + bias[i]))));
    }
  }
};

template <class Function, class Z, class T>
struct ForwardKeeping {
  [[gnu::always_inline]] static void run(const Z* z, const float* bias, T* x, T* y,
                                         std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) {
      const T kept = narrow<T>(widen(z[i]) + bias[i]);
      x[i] = kept;
      y[i] = narrow<T>(Function::value(widen(kept)));
    }
  }
};

template <class T>
struct Add {
  [[gnu::always_inline]] static void run(const T* a, const T* b, T* c, std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) c[i] = narrow<T>(widen(a[i]) + widen(b[i]));
  }
};

template <class Function, class T>
struct Backward {
  [[gnu::always_inline]] static void run(const T* dy, const T* saved, T* dx, std::int64_t count) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) {
      dx[i] = narrow<T>(Function::gradient(widen(dy[i]), widen(saved[i])));
    }
  }
};

// A block of lines, `stride` apart, in at most kTile columns: dx, and its sums added to `total`.
template <class Function, class T>
struct BackwardSums {
  [[gnu::always_inline]] static void run(const T* dy, const T* saved, T* dx, std::int64_t stride,
                                         std::int64_t lines, std::int64_t count, float* total) {
    float sums[kTile] = {};
    for (std::int64_t line = 0; line < lines; ++line) {
      const std::int64_t first = line * stride;
#pragma GCC ivdep
      for (std::int64_t i = 0; i < count; ++i) {
        const float value = Function::gradient(widen(dy[first + i]), widen(saved[first + i]));
        dx[first + i] = narrow<T>(value);
        sums[i] += value;
      }
    }
    for (std::int64_t i = 0; i < count; ++i) total[i] += sums[i];
  }
};

template <class T>
struct Sums {
  [[gnu::always_inline]] static void run(const T* x, std::int64_t stride, std::int64_t lines,
                                         std::int64_t count, float* total) {
    float sums[kTile] = {};
    for (std::int64_t line = 0; line < lines; ++line) {
#pragma GCC ivdep
      for (std::int64_t i = 0; i < count; ++i) sums[i] += widen(x[line * stride + i]);
    }
    for (std::int64_t i = 0; i < count; ++i) total[i] += sums[i];
  }
};

// Calls piece(first element, its bias, elements) for all of a matrix, in pieces within one line.
template <class Piece>
void with_bias(MatrixSize size, const float* bias, const Piece& piece) {
  if (size.elements() == 0) return;
  const Lines lines(size);
#pragma omp parallel if (worth_team(lines.elements))
  {
    std::array<float, kTile> repeated{};  // of a line of several rows; or no bias at all
    if (bias && lines.width > lines.cols) {
      for (std::int64_t i = 0; i < lines.width; ++i) {
        repeated[static_cast<std::size_t>(i)] = bias[i % lines.cols];
      }
    }
    const bool direct = bias && lines.width == lines.cols;
    const Part own = own_part(lines.count * lines.tiles());
    for (std::int64_t i = own.begin; i < own.end; ++i) {
      const std::int64_t line = i / lines.tiles(), first = i % lines.tiles() * kTile;
      const std::int64_t count = std::min(kTile, lines.length(line) - first);
      if (count <= 0) continue;
      piece(line * lines.width + first, direct ? bias + first : repeated.data(), count);
    }
  }
}

// Calls piece(first element, lines, elements of each, sums) for the calling thread's share.
template <class Piece>
void sum_own_lines(const Lines& lines, float* sums, const Piece& piece) {
  std::fill_n(sums, lines.width, 0.0F);
  const Part own = own_part(lines.count);
  const std::int64_t whole_lines = std::min(own.end, lines.elements / lines.width);
  for (std::int64_t first = 0; first < lines.width; first += kTile) {
    const std::int64_t count = std::min(kTile, lines.width - first);
    for (std::int64_t line = own.begin; line < whole_lines; line += kBlockRows) {
      piece(line * lines.width + first, std::min(kBlockRows, whole_lines - line), count,
            sums + first);
    }
    if (own.end == whole_lines || own.begin == own.end) continue;
    const std::int64_t left = std::min(kTile, lines.length(own.end - 1) - first);
    if (left > 0) piece((own.end - 1) * lines.width + first, 1, left, sums + first);
  }
}

template <class Piece>
void sum_columns(MatrixSize size, float* sums, float* scratch, const Piece& piece) {
  const Lines lines(size);
  const std::int64_t stride = sums_stride(lines.width);
#pragma omp parallel if (worth_team(lines.elements))
  {
    sum_own_lines(lines, scratch + omp_get_thread_num() * stride, piece);
#pragma omp barrier
    add_parts(scratch, stride, lines.width / lines.cols, lines.cols, sums);
  }
}

template <class Function, class T>
void activation_backward(MatrixSize size, const T* dy, const T* saved, T* dx, float* db,
                         float* scratch) {
  if (db) {
    const std::int64_t stride = Lines(size).width;
    sum_columns(size, db, scratch,
                [=](std::int64_t at, std::int64_t lines, std::int64_t count, float* sums) {
                  run_loop<BackwardSums<Function, T>>(dy + at, saved + at, dx + at, stride, lines,
                                                      count, sums);
                });
    return;
  }
#pragma omp parallel if (worth_team(size.elements()))
  {
    const Part own = own_part(size.elements());
    run_loop<Backward<Function, T>>(dy + own.begin, saved + own.begin, dx + own.begin,
                                    own.end - own.begin);
  }
}

}  // namespace

template <class Z, class T>
void add_bias(MatrixSize size, const Z* z, const float* bias, T* y) {
  with_bias(size, bias, [=](std::int64_t at, const float* own_bias, std::int64_t count) {
    run_loop<Forward<Identity, Z, T>>(z + at, own_bias, y + at, count);
  });
}

template <class Z, class T>
void bias_relu(MatrixSize size, const Z* z, const float* bias, T* y) {
  with_bias(size, bias, [=](std::int64_t at, const float* own_bias, std::int64_t count) {
    run_loop<Forward<Relu, Z, T>>(z + at, own_bias, y + at, count);
  });
}

template <class Z, class T>
void bias_gelu(MatrixSize size, const Z* z, const float* bias, T* x, T* y) {
  with_bias(size, bias, [=](std::int64_t at, const float* own_bias, std::int64_t count) {
    if (x) {
      run_loop<ForwardKeeping<Gelu, Z, T>>(z + at, own_bias, x + at, y + at, count);
    } else {
      run_loop<Forward<Gelu, Z, T>>(z + at, own_bias, y + at, count);
    }
  });
}

template <class T>
void add(std::int64_t count, const T* a, const T* b, T* c) {
#pragma omp parallel if (worth_team(count))
  {
    const Part own = own_part(count);
    run_loop<Add<T>>(a + own.begin, b + own.begin, c + own.begin, own.end - own.begin);
  }
}

template <class T>
void relu_backward(MatrixSize size, const T* dy, const T* y, T* dx, float* db, float* scratch) {
  activation_backward<Relu>(size, dy, y, dx, db, scratch);
}

template <class T>
void gelu_backward(MatrixSize size, const T* dy, const T* x, T* dx, float* db, float* scratch) {
  activation_backward<Gelu>(size, dy, x, dx, db, scratch);
}

template <class T>
void column_sums(MatrixSize size, const T* x, float* sums, float* scratch) {
  const std::int64_t stride = Lines(size).width;
  sum_columns(size, sums, scratch,
              [=](std::int64_t at, std::int64_t lines, std::int64_t count, float* own) {
                run_loop<Sums<T>>(x + at, stride, lines, count, own);
              });
}

template void add_bias(MatrixSize, const float*, const float*, float*);
template void add_bias(MatrixSize, const float*, const float*, Bf16*);
template void add_bias(MatrixSize, const Bf16*, const float*, Bf16*);
template void bias_relu(MatrixSize, const float*, const float*, float*);
template void bias_relu(MatrixSize, const float*, const float*, Bf16*);
template void bias_relu(MatrixSize, const Bf16*, const float*, Bf16*);
template void bias_gelu(MatrixSize, const float*, const float*, float*, float*);
template void bias_gelu(MatrixSize, const float*, const float*, Bf16*, Bf16*);
template void bias_gelu(MatrixSize, const Bf16*, const float*, Bf16*, Bf16*);
template void add(std::int64_t, const float*, const float*, float*);
template void add(std::int64_t, const Bf16*, const Bf16*, Bf16*);
template void relu_backward(MatrixSize, const float*, const float*, float*, float*, float*);
template void relu_backward(MatrixSize, const Bf16*, const Bf16*, Bf16*, float*, float*);
template void gelu_backward(MatrixSize, const float*, const float*, float*, float*, float*);
template void gelu_backward(MatrixSize, const Bf16*, const Bf16*, Bf16*, float*, float*);
template void column_sums(MatrixSize, const float*, float*, float*);
template void column_sums(MatrixSize, const Bf16*, float*, float*);

}  // namespace breakeven::training
