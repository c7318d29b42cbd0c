// check() for cuDNN.
#pragma once

#include <cudnn.h>

#include <source_location>
#include <stdexcept>
#include <string>

#include "kernels/cuda/check.h"

namespace breakeven {

/// Throws std::runtime_error with the place and the status' name unless `status` is success.
inline void check(cudnnStatus_t status,
                  const std::source_location where = std::source_location::current()) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  throw std::runtime_error(place(where) + cudnnGetErrorString(status));
}

}  // namespace breakeven
