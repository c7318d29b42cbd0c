#include "kernels/host/libraries.h"

#include <dlfcn.h>
#include <link.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

namespace breakeven {
namespace {

std::string resolve(const std::string& path) {
  std::error_code failed;
  const auto resolved = std::filesystem::canonical(path, failed);
  return failed ? path : resolved.string();
}

}  // namespace

std::string library_path(const void* function) {
  Dl_info info;
  if (dladdr(function, &info) == 0 || !info.dli_fname) return "";
  return resolve(info.dli_fname);
}

std::vector<std::string> openmp_runtimes(const std::vector<std::string>& loaded) {
  constexpr std::array<std::string_view, 3> kStems = {"libgomp", "libomp", "libiomp5"};
  std::vector<std::string> found;
  for (const std::string& path : loaded) {
    const std::string file = std::filesystem::path(path).filename();
    // "libomp.so.5" and "libgomp-a34b3233.so.1.0.0" (in wheels), but not "libomptarget.so".
    const bool openmp = std::any_of(kStems.begin(), kStems.end(), [&](std::string_view stem) {
      return file.starts_with(stem) && file.size() > stem.size() &&
             (file[stem.size()] == '.' || file[stem.size()] == '-');
    });
    if (openmp && std::find(found.begin(), found.end(), path) == found.end()) found.push_back(path);
  }
  return found;
}

std::vector<std::string> loaded_libraries() {
  std::vector<std::string> paths;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* out) {
        if (info->dlpi_name && info->dlpi_name[0] != '\0') {
          static_cast<std::vector<std::string>*>(out)->push_back(resolve(info->dlpi_name));
        }
        return 0;
      },
      &paths);
  return paths;
}

Facts openmp_facts() {
  Facts facts;
  facts["openmp.path"] = library_path(reinterpret_cast<const void*>(&omp_get_max_threads));
  const std::vector<std::string> runtimes = openmp_runtimes(loaded_libraries());
  if (runtimes.size() > 1) {
    std::string all;
    for (const std::string& path : runtimes) all += (all.empty() ? "" : " and ") + path;
    facts["openmp.warning"] =
        "several OpenMP runtimes are loaded and will oversubscribe the CPUs: " + all +
        "; link every library to one of them";
  }
  return facts;
}

Facts host_facts() { return openmp_facts(); }

}  // namespace breakeven
