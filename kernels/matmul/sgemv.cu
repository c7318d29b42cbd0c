// Products with a vector (m = 1 or n = 1). Bounded by memory: each element of the matrix is read
// once and used once, so all that counts is how many loads are under way, and that neighbouring
// lanes read neighbours. k is cut among blocks where the outputs alone are too few for that.
#include <algorithm>
#include <utility>

#include "kernels/matmul/sgemm_reduce.h"
#include "kernels/matmul/sgemm_rungs.h"

namespace breakeven::matmul {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = 32 * kWarps;
constexpr int kChunk = 512;  // a part of k is a multiple of this
constexpr int kBlocksPerSm = 8;
constexpr int kMostSplits = 64;

/// out[i * out_stride] = sum over l of matrix(i, l) x[l * x_stride], which along_k decides to be
/// matrix[i * ld + l], or else matrix[l * ld + i].
struct Gemv {
  const float* matrix;
  const float* x;
  float* out;
  const float* bias;
  int outputs, k, chunk;
  std::int64_t ld, x_stride, out_stride;
  std::int64_t part_stride;  ///< from one part's outputs to the next one's
  int bias_stride;           ///< 0 where all outputs are in one column of C
  Epilogue epilogue;
  bool along_k, vector;
};

__device__ void store_output(const Gemv& g, int part, int i, float sum) {
  const float bias =
      g.epilogue == Epilogue::none ? 0.0f : g.bias[static_cast<std::int64_t>(i) * g.bias_stride];
  g.out[part * g.part_stride + i * g.out_stride] = apply_epilogue(g.epilogue, sum, bias);
}

/// The matrix runs along k: a warp computes one output. kVector: rows fall into aligned groups of
/// four floats, and so does x.
template <bool kVector>
__global__ void __launch_bounds__(kThreads) sgemv_along_k_kernel(Gemv g) {
  const int i = static_cast<int>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (i >= g.outputs) return;
  const float* row = g.matrix + i * g.ld;
  const int part = static_cast<int>(blockIdx.y);
  const int begin = part * g.chunk;
  const int end = g.k - begin < g.chunk ? g.k : begin + g.chunk;
  float sum = 0;
  if constexpr (kVector) {
#pragma unroll 4
    for (int l = begin + 4 * lane; l < end; l += 128) {
      const float4 a = ptx::load_global(reinterpret_cast<const float4*>(row + l));
      const float4 b = ptx::load_global(reinterpret_cast<const float4*>(g.x + l));
      sum = fmaf(a.x, b.x, fmaf(a.y, b.y, fmaf(a.z, b.z, fmaf(a.w, b.w, sum))));
    }
  } else {
#pragma unroll 8
    for (int l = begin + lane; l < end; l += 32) sum = fmaf(row[l], g.x[l * g.x_stride], sum);
  }
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    sum += __shfl_xor_sync(0xffffffffu, sum, distance);
  }
  if (lane == 0) store_output(g, part, i, sum);
}

/// The matrix runs along the outputs: a warp's lanes compute 32 groups of kWidth neighbours over
/// every eighth row, and the block's warps then add up.
template <int kWidth>
__global__ void __launch_bounds__(kThreads) sgemv_across_kernel(Gemv g) {
  ptx::SharedMemory shared;
  float* sums = shared.take<float>(kWarps * 32 * kWidth);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int first = static_cast<int>(blockIdx.x) * 32 * kWidth;
  const int i = first + lane * kWidth;
  const int part = static_cast<int>(blockIdx.y);
  const int begin = part * g.chunk;
  const int end = g.k - begin < g.chunk ? g.k : begin + g.chunk;
  float sum[kWidth] = {};
  if (i < g.outputs) {
#pragma unroll 8
    for (int l = begin + warp; l < end; l += kWarps) {
      const float x = g.x[l * g.x_stride];
      const float* from = g.matrix + l * g.ld + i;
      if constexpr (kWidth == 4) {
        const float4 v = ptx::load_global(reinterpret_cast<const float4*>(from));
        sum[0] = fmaf(v.x, x, sum[0]);
        sum[1] = fmaf(v.y, x, sum[1]);
        sum[2] = fmaf(v.z, x, sum[2]);
        sum[3] = fmaf(v.w, x, sum[3]);
      } else {
        sum[0] = fmaf(*from, x, sum[0]);
      }
    }
  }
#pragma unroll
  for (int j = 0; j < kWidth; ++j) sums[(warp * kWidth + j) * 32 + lane] = sum[j];
  __syncthreads();
  const int output = static_cast<int>(threadIdx.x);
  if (output >= 32 * kWidth || first + output >= g.outputs) return;
  float total = 0;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) {
    total += sums[(w * kWidth + output % kWidth) * 32 + output / kWidth];
  }
  store_output(g, part, first + output, total);
}

Gemv gemv_of(const Gemm& gemm) {
  const GemmShape& s = gemm.shape;
  const bool row =
      s.m == 1;  // C is a row: op(B)^T times a row of A; else op(A) times a column of B
  Gemv g;
  g.matrix = static_cast<const float*>(row ? gemm.b : gemm.a);
  g.x = static_cast<const float*>(row ? gemm.a : gemm.b);
  g.out = static_cast<float*>(gemm.c);
  g.bias = static_cast<const float*>(gemm.bias);
  g.outputs = static_cast<int>(row ? s.n : s.m);
  g.k = static_cast<int>(s.k);
  g.chunk = g.k;
  g.ld = row ? gemm.ldb : gemm.lda;
  g.x_stride = row ? (s.trans_a ? gemm.lda : 1) : (s.trans_b ? 1 : gemm.ldb);
  g.out_stride = row ? 1 : gemm.ldc;
  g.part_stride = 0;
  g.bias_stride = row ? 1 : 0;
  g.epilogue = gemm.epilogue;
  g.along_k = row ? s.trans_b : !s.trans_a;
  g.vector = whole_vectors(g.matrix, g.along_k ? g.k : g.outputs, g.ld) &&
             (!g.along_k || (g.x_stride == 1 && whole_vectors(g.x, g.k, 4)));
  return g;
}

int outputs_per_block(const Gemv& g) { return g.along_k ? kWarps : g.vector ? 128 : 32; }

// As many parts as it takes to have several blocks on each multiprocessor.
int splits_of(const Gemv& g, const Gpu& gpu) {
  const std::int64_t blocks = ceil_div(g.outputs, outputs_per_block(g));
  const std::int64_t wanted = ceil_div(std::int64_t{kBlocksPerSm} * gpu.sms, blocks);
  const std::int64_t chunks = ceil_div(g.k, kChunk);
  const std::int64_t most = std::min<std::int64_t>({wanted, chunks, kMostSplits});
  const std::int64_t chunk = ceil_div(chunks, std::max<std::int64_t>(most, 1));  // in kChunks
  return static_cast<int>(ceil_div(chunks, chunk));
}

std::string unsupported(const Gemm& gemm, const Gpu& gpu) {
  if (gemm.shape.m != 1 && gemm.shape.n != 1) return "neither m nor n is 1";
  return sgemm_sizes(gemm, gpu);
}

std::size_t workspace_bytes(const Gemm& gemm, const Gpu& gpu) {
  return partial_bytes(gemm.shape, splits_of(gemv_of(gemm), gpu));
}

PreparedLaunch prepare_gemv(const Gemv& g, int splits) {
  const dim3 grid(static_cast<unsigned>(ceil_div(g.outputs, outputs_per_block(g))),
                  static_cast<unsigned>(splits));
  const dim3 threads(kThreads);
  if (g.along_k) {
    return prepare_launch(g.vector ? sgemv_along_k_kernel<true> : sgemv_along_k_kernel<false>,
                          {grid, threads}, g);
  }
  constexpr std::size_t kBytes = std::size_t{kWarps} * 32 * sizeof(float);
  return g.vector ? prepare_launch(sgemv_across_kernel<4>, {grid, threads, 4 * kBytes}, g)
                  : prepare_launch(sgemv_across_kernel<1>, {grid, threads, kBytes}, g);
}

PreparedGemm prepare(const Gemm& gemm, void* workspace, const Gpu& gpu) {
  Gemv g = gemv_of(gemm);
  const int splits = splits_of(g, gpu);
  if (splits > 1) {
    g.chunk = static_cast<int>(ceil_div(ceil_div(g.k, kChunk), splits)) * kChunk;
    g.out = static_cast<float*>(workspace);
    g.out_stride = 1;
    g.part_stride = g.outputs;
    g.epilogue = Epilogue::none;
  }
  PreparedLaunch multiply = prepare_gemv(g, splits);
  if (splits == 1) return {std::move(multiply), parts_text(splits)};
  return {
      in_order(std::move(multiply), reduce_partials(sgemm_problem(gemm, 32, 32), g.out, splits)),
      parts_text(splits)};
}

}  // namespace

const Rung& sgemv() {
  static const Rung rung = {"sgemv",     Precision::f32,  80,     kAnyCompute,
                            unsupported, workspace_bytes, prepare};
  return rung;
}

}  // namespace breakeven::matmul
