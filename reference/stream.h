// Memory bandwidth: the four STREAM kernels and one activation, elementwise over long arrays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reference/workload.h"

namespace breakeven {

/// copy c = a; scale c = s a; add c = a + b; triad c = a + s b (McCalpin, "STREAM", 1995, with
/// the operands renamed: inputs are a and b, the output is always c); gelu c = gelu(a) in the tanh
/// form of Hendrycks & Gimpel 2016: a/2 (1 + tanh(sqrt(2/pi) (a + 0.044715 a^3))).
class Stream final : public Workload {
 public:
  enum class Kind { copy, scale, add, triad, gelu };
  static constexpr double kScalar = 3.0;  ///< s; STREAM's own value

  /// Throws std::invalid_argument if `operand_bytes` is not a positive multiple of 8.
  Stream(std::string shape, Kind kind, std::int64_t operand_bytes);

  const Kind kind;
  const std::int64_t operand_bytes;  ///< of each array, whatever the precision

  static std::optional<Kind> parse_kind(std::string_view name);
  bool has_b() const { return kind == Kind::add || kind == Kind::triad; }
  std::int64_t elements(Precision precision) const;  ///< of each array

  std::vector<std::pair<std::string, std::int64_t>> dimensions() const override;
  /// Bytes as STREAM counts them: each array once, no write-allocate. A tanh counts as one flop.
  Cost cost(Precision precision) const override;
  std::vector<Operand> inputs(Precision precision) const override;  ///< "a", or "a" and "b"
  Operand output(Precision precision) const override;               ///< "c"
  void fill_input(std::size_t index, Precision precision, std::span<std::byte> out) const override;

  /// Every element against fp64. Throws std::invalid_argument for int8 and fp8, whose input and
  /// output types differ (as do cost, inputs and output).
  Check check(Precision precision, std::span<const std::byte> answer) const override;
};

}  // namespace breakeven
