#include "kernels/matmul/sgemm_reduce.h"

namespace breakeven::matmul {
namespace {

constexpr int kThreads = 256;

__global__ void sgemm_reduce_kernel(SgemmProblem p, const float* partials, int splits) {
  const std::int64_t elements = static_cast<std::int64_t>(p.m) * p.n;
  const std::int64_t element = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (element >= elements) return;
  float sum = 0;
#pragma unroll 4
  for (int s = 0; s < splits; ++s) sum += partials[s * elements + element];
  const std::int64_t row = element / p.n;
  const std::int64_t column = element % p.n;
  const float bias = p.epilogue == Epilogue::none ? 0.0f : p.bias[column];
  p.c[row * p.ldc + column] = apply_epilogue(p.epilogue, sum, bias);
}

}  // namespace

PreparedLaunch reduce_partials(const SgemmProblem& p, const float* partials, int splits) {
  const std::int64_t elements = static_cast<std::int64_t>(p.m) * p.n;
  return prepare_launch(sgemm_reduce_kernel,
                        {dim3(static_cast<unsigned>(ceil_div(elements, kThreads))), dim3(kThreads)},
                        p, partials, splits);
}

}  // namespace breakeven::matmul
