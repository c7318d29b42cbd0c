// Bound by memory: 2 bytes read and 4 written for each element, once.
#include "kernels/training/vectors.h"
#include "kernels/training/widen.h"

namespace breakeven::training {
namespace {

constexpr int kThreads = 256;
constexpr int kWidth = 4;  // 8 bytes read and 16 written a thread

__global__ void __launch_bounds__(kThreads)
    widen_kernel(const bf16* from, float* to, std::int64_t elements) {
  const std::int64_t first =
      (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kWidth;
  if (first + kWidth <= elements) {
    float x[kWidth];
    load_vector(x, from + first);
    store_vector(to + first, x);
    return;
  }
  for (std::int64_t i = first; i < elements; ++i) to[i] = to_float(from[i]);
}

}  // namespace

PreparedLaunch prepare_widen(const bf16* from, float* to, std::int64_t elements) {
  const std::int64_t blocks = ceil_div(elements, std::int64_t{kThreads} * kWidth);
  require_extents("widen", {elements, blocks});
  require_aligned("widen", {from, to});
  return prepare_launch(widen_kernel, {dim3(static_cast<unsigned>(blocks)), dim3(kThreads)}, from,
                        to, elements);
}

}  // namespace breakeven::training
