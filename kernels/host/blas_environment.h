// Makes OpenBLAS use the CPU that is there. Free of every library, because it runs before one is
// loaded.
#pragma once

#include <string_view>

namespace breakeven {

/// The variable by which OpenBLAS takes a core name instead of its own guess, the one by which this
/// project remembers who chose it, and the one by which a user insists on their own choice.
inline constexpr const char* kCoreVariable = "OPENBLAS_CORETYPE";
inline constexpr const char* kCoreChosenVariable = "BREAKEVEN_CHOSE_OPENBLAS_CORE";
inline constexpr const char* kCoreKeptVariable = "BREAKEVEN_KEEP_OPENBLAS_CORETYPE";

/// Whether OpenBLAS's kernels of that core (of its x86 DYNAMIC_ARCH builds) use no AVX-512.
bool core_lacks_avx512(std::string_view core);

/// Call before OpenBLAS is loaded. The CPU side must be the strongest there is, so on a CPU with
/// AVX-512
/// - a core without it in OPENBLAS_CORETYPE (some images set one, so that results are the same on
///   every host) is dropped, unless BREAKEVEN_KEEP_OPENBLAS_CORETYPE is set;
/// - where the CPU isn't Intel's and nothing is set, it sets OPENBLAS_CORETYPE=SkylakeX, the core
///   that needs no more than AVX-512 F, DQ, BW, VL and CD: releases of OpenBLAS older than the CPU
///   may fall back to AVX2 kernels, at half the speed. (Of Intel's they go by CPUID's flags.)
void choose_blas_environment();

}  // namespace breakeven
