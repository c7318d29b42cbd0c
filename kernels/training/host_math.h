// What the loops of the host operations compute elements with: no branch, no table and no call, so
// that they vectorise without -ffast-math.
#pragma once

#include <bit>
#include <cstdint>

#include "reference/convert.h"

namespace breakeven::training {

/// How a bf16 element is stored: its bits, as reference/convert.h has them.
using Bf16 = std::uint16_t;

[[gnu::always_inline]] inline float widen(float value) { return value; }
[[gnu::always_inline]] inline float widen(Bf16 bits) { return bf16_to_float(bits); }

/// To the stored type, to nearest even.
template <class T>
[[gnu::always_inline]] inline T narrow(float value) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return value;
  } else {
    return bf16_from_float(value);
  }
}

/// exp(x) for every x: relative error below 1.2 x 2^-23 where the result is normal, below the
/// smallest subnormal number where it isn't; infinity above 88.73, 0 below -103.98 (-infinity too),
/// NaN for NaN. exp(x) = 2^n exp(r) with |r| <= ln2/2 by Cody & Waite's two-part ln2, and Moshier's
/// polynomial (Cephes, expf). 2^n is multiplied in two halves, so that it may leave the normal
/// range although its result does not.
[[gnu::always_inline]] inline float exponential(float x) {
  constexpr float kLog2e = 1.44269504F, kHigh = 0.693359375F, kLow = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 x 2^23: adding it leaves an integer in the low bits
  x = x < -104.0F ? -104.0F : x;         // a NaN passes both
  x = x > 89.0F ? 89.0F : x;
  const float shifted = x * kLog2e + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * kHigh) - n * kLow;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  const std::int32_t power =
      std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRound);
  const std::int32_t half = power >> 1;
  const auto first = std::bit_cast<float>((half + 127) << 23);
  const auto second = std::bit_cast<float>((power - half + 127) << 23);
  return p * first * second;
}

namespace detail {
inline constexpr float kMinus2Scale = -1.5957691216057308F;  // -2 sqrt(2/pi)
inline constexpr float kCubic = 0.044715F;
}  // namespace detail

/// x/2 (1 + tanh(u)) = x / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3). Error below
/// 6 x 2^-24 |x|.
[[gnu::always_inline]] inline float gelu(float x) {
  return x / (1.0F + exponential(detail::kMinus2Scale * (x + detail::kCubic * x * x * x)));
}

/// Its derivative, s + 2 u' x s (1 - s) with s = 1 / (1 + exp(-2u)) and s (1 - s) = exp(-2u) s^2,
/// which cancels nothing. Beyond +-10, where it is 0 or 1 to f32's last bit, it is taken at +-10,
/// so that nothing overflows. Absolute error below 16 x 2^-24.
[[gnu::always_inline]] inline float gelu_slope(float x) {
  x = x < -10.0F ? -10.0F : x;
  x = x > 10.0F ? 10.0F : x;
  const float square = x * x;
  const float e = exponential(detail::kMinus2Scale * (x + detail::kCubic * square * x));
  const float s = 1.0F / (1.0F + e);
  const float twice_slope = -detail::kMinus2Scale * (1.0F + 3.0F * detail::kCubic * square);
  return s + (e * s) * s * (x * twice_slope);
}

}  // namespace breakeven::training
