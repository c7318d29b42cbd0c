// Winograd's F(2x2, 3x3) in f32: 16 multiplications for each 2x2 outputs of a channel, where the
// direct sum takes 36 (Lavin & Gray, "Fast algorithms for convolutional neural networks", CVPR
// 2016). Three passes: both operands are transformed, 16 matrix products, one for each place of the
// 4x4 transforms, run as one launch, and their results are transformed back.
//
// Bounded by issue slots in the products (64 multiply-adds for 4 shared loads and the copies), and
// by memory in the transforms, which write and read 4 times as many bytes as the tensors have. So
// the tiles are taken in chunks whose transforms stay in an L2 cache of some 40 MB.
#include <algorithm>
#include <utility>
#include <vector>

#include "kernels/conv2d/conv_rungs.h"
#include "kernels/conv2d/sgemm_tiles.h"
#include "kernels/conv2d/winograd.h"
#include "kernels/cuda/epilogue.h"

namespace breakeven::conv2d {
namespace {

using matmul::BlockBarrier;
using matmul::Pipeline;
using matmul::SgemmProblem;

constexpr int kPlaces = kWinogradPlaces;
constexpr int kThreads = 128;
constexpr int kStages = 3;
constexpr std::size_t kChunkBytes = std::size_t{32} << 20;
/// Below, single elements of the transforms are large against sums of few products, and so are
/// their roundings.
constexpr std::int64_t kFewestChannels = 16;

/// Rows of the 4x4 matrix B^T d: to[0..3] from a column of d.
__device__ __forceinline__ void transform_input(float (&to)[4], const float (&d)[4]) {
  to[0] = d[0] - d[2];
  to[1] = d[1] + d[2];
  to[2] = d[2] - d[1];
  to[3] = d[1] - d[3];
}

/// Of G g.
__device__ __forceinline__ void transform_filter(float (&to)[4], const float (&g)[3]) {
  const float even = 0.5f * (g[0] + g[2]), odd = 0.5f * g[1];
  to[0] = g[0];
  to[1] = even + odd;
  to[2] = even - odd;
  to[3] = g[2];
}

__global__ void __launch_bounds__(kThreads)
    winograd_filter_kernel(const __grid_constant__ WinogradProblem p) {
  const int index = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (index >= p.k * p.c) return;
  const int k = index / p.c, c = index - k * p.c;
  float columns[3][4];
#pragma unroll
  for (int s = 0; s < 3; ++s) {
    float g[3];
#pragma unroll
    for (int r = 0; r < 3; ++r) {
      const int tap = p.backward ? 8 - (r * 3 + s) : r * 3 + s;
      g[r] = ptx::load_global(p.w + (k * 9 + tap) * p.c + c);
    }
    transform_filter(columns[s], g);
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float row[3] = {columns[0][i], columns[1][i], columns[2][i]};
    float to[4];
    transform_filter(to, row);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      ptx::store_global(p.filters + static_cast<std::int64_t>(i * 4 + j) * p.k * p.c + index,
                        to[j]);
    }
  }
}

struct TilePlace {
  int image, row, column;  ///< of the tile's first output
};

__device__ __forceinline__ TilePlace tile_place(const WinogradProblem& p, int tile) {
  int column = tile;
  int row = p.by_tiles_w.split(column, p.tiles_w);
  const int image = p.by_tiles_h.split(row, p.tiles_h);
  return {image, row * 2, column * 2};
}

__global__ void __launch_bounds__(kThreads)
    winograd_input_kernel(const __grid_constant__ WinogradProblem p) {
  const int index = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (index >= p.tiles * p.in_channels) return;
  int channel = index;
  const int tile = p.by_in_channels.split(channel, p.in_channels);
  const TilePlace at = tile_place(p, p.first_tile + tile);
  const int h0 = at.row - p.pad_h, w0 = at.column - p.pad_w;
  float columns[4][4];
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    float d[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int h = h0 + i, w = w0 + j;
      d[i] = 0;
      if (h >= 0 && h < p.in_h && w >= 0 && w < p.in_w) {
        const std::int64_t pixel = (static_cast<std::int64_t>(at.image) * p.in_h + h) * p.in_w + w;
        d[i] = ptx::load_global(p.in + pixel * p.in_channels + channel);
      }
    }
    transform_input(columns[j], d);
  }
  const std::int64_t stride = static_cast<std::int64_t>(p.tiles) * p.in_channels;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float row[4] = {columns[0][i], columns[1][i], columns[2][i], columns[3][i]};
    float to[4];
    transform_input(to, row);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      ptx::store_global(p.transformed + (i * 4 + j) * stride + index, to[j]);
    }
  }
}

/// A^T m of a column: two sums of four.
__device__ __forceinline__ void transform_output(float (&to)[2], const float (&m)[4]) {
  to[0] = m[0] + m[1] + m[2];
  to[1] = m[1] - m[2] - m[3];
}

__global__ void __launch_bounds__(kThreads)
    winograd_output_kernel(const __grid_constant__ WinogradProblem p) {
  const int index = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  const int outputs = p.tiles * p.out_channels;
  if (index >= outputs) return;
  const std::int64_t stride = outputs;
  int channel = index;
  const int tile = p.by_out_channels.split(channel, p.out_channels);
  const TilePlace at = tile_place(p, p.first_tile + tile);
  float columns[4][2];
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    float m[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) m[i] = ptx::load_global(p.products + (i * 4 + j) * stride + index);
    transform_output(columns[j], m);
  }
  const float bias = p.bias != nullptr ? p.bias[channel] : 0.0f;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float row[4] = {columns[0][i], columns[1][i], columns[2][i], columns[3][i]};
    float to[2];
    transform_output(to, row);
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int h = at.row + i, w = at.column + j;
      if (h >= p.out_h || w >= p.out_w) continue;
      const std::int64_t pixel = (static_cast<std::int64_t>(at.image) * p.out_h + h) * p.out_w + w;
      const float sum = to[j] + bias;
      ptx::store_global(p.out + pixel * p.out_channels + channel,
                        p.bias != nullptr ? relu(sum) : sum);
    }
  }
}

/// Product number blockIdx.y of the 16; the strides are between them. Forward the filters lie with
/// k contiguous, backward with columns contiguous.
template <class Tiles, bool kTransB, bool kVector>
__global__ void __launch_bounds__(Tiles::kThreads, Tiles::kThreads == 128 ? 4
                                                   : kVector              ? 2
                                                                          : 1)
    winograd_sgemm_kernel(const __grid_constant__ SgemmProblem whole, std::int64_t stride_a,
                          std::int64_t stride_b, std::int64_t stride_c) {
  using Loop = Pipeline<Tiles, kStages, false, kTransB, kVector>;
  ptx::SharedMemory shared;
  float* stages = shared.take<float>(Loop::kFloats);
  SgemmProblem p = whole;
  const std::int64_t place = blockIdx.y;
  p.a += place * stride_a;
  p.b += place * stride_b;
  p.c += place * stride_c;
  const TilePosition first = matmul::first_element(p, Tiles::kM, Tiles::kN);
  const int thread = static_cast<int>(threadIdx.x);
  float sums[Tiles::kRows][Tiles::kColumns] = {};
  Loop::run(p, first, {0, 1, matmul::slab_count(p.k, Tiles::kSlab)}, stages, thread, BlockBarrier(),
            sums);
  matmul::store_sums<Tiles>(p, first, thread, sums);
}

template <class Tiles, bool kTransB, bool kVector>
PreparedLaunch prepare_products(const WinogradProblem& p) {
  matmul::Gemm gemm;
  gemm.shape = {p.tiles, p.out_channels, p.in_channels, false, kTransB};
  gemm.a = p.transformed;
  gemm.b = p.filters;
  gemm.c = p.products;
  gemm.lda = p.in_channels;
  gemm.ldb = p.c;
  gemm.ldc = p.out_channels;
  const SgemmProblem whole = matmul::sgemm_problem(gemm, Tiles::kM, Tiles::kN);
  return prepare_launch(
      winograd_sgemm_kernel<Tiles, kTransB, kVector>,
      {dim3(matmul::blocks(whole), kPlaces), dim3(Tiles::kThreads),
       Pipeline<Tiles, kStages, false, kTransB, kVector>::kFloats * sizeof(float)},
      whole, std::int64_t{p.tiles} * p.in_channels, std::int64_t{p.k} * p.c,
      std::int64_t{p.tiles} * p.out_channels);
}

template <class Tiles>
PreparedLaunch prepare_products_of(const WinogradProblem& p) {
  if (!p.backward) return prepare_products<Tiles, true, true>(p);  // copies single floats of both
  return p.c % 4 == 0 ? prepare_products<Tiles, false, true>(p)
                      : prepare_products<Tiles, false, false>(p);
}

std::int64_t padded(std::int64_t floats) { return ceil_div(floats, 64) * 64; }

int tiles_of(const Conv& conv) {
  const Conv2dSize& s = conv.size;
  const bool backward = conv.op == Conv2dOp::backward_data;
  return static_cast<int>(s.n * ceil_div(backward ? s.h : s.p(), 2) *
                          ceil_div(backward ? s.w : s.q(), 2));
}

/// Tiles of a chunk; all chunks but the last have as many.
int chunk_tiles(const Conv& conv) {
  constexpr std::int64_t kMultiple = 128;
  const std::int64_t bytes = kPlaces * (conv.size.c + conv.size.k) * std::int64_t{sizeof(float)};
  const std::int64_t fit = std::int64_t{kChunkBytes} / bytes / kMultiple * kMultiple;
  return static_cast<int>(std::min<std::int64_t>(std::max(fit, kMultiple), tiles_of(conv)));
}

std::size_t workspace_bytes(const Conv& conv, const Gpu&) {
  const Conv2dSize& s = conv.size;
  const std::int64_t tiles = chunk_tiles(conv);
  return static_cast<std::size_t>(padded(kPlaces * s.k * s.c) + padded(kPlaces * tiles * s.c) +
                                  padded(kPlaces * tiles * s.k)) *
         sizeof(float);
}

Grid threads_for(std::int64_t count) {
  return {dim3(static_cast<unsigned>(ceil_div(count, kThreads))), dim3(kThreads)};
}

PreparedConv prepare(const Conv& conv, void* workspace, const Gpu& gpu) {
  return prepare_winograd(winograd_problem(conv, workspace), conv.tiling, gpu);
}

std::string unsupported(const Conv& conv, const Gpu&) {
  const Conv2dSize& s = conv.size;
  if (conv.op == Conv2dOp::backward_weights) return "has no gradient of the filters";
  if (conv.layout != Conv2dLayout::nhwc) return "takes NHWC alone";
  if (s.r != 3 || s.s != 3) return "is for filters of 3x3";
  if (s.stride_h != 1 || s.stride_w != 1 || s.dilation_h != 1 || s.dilation_w != 1) {
    return "is for stride 1 and dilation 1";
  }
  if (s.groups != 1) return "is for one group";
  if (s.pad_h > 1 || s.pad_w > 1) return "is for a padding of 1 at most";
  if ((conv.op == Conv2dOp::backward_data ? s.k : s.c) < kFewestChannels) {
    return "needs 16 channels or more, for its roundings to average out";
  }
  return beyond_32_bits(s);
}

}  // namespace

WinogradProblem winograd_problem(const Conv& conv, void* workspace) {
  const Conv2dSize& s = conv.size;
  const auto to_int = [](std::int64_t value) { return static_cast<int>(value); };
  WinogradProblem p{};
  p.backward = conv.op == Conv2dOp::backward_data;
  p.in_h = to_int(s.h), p.in_w = to_int(s.w), p.in_channels = to_int(s.c);
  p.out_h = to_int(s.p()), p.out_w = to_int(s.q()), p.out_channels = to_int(s.k);
  p.pad_h = to_int(s.pad_h), p.pad_w = to_int(s.pad_w);
  if (p.backward) {
    std::swap(p.in_h, p.out_h);
    std::swap(p.in_w, p.out_w);
    std::swap(p.in_channels, p.out_channels);
    p.pad_h = 2 - p.pad_h;
    p.pad_w = 2 - p.pad_w;
  }
  p.tiles_h = (p.out_h + 1) / 2;
  p.tiles_w = (p.out_w + 1) / 2;
  p.all_tiles = tiles_of(conv);
  p.chunk = chunk_tiles(conv);
  p.by_tiles_h = FastDivisor::of(p.tiles_h);
  p.by_tiles_w = FastDivisor::of(p.tiles_w);
  p.by_in_channels = FastDivisor::of(p.in_channels);
  p.by_out_channels = FastDivisor::of(p.out_channels);
  p.k = to_int(s.k), p.c = to_int(s.c);
  p.in = static_cast<const float*>(conv.inputs[0]);
  p.w = static_cast<const float*>(conv.inputs[1]);
  p.bias = static_cast<const float*>(bias_of(conv));
  p.out = static_cast<float*>(conv.output);
  p.filters = static_cast<float*>(workspace);
  p.transformed = p.filters + padded(kPlaces * s.k * s.c);
  p.products = p.transformed + padded(std::int64_t{kPlaces} * chunk_tiles(conv) * p.in_channels);
  return p;
}

PreparedConv prepare_winograd(WinogradProblem p, int tiling, const Gpu& gpu) {
  PreparedLaunch launches =
      prepare_launch(winograd_filter_kernel, threads_for(std::int64_t{p.k} * p.c), p);
  const std::int64_t large_blocks =
      kPlaces * ceil_div(p.chunk, LargeTiles::kM) * ceil_div(p.out_channels, LargeTiles::kN);
  const bool fills = p.out_channels > SmallTiles::kN && large_blocks >= 2 * gpu.sms;
  const bool is_large = tiling < 0 ? fills : tiling == 0;
  for (p.first_tile = 0; p.first_tile < p.all_tiles; p.first_tile += p.chunk) {
    p.tiles = std::min(p.chunk, p.all_tiles - p.first_tile);
    const Grid input = threads_for(std::int64_t{p.tiles} * p.in_channels);
    const Grid output = threads_for(std::int64_t{p.tiles} * p.out_channels);
    launches = in_order(std::move(launches), prepare_launch(winograd_input_kernel, input, p));
    launches = in_order(std::move(launches), is_large ? prepare_products_of<LargeTiles>(p)
                                                      : prepare_products_of<SmallTiles>(p));
    launches = in_order(std::move(launches), prepare_launch(winograd_output_kernel, output, p));
  }
  return {std::move(launches), std::string(is_large ? "128x128" : "64x64") + ", tiles in " +
                                   std::to_string(ceil_div(p.all_tiles, p.chunk)) + " chunks"};
}

Rung winograd_rung() {
  return {"winograd",  Precision::f32,  80,      kAnyCompute,
          unsupported, workspace_bytes, prepare, {"128x128", "64x64"}};
}

}  // namespace breakeven::conv2d
