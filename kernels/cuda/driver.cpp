#include "kernels/cuda/driver.h"

#include <dlfcn.h>

#include <cstdlib>

namespace breakeven {
namespace {

std::string dl_reason() {
  const char* text = dlerror();
  return text ? text : "unknown reason";
}

std::string describe(const DriverCalls& driver, const char* call, int error) {
  const char* text = nullptr;
  if (driver.error_string(error, &text) != 0 || !text) text = "unknown error";
  return std::string("no usable GPU: ") + call + ": " + text + " (" + std::to_string(error) + ")";
}

}  // namespace

std::string gpu_missing_reason(const DriverCalls& driver) {
  if (const int error = driver.init(0); error != 0) return describe(driver, "cuInit", error);
  int count = 0;
  if (const int error = driver.device_count(&count); error != 0) {
    return describe(driver, "cuDeviceGetCount", error);
  }
  if (count > 0) return "";
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  return std::string("no GPU: the NVIDIA driver shows 0 devices") +
         (visible ? std::string(", CUDA_VISIBLE_DEVICES is \"") + visible + "\"" : std::string());
}

std::string gpu_missing_reason_of(const std::string& library) {
  load_kernels_eagerly();
  // Never closed: the CUDA runtime opens the same library next.
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return "no NVIDIA driver: " + dl_reason();
  const DriverCalls driver = {
      reinterpret_cast<int (*)(unsigned)>(dlsym(handle, "cuInit")),
      reinterpret_cast<int (*)(int*)>(dlsym(handle, "cuDeviceGetCount")),
      reinterpret_cast<int (*)(int, const char**)>(dlsym(handle, "cuGetErrorString")),
  };
  if (!driver.init || !driver.device_count || !driver.error_string) {
    return "no NVIDIA driver: " + library + " is no CUDA driver: " + dl_reason();
  }
  return gpu_missing_reason(driver);
}

const std::string& gpu_missing_reason() {
  static const std::string reason = gpu_missing_reason_of("libcuda.so.1");
  return reason;
}

void load_kernels_eagerly() { setenv("CUDA_MODULE_LOADING", "EAGER", 1); }

}  // namespace breakeven
