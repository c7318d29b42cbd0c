#include "kernels/module.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string_view>

#include "kernels/cuda/driver.h"
#include "kernels/host/blas_environment.h"

namespace breakeven {

std::vector<ModuleInfo> built_in_modules();

namespace {

constexpr std::string_view kPrefix = "breakeven_";
constexpr std::string_view kSuffix = ".so";

std::string dl_reason() {
  const char* text = dlerror();
  return text ? text : "unknown reason";
}

// Modules of other people: breakeven_<name>.so in the directories of BREAKEVEN_MODULE_PATH.
std::vector<ModuleInfo> found_modules() {
  std::vector<ModuleInfo> found;
  const char* path = std::getenv("BREAKEVEN_MODULE_PATH");
  std::istringstream directories(path ? path : "");
  for (std::string directory; std::getline(directories, directory, ':');) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
      const std::string file = entry.path().filename().string();
      if (!file.starts_with(kPrefix) || !file.ends_with(kSuffix)) continue;
      const std::size_t length = file.size() - kPrefix.size() - kSuffix.size();
      found.push_back({file.substr(kPrefix.size(), length), "", entry.path(), "", {}});
    }
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return found;
}

}  // namespace

std::vector<ModuleInfo> known_modules() {
  const auto directory = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "modules";
  std::vector<ModuleInfo> modules = built_in_modules();
  for (ModuleInfo& module : modules) {
    if (module.missing.empty()) module.path = directory / ("breakeven_" + module.name + ".so");
  }
  for (ModuleInfo& module : found_modules()) {
    const bool known = std::any_of(modules.begin(), modules.end(),
                                   [&](const auto& other) { return other.name == module.name; });
    if (!known) modules.push_back(std::move(module));
  }
  return modules;
}

Module open_module(const ModuleInfo& info) {
  if (!info.missing.empty()) throw Unsupported(info.missing);
  if (info.device == "gpu") {
    if (const std::string& reason = gpu_missing_reason(); !reason.empty())
      throw Unsupported(reason);
  } else {
    choose_blas_environment();
  }
  void* handle = dlopen(info.path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) throw Unsupported(dl_reason());
  const auto entry_point = reinterpret_cast<const ModuleEntry* (*)()>(dlsym(handle, kModuleSymbol));
  if (!entry_point) throw Unsupported(info.path.string() + " is no kernel module: " + dl_reason());
  const ModuleEntry& entry = *entry_point();
  if (entry.version != kModuleVersion) {
    throw Unsupported(info.path.string() + " was built for module version " +
                      std::to_string(entry.version) + ", this program has " +
                      std::to_string(kModuleVersion) + ": rebuild it");
  }
  Module module;
  module.info = info;
  module.device = entry.make_device();
  module.info.device = module.device->kind();
  entry.add_kernels(module.registry);
  module.facts = entry.facts();
  return module;
}

}  // namespace breakeven
