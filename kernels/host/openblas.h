// What every OpenBLAS competitor shares.
#pragma once

#include <cblas.h>

#include <string>

#include "kernels/kernel.h"

namespace breakeven {

/// Throws Unsupported where OpenBLAS doesn't follow: a build with too few MAX_THREADS, or without
/// OpenMP, ignores omp_set_num_threads().
inline void set_openblas_threads(int threads) {
  openblas_set_num_threads(threads);
  if (openblas_get_num_threads() != threads) {
    throw Unsupported("this OpenBLAS uses " + std::to_string(openblas_get_num_threads()) + " of " +
                      std::to_string(threads) + " threads: " + openblas_get_config());
  }
}

}  // namespace breakeven
