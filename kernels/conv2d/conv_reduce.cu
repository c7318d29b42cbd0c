// Bounded by memory: (parts) reads and 1 write of each element. Where the parts are many, the
// elements are few: several rows of threads then share an element's parts, so that their loads
// don't wait for one another.
#include <cstdint>
#include <type_traits>

#include "kernels/conv2d/conv_reduce.h"

namespace breakeven::conv2d {
namespace {

constexpr int kThreads = 256;

/// Rows of threads: a warp's 8 lanes still read whole sectors of 32 bytes.
int rows_of(int parts) {
  if (parts < 16) return 1;
  return parts < 64 ? 8 : 32;
}

}  // namespace

/// A column of threads an element: row j adds up the parts j, j + rows, ..., then row 0 the rows.
/// by_ld divides by p.output_ld. (Outside the anonymous namespace: in a file that only instantiates
/// templates, nvcc gives that a name by its process, under which tools/budget finds no kernel
/// again.)
template <class Output, class Sum>
__global__ void __launch_bounds__(kThreads)
    conv_reduce_kernel(const __grid_constant__ ImplicitGemm p, int elements, FastDivisor by_ld) {
  ptx::SharedMemory memory;
  Sum* sums = memory.take<Sum>(kThreads);
  const int lanes = static_cast<int>(blockDim.x), rows = static_cast<int>(blockDim.y);
  const int lane = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
  const int i = static_cast<int>(blockIdx.x) * lanes + lane;
  Sum sum = 0;
  if (i < elements) {
    const Sum* from = static_cast<const Sum*>(p.partial) + i;
#pragma unroll 4
    for (int part = row; part < p.splits; part += rows) sum += from[part * p.partial_stride];
  }
  if (rows > 1) {
    ptx::store_shared(sums + row * lanes + lane, sum);
    __syncthreads();
    if (row > 0) return;
    for (int other = 1; other < rows; ++other) sum += ptx::load_shared(sums + other * lanes + lane);
  }
  if (i >= elements) return;
  Output* to = static_cast<Output*>(p.output) + i;
  if constexpr (std::is_same_v<Sum, float>) {
    float bias = 0;
    if (p.bias != nullptr) {
      int column = i;
      by_ld.split(column, p.output_ld);
      bias = to_float(static_cast<const Output*>(p.bias)[column]);
    }
    *to = from_float<Output>(apply_epilogue(p.epilogue, sum, bias));
  } else {
    *to = sum;
  }
}

template <class Output, class Sum>
PreparedLaunch reduce_conv(const ImplicitGemm& p, const Conv& conv) {
  const std::int64_t elements = output_elements(conv);
  const int rows = rows_of(p.splits), lanes = kThreads / rows;
  return prepare_launch(
      conv_reduce_kernel<Output, Sum>,
      {dim3(static_cast<unsigned>(ceil_div(elements, lanes))),
       dim3(static_cast<unsigned>(lanes), static_cast<unsigned>(rows)), kThreads * sizeof(Sum)},
      p, static_cast<int>(elements), FastDivisor::of(p.output_ld));
}

template PreparedLaunch reduce_conv<float, float>(const ImplicitGemm&, const Conv&);
template PreparedLaunch reduce_conv<bf16, float>(const ImplicitGemm&, const Conv&);
template PreparedLaunch reduce_conv<f16, float>(const ImplicitGemm&, const Conv&);
template PreparedLaunch reduce_conv<std::int32_t, std::int32_t>(const ImplicitGemm&, const Conv&);

}  // namespace breakeven::conv2d
