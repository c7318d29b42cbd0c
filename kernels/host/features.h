// What this CPU can execute, by CPUID and by what the operating system saves.
#pragma once

namespace breakeven {

/// Instruction sets that implementations choose between. All false where the system doesn't save
/// their registers.
struct CpuFeatures {
  bool avx2 = false;         ///< AVX2 and FMA
  bool avx512 = false;       ///< AVX-512 F, DQ, BW, VL and CD
  bool avx512_bf16 = false;  ///< vdpbf16ps
  bool avx512_vnni = false;  ///< vpdpbusd
  bool amx_bf16 = false;     ///< tdpbf16ps, and this process may use the tiles
  bool amx_int8 = false;     ///< tdpbssd, and this process may use the tiles
};

/// Read once. Asks the kernel for permission to use AMX tiles where the CPU has them.
const CpuFeatures& cpu_features();

}  // namespace breakeven
