#include "reference/peak.h"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

#include "reference/compare.h"

namespace breakeven {

Peak::Peak() : Workload("peak", "fma") {}

std::vector<std::pair<std::string, std::int64_t>> Peak::dimensions() const {
  return {{"fmas", kFmas}};
}

Cost Peak::cost(Precision) const { return {2.0 * static_cast<double>(kFmas), sizeof(double)}; }

std::vector<Operand> Peak::inputs(Precision precision) const {
  const ElementType type = traits(precision).input;
  return {{"a", type, 1}, {"step", type, 1}};
}

Operand Peak::output(Precision) const { return {"sum", ElementType::f64, 1}; }

void Peak::fill_input(std::size_t index, Precision precision, std::span<std::byte> out) const {
  const Operand operand = inputs(precision).at(index);
  if (out.size() != operand.bytes()) {
    throw std::invalid_argument(fmt::format("peak/fma: operand {} has {} bytes, the buffer {}",
                                            operand.name, operand.bytes(), out.size()));
  }
  store_element(operand.type, out.data(), 0, kStep);
}

Check Peak::check(Precision, std::span<const std::byte> answer) const {
  if (answer.size() != sizeof(double)) {
    throw std::invalid_argument(
        fmt::format("peak/fma: the answer has {} bytes, expected 8", answer.size()));
  }
  constexpr double kLimit = 1e-10;  // not one multiply-add of 2^30 may be missing
  constexpr double kExpected = static_cast<double>(kFmas) * kStep * kStep;
  ErrorMeasure measure;
  measure.add(0, load_element(ElementType::f64, answer.data(), 0), kExpected, kExpected);
  return measure.verdict(kLimit, "count of multiply-adds", [](std::int64_t) { return "the sum"; });
}

}  // namespace breakeven
