#include "kernels/host/blas_environment.h"

#include <cstdlib>

namespace breakeven {

void choose_blas_environment() {
  if (std::getenv(kCoreVariable)) return;
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512cd");
  if (!avx512 || __builtin_cpu_is("intel")) return;
  setenv(kCoreVariable, "SkylakeX", 1);
  setenv(kCoreChosenVariable, "1", 1);
}

}  // namespace breakeven
