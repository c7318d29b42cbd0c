// CUDA's vector types and this project's element types, as the host sees them. The layouts are
// CUDA's: same sizes and alignments.
#pragma once

#include <cstdint>

#include "reference/convert.h"

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_size = 1, unsigned y_size = 1, unsigned z_size = 1)
      : x(x_size), y(y_size), z(z_size) {}
};

struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};

inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }

namespace breakeven {

/// Elements are bits; arithmetic goes through to_float() and from_float(), on both sides.
struct bf16 {
  std::uint16_t bits;
};
struct f16 {
  std::uint16_t bits;
};
struct e4m3 {
  std::uint8_t bits;
};

inline float to_float(float value) { return value; }
inline float to_float(bf16 value) { return bf16_to_float(value.bits); }
inline float to_float(f16 value) { return f16_to_float(value.bits); }
inline float to_float(e4m3 value) { return e4m3_to_float(value.bits); }

/// Rounds to nearest, ties to even; e4m3 saturates at 448, the others overflow to infinity.
template <class T>
T from_float(float value) = delete;
template <>
inline float from_float<float>(float value) {
  return value;
}
template <>
inline bf16 from_float<bf16>(float value) {
  return {bf16_from_float(value)};
}
template <>
inline f16 from_float<f16>(float value) {
  return {f16_from_float(value)};
}
template <>
inline e4m3 from_float<e4m3>(float value) {
  return {e4m3_from_float(value)};
}

}  // namespace breakeven
