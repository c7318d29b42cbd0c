// Sums down the columns of a matrix in two stages and a fixed order: gradients of biases, gains and
// shifts, statistics of batch normalisation. Bounded by memory: what the source reads.
//
// A source is a plain struct with kSums and add<kVector>(row, column, sums), called once for each
// vector of each row by one thread, which may also store what it computes on the way. A finish is
// one with operator()(column, const float (&sums)[kSums]) const.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/training/training.h"
#include "kernels/training/vectors.h"

namespace breakeven::training {

inline constexpr int kColumnThreads = 256;

/// How the rows are cut: by the sizes alone, so that the order of the sums doesn't depend on the
/// GPU. 64 rows a part, and more where that would make more than
/// 1024 blocks.
struct ColumnParts {
  int rows_per_part;
  int parts;
};

inline ColumnParts column_parts(std::int64_t rows, std::int64_t columns) {
  const std::int64_t wide = std::clamp<std::int64_t>(columns / 128, 1, 16);
  const std::int64_t parts = std::clamp<std::int64_t>(rows / 64, 1, 1024 / wide);
  const std::int64_t per_part = ceil_div(rows, parts);
  return {static_cast<int>(per_part), static_cast<int>(ceil_div(rows, per_part))};
}

/// Bytes: [parts, sums, columns] of f32.
inline std::size_t column_sums_workspace(std::int64_t rows, std::int64_t columns, int sums) {
  return static_cast<std::size_t>(column_parts(rows, columns).parts * sums * columns) *
         sizeof(float);
}

/// The sums of a block's threads (lanes in x, rows in y): each of kCount values of a lane over all
/// rows, the rows in their order. f(lane, index, sum) is called once for each by some thread.
template <int kCount, class F>
__device__ __forceinline__ void sum_thread_rows(const float (&own)[kCount], float* scratch, F f) {
  const int lanes = static_cast<int>(blockDim.x), rows = static_cast<int>(blockDim.y);
  const int lane = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    ptx::store_shared(scratch + (row * kCount + i) * lanes + lane, own[i]);
  }
  __syncthreads();
  for (int i = row; i < kCount; i += rows) {
    float sum = 0;
    for (int r = 0; r < rows; ++r)
      sum += ptx::load_shared(scratch + (r * kCount + i) * lanes + lane);
    f(lane, i, sum);
  }
}

/// Part blockIdx.y of the rows, and as many vectors of columns as the block has lanes. Three blocks
/// a multiprocessor: left to itself the compiler aims at four for sm_120, and spills.
template <class Source, int kVector>
__global__ void __launch_bounds__(kColumnThreads, 3)
    column_parts_kernel(const __grid_constant__ Source source, int rows, int columns,
                        int rows_per_part, float* partial) {
  constexpr int kSums = Source::kSums;
  ptx::SharedMemory memory;
  float* scratch = memory.take<float>(kColumnThreads * kSums * kVector);
  const int lanes = static_cast<int>(blockDim.x);
  const int first = static_cast<int>(blockIdx.x) * lanes;
  const int column = (first + static_cast<int>(threadIdx.x)) * kVector;
  const int part = static_cast<int>(blockIdx.y);
  const int begin = part * rows_per_part, end = min(rows, begin + rows_per_part);
  float sums[kSums][kVector] = {};
  if (column < columns) {
#pragma unroll 4
    for (int row = begin + static_cast<int>(threadIdx.y); row < end;
         row += static_cast<int>(blockDim.y)) {
      source.template add<kVector>(row, column, sums);
    }
  }
  float flat[kSums * kVector];
#pragma unroll
  for (int i = 0; i < kSums * kVector; ++i) flat[i] = sums[i / kVector][i % kVector];
  sum_thread_rows(flat, scratch, [&](int lane, int i, float sum) {
    const int at = (first + lane) * kVector + i % kVector;
    if (at < columns)
      partial[(part * kSums + i / kVector) * static_cast<std::int64_t>(columns) + at] = sum;
  });
}

/// A column a lane: adds up the parts and hands the sums to `finish`.
template <int kSums, class Finish>
__global__ void __launch_bounds__(kColumnThreads)
    column_finish_kernel(const __grid_constant__ Finish finish, int columns, int parts,
                         const float* partial) {
  ptx::SharedMemory memory;
  float* scratch = memory.take<float>(kColumnThreads * kSums);
  const int lanes = static_cast<int>(blockDim.x), rows = static_cast<int>(blockDim.y);
  const int lane = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
  const int column = static_cast<int>(blockIdx.x) * lanes + lane;
  float own[kSums] = {};
  if (column < columns) {
#pragma unroll 4
    for (int part = row; part < parts; part += rows) {
#pragma unroll
      for (int s = 0; s < kSums; ++s) {
        own[s] += partial[(part * kSums + s) * static_cast<std::int64_t>(columns) + column];
      }
    }
  }
#pragma unroll
  for (int s = 0; s < kSums; ++s) {
    ptx::store_shared(scratch + (row * kSums + s) * lanes + lane, own[s]);
  }
  __syncthreads();
  if (row > 0 || column >= columns) return;
  for (int other = 1; other < rows; ++other) {
#pragma unroll
    for (int s = 0; s < kSums; ++s) {
      own[s] += ptx::load_shared(scratch + (other * kSums + s) * lanes + lane);
    }
  }
  finish(column, own);
}

/// The finish that stores each sum; a nullptr is skipped.
template <int kSums>
struct StoreSums {
  float* to[kSums];

  __device__ void operator()(int column, const float (&sums)[kSums]) const {
#pragma unroll
    for (int s = 0; s < kSums; ++s) {
      if (to[s] != nullptr) to[s][column] = sums[s];
    }
  }
};

/// Both stages. `workspace`: column_sums_workspace() bytes. columns is a multiple of kVector.
template <int kVector, class Source, class Finish>
PreparedLaunch prepare_column_sums(const Source& source, const Finish& finish, std::int64_t rows,
                                   std::int64_t columns, void* workspace) {
  constexpr int kSums = Source::kSums;
  const ColumnParts cut = column_parts(rows, columns);
  const std::int64_t vectors = columns / kVector;
  int lanes = 1;
  while (lanes < 32 && lanes < vectors) lanes *= 2;
  auto* partial = static_cast<float*>(workspace);
  const Grid first = {
      dim3(static_cast<unsigned>(ceil_div(vectors, lanes)), static_cast<unsigned>(cut.parts)),
      dim3(static_cast<unsigned>(lanes), static_cast<unsigned>(kColumnThreads / lanes)),
      kColumnThreads * kSums * kVector * sizeof(float)};
  const Grid second = {dim3(static_cast<unsigned>(ceil_div(columns, 32))), dim3(32, 8),
                       kColumnThreads * kSums * sizeof(float)};
  return in_order(
      prepare_launch(column_parts_kernel<Source, kVector>, first, source, static_cast<int>(rows),
                     static_cast<int>(columns), cut.rows_per_part, partial),
      prepare_launch(column_finish_kernel<kSums, Finish>, second, finish, static_cast<int>(columns),
                     cut.parts, partial));
}

}  // namespace breakeven::training
