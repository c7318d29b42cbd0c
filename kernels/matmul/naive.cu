// The GPU's strawman: one thread per output element, a plain loop over k, every operand from
// memory. Bounded by the load units and the L1 cache: two loads for each multiply-add.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <memory>
#include <stdexcept>

#include "kernels/cuda/buffered_kernel.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/device.h"
#include "reference/matmul.h"

namespace breakeven::matmul {
namespace {

constexpr int kTileColumns = 32;  // neighbouring threads write neighbouring elements
constexpr int kTileRows = 8;

/// Where element [row, column] of op(X) lies: data[row * row_stride + column * column_stride].
struct Strides {
  std::int64_t row;
  std::int64_t column;
};

struct Problem {
  std::int64_t m, n, k;
  Strides a, b;
};

__device__ double widen(double value) { return value; }
__device__ float widen(float value) { return value; }
__device__ float widen(__half value) { return __half2float(value); }
__device__ float widen(__nv_bfloat16 value) { return __bfloat162float(value); }

__device__ void store(double* to, double value) { *to = value; }
__device__ void store(float* to, float value) { *to = value; }
__device__ void store(__half* to, float value) { *to = __float2half_rn(value); }
__device__ void store(__nv_bfloat16* to, float value) { *to = __float2bfloat16_rn(value); }

// C[m,n] = op(A) op(B); 16-bit types accumulate in f32. Tiles of 8 x 32 outputs are numbered along
// rows in one grid dimension, since the others end at 65535.
template <class T, class Accumulator>
__global__ void multiply(Problem p, std::int64_t tiles_per_row, const T* a, const T* b, T* c) {
  const std::int64_t tile = blockIdx.x;
  const std::int64_t row = tile / tiles_per_row * kTileRows + threadIdx.y;
  const std::int64_t column = tile % tiles_per_row * kTileColumns + threadIdx.x;
  if (row >= p.m || column >= p.n) return;
  const T* left = a + row * p.a.row;
  const T* right = b + column * p.b.column;
  Accumulator sum = 0;
  for (std::int64_t i = 0; i < p.k; ++i) {
    sum += widen(left[i * p.a.column]) * widen(right[i * p.b.row]);
  }
  store(c + row * p.n + column, sum);
}

class Naive final : public BufferedKernel {
 public:
  Naive(const Matmul& matmul, Precision precision)
      : BufferedKernel(matmul, precision),
        precision_(precision),
        problem_{matmul.m, matmul.n, matmul.k,
                 matmul.trans_a ? Strides{1, matmul.m} : Strides{matmul.k, 1},
                 matmul.trans_b ? Strides{1, matmul.k} : Strides{matmul.n, 1}} {}

  void run() override {
    switch (precision_) {
      case Precision::f64:
        return launch<double, double>();
      case Precision::f32:
        return launch<float, float>();
      case Precision::bf16:
        return launch<__nv_bfloat16, float>();
      case Precision::f16:
        return launch<__half, float>();
      default:
        throw std::logic_error("naive: a precision that it does not offer");
    }
  }

 private:
  template <class T, class Accumulator>
  void launch() {
    const std::int64_t tiles_per_row = (problem_.n + kTileColumns - 1) / kTileColumns;
    const std::int64_t tile_rows = (problem_.m + kTileRows - 1) / kTileRows;
    const dim3 threads(kTileColumns, kTileRows);
    multiply<T, Accumulator>
        <<<static_cast<unsigned>(tiles_per_row * tile_rows), threads, 0, work_stream()>>>(
            problem_, tiles_per_row, input(0).as<T>(), input(1).as<T>(), result().as<T>());
    check(cudaGetLastError());
  }

  Precision precision_;
  Problem problem_;
};

}  // namespace

void naive(Registry& registry) {
  Implementation implementation;
  implementation.op = "matmul";
  implementation.name = "naive";
  implementation.precisions = {Precision::f64, Precision::f32, Precision::bf16, Precision::f16};
  implementation.launches = {Launch::stream, Launch::graph};
  implementation.threaded = false;
  implementation.load = [](const Workload& workload, Precision precision, const Options&) {
    return std::make_unique<Naive>(static_cast<const Matmul&>(workload), precision);
  };
  registry.add(std::move(implementation));
}

}  // namespace breakeven::matmul
