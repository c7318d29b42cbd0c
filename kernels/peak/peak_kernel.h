// What the peak competitors share: how the multiply-adds are dealt to threads, and the answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/kernel.h"

namespace breakeven::peak {

/// Executes `count` instructions of one kind on accumulators that start at 0, each adding
/// a x step, and returns the sum of all accumulators. `a` and `step` hold one element each.
using Body = double (*)(std::int64_t count, const std::byte* a, const std::byte* step);

/// A peak row: `fmas_per_instruction` must divide Peak::kFmas.
struct Ceiling {
  std::string name;  ///< segment 4 of the row's name
  Precision precision;
  std::int64_t fmas_per_instruction;
  Body body;
  bool available;     ///< by CPUID, here
  std::string needs;  ///< what is missing where it is not, e.g. "AVX-512 F"
};

/// Adds the ceilings of one instruction set, which share a name, as one implementation.
void add_ceilings(Registry& registry, const std::vector<Ceiling>& ceilings);

}  // namespace breakeven::peak
