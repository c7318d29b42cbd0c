// Seeded inputs: counter-based, so that any part of an operand can be made anywhere, at once, and
// is the same everywhere. The generator is Philox4x32-10 of Salmon, Moraes, Dror & Shaw, "Parallel
// random numbers: as easy as 1, 2, 3", SC'11.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "reference/precision.h"

namespace breakeven {

/// The ten rounds of Philox4x32 on one counter.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// Which sequence: element i depends on these and i alone.
struct RandomStream {
  std::uint64_t seed = 1;
  std::uint32_t operand = 0;  ///< index of the operand in Workload::inputs()
};

/// The generator's words `first` ... `first + out.size() - 1`; word i is word i % 4 of block i / 4.
void random_words(RandomStream stream, std::uint64_t first, std::span<std::uint32_t> out);

/// Elements `first` ... `first + count - 1` as `type`, written to the start of `out`. Floating
/// types: uniform in (-1, 1), an odd multiple of 2^-24 (f64: 2^-53), rounded to the type; never 0
/// before rounding. s8: uniform whole numbers in [-127, 127]. Throws std::invalid_argument for s32.
void random_elements(RandomStream stream, ElementType type, std::uint64_t first, std::size_t count,
                     std::byte* out);

/// The same values widened to double, exactly.
void random_values(RandomStream stream, ElementType type, std::uint64_t first, std::size_t count,
                   double* out);

/// The mean square of random elements: of uniform ones in (-1, 1), or of -127 ... 127.
double mean_square(ElementType type);

/// Fills a whole operand, in parallel: each OpenMP thread writes one contiguous part.
void random_fill(RandomStream stream, ElementType type, std::span<std::byte> out);

}  // namespace breakeven
