// Counts what a warp's accesses would cost: passes through the banks of shared memory, sectors of
// global memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>

namespace breakeven::simt {

enum class Space { shared, global };
using Site = std::source_location;

/// Notes this thread's access; checks its alignment and that it lies in `space`. The n-th access of
/// each lane of a warp at one place in the source count as one instruction of the warp.
void count_access(Space space, bool write, const void* address, std::size_t bytes,
                  const Site& where);

/// Counts one instruction of a warp at once: `mask` says which of the 32 addresses count.
void count_warp_access(Space space, const void* const* addresses, std::uint32_t mask,
                       std::size_t bytes);

/// Passes through 32 banks of 4 bytes that the accesses need, and how few they could be: 8 and 16
/// byte accesses are served by half and quarter warps.
struct BankPasses {
  int passes;
  int least;
};
BankPasses bank_passes(const std::uint64_t (&addresses)[32], std::uint32_t mask, std::size_t bytes);
int sectors(const std::uint64_t (&addresses)[32], std::uint32_t mask, std::size_t bytes);

}  // namespace breakeven::simt
