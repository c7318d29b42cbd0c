// Kernel modules: shared objects that hold the competitors of one library, opened one at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kernels/kernel.h"

namespace breakeven {

/// Raised on every change of kernel.h or workload.h that a compiled module would notice.
inline constexpr std::uint32_t kModuleVersion = 4;

/// What a module's entry point returns. All pointers live as long as the module.
struct ModuleEntry {
  std::uint32_t version;  ///< kModuleVersion at the module's compilation
  const char* name;
  void (*add_kernels)(Registry&);
  /// The device, or throws Unsupported with the reason why there is none.
  std::unique_ptr<Device> (*make_device)();
  /// Libraries really loaded with path and version, the core or ISA that they dispatch to. Keys
  /// start with the library's name: "openblas.core".
  Facts (*facts)();
};

/// Every module exports this: `extern "C" const breakeven::ModuleEntry* breakeven_module();`
inline constexpr const char* kModuleSymbol = "breakeven_module";

/// A module that can be asked for: built with this binary, left out of the build, or found in a
/// directory of BREAKEVEN_MODULE_PATH.
struct ModuleInfo {
  std::string name;
  std::string device;  ///< "cpu", "gpu", or "" where only opening it can tell
  std::filesystem::path path;
  std::string missing;                   ///< why it was not built, or ""
  std::vector<std::string> competitors;  ///< "matmul/openblas", where the build knows them
};

/// All modules, built-in ones first; opens none. Modules lie in `modules/` beside the executable.
std::vector<ModuleInfo> known_modules();

/// An opened module; closed never (BLAS libraries don't survive it).
struct Module {
  ModuleInfo info;
  std::unique_ptr<Device> device;
  Registry registry;
  Facts facts;
};

/// Opens `info`'s shared object. GPU modules are opened only where a driver answers, since their
/// libraries cost tens of milliseconds and hundreds of megabytes at start.
/// Throws Unsupported with the reason where it can't be opened here.
Module open_module(const ModuleInfo& info);

}  // namespace breakeven
