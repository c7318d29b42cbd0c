// The ceiling of arithmetic: fused multiply-adds from registers, nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "reference/workload.h"

namespace breakeven {

/// kFmas multiply-adds, shared among all threads, lanes and accumulators: accumulators start at 0
/// and each multiply-add adds a x step (a dot-product instruction counts each of its products).
/// Both are inputs, so that a compiler can't see them. The answer is the sum of all accumulators
/// as one f64: it proves that the work was really done. An f32 accumulator must stay below 2^24
/// additions to remain exact.
class Peak final : public Workload {
 public:
  static constexpr std::int64_t kFmas = std::int64_t{1} << 30;
  static constexpr double kStep = 1.0;  ///< both inputs' value; exact in every type

  Peak();

  std::vector<std::pair<std::string, std::int64_t>> dimensions() const override;  ///< "fmas"
  Cost cost(Precision precision) const override;                    ///< 2^31 flops, 8 bytes
  std::vector<Operand> inputs(Precision precision) const override;  ///< "a", "step": one element
  Operand output(Precision precision) const override;               ///< "sum": one f64
  void fill_input(std::size_t index, Precision precision, std::span<std::byte> out) const override;
  Check check(Precision precision, std::span<const std::byte> answer) const override;
};

}  // namespace breakeven
