// Makes OpenBLAS use the CPU that is there. Free of every library, because it runs before one is
// loaded.
#pragma once

namespace breakeven {

/// The variable by which OpenBLAS takes a core name instead of its own guess, and the one by which
/// this project remembers that the name was its choice, not the user's.
inline constexpr const char* kCoreVariable = "OPENBLAS_CORETYPE";
inline constexpr const char* kCoreChosenVariable = "BREAKEVEN_CHOSE_OPENBLAS_CORE";

/// Call before OpenBLAS is loaded. OpenBLAS knows CPUs by vendor and model number: a release older
/// than the CPU, or a virtual machine that masks the model, can make it fall back to AVX2 kernels,
/// at half of the speed. Where the CPU has AVX-512 and isn't Intel's (there OpenBLAS goes by CPUID
/// flags where it doesn't know the model), this sets OPENBLAS_CORETYPE=SkylakeX, the core that
/// needs no more than AVX-512 F, DQ, BW, VL and CD. A value that is set already stays; where it
/// holds OpenBLAS back, the fact openblas.warning says so.
void choose_blas_environment();

}  // namespace breakeven
