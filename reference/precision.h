// Number formats: what a precision means for a row's operands, arithmetic and error bound.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace breakeven {

/// How one element is stored.
enum class ElementType { f64, f32, bf16, f16, e4m3, s8, s32 };

/// What a row computes in; part of a row's name. f64, f32, tf32: what the multiplier sees (tf32 is
/// stored as f32). bf16, f16: inputs and outputs of that type. int8: s8 x s8 -> s32. fp8: e4m3 in,
/// bf16 out, unit scales. All but f64 and int8 accumulate in f32, fp8 perhaps in fewer bits.
enum class Precision { f64, f32, tf32, bf16, f16, int8, fp8 };

inline constexpr std::array kPrecisions = {Precision::f64,  Precision::f32, Precision::tf32,
                                           Precision::bf16, Precision::f16, Precision::int8,
                                           Precision::fp8};

/// The unit roundoffs are 0 where a step is exact (int8 throughout).
struct PrecisionTraits {
  std::string_view name;
  ElementType input;
  ElementType output;
  double multiply_roundoff;    ///< rounding of an operand as it is multiplied (tf32: 2^-10)
  double accumulate_roundoff;  ///< rounding of each addition (f32: 2^-24)
  double output_roundoff;      ///< rounding of the stored result (bf16: 2^-8, 8 significant bits)
};

const PrecisionTraits& traits(Precision precision);
std::optional<Precision> parse_precision(std::string_view name);

std::size_t element_bytes(ElementType type);

/// The value of element `index` of an array of `type`, as a double (exact for every type).
double load_element(ElementType type, const std::byte* data, std::size_t index);

/// Stores `value`, rounded to nearest even (saturating for s8, s32 and e4m3), at `index`.
void store_element(ElementType type, std::byte* data, std::size_t index, double value);

}  // namespace breakeven
