#include "reference/precision.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "reference/convert.h"

namespace breakeven {
namespace {

// Unit roundoffs are 2^-p for p significant bits. Two are what the hardware does rather than what
// the format's name says: tensor cores drop the low bits of a tf32 operand unless the caller
// rounded it (so 2^-10, not 2^-11), and Hopper's fp8 units keep about 14 bits of a sum
// (DeepSeek-V3 technical report, 2024, section 3.3.2).
constexpr PrecisionTraits kTraits[] = {
    {"f64", ElementType::f64, ElementType::f64, 0, 0x1p-53, 0},
    {"f32", ElementType::f32, ElementType::f32, 0, 0x1p-24, 0},
    {"tf32", ElementType::f32, ElementType::f32, 0x1p-10, 0x1p-24, 0},
    {"bf16", ElementType::bf16, ElementType::bf16, 0, 0x1p-24, 0x1p-8},
    {"f16", ElementType::f16, ElementType::f16, 0, 0x1p-24, 0x1p-11},
    {"int8", ElementType::s8, ElementType::s32, 0, 0, 0},
    {"fp8", ElementType::e4m3, ElementType::bf16, 0, 0x1p-14, 0x1p-8},
};

template <class T>
T load(const std::byte* data, std::size_t index) {
  T value;
  std::memcpy(&value, data + index * sizeof(T), sizeof(T));
  return value;
}

template <class T>
void store(std::byte* data, std::size_t index, T value) {
  std::memcpy(data + index * sizeof(T), &value, sizeof(T));
}

// NaN has no integer; it becomes 0, which no comparison takes for a NaN answer, so integer outputs
// are never made from NaN in the first place.
template <class T>
T saturate(double value) {
  if (std::isnan(value)) return 0;
  constexpr double kLow = std::numeric_limits<T>::min();
  constexpr double kHigh = std::numeric_limits<T>::max();
  return static_cast<T>(std::clamp(std::nearbyint(value), kLow, kHigh));
}

template <class T, class ToDouble>
void decode(const std::byte* data, std::size_t first, std::size_t count, double* out,
            ToDouble to_double) {
  const std::byte* source = data + first * sizeof(T);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<double>(to_double(load<T>(source, i)));
  }
}

}  // namespace

const PrecisionTraits& traits(Precision precision) {
  return kTraits[static_cast<std::size_t>(precision)];
}

std::optional<Precision> parse_precision(std::string_view name) {
  for (const Precision precision : kPrecisions) {
    if (traits(precision).name == name) return precision;
  }
  return std::nullopt;
}

std::size_t element_bytes(ElementType type) {
  switch (type) {
    case ElementType::f64:
      return 8;
    case ElementType::f32:
    case ElementType::s32:
      return 4;
    case ElementType::bf16:
    case ElementType::f16:
      return 2;
    case ElementType::e4m3:
    case ElementType::s8:
      return 1;
  }
  throw std::invalid_argument("unknown element type");
}

double load_element(ElementType type, const std::byte* data, std::size_t index) {
  double value = 0;
  decode_elements(type, data, index, 1, &value);
  return value;
}

void store_element(ElementType type, std::byte* data, std::size_t index, double value) {
  switch (type) {
    case ElementType::f64:
      return store(data, index, value);
    case ElementType::f32:
      return store(data, index, static_cast<float>(value));
    case ElementType::bf16:
      return store(data, index, bf16_from_float(float_round_to_odd(value)));
    case ElementType::f16:
      return store(data, index, f16_from_float(float_round_to_odd(value)));
    case ElementType::e4m3:
      return store(data, index, e4m3_from_float(float_round_to_odd(value)));
    case ElementType::s8:
      return store(data, index, saturate<std::int8_t>(value));
    case ElementType::s32:
      return store(data, index, saturate<std::int32_t>(value));
  }
}

double smallest_normal(ElementType type) {
  switch (type) {
    case ElementType::f64:
      return std::numeric_limits<double>::min();
    case ElementType::f32:
    case ElementType::bf16:
      return std::numeric_limits<float>::min();
    case ElementType::f16:
      return 0x1p-14;
    case ElementType::e4m3:
      return 0x1p-6;
    case ElementType::s8:
    case ElementType::s32:
      return 0;
  }
  throw std::invalid_argument("unknown element type");
}

void decode_elements(ElementType type, const std::byte* data, std::size_t first, std::size_t count,
                     double* out) {
  const auto same = [](auto value) { return value; };
  switch (type) {
    case ElementType::f64:
      return decode<double>(data, first, count, out, same);
    case ElementType::f32:
      return decode<float>(data, first, count, out, same);
    case ElementType::bf16:
      return decode<std::uint16_t>(data, first, count, out, bf16_to_float);
    case ElementType::f16:
      return decode<std::uint16_t>(data, first, count, out, f16_to_float);
    case ElementType::e4m3:
      return decode<std::uint8_t>(data, first, count, out, e4m3_to_float);
    case ElementType::s8:
      return decode<std::int8_t>(data, first, count, out, same);
    case ElementType::s32:
      return decode<std::int32_t>(data, first, count, out, same);
  }
}

}  // namespace breakeven
