// Bit-level conversions between f32/f64 and the narrow formats, and arrays of any element type.
// All round to nearest, ties to even. The float forms have no branches, so loops over them
// vectorise; from f64 they are reached through a rounding to odd, so that nothing rounds twice
// (Boldo & Melquiond, "Emulation of FMA and correctly rounded sums", IEEE TC 2008).
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "reference/precision.h"

namespace breakeven {

namespace detail {

/// Rounds the f32 of magnitude bits `bits` to `kBits` stored mantissa bits and rebiases its
/// exponent; for results that are normal in the narrow format.
template <int kBits, int kBias>
constexpr std::uint32_t round_normal(std::uint32_t bits) {
  constexpr int kShift = 23 - kBits;
  const std::uint32_t half_ulp = (1u << (kShift - 1)) - 1 + ((bits >> kShift) & 1u);
  return ((bits + half_ulp) >> kShift) - (static_cast<std::uint32_t>(127 - kBias) << kBits);
}

/// Rounds |x| to a multiple of the narrow format's smallest subnormal by adding a power of two
/// whose last place is just that; the sum's low bits are the answer.
template <int kBits, int kBias>
constexpr std::uint32_t round_subnormal(float magnitude) {
  constexpr std::uint32_t kMagic = static_cast<std::uint32_t>(127 - kBias - kBits + 1 + 23) << 23;
  return std::bit_cast<std::uint32_t>(magnitude + std::bit_cast<float>(kMagic)) - kMagic;
}

}  // namespace detail

constexpr std::uint16_t bf16_from_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const std::uint32_t quiet_nan = (bits >> 16) | 0x40u;
  return static_cast<std::uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? quiet_nan : rounded);
}

constexpr float bf16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// IEEE binary16; overflow gives infinity.
constexpr std::uint16_t f16_from_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  const std::uint32_t normal = detail::round_normal<10, 15>(magnitude);
  const std::uint32_t subnormal = detail::round_subnormal<10, 15>(
      std::bit_cast<float>(magnitude < 0x38800000u ? magnitude : 0u));
  const std::uint32_t finite = magnitude < 0x38800000u ? subnormal : normal;
  const std::uint32_t bounded = magnitude >= 0x477ff000u ? 0x7c00u : finite;  // 65520 and above
  return static_cast<std::uint16_t>(sign | (magnitude > 0x7f800000u ? 0x7e00u : bounded));
}

constexpr float f16_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t magnitude = bits & 0x7fffu;
  const std::uint32_t normal = (magnitude << 13) + (112u << 23);
  const std::uint32_t special = (magnitude << 13) | 0x7f800000u;  // infinity, NaN
  const auto subnormal =
      std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<int>(magnitude)) * 0x1p-24f);
  const std::uint32_t finite = magnitude < 0x400u ? subnormal : normal;
  return std::bit_cast<float>(sign | (magnitude >= 0x7c00u ? special : finite));
}

/// OCP 8-bit e4m3 in the "fn" form: no infinities, NaN 0x7F, largest 448; saturates.
constexpr std::uint8_t e4m3_from_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 24) & 0x80u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  const std::uint32_t normal = detail::round_normal<3, 7>(magnitude);
  const std::uint32_t subnormal =
      detail::round_subnormal<3, 7>(std::bit_cast<float>(magnitude < 0x3c800000u ? magnitude : 0u));
  const std::uint32_t finite = magnitude < 0x3c800000u ? subnormal : normal;
  const std::uint32_t bounded = magnitude >= 0x43e00000u ? 0x7eu : finite;  // 448 and above
  return static_cast<std::uint8_t>(sign | (magnitude > 0x7f800000u ? 0x7fu : bounded));
}

constexpr float e4m3_to_float(std::uint8_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x80u) << 24;
  const std::uint32_t magnitude = bits & 0x7fu;
  const std::uint32_t normal = (magnitude << 20) + (120u << 23);
  const auto subnormal =
      std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<int>(magnitude)) * 0x1p-9f);
  const std::uint32_t finite = magnitude < 8u ? subnormal : normal;
  return std::bit_cast<float>(sign | (magnitude == 0x7fu ? 0x7fc00000u : finite));
}

/// `value` rounded to odd: towards zero, then the last bit is set where that was inexact.
inline float float_round_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  if (static_cast<double>(nearest) == value || std::isnan(value)) return nearest;
  auto bits = std::bit_cast<std::uint32_t>(nearest);
  if (std::fabs(static_cast<double>(nearest)) > std::fabs(value)) --bits;
  return std::bit_cast<float>(bits | 1u);
}

/// The magnitude below which a result of `type` is rounded to a fixed step, so that relative errors
/// no longer mean anything: its smallest normal number. 0 for integers.
double smallest_normal(ElementType type);

/// Widens `count` elements of `type`, from element `first` of `data` on, exactly.
void decode_elements(ElementType type, const std::byte* data, std::size_t first, std::size_t count,
                     double* out);

}  // namespace breakeven
