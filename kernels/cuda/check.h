// Every call of the CUDA runtime goes through check().
#pragma once

#include <cuda_runtime_api.h>

#include <source_location>
#include <stdexcept>
#include <string>

namespace breakeven {

/// A CUDA call that failed, with the place that made it.
class CudaError : public std::runtime_error {
 public:
  CudaError(const std::string& text, cudaError_t code) : std::runtime_error(text), code_(code) {}
  cudaError_t code() const { return code_; }

 private:
  cudaError_t code_;
};

/// "buffers.h:42: "
inline std::string place(const std::source_location& where) {
  const std::string file = where.file_name();
  return file.substr(file.find_last_of('/') + 1) + ":" + std::to_string(where.line()) + ": ";
}

/// Throws CudaError unless `result` is success. After a launch: check(cudaGetLastError()).
inline void check(cudaError_t result,
                  const std::source_location where = std::source_location::current()) {
  if (result == cudaSuccess) return;
  throw CudaError(place(where) + cudaGetErrorName(result) + ": " + cudaGetErrorString(result),
                  result);
}

}  // namespace breakeven
