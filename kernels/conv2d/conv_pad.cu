// Bounded by memory, mostly by what is written.
#include <cstdint>

#include "kernels/conv2d/conv_pad.h"
#include "kernels/conv2d/fast_divisor.h"

namespace breakeven::conv2d {
namespace {

constexpr int kThreads = 256;

/// A vector of `to` a thread; by_vectors divides by vectors_a_row.
template <class Bits>
__global__ void __launch_bounds__(kThreads)
    pad_channels_kernel(const Bits* from, uint4* to, int vectors, int vectors_a_row,
                        FastDivisor by_vectors, int channels) {
  constexpr int kVector = 16 / static_cast<int>(sizeof(Bits));
  const int i = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (i >= vectors) return;
  int first = i;
  const int row = by_vectors.split(first, vectors_a_row);
  first *= kVector;
  std::uint32_t words[4] = {};
#pragma unroll
  for (int j = 0; j < kVector; ++j) {
    const std::uint32_t bits = first + j < channels ? from[row * channels + first + j] : Bits{0};
    words[j * 4 / kVector] |= bits << (j * static_cast<int>(sizeof(Bits)) % 4 * 8);
  }
  ptx::store_global(to + i, make_uint4(words[0], words[1], words[2], words[3]));
}

template <class Bits>
PreparedLaunch prepare(const void* from, void* to, std::int64_t rows, int channels, int padded) {
  const int vectors_a_row = padded * static_cast<int>(sizeof(Bits)) / 16;
  const std::int64_t vectors = rows * vectors_a_row;
  return prepare_launch(pad_channels_kernel<Bits>,
                        {dim3(static_cast<unsigned>(ceil_div(vectors, kThreads))), dim3(kThreads)},
                        static_cast<const Bits*>(from), static_cast<uint4*>(to), vectors,
                        vectors_a_row, FastDivisor::of(vectors_a_row), channels);
}

}  // namespace

PreparedLaunch prepare_padding(const void* from, void* to, std::int64_t rows, int channels,
                               int padded, int element_bytes) {
  if (element_bytes == 1) return prepare<std::uint8_t>(from, to, rows, channels, padded);
  if (element_bytes == 2) return prepare<std::uint16_t>(from, to, rows, channels, padded);
  return prepare<std::uint32_t>(from, to, rows, channels, padded);
}

}  // namespace breakeven::conv2d
