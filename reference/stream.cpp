#include "reference/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "reference/compare.h"
#include "reference/convert.h"
#include "reference/parallel.h"
#include "reference/random.h"

namespace breakeven {
namespace {

// What the kinds differ in. The error of an element is relative to the sum of the magnitudes that
// enter it; `roundings` of the arithmetic's unit roundoff may add up to it, with or without FMA.
// gelu's count leaves room for a vector library's tanh of a few units in the last place.
struct KindTraits {
  Stream::Kind kind;
  std::string_view name;
  int arrays;
  int flops;
  int roundings;
};

constexpr std::array kKinds = {
    KindTraits{Stream::Kind::copy, "copy", 2, 0, 0},
    KindTraits{Stream::Kind::scale, "scale", 2, 1, 1},
    KindTraits{Stream::Kind::add, "add", 3, 1, 1},
    KindTraits{Stream::Kind::triad, "triad", 3, 2, 2},
    KindTraits{Stream::Kind::gelu, "gelu", 2, 9, 16},
};

const KindTraits& kind_traits(Stream::Kind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

const PrecisionTraits& float_traits(Precision precision) {
  const PrecisionTraits& types = traits(precision);
  if (types.input != types.output) {
    throw std::invalid_argument(fmt::format("stream has no precision {}", types.name));
  }
  return types;
}

struct Expected {
  double value;
  double scale;
};

Expected expect(Stream::Kind kind, double a, double b) {
  switch (kind) {
    case Stream::Kind::copy:
      return {a, std::fabs(a)};
    case Stream::Kind::scale:
      return {Stream::kScalar * a, std::fabs(Stream::kScalar * a)};
    case Stream::Kind::add:
      return {a + b, std::fabs(a) + std::fabs(b)};
    case Stream::Kind::triad:
      return {a + Stream::kScalar * b, std::fabs(a) + std::fabs(Stream::kScalar * b)};
    case Stream::Kind::gelu: {
      constexpr double kRootTwoOverPi = 0.79788456080286535588;
      const double inner = kRootTwoOverPi * (a + 0.044715 * a * a * a);
      return {0.5 * a * (1 + std::tanh(inner)), std::fabs(a)};
    }
  }
  throw std::invalid_argument("unknown kind of stream");
}

}  // namespace

Stream::Stream(std::string shape, Kind kind_, std::int64_t operand_bytes_)
    : Workload("stream", std::move(shape)), kind(kind_), operand_bytes(operand_bytes_) {
  if (operand_bytes < 8 || operand_bytes % 8 != 0) {
    throw std::invalid_argument(
        fmt::format("operand_bytes must be a positive multiple of 8, got {}", operand_bytes));
  }
}

std::optional<Stream::Kind> Stream::parse_kind(std::string_view name) {
  for (const KindTraits& kind : kKinds) {
    if (kind.name == name) return kind.kind;
  }
  return std::nullopt;
}

std::int64_t Stream::elements(Precision precision) const {
  return operand_bytes / static_cast<std::int64_t>(element_bytes(float_traits(precision).input));
}

std::vector<std::pair<std::string, std::int64_t>> Stream::dimensions() const {
  return {{"operand_bytes", operand_bytes}};
}

Cost Stream::cost(Precision precision) const {
  const KindTraits& counts = kind_traits(kind);
  return {static_cast<double>(counts.flops) * static_cast<double>(elements(precision)),
          static_cast<double>(counts.arrays) * static_cast<double>(operand_bytes)};
}

std::vector<Operand> Stream::inputs(Precision precision) const {
  const ElementType type = float_traits(precision).input;
  std::vector<Operand> operands = {{"a", type, elements(precision)}};
  if (has_b()) operands.push_back({"b", type, elements(precision)});
  return operands;
}

Operand Stream::output(Precision precision) const {
  return {"c", float_traits(precision).output, elements(precision)};
}

void Stream::fill_input(std::size_t index, Precision precision, std::span<std::byte> out) const {
  const Operand operand = inputs(precision).at(index);
  if (out.size() != operand.bytes()) {
    throw std::invalid_argument(fmt::format("stream/{}: operand {} has {} bytes, the buffer {}",
                                            shape(), operand.name, operand.bytes(), out.size()));
  }
  random_fill({.operand = static_cast<std::uint32_t>(index)}, operand.type, out);
}

Check Stream::check(Precision precision, std::span<const std::byte> answer) const {
  const PrecisionTraits& types = float_traits(precision);
  const std::int64_t count = elements(precision);
  if (answer.size() != output(precision).bytes()) {
    throw std::invalid_argument(fmt::format("stream/{}: the answer has {} bytes, expected {}",
                                            shape(), answer.size(), output(precision).bytes()));
  }
  constexpr std::int64_t kPart = 1024;
  ErrorMeasure worst;
#pragma omp parallel if (worth_threads(20.0 * static_cast<double>(count)))
  {
    double a[kPart];
    double b[kPart] = {};
    double got[kPart];
    ErrorMeasure mine;
    const double floor = smallest_normal(types.output);
#pragma omp for schedule(static)
    for (std::int64_t first = 0; first < count; first += kPart) {
      const std::int64_t here = std::min(kPart, count - first);
      random_values({.operand = 0}, types.input, first, here, a);
      if (has_b()) random_values({.operand = 1}, types.input, first, here, b);
      decode_elements(types.output, answer.data(), first, here, got);
      for (std::int64_t i = 0; i < here; ++i) {
        const Expected expected = expect(kind, a[i], b[i]);
        mine.add(first + i, got[i], expected.value, std::max(expected.scale, floor));
      }
    }
#pragma omp critical
    worst.merge(mine);
  }
  // f64 answers are judged by f64 arithmetic, which may itself round as often. A copy is exact, so
  // its stored result isn't rounded in any precision.
  const int roundings = kind_traits(kind).roundings * (precision == Precision::f64 ? 2 : 1);
  const double limit =
      roundings * types.accumulate_roundoff + (kind == Kind::copy ? 0 : types.output_roundoff);
  return worst.verdict(limit, "full fp64",
                       [](std::int64_t index) { return fmt::format("c[{}]", index); });
}

}  // namespace breakeven
