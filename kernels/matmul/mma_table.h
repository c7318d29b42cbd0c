// What the mma.sync rungs' choice needs to know of each architecture. The shares are estimates: the
// share of issue slots and shared-memory passes that the main loops leave to the tensor core. What
// a tuner measured stands in tuned.cpp and goes before this table.
#pragma once

#include <array>

namespace breakeven::matmul {

/// The tiles that the best rung is compiled for, in the order of Gemm::tiling and of the shares.
/// The first kMmaBaseTiles are compiled for every precision and layout; the others not for 8-bit
/// operands, whose slabs come in half the bytes, nor for those without 16-byte vectors.
inline constexpr std::array kMmaTileNames = {"128x128", "64x64", "128x256", "256x128"};
inline constexpr int kMmaBaseTiles = 2;

struct MmaArchitecture {
  int compute_capability;  ///< the entry holds from here to the next one
  double mma_rate;         ///< multiply-adds of 16-bit operands through mma.sync, per SM and cycle
  double fp8_rate;         ///< the same of fp8; 0 where there is none
  double l2_bytes;         ///< that an SM gets from the L2 cache in a cycle
  double memory_bytes;     ///< that the whole GPU gets from memory in a cycle
  int shared_bytes;        ///< of an SM
  std::array<double, kMmaTileNames.size()> shares;  ///< of mma_rate, where copies hold nothing back
};

// mma_rate and memory_bytes are the vendor's figures over SMs and clock (sm_90's rate is what
// published measurements reach without wgmma, 62 % of its peak); l2_bytes and shares are estimates.
// sm_90 and sm_100 convert fp8 to f16 for their mma.sync, which is no faster than f16's.
inline constexpr MmaArchitecture kMmaArchitectures[] = {
    {80, 1024, 0, 48, 1400, 164 << 10, {0.90, 0.70, 0.93, 0.93}},
    {86, 512, 0, 48, 450, 100 << 10, {0.90, 0.75, 0.92, 0.92}},
    {89, 512, 1024, 48, 350, 100 << 10, {0.90, 0.75, 0.92, 0.92}},
    {90, 1270, 1270, 56, 1900, 228 << 10, {0.88, 0.68, 0.92, 0.92}},
    {100, 1024, 1024, 56, 4000, 228 << 10, {0.88, 0.70, 0.92, 0.92}},
    {120, 512, 1024, 48, 750, 100 << 10, {0.90, 0.75, 0.92, 0.92}},
};

/// The newest entry that isn't newer than the GPU.
inline const MmaArchitecture& mma_architecture(int compute_capability) {
  const MmaArchitecture* found = &kMmaArchitectures[0];
  for (const MmaArchitecture& each : kMmaArchitectures) {
    if (each.compute_capability <= compute_capability) found = &each;
  }
  return *found;
}

}  // namespace breakeven::matmul
