// Depthwise convolution: each channel has filters of its own, so nothing is there to multiply by a
// matrix. Bounded by memory, a product being used once for each tap: what counts is that x and y
// pass once. Filters of 3x3 without dilation go row by row: a thread computes four neighbouring
// pixels of 16 bytes of channels, for which it loads each x once (stride 1: 18 loads for 36 taps)
// and its filters once. Those of a block's channels lie together and pass through shared memory:
// threads beside each other would read theirs 144 bytes apart. Whatever else takes a thread per
// output, and rereads x from the L1 cache.
#include <algorithm>
#include <type_traits>

#include "kernels/conv2d/conv_rungs.h"
#include "kernels/conv2d/depthwise.h"
#include "kernels/conv2d/fast_divisor.h"
#include "kernels/cuda/epilogue.h"

namespace breakeven::conv2d {
namespace {

constexpr int kThreads = 128;
constexpr int kPixels = 4;  // neighbours in a row that a thread of the row kernel computes
constexpr int kSide = 3;    // of its filters
constexpr int kTaps = kSide * kSide;

/// What the row kernel reads and writes: y from x or, for stride 1, dx from dy with the filters
/// turned round.
struct RowProblem {
  int images, channels;
  int in_h, in_w, out_h, out_w;
  int pad_h, pad_w;
  const void* in;
  const void* filters;
  const void* bias;  ///< nullptr: none, and no ReLU
  void* out;
  int threads;
  int vectors, strips;  ///< of 16 bytes of channels, of kPixels columns
  FastDivisor by_vectors, by_strips, by_rows;
};

template <class T>
constexpr int kVector = 16 / static_cast<int>(sizeof(T));

template <class T>
__device__ __forceinline__ void load_vector(float (&to)[kVector<T>], const T* from) {
  const auto vector = ptx::load_global(reinterpret_cast<const Elements<T, kVector<T>>*>(from));
#pragma unroll
  for (int v = 0; v < kVector<T>; ++v) to[v] = to_float(vector.values[v]);
}

/// The filters of the block's channels, to shared memory as they lie: kTaps vectors for each vector
/// of channels, of which neighbouring threads have neighbouring ones. The number that the first
/// thread has.
__device__ __forceinline__ int stage_filters(const RowProblem& p, uint4* staged) {
  const int first_thread = static_cast<int>(blockIdx.x) * kThreads;
  int first = first_thread;
  p.by_vectors.split(first, p.vectors);
  const int count = min(min(kThreads, p.vectors), p.threads - first_thread) * kTaps;
  const uint4* from = static_cast<const uint4*>(p.filters);
  const int all = p.vectors * kTaps;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) {
    const int place = first * kTaps + i;
    ptx::store_shared(staged + i, ptx::load_global(from + (place < all ? place : place - all)));
  }
  return first;
}

template <class T, int kStride, bool kTurned>
__global__ void __launch_bounds__(kThreads)
    depthwise_row_kernel(const __grid_constant__ RowProblem p) {
  constexpr int kColumns = (kPixels - 1) * kStride + kSide;  // of x under four pixels
  ptx::SharedMemory memory;
  uint4* staged = memory.take<uint4>(kThreads * kTaps);
  const int first = stage_filters(p, staged);
  __syncthreads();
  int vector = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (vector >= p.threads) return;
  int strip = p.by_vectors.split(vector, p.vectors);
  int row = p.by_strips.split(strip, p.strips);
  const std::int64_t image = p.by_rows.split(row, p.out_h);
  const int channel = vector * kVector<T>;
  const int first_q = strip * kPixels;

  Elements<T, kVector<T>> filters[kTaps];
  const uint4* own =
      staged + (vector < first ? vector + p.vectors - first : vector - first) * kTaps;
#pragma unroll
  for (int tap = 0; tap < kTaps; ++tap) {
    filters[tap] = ptx::load_shared(reinterpret_cast<const Elements<T, kVector<T>>*>(own + tap));
  }
  float sums[kPixels][kVector<T>] = {};
#pragma unroll
  for (int r = 0; r < kSide; ++r) {
    const int h = row * kStride - p.pad_h + r;
    if (h < 0 || h >= p.in_h) continue;
    const T* line = static_cast<const T*>(p.in) + (image * p.in_h + h) * p.in_w * p.channels;
#pragma unroll
    for (int column = 0; column < kColumns; ++column) {
      const int w = first_q * kStride - p.pad_w + column;
      float x[kVector<T>] = {};
      if (w >= 0 && w < p.in_w) load_vector<T>(x, line + w * p.channels + channel);
#pragma unroll
      for (int pixel = 0; pixel < kPixels; ++pixel) {
        const int s = column - pixel * kStride;
        if (s < 0 || s >= kSide) continue;
        const int tap = kTurned ? kTaps - 1 - (r * kSide + s) : r * kSide + s;
#pragma unroll
        for (int v = 0; v < kVector<T>; ++v) {
          const int place = v * kTaps + tap;  // among the filters' elements
          const T weight = filters[place / kVector<T>].values[place % kVector<T>];
          sums[pixel][v] = fmaf(x[v], to_float(weight), sums[pixel][v]);
        }
      }
    }
  }
  float bias[kVector<T>] = {};
  if (p.bias != nullptr) load_vector<T>(bias, static_cast<const T*>(p.bias) + channel);
  T* out = static_cast<T*>(p.out) + (image * p.out_h + row) * p.out_w * p.channels + channel;
#pragma unroll
  for (int pixel = 0; pixel < kPixels; ++pixel) {
    if (first_q + pixel >= p.out_w) break;
    Elements<T, kVector<T>> y;
#pragma unroll
    for (int v = 0; v < kVector<T>; ++v) {
      const float sum = sums[pixel][v] + bias[v];
      y.values[v] = from_float<T>(p.bias != nullptr ? relu(sum) : sum);
    }
    ptx::store_global(reinterpret_cast<Elements<T, kVector<T>>*>(
                          out + static_cast<std::int64_t>(first_q + pixel) * p.channels),
                      y);
  }
}

/// The output's extents, and what divides by them.
struct OutputGrid {
  int outputs;
  int rows, columns, channels;
  FastDivisor by_rows, by_columns, by_channels, by_multiplier;
};

/// One output a thread; neighbours are neighbours in channels.
template <class T, bool kBackward>
__global__ void __launch_bounds__(kThreads)
    depthwise_any_kernel(const __grid_constant__ Depthwise p,
                         const __grid_constant__ OutputGrid grid) {
  const int index = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (index >= grid.outputs) return;
  int channel = index;
  int column = grid.by_channels.split(channel, grid.channels);
  int row = grid.by_columns.split(column, grid.columns);
  const std::int64_t image = grid.by_rows.split(row, grid.rows);
  const int x_channel = grid.by_multiplier.divide(channel);  // forward
  const T* in = static_cast<const T*>(p.first);
  const T* filters = static_cast<const T*>(p.second);
  float sum = 0;
  for (int r = 0; r < p.r; ++r) {
    for (int s = 0; s < p.s; ++s) {
      if constexpr (kBackward) {
        const int h = row + p.pad_h - r * p.dilation_h, w = column + p.pad_w - s * p.dilation_w;
        if (h < 0 || w < 0 || h % p.stride_h != 0 || w % p.stride_w != 0) continue;
        const int y_row = h / p.stride_h, y_column = w / p.stride_w;
        if (y_row >= p.p || y_column >= p.q) continue;
        const std::int64_t from = ((image * p.p + y_row) * p.q + y_column) * p.k;
        for (int k = channel * p.multiplier; k < (channel + 1) * p.multiplier; ++k) {
          sum += to_float(in[from + k]) * to_float(filters[(k * p.r + r) * p.s + s]);
        }
      } else {
        const int h = row * p.stride_h - p.pad_h + r * p.dilation_h;
        const int w = column * p.stride_w - p.pad_w + s * p.dilation_w;
        if (h < 0 || w < 0 || h >= p.h || w >= p.w) continue;
        const std::int64_t from = ((image * p.h + h) * p.w + w) * p.c + x_channel;
        sum += to_float(in[from]) * to_float(filters[(channel * p.r + r) * p.s + s]);
      }
    }
  }
  if (p.bias != nullptr) sum = relu(sum + to_float(static_cast<const T*>(p.bias)[channel]));
  static_cast<T*>(p.output)[index] = from_float<T>(sum);
}

/// Whether the row kernel takes it.
template <class T>
bool goes_by_rows(const Conv& conv) {
  const Conv2dSize& s = conv.size;
  const auto aligned = [](const void* data) {
    return reinterpret_cast<std::uintptr_t>(data) % 16 == 0;
  };
  const bool small = s.r == kSide && s.s == kSide && s.dilation_h == 1 && s.dilation_w == 1 &&
                     s.stride_h == s.stride_w && s.stride_h <= 2 && s.k == s.c;
  // Backward, filters turned round pad the other side: what is left of the filter.
  const bool turns = s.stride_h == 1 && s.pad_h < kSide && s.pad_w < kSide;
  return small && s.c % kVector<T> == 0 && aligned(conv.inputs[0]) && aligned(conv.inputs[1]) &&
         aligned(bias_of(conv)) && aligned(conv.output) &&
         (conv.op != Conv2dOp::backward_data || turns);
}

template <class T>
PreparedConv prepare_rows(const Conv& conv) {
  const Depthwise d = depthwise_problem(conv);
  const bool backward = conv.op == Conv2dOp::backward_data;
  RowProblem p{};
  p.images = d.images;
  p.channels = d.c;
  p.in_h = backward ? d.p : d.h;
  p.in_w = backward ? d.q : d.w;
  p.out_h = backward ? d.h : d.p;
  p.out_w = backward ? d.w : d.q;
  p.pad_h = backward ? kSide - 1 - d.pad_h : d.pad_h;
  p.pad_w = backward ? kSide - 1 - d.pad_w : d.pad_w;
  p.in = d.first;
  p.filters = d.second;
  p.bias = d.bias;
  p.out = d.output;
  p.vectors = p.channels / kVector<T>;
  p.strips = static_cast<int>(ceil_div(p.out_w, kPixels));
  p.by_vectors = FastDivisor::of(p.vectors);
  p.by_strips = FastDivisor::of(p.strips);
  p.by_rows = FastDivisor::of(p.out_h);
  p.threads = p.images * p.out_h * p.strips * p.vectors;
  const Grid grid = {dim3(static_cast<unsigned>(ceil_div(p.threads, kThreads))), dim3(kThreads),
                     kThreads * kTaps * sizeof(uint4)};
  if (backward) return {prepare_launch(depthwise_row_kernel<T, 1, true>, grid, p), "rows"};
  return {d.stride_h == 1 ? prepare_launch(depthwise_row_kernel<T, 1, false>, grid, p)
                          : prepare_launch(depthwise_row_kernel<T, 2, false>, grid, p),
          "rows"};
}

template <class T>
PreparedConv prepare(const Conv& conv, void* workspace, const Gpu& gpu) {
  if (conv.op == Conv2dOp::backward_weights) {
    return prepare_depthwise_weights<T>(conv, workspace, gpu);
  }
  if (goes_by_rows<T>(conv)) return prepare_rows<T>(conv);
  const Depthwise p = depthwise_problem(conv);
  const bool backward = conv.op == Conv2dOp::backward_data;
  OutputGrid o{};
  o.outputs = static_cast<int>(output_elements(conv));
  o.rows = backward ? p.h : p.p;
  o.columns = backward ? p.w : p.q;
  o.channels = backward ? p.c : p.k;
  o.by_rows = FastDivisor::of(o.rows);
  o.by_columns = FastDivisor::of(o.columns);
  o.by_channels = FastDivisor::of(o.channels);
  o.by_multiplier = FastDivisor::of(p.multiplier);
  const Grid grid = {dim3(static_cast<unsigned>(ceil_div(o.outputs, kThreads))), dim3(kThreads)};
  return {backward ? prepare_launch(depthwise_any_kernel<T, true>, grid, p, o)
                   : prepare_launch(depthwise_any_kernel<T, false>, grid, p, o),
          "output by output"};
}

std::string unsupported(const Conv& conv, const Gpu&) {
  if (!conv.size.depthwise()) return "is for one channel a group alone";
  if (conv.layout != Conv2dLayout::nhwc) {
    return "takes NHWC alone: neighbouring threads take neighbouring channels";
  }
  return beyond_32_bits(conv.size);
}

template <class T>
std::size_t workspace_bytes(const Conv& conv, const Gpu& gpu) {
  return conv.op == Conv2dOp::backward_weights ? depthwise_weights_workspace<T>(conv, gpu) : 0;
}

template <class T>
Rung rung_of(Precision precision) {
  return {"depthwise", precision, 80, kAnyCompute, unsupported, workspace_bytes<T>, prepare<T>};
}

}  // namespace

// tf32 is computed in f32: where memory is what bounds, fewer bits gain nothing.
std::vector<Rung> depthwise_rungs() {
  return {rung_of<float>(Precision::f32), rung_of<float>(Precision::tf32),
          rung_of<bf16>(Precision::bf16), rung_of<f16>(Precision::f16)};
}

}  // namespace breakeven::conv2d
