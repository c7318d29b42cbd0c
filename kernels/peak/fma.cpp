// The ceilings of the vector units: fused multiply-adds and dot products from registers only. Bound
// by nothing but the units themselves: 12 or 16 independent accumulators cover two units of up to 6
// cycles latency, a and step stay in registers, and no memory is touched.
#include <immintrin.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "kernels/host/features.h"
#include "kernels/peak/peak_kernel.h"

namespace breakeven::peak {

void fma(Registry& registry);

namespace {

template <class T>
T load(const std::byte* element) {
  T value;
  std::memcpy(&value, element, sizeof value);
  return value;
}

// Lanes added one by one in f64: exact, since every lane holds an integer below 2^24.
template <class T, class V>
double sum_lanes(const V& vector) {
  std::array<T, sizeof(V) / sizeof(T)> lanes;
  std::memcpy(lanes.data(), &vector, sizeof vector);
  double sum = 0;
  for (const T lane : lanes) sum += static_cast<double>(lane);
  return sum;
}

// The bodies differ in one intrinsic each, but a target attribute reaches neither lambdas nor
// templates' arguments: they are written out. The inner loop is unrolled into 12 (16 registers) or
// 16 (32 registers) accumulators; what `count` leaves over goes to the first one. The empty asm
// hides from the optimiser that all accumulators hold the same value, or it could keep one of them.

[[gnu::target("avx2,fma")]] double avx2_f32(std::int64_t count, const std::byte* a,
                                            const std::byte* step) {
  constexpr int kAccumulators = 12;
  const __m256 x = _mm256_set1_ps(load<float>(a)), y = _mm256_set1_ps(load<float>(step));
  __m256 sums[kAccumulators];
  for (__m256& sum : sums) {
    sum = _mm256_setzero_ps();
    asm volatile("" : "+v"(sum));
  }
  std::int64_t left = count;
  for (; left >= kAccumulators; left -= kAccumulators) {
#pragma GCC unroll 16
    for (int i = 0; i < kAccumulators; ++i) sums[i] = _mm256_fmadd_ps(x, y, sums[i]);
  }
  for (; left > 0; --left) sums[0] = _mm256_fmadd_ps(x, y, sums[0]);
  double total = 0;
  for (const __m256& sum : sums) total += sum_lanes<float>(sum);
  return total;
}

[[gnu::target("avx2,fma")]] double avx2_f64(std::int64_t count, const std::byte* a,
                                            const std::byte* step) {
  constexpr int kAccumulators = 12;
  const __m256d x = _mm256_set1_pd(load<double>(a)), y = _mm256_set1_pd(load<double>(step));
  __m256d sums[kAccumulators];
  for (__m256d& sum : sums) {
    sum = _mm256_setzero_pd();
    asm volatile("" : "+v"(sum));
  }
  std::int64_t left = count;
  for (; left >= kAccumulators; left -= kAccumulators) {
#pragma GCC unroll 16
    for (int i = 0; i < kAccumulators; ++i) sums[i] = _mm256_fmadd_pd(x, y, sums[i]);
  }
  for (; left > 0; --left) sums[0] = _mm256_fmadd_pd(x, y, sums[0]);
  double total = 0;
  for (const __m256d& sum : sums) total += sum_lanes<double>(sum);
  return total;
}

[[gnu::target("avx512f")]] double avx512_f32(std::int64_t count, const std::byte* a,
                                             const std::byte* step) {
  constexpr int kAccumulators = 16;
  const __m512 x = _mm512_set1_ps(load<float>(a)), y = _mm512_set1_ps(load<float>(step));
  __m512 sums[kAccumulators];
  for (__m512& sum : sums) {
    sum = _mm512_setzero_ps();
    asm volatile("" : "+v"(sum));
  }
  std::int64_t left = count;
  for (; left >= kAccumulators; left -= kAccumulators) {
#pragma GCC unroll 16
    for (int i = 0; i < kAccumulators; ++i) sums[i] = _mm512_fmadd_ps(x, y, sums[i]);
  }
  for (; left > 0; --left) sums[0] = _mm512_fmadd_ps(x, y, sums[0]);
  double total = 0;
  for (const __m512& sum : sums) total += sum_lanes<float>(sum);
  return total;
}

[[gnu::target("avx512f")]] double avx512_f64(std::int64_t count, const std::byte* a,
                                             const std::byte* step) {
  constexpr int kAccumulators = 16;
  const __m512d x = _mm512_set1_pd(load<double>(a)), y = _mm512_set1_pd(load<double>(step));
  __m512d sums[kAccumulators];
  for (__m512d& sum : sums) {
    sum = _mm512_setzero_pd();
    asm volatile("" : "+v"(sum));
  }
  std::int64_t left = count;
  for (; left >= kAccumulators; left -= kAccumulators) {
#pragma GCC unroll 16
    for (int i = 0; i < kAccumulators; ++i) sums[i] = _mm512_fmadd_pd(x, y, sums[i]);
  }
  for (; left > 0; --left) sums[0] = _mm512_fmadd_pd(x, y, sums[0]);
  double total = 0;
  for (const __m512d& sum : sums) total += sum_lanes<double>(sum);
  return total;
}

// 32 products per instruction: 16 lanes, two bf16 pairs each, added in f32.
[[gnu::target("avx512f,avx512bw,avx512bf16")]] double avx512_bf16(std::int64_t count,
                                                                  const std::byte* a,
                                                                  const std::byte* step) {
  constexpr int kAccumulators = 16;
  const auto x = (__m512bh)_mm512_set1_epi16(load<short>(a));
  const auto y = (__m512bh)_mm512_set1_epi16(load<short>(step));
  __m512 sums[kAccumulators];
  for (__m512& sum : sums) {
    sum = _mm512_setzero_ps();
    asm volatile("" : "+v"(sum));
  }
  std::int64_t left = count;
  for (; left >= kAccumulators; left -= kAccumulators) {
#pragma GCC unroll 16
    for (int i = 0; i < kAccumulators; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], x, y);
  }
  for (; left > 0; --left) sums[0] = _mm512_dpbf16_ps(sums[0], x, y);
  double total = 0;
  for (const __m512& sum : sums) total += sum_lanes<float>(sum);
  return total;
}

// 64 products per instruction: 16 lanes, four u8 x s8 pairs each, added in s32.
[[gnu::target("avx512f,avx512vnni")]] double avx512_int8(std::int64_t count, const std::byte* a,
                                                         const std::byte* step) {
  constexpr int kAccumulators = 16;
  const __m512i x = _mm512_set1_epi8(load<char>(a)), y = _mm512_set1_epi8(load<char>(step));
  __m512i sums[kAccumulators];
  for (__m512i& sum : sums) {
    sum = _mm512_setzero_si512();
    asm volatile("" : "+v"(sum));
  }
  std::int64_t left = count;
  for (; left >= kAccumulators; left -= kAccumulators) {
#pragma GCC unroll 16
    for (int i = 0; i < kAccumulators; ++i) sums[i] = _mm512_dpbusd_epi32(sums[i], x, y);
  }
  for (; left > 0; --left) sums[0] = _mm512_dpbusd_epi32(sums[0], x, y);
  double total = 0;
  for (const __m512i& sum : sums) total += sum_lanes<std::int32_t>(sum);
  return total;
}

}  // namespace

void fma(Registry& registry) {
  const CpuFeatures& cpu = cpu_features();
  add_ceilings(registry, {{"avx2", Precision::f32, 8, avx2_f32, cpu.avx2, "AVX2 and FMA"},
                          {"avx2", Precision::f64, 4, avx2_f64, cpu.avx2, "AVX2 and FMA"}});
  add_ceilings(registry, {{"avx512", Precision::f32, 16, avx512_f32, cpu.avx512, "AVX-512"},
                          {"avx512", Precision::f64, 8, avx512_f64, cpu.avx512, "AVX-512"}});
  add_ceilings(registry, {{"avx512_bf16", Precision::bf16, 32, avx512_bf16, cpu.avx512_bf16,
                           "AVX-512 BF16"}});
  add_ceilings(registry, {{"avx512_vnni", Precision::int8, 64, avx512_int8, cpu.avx512_vnni,
                           "AVX-512 VNNI"}});
}

}  // namespace breakeven::peak
