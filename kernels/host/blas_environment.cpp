#include "kernels/host/blas_environment.h"

#include <strings.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

namespace breakeven {

bool core_lacks_avx512(std::string_view core) {
  constexpr std::array kAvx512 = {"SkylakeX", "Cooperlake", "SapphireRapids"};
  const std::string name(core);
  return std::none_of(kAvx512.begin(), kAvx512.end(),
                      [&](const char* known) { return strcasecmp(name.c_str(), known) == 0; });
}

void choose_blas_environment() {
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512cd");
  if (!avx512) return;
  std::string dropped;
  if (const char* core = std::getenv(kCoreVariable)) {
    if (!core_lacks_avx512(core) || std::getenv(kCoreKeptVariable)) return;
    dropped = " instead of the environment's " + std::string(core);
    unsetenv(kCoreVariable);
  }
  if (!__builtin_cpu_is("intel")) setenv(kCoreVariable, "SkylakeX", 1);
  setenv(kCoreChosenVariable, ("by CPUID" + dropped).c_str(), 1);
}

}  // namespace breakeven
