// check() for cuBLAS and cuBLASLt.
#pragma once

#include <cublasLt.h>

#include <source_location>
#include <stdexcept>
#include <string>

#include "kernels/cuda/check.h"

namespace breakeven {

/// Throws std::runtime_error with the place and the status' name unless `status` is success.
inline void check(cublasStatus_t status,
                  const std::source_location where = std::source_location::current()) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw std::runtime_error(place(where) + cublasLtGetStatusName(status) + ": " +
                           cublasLtGetStatusString(status));
}

}  // namespace breakeven
