#include "kernels/simt/fp8_sum.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace breakeven::simt {
namespace {

constexpr int kDepth = 32;  // products of one instruction
constexpr int kFractionBits = 13;
// Far below every product, and such that its quantum's inverse is still a float.
constexpr int kLeast = -100;
constexpr int kLeastNormal = -6;  // whose exponent e4m3's subnormals have, too
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

float power_of_two(int exponent) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(exponent + 127) << 23);
}

/// For finite values.
int exponent_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value) >> 23 & 0xffu;
  return std::max(static_cast<int>(bits) - 127, kLeast);
}

/// Towards zero.
float cut_fraction(float value) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & ~((1u << 10) - 1));
}

/// [32][width] with NaN made 0, beside the exponents, and which rows or columns held one.
struct Operand {
  Operand(const float* from, int width)
      : values(from, from + static_cast<std::ptrdiff_t>(kDepth) * width),
        exponents(values.size()),
        is_nan(static_cast<std::size_t>(width)) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(values[i])) {
        is_nan[i % is_nan.size()] = 1;
        values[i] = 0;
      }
      exponents[i] = values[i] == 0 ? kLeast : std::max(exponent_of(values[i]), kLeastNormal);
    }
  }
  std::vector<float> values;
  std::vector<int> exponents;
  std::vector<char> is_nan;
};

}  // namespace

void add_fp8_products(const float* a, const float* b, int rows, int columns, float* sums) {
  const Operand left(a, rows);
  const Operand right(b, columns);
  const auto height = static_cast<std::size_t>(rows);
  const auto width = static_cast<std::size_t>(columns);
  std::vector<int> exponent(width);
  std::vector<float> per_quantum(width);
  std::vector<int> total(width);
  for (std::size_t row = 0; row < height; ++row) {
    float* const out = sums + row * width;
    for (std::size_t j = 0; j < width; ++j) {
      exponent[j] = std::isfinite(out[j]) ? exponent_of(out[j]) : kLeast;
    }
    for (std::size_t k = 0; k < kDepth; ++k) {
      const int mine = left.exponents[k * height + row];
      const int* const other = right.exponents.data() + k * width;
      for (std::size_t j = 0; j < width; ++j) exponent[j] = std::max(exponent[j], mine + other[j]);
    }
    for (std::size_t j = 0; j < width; ++j) {
      per_quantum[j] = power_of_two(kFractionBits - exponent[j]);
      total[j] = std::isfinite(out[j]) ? static_cast<int>(out[j] * per_quantum[j]) : 0;
    }
    for (std::size_t k = 0; k < kDepth; ++k) {
      const float mine = left.values[k * height + row];
      const float* const other = right.values.data() + k * width;
      for (std::size_t j = 0; j < width; ++j) {
        total[j] += static_cast<int>(mine * other[j] * per_quantum[j]);
      }
    }
    for (std::size_t j = 0; j < width; ++j) {
      if (left.is_nan[row] != 0 || right.is_nan[j] != 0) out[j] = kNan;
      if (!std::isfinite(out[j])) continue;
      out[j] =
          cut_fraction(static_cast<float>(total[j]) * power_of_two(exponent[j] - kFractionBits));
    }
  }
}

}  // namespace breakeven::simt
