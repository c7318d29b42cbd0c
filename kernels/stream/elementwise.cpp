// Each loop body is an always-inlined template; thin wrappers compile it for SSE2, AVX2 and
// AVX-512, because a target attribute belongs to a function, not to a template argument.
#include "kernels/stream/elementwise.h"

#include <immintrin.h>

#include <bit>
#include <type_traits>

#include "kernels/host/features.h"

namespace breakeven::stream {
namespace {

using Kind = Stream::Kind;
enum class Isa { sse2, avx2, avx512 };

// Without the instruction, fma() would be a library call per element.
template <Isa kIsa, class T>
[[gnu::always_inline]] inline T multiply_add(T x, T y, T z) {
  if constexpr (kIsa == Isa::sse2) {
    return x * y + z;
  } else if constexpr (std::is_same_v<T, float>) {
    return __builtin_fmaf(x, y, z);
  } else {
    return __builtin_fma(x, y, z);
  }
}

// exp(x) = 2^n exp(r), r in [-ln2/2, ln2/2]: Cody & Waite's two-part ln2, the Taylor series (its
// next term is below one unit in the last place), and n shifted into the exponent. No branch and no
// table, so it vectorises. x is bounded to where 2^n is a normal number.
template <class T>
struct Exponential;
template <>
struct Exponential<float> {
  using Bits = std::int32_t;
  static constexpr float kBound = 87, kLog2e = 1.44269504F, kRound = 12582912.0F;
  static constexpr float kHigh = 0.693359375F, kLow = -2.12194440e-4F;
  static constexpr int kMantissa = 23, kBias = 127, kTerms = 8;
};
template <>
struct Exponential<double> {
  using Bits = std::int64_t;
  static constexpr double kBound = 708, kLog2e = 1.4426950408889634, kRound = 6755399441055744.0;
  static constexpr double kHigh = 0x1.62e42feep-1, kLow = 0x1.a39ef35793c76p-33;
  static constexpr int kMantissa = 52, kBias = 1023, kTerms = 14;
};

template <Isa kIsa, class T>
[[gnu::always_inline]] inline T exponential(T x) {
  using E = Exponential<T>;
  x = x < -E::kBound ? -E::kBound : x;
  x = x > E::kBound ? E::kBound : x;
  // Adding 1.5 x 2^mantissa rounds to an integer and leaves it in the low bits.
  const T shifted = multiply_add<kIsa>(x, E::kLog2e, E::kRound);
  const T n = shifted - E::kRound;
  const T r = multiply_add<kIsa>(n, -E::kLow, multiply_add<kIsa>(n, -E::kHigh, x));
  constexpr T kInverseFactorials[] = {T(1),
                                      T(1),
                                      T(1) / 2,
                                      T(1) / 6,
                                      T(1) / 24,
                                      T(1) / 120,
                                      T(1) / 720,
                                      T(1) / 5040,
                                      T(1) / 40320,
                                      T(1) / 362880,
                                      T(1) / 3628800,
                                      T(1) / 39916800,
                                      T(1) / 479001600,
                                      T(1) / 6227020800};
  T sum = kInverseFactorials[E::kTerms - 1];
#pragma GCC unroll 16
  for (int i = E::kTerms - 2; i >= 0; --i) sum = multiply_add<kIsa>(sum, r, kInverseFactorials[i]);
  using Bits = typename E::Bits;
  const Bits integer = std::bit_cast<Bits>(shifted) - std::bit_cast<Bits>(E::kRound);
  return sum * std::bit_cast<T>(static_cast<Bits>(integer + E::kBias) << E::kMantissa);
}

// x/2 (1 + tanh(u)) = x / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3).
template <Isa kIsa, class T>
[[gnu::always_inline]] inline T gelu(T x) {
  constexpr T kMinus2Scale = T(-1.5957691216057308);  // -2 sqrt(2/pi)
  const T cubic = multiply_add<kIsa>(T(0.044715) * x * x, x, x);
  return x / (T(1) + exponential<kIsa>(kMinus2Scale * cubic));
}

template <Kind kKind, Isa kIsa, class T>
[[gnu::always_inline]] inline T element(const T* a, const T* b, std::int64_t i) {
  constexpr T kScalar = T(Stream::kScalar);
  if constexpr (kKind == Kind::copy) return a[i];
  if constexpr (kKind == Kind::scale) return kScalar * a[i];
  if constexpr (kKind == Kind::add) return a[i] + b[i];
  if constexpr (kKind == Kind::triad) return multiply_add<kIsa>(kScalar, b[i], a[i]);
  if constexpr (kKind == Kind::gelu) return gelu<kIsa>(a[i]);
}

template <Kind kKind, Isa kIsa, class T>
[[gnu::always_inline]] inline void regular(const T* __restrict a, const T* __restrict b,
                                           T* __restrict c, std::int64_t begin, std::int64_t end) {
#pragma GCC ivdep
  for (std::int64_t i = begin; i < end; ++i) c[i] = element<kKind, kIsa>(a, b, i);
}

// One cache line of results, kept in registers until it is stored.
template <class T>
struct alignas(64) Line {
  static constexpr std::int64_t kElements = 64 / sizeof(T);
  T elements[kElements];
};

template <Kind kKind, Isa kIsa, class T>
[[gnu::always_inline]] inline void fill_line(const T* __restrict a, const T* __restrict b,
                                             std::int64_t begin, Line<T>& line) {
#pragma GCC ivdep
  for (std::int64_t j = 0; j < Line<T>::kElements; ++j) {
    line.elements[j] = element<kKind, kIsa>(a, b, begin + j);
  }
}

// What a whole number of lines leaves over; and the fence that makes non-temporal stores visible to
// the other threads, as regular ones are.
template <Kind kKind, Isa kIsa, class T>
[[gnu::always_inline]] inline void finish(const T* a, const T* b, T* c, std::int64_t begin,
                                          std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) c[i] = element<kKind, kIsa>(a, b, i);
  _mm_sfence();
}

template <Kind kKind, Isa kIsa, class T>
[[gnu::always_inline]] inline void non_temporal_128(const T* __restrict a, const T* __restrict b,
                                                    T* __restrict c, std::int64_t begin,
                                                    std::int64_t end) {
  std::int64_t i = begin;
  for (; i + Line<T>::kElements <= end; i += Line<T>::kElements) {
    Line<T> line;
    fill_line<kKind, kIsa>(a, b, i, line);
    const auto* from = reinterpret_cast<const __m128i*>(line.elements);
    auto* to = reinterpret_cast<__m128i*>(c + i);
    for (int quarter = 0; quarter < 4; ++quarter) _mm_stream_si128(to + quarter, from[quarter]);
  }
  finish<kKind, kIsa>(a, b, c, i, end);
}

template <Kind kKind, class T>
void regular_sse2(const T* a, const T* b, T* c, std::int64_t begin, std::int64_t end) {
  regular<kKind, Isa::sse2>(a, b, c, begin, end);
}

template <Kind kKind, class T>
[[gnu::target("avx2,fma")]] void regular_avx2(const T* a, const T* b, T* c, std::int64_t begin,
                                              std::int64_t end) {
  regular<kKind, Isa::avx2>(a, b, c, begin, end);
}

template <Kind kKind, class T>
[[gnu::target("avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")]] void regular_avx512(
    const T* a, const T* b, T* c, std::int64_t begin, std::int64_t end) {
  regular<kKind, Isa::avx512>(a, b, c, begin, end);
}

template <Kind kKind, class T>
void non_temporal_sse2(const T* a, const T* b, T* c, std::int64_t begin, std::int64_t end) {
  non_temporal_128<kKind, Isa::sse2>(a, b, c, begin, end);
}

template <Kind kKind, class T>
[[gnu::target("avx2,fma")]] void non_temporal_avx2(const T* a, const T* b, T* c, std::int64_t begin,
                                                   std::int64_t end) {
  non_temporal_128<kKind, Isa::avx2>(a, b, c, begin, end);
}

// A whole line by one instruction.
template <Kind kKind, class T>
[[gnu::target("avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")]] void
non_temporal_avx512(const T* a, const T* b, T* c, std::int64_t begin, std::int64_t end) {
  std::int64_t i = begin;
  for (; i + Line<T>::kElements <= end; i += Line<T>::kElements) {
    Line<T> line;
    fill_line<kKind, Isa::avx512>(a, b, i, line);
    _mm512_stream_si512(reinterpret_cast<__m512i*>(c + i), _mm512_load_si512(line.elements));
  }
  finish<kKind, Isa::avx512>(a, b, c, i, end);
}

template <Kind kKind, class T>
Loop<T> find_isa(Store store) {
  const CpuFeatures& cpu = cpu_features();
  const bool regular = store == Store::regular;
  if (cpu.avx512) return regular ? regular_avx512<kKind, T> : non_temporal_avx512<kKind, T>;
  if (cpu.avx2) return regular ? regular_avx2<kKind, T> : non_temporal_avx2<kKind, T>;
  return regular ? regular_sse2<kKind, T> : non_temporal_sse2<kKind, T>;
}

}  // namespace

template <class T>
Loop<T> find_loop(Kind kind, Store store) {
  switch (kind) {
    case Kind::copy:
      return find_isa<Kind::copy, T>(store);
    case Kind::scale:
      return find_isa<Kind::scale, T>(store);
    case Kind::add:
      return find_isa<Kind::add, T>(store);
    case Kind::triad:
      return find_isa<Kind::triad, T>(store);
    case Kind::gelu:
      return find_isa<Kind::gelu, T>(store);
  }
  return nullptr;
}

template Loop<float> find_loop<float>(Kind, Store);
template Loop<double> find_loop<double>(Kind, Store);

}  // namespace breakeven::stream
