// For tests: a small product by TMA, barriers and wgmma, right or with one mistake planted in it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/primitives.h"

namespace breakeven::simt {

/// Why tests are skipped whose faults are races: a report of ThreadSanitizer's, which
/// sanitizer_test.cpp looks for, ends their process with an error.
inline constexpr char kPlantedRaces[] = "ThreadSanitizer reports what is planted here";

enum class Mistake {
  none,
  no_full_wait,     // multiplies without waiting for the copy
  no_empty_wait,    // loads without waiting for the multiplication
  early_release,    // releases the stage before the multiplication has ended
  same_parity,      // waits for phase 0 of a stage again and again
  no_wgmma_wait,    // stores the sums, never having waited
  late_wgmma_wait,  // stores the sums, then waits
  no_wgmma_fence,
  few_bytes,   // announces less than is loaded
  many_bytes,  // announces more
  extra_arrival,
  no_arrival,  // never announces
  no_fence_init,
  no_init,
  barrier_overwritten,
  wrong_stride,    // descriptor
  no_swizzle,      // descriptor
  half_a_group,    // 64 threads skip a wgmma
  other_operands,  // one warp multiplies something else
};

template <class T, int kN>
struct ProductShape {
  static constexpr int kDepth = 128 / static_cast<int>(sizeof(T));  // k of one stage
  static constexpr int kBytesA = 64 * 128;
  static constexpr int kBytesB = kN * 128;
  static constexpr int kSharedBytes = 2 * (kBytesA + kBytesB) + 1024;
};

/// c[64,kN] = A B over `tiles` stages, by 128 threads that load and 128 that multiply.
template <class T, int kN, int kTransA, int kTransB, Mistake kMistake>
__global__ void product(const __grid_constant__ ptx::TensorMap a,
                        const __grid_constant__ ptx::TensorMap b, float* c, int tiles) {
  using Shape = ProductShape<T, kN>;
  ptx::SharedMemory shared;
  auto* const a_stages = shared.take<char>(2 * Shape::kBytesA, 1024);
  auto* const b_stages = shared.take<char>(2 * Shape::kBytesB, 1024);
  auto* const full = shared.take<ptx::Mbarrier>(2);
  auto* const empty = shared.take<ptx::Mbarrier>(2);
  if (threadIdx.x == 0 && kMistake != Mistake::no_init) {
    for (int stage = 0; stage < 2; ++stage) {
      ptx::mbarrier_init(full + stage, 1);
      ptx::mbarrier_init(empty + stage, 1);
    }
    if (kMistake != Mistake::no_fence_init) ptx::mbarrier_fence_init();
  }
  __syncthreads();
  if (threadIdx.x < 128) {
    if (threadIdx.x != 0) return;
    for (int tile = 0; tile < tiles; ++tile) {
      const int stage = tile % 2;
      char* const a_stage = a_stages + stage * Shape::kBytesA;
      char* const b_stage = b_stages + stage * Shape::kBytesB;
      if (kMistake != Mistake::no_empty_wait) {
        ptx::mbarrier_wait(empty + stage, (tile / 2 & 1) ^ 1);
      }
      if (kMistake == Mistake::barrier_overwritten) full[stage] = 0;
      constexpr int kMore = kMistake == Mistake::few_bytes    ? -128
                            : kMistake == Mistake::many_bytes ? 128
                                                              : 0;
      if (kMistake != Mistake::no_arrival) {
        ptx::mbarrier_arrive_expect_tx(full + stage, Shape::kBytesA + Shape::kBytesB + kMore);
      }
      if (kMistake == Mistake::extra_arrival) ptx::mbarrier_arrive(full + stage);
      const int k = tile * Shape::kDepth;
      ptx::tma_load(a_stage, a, full + stage, kTransA ? 0 : k, kTransA ? k : 0);
      if (kTransB == 0) {
        ptx::tma_load(b_stage, b, full + stage, k, 0);
      } else {
        for (int n = 0; n < kN; n += 64) {
          ptx::tma_load(b_stage + n * 128, b, full + stage, n, k);
        }
      }
    }
    return;
  }
  float d[kN / 2];
  const int thread = static_cast<int>(threadIdx.x) - 128;
  for (int tile = 0; tile < tiles; ++tile) {
    const int stage = tile % 2;
    const char* const a_stage = a_stages + stage * Shape::kBytesA;
    const char* const b_stage = b_stages + stage * Shape::kBytesB;
    if (kMistake != Mistake::no_full_wait) {
      ptx::mbarrier_wait(full + stage, kMistake == Mistake::same_parity ? 0 : tile / 2 & 1);
    }
    if (kMistake != Mistake::no_wgmma_fence) ptx::wgmma_fence();
    for (int step = 0; step < 4; ++step) {
      if (kMistake == Mistake::half_a_group && step == 1 && thread >= 64) continue;
      const int other = kMistake == Mistake::other_operands && thread >= 96 ? 1 : 0;
      constexpr int kStride = kMistake == Mistake::wrong_stride ? 512 : 1024;
      constexpr ptx::Swizzle kSwizzle =
          kMistake == Mistake::no_swizzle ? ptx::Swizzle::none : ptx::Swizzle::b128;
      ptx::wgmma<T, kN, kTransA, kTransB>(
          d,
          ptx::wgmma_descriptor(a_stage + ((step + other) % 4) * (kTransA ? 2048 : 32), 8192,
                                kStride, kSwizzle),
          ptx::wgmma_descriptor(b_stage + step * (kTransB ? 2048 : 32), 8192, kStride, kSwizzle),
          tile > 0 || step > 0);
    }
    ptx::wgmma_commit();
    if (kMistake == Mistake::early_release && thread == 0) ptx::mbarrier_arrive(empty + stage);
    if (kMistake != Mistake::no_wgmma_wait && kMistake != Mistake::late_wgmma_wait) {
      ptx::wgmma_wait<0>();
    }
    if (kMistake != Mistake::early_release && thread == 0) ptx::mbarrier_arrive(empty + stage);
  }
  for (int i = 0; i < kN / 2; ++i) {
    const int row = 16 * (thread / 32) + 8 * (i / 2 % 2) + thread % 32 / 4;
    const int column = 8 * (i / 4) + 2 * (thread % 4) + i % 2;
    c[row * kN + column] = d[i];
  }
  if (kMistake == Mistake::late_wgmma_wait) ptx::wgmma_wait<0>();
}

/// Elements as TMA wants them, 16-byte aligned.
template <class T>
struct TestElements {
  explicit TestElements(std::size_t count)
      : data(static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t(128)))) {}
  struct Free {
    void operator()(T* memory) const { ::operator delete(memory, std::align_val_t(128)); }
  };
  std::unique_ptr<T, Free> data;
};

/// "" if the product is right, else the fault or "wrong: ...". The elements are small integers, so
/// that every type and every order of adding gives the same sums.
template <class T, int kN, int kTransA, int kTransB, Mistake kMistake>
std::string run_product(std::uint64_t seed, int tiles) {
  using Shape = ProductShape<T, kN>;
  const int k = tiles * Shape::kDepth;
  TestElements<T> a(static_cast<std::size_t>(64) * k);
  TestElements<T> b(static_cast<std::size_t>(kN) * k);
  std::mt19937 random(static_cast<unsigned>(seed));
  const auto fill = [&](T* elements, int count) {
    for (int i = 0; i < count; ++i) {
      elements[i] = from_float<T>(static_cast<float>(random() % 5) - 2.0f);
    }
  };
  fill(a.data.get(), 64 * k);
  fill(b.data.get(), kN * k);
  const auto map_a = kTransA ? ptx::make_tensor_map(a.data.get(), k, 64, 64, Shape::kDepth, 64)
                             : ptx::make_tensor_map(a.data.get(), 64, k, k, 64, Shape::kDepth);
  const auto map_b = kTransB ? ptx::make_tensor_map(b.data.get(), k, kN, kN, Shape::kDepth, 64)
                             : ptx::make_tensor_map(b.data.get(), kN, k, k, kN, Shape::kDepth);
  std::vector<float> c(static_cast<std::size_t>(64) * kN, -1.0f);
  settings().seed = seed;
  try {
    launch(product<T, kN, kTransA, kTransB, kMistake>,
           Grid{dim3(1), dim3(256), Shape::kSharedBytes, 1}, Stream{}, map_a, map_b, c.data(),
           tiles);
  } catch (const Fault& fault) {
    return fault.what();
  }
  for (int row = 0; row < 64; ++row) {
    for (int column = 0; column < kN; ++column) {
      float expected = 0;
      for (int i = 0; i < k; ++i) {
        expected += to_float(a.data.get()[kTransA ? i * 64 + row : row * k + i]) *
                    to_float(b.data.get()[kTransB ? i * kN + column : column * k + i]);
      }
      const float got = c[static_cast<std::size_t>(row * kN + column)];
      if (!(got == expected)) {
        return "wrong: c[" + std::to_string(row) + "," + std::to_string(column) + "] is " +
               std::to_string(got) + ", not " + std::to_string(expected);
      }
    }
  }
  return "";
}

}  // namespace breakeven::simt
