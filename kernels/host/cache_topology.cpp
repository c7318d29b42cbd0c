#include "kernels/host/cache_topology.h"

#include <algorithm>
#include <set>
#include <string>

#include "kernels/host/system_files.h"

namespace breakeven {
namespace {

namespace fs = std::filesystem;

// The CPUs that share the highest cache level of `cpu`, as the system lists them, or "".
std::string sharers(const fs::path& root, int cpu) {
  const fs::path caches = root / "sys/devices/system/cpu" / ("cpu" + std::to_string(cpu)) / "cache";
  std::string list;
  long long highest = 0;
  for (int index = 0; index < 8; ++index) {
    const fs::path cache = caches / ("index" + std::to_string(index));
    const auto level = read_integer(cache / "level");
    if (!level || *level < highest) continue;
    highest = *level;
    list = read_text(cache / "shared_cpu_list").value_or("");
  }
  return list;
}

}  // namespace

std::size_t last_level_caches(std::span<const int> cpus, const fs::path& root) {
  std::set<std::string> caches;
  for (const int cpu : cpus) caches.insert(sharers(root, cpu));
  return std::max<std::size_t>(caches.size(), 1);
}

}  // namespace breakeven
