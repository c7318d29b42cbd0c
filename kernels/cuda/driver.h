// Is there a GPU? Asked without linking CUDA, so that every build can ask.
#pragma once

#include <string>

namespace breakeven {

/// The driver's functions that the question needs, as the CUDA driver API declares them (results:
/// 0 is success). A test fills in its own.
struct DriverCalls {
  int (*init)(unsigned flags);
  int (*device_count)(int* count);
  int (*error_string)(int error, const char** text);
};

/// Why no GPU can be used, in one line, or "" where one answers.
std::string gpu_missing_reason(const DriverCalls& driver);

/// The same of this machine: opens the driver library, initialises it and counts devices, once per
/// process. Calls load_kernels_eagerly() first.
const std::string& gpu_missing_reason();

/// Opens `library` and asks it, as gpu_missing_reason() does with libcuda.so.1.
std::string gpu_missing_reason_of(const std::string& library);

/// Sets CUDA_MODULE_LOADING=EAGER, which the driver reads when it is initialised: with lazy
/// loading, the first launch of a kernel waits for the device, so behind a blocking kernel it never
/// returns.
void load_kernels_eagerly();

}  // namespace breakeven
