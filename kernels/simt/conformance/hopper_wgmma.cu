// Conformance of wgmma: every type and width, operands stored along k and along m and n, in every
// swizzle. The operands are small integers, whose sums every order of adding gives exactly, in the
// 14 bits too that are left of a sum of fp8; fractions of fp8 have a limit that both keep, sums of
// 14 bits and better ones.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "kernels/simt/conformance/check.h"

namespace breakeven::conformance {
namespace {

/// A and B lie in rows of `width` bytes: along k [64 or n][k], else [k][64 or n] in boxes.
template <class T, int kN, bool kAlongM, bool kAlongN, ptx::Swizzle kSwizzle>
struct Form {
  static constexpr int width = kSwizzle == ptx::Swizzle::b128  ? 128
                               : kSwizzle == ptx::Swizzle::b64 ? 64
                                                               : 32;
  static constexpr int per_row = width / static_cast<int>(sizeof(T));
  // Along m or n a box is as deep as it is wide, whatever the swizzle; k is the same for both.
  static constexpr int depth = kAlongM || kAlongN ? 64 : per_row;
  static constexpr int steps = depth * static_cast<int>(sizeof(T)) / 32;
  static constexpr int bytes_a = 64 * depth * static_cast<int>(sizeof(T));
  static constexpr int bytes_b = kN * depth * static_cast<int>(sizeof(T));
};

template <class T, int kN, bool kAlongM, bool kAlongN, ptx::Swizzle kSwizzle>
__global__ void multiply(const __grid_constant__ ptx::TensorMap map_a,
                         const __grid_constant__ ptx::TensorMap map_b, float* c) {
  using F = Form<T, kN, kAlongM, kAlongN, kSwizzle>;
  ptx::SharedMemory shared;
  char* const a = shared.take<char>(F::bytes_a, 1024);
  char* const b = shared.take<char>(F::bytes_b, 1024);
  ptx::Mbarrier* const full = shared.take<ptx::Mbarrier>(1);
  const int me = static_cast<int>(threadIdx.x);
  if (me == 0) {
    ptx::mbarrier_init(full, 1);
    ptx::mbarrier_fence_init();
    ptx::mbarrier_arrive_expect_tx(full, F::bytes_a + F::bytes_b);
    // Boxes are `width` bytes wide, one behind the other along the contiguous direction.
    for (int at = 0; at < (kAlongM ? 64 : F::depth); at += F::per_row) {
      ptx::tma_load(a + at * (kAlongM ? F::depth : 64) * static_cast<int>(sizeof(T)), map_a, full,
                    at, 0);
    }
    for (int at = 0; at < (kAlongN ? kN : F::depth); at += F::per_row) {
      ptx::tma_load(b + at * (kAlongN ? F::depth : kN) * static_cast<int>(sizeof(T)), map_b, full,
                    at, 0);
    }
  }
  __syncthreads();
  ptx::mbarrier_wait(full, 0);
  float d[kN / 2];
  for (int i = 0; i < kN / 2; ++i) d[i] = 1.0f;
  ptx::wgmma_hold(d);
  ptx::wgmma_fence();
#pragma unroll
  for (int step = 0; step < F::steps; ++step) {
    // 32 bytes of k: along k within a row, or in the next box; else 16 rows on.
    const int along_k = step * 32 % F::width + step * 32 / F::width * F::width;
    const int place_a =
        kAlongM ? step * 16 * F::width : along_k % F::width + along_k / F::width * 64 * F::width;
    const int place_b =
        kAlongN ? step * 16 * F::width : along_k % F::width + along_k / F::width * kN * F::width;
    ptx::wgmma<T, kN, kAlongM, kAlongN>(
        d, ptx::wgmma_descriptor(a + place_a, F::depth * F::width, 8 * F::width, kSwizzle),
        ptx::wgmma_descriptor(b + place_b, F::depth * F::width, 8 * F::width, kSwizzle), true);
  }
  ptx::wgmma_commit();
  ptx::wgmma_wait<0>();
  ptx::wgmma_hold(d);
  for (int i = 0; i < kN / 2; ++i) {
    const int row = 16 * (me / 32) + 8 * (i / 2 % 2) + me % 32 / 4;
    c[row * kN + 8 * (i / 4) + 2 * (me % 4) + i % 2] = d[i];
  }
}

template <class T>
std::vector<T> elements(const std::vector<int>& values) {
  std::vector<T> out(values.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = from_float<T>(static_cast<float>(values[i]));
  }
  return out;
}

template <class T, int kN, bool kAlongM = false, bool kAlongN = false,
          ptx::Swizzle kSwizzle = ptx::Swizzle::b128>
std::string check_wgmma(std::uint64_t seed) {
  using F = Form<T, kN, kAlongM, kAlongN, kSwizzle>;
  Random random(seed);
  const auto a = random_integers(random, 64 * F::depth, 8);
  const auto b = random_integers(random, kN * F::depth, 8);
  std::vector<float> expected(64 * kN);
  for (int row = 0; row < 64; ++row) {
    for (int column = 0; column < kN; ++column) {
      int sum = 1;
      for (int k = 0; k < F::depth; ++k) {
        sum += a[static_cast<std::size_t>(kAlongM ? k * 64 + row : row * F::depth + k)] *
               b[static_cast<std::size_t>(kAlongN ? k * kN + column : column * F::depth + k)];
      }
      expected[static_cast<std::size_t>(row * kN + column)] = static_cast<float>(sum);
    }
  }
  DeviceArray<T> device_a(elements<T>(a));
  DeviceArray<T> device_b(elements<T>(b));
  DeviceArray<float> c(expected.size());
  const auto map = [](const T* data, int size, bool along) {
    return along ? ptx::make_tensor_map(data, F::depth, size, size, F::depth, F::per_row, kSwizzle)
                 : ptx::make_tensor_map(data, size, F::depth, F::depth, size, F::per_row, kSwizzle);
  };
  launch(multiply<T, kN, kAlongM, kAlongN, kSwizzle>,
         {dim3(1), dim3(128), F::bytes_a + F::bytes_b + 64}, {}, map(device_a.data(), 64, kAlongM),
         map(device_b.data(), kN, kAlongN), c.data());
  return compare(c.values(), expected);
}

// Fractions: every instruction's 32 products and the sum so far may each lose less than one in the
// 14th bit of the largest of them, and so may the total.
std::string check_fp8_sums(std::uint64_t seed) {
  constexpr int kN = 128;
  constexpr int kDepth = 128;
  Random random(seed);
  const auto draw = [&](std::size_t count) {
    std::vector<e4m3> values(count);
    for (e4m3& value : values) {
      value = from_float<e4m3>(static_cast<float>(random.below(2001)) / 1000 - 1);
    }
    return values;
  };
  const auto a = draw(64 * kDepth);
  const auto b = draw(kN * kDepth);
  DeviceArray<e4m3> device_a(a);
  DeviceArray<e4m3> device_b(b);
  DeviceArray<float> c(64 * kN);
  using F = Form<e4m3, kN, false, false, ptx::Swizzle::b128>;
  launch(multiply<e4m3, kN, false, false, ptx::Swizzle::b128>,
         {dim3(1), dim3(128), F::bytes_a + F::bytes_b + 64}, {},
         ptx::make_tensor_map(device_a.data(), 64, kDepth, kDepth, 64, kDepth),
         ptx::make_tensor_map(device_b.data(), kN, kDepth, kDepth, kN, kDepth), c.data());
  const std::vector<float> got = c.values();
  for (std::size_t i = 0; i < got.size(); ++i) {
    double sum = 1;
    double limit = 0;
    for (std::size_t step = 0; step < kDepth; step += 32) {
      double largest = std::fabs(sum) + limit;
      for (std::size_t k = step; k < step + 32; ++k) {
        const double product = to_float(a[i / kN * kDepth + k]) * to_float(b[i % kN * kDepth + k]);
        largest = std::max(largest, std::fabs(product));
        sum += product;
      }
      limit += 34 * 0x1p-13 * std::max(largest, std::fabs(sum));
    }
    if (std::fabs(got[i] - sum) <= limit) continue;
    return "element " + std::to_string(i) + " is " + std::to_string(got[i]) + ", expected " +
           std::to_string(sum) + " within " + std::to_string(limit);
  }
  return "";
}

// A [64,16] and B [16,64] unswizzled, written by the threads themselves.
template <bool kAlong>
__global__ void multiply_plain(const int* a, const int* b, float* c) {
  ptx::SharedMemory shared;
  bf16* const tile_a = shared.take<bf16>(1024, 1024);
  bf16* const tile_b = shared.take<bf16>(1024, 1024);
  const int me = static_cast<int>(threadIdx.x);
  for (int i = me; i < 1024; i += 128) {
    // 8x8 matrices of 128 bytes: along k two side by side, then the next 8 rows; else each row of a
    // matrix is a step of k.
    const int row = i / 16, k = i % 16;
    const int inside = kAlong ? k % 8 * 8 + row % 8 : row % 8 * 8 + k % 8;
    const int place = row / 8 * 128 + k / 8 * 64 + inside;
    tile_a[place] = from_float<bf16>(static_cast<float>(a[i]));
    tile_b[place] = from_float<bf16>(static_cast<float>(b[i]));
  }
  ptx::fence_async_proxy();
  __syncthreads();
  float d[32];
  ptx::wgmma_fence();
  ptx::wgmma<bf16, 64, kAlong, kAlong>(
      d, ptx::wgmma_descriptor(tile_a, 128, 256, ptx::Swizzle::none),
      ptx::wgmma_descriptor(tile_b, 128, 256, ptx::Swizzle::none), false);
  ptx::wgmma_commit();
  ptx::wgmma_wait<0>();
  ptx::wgmma_hold(d);
  for (int i = 0; i < 32; ++i) {
    const int row = 16 * (me / 32) + 8 * (i / 2 % 2) + me % 32 / 4;
    c[row * 64 + 8 * (i / 4) + 2 * (me % 4) + i % 2] = d[i];
  }
}

template <bool kAlong>
std::string check_plain(std::uint64_t seed) {
  Random random(seed);
  const auto a = random_integers(random, 1024, 8);
  const auto b = random_integers(random, 1024, 8);
  std::vector<float> expected(64 * 64);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    int sum = 0;
    for (std::size_t k = 0; k < 16; ++k) sum += a[i / 64 * 16 + k] * b[i % 64 * 16 + k];
    expected[i] = static_cast<float>(sum);
  }
  DeviceArray<int> device_a(a);
  DeviceArray<int> device_b(b);
  DeviceArray<float> c(expected.size());
  launch(multiply_plain<kAlong>, {dim3(1), dim3(128), 4096}, {}, device_a.data(), device_b.data(),
         c.data());
  return compare(c.values(), expected);
}

}  // namespace

std::vector<Check> hopper_wgmma_checks() {
  using ptx::Swizzle;
  return {{"wgmma<bf16, 64>", 90, 90, check_wgmma<bf16, 64>},
          {"wgmma<bf16, 128>", 90, 90, check_wgmma<bf16, 128>},
          {"wgmma<bf16, 192>", 90, 90, check_wgmma<bf16, 192>},
          {"wgmma<bf16, 256>", 90, 90, check_wgmma<bf16, 256>},
          {"wgmma<f16, 256>", 90, 90, check_wgmma<f16, 256>},
          {"wgmma<float, 64>", 90, 90, check_wgmma<float, 64>},
          {"wgmma<float, 256>", 90, 90, check_wgmma<float, 256>},
          {"wgmma<e4m3, 128>", 90, 90, check_wgmma<e4m3, 128>},
          {"wgmma<e4m3, 256>", 90, 90, check_wgmma<e4m3, 256>},
          {"wgmma<e4m3>, sums of fractions", 90, 90, check_fp8_sums},
          {"wgmma, A along m", 90, 90, check_wgmma<bf16, 128, true, false>},
          {"wgmma, B along n", 90, 90, check_wgmma<f16, 128, false, true>},
          {"wgmma, both transposed", 90, 90, check_wgmma<bf16, 256, true, true>},
          {"wgmma, 64-byte swizzle", 90, 90, check_wgmma<f16, 64, false, false, Swizzle::b64>},
          {"wgmma, 64 bytes, transposed", 90, 90, check_wgmma<f16, 64, true, true, Swizzle::b64>},
          {"wgmma, 32-byte swizzle", 90, 90, check_wgmma<bf16, 64, false, false, Swizzle::b32>},
          {"wgmma, 32 bytes, transposed", 90, 90, check_wgmma<bf16, 64, true, true, Swizzle::b32>},
          {"wgmma, not swizzled", 90, 90, check_plain<false>},
          {"wgmma, not swizzled, transposed", 90, 90, check_plain<true>}};
}

}  // namespace breakeven::conformance
