#include "kernels/host/host_facts.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "kernels/host/features.h"
#include "kernels/host/system_files.h"

namespace breakeven {
namespace {

namespace fs = std::filesystem;

fs::path cpu_directory(const fs::path& root, int cpu) {
  return root / "sys/devices/system/cpu" / ("cpu" + std::to_string(cpu));
}

// The file of the highest cache level that the CPU has, e.g. "size" or "shared_cpu_list".
std::optional<std::string> last_level_cache(const fs::path& root, int cpu, const char* file) {
  std::optional<std::string> text;
  long long highest = 0;
  for (int index = 0; index < 8; ++index) {
    const fs::path cache = cpu_directory(root, cpu) / "cache" / ("index" + std::to_string(index));
    const auto level = read_integer(cache / "level");
    if (!level || *level < highest) continue;
    highest = *level;
    text = read_text(cache / file);
  }
  return text;
}

// "always [madvise] never" -> "madvise".
std::string chosen(const std::string& text) {
  const auto open = text.find('['), close = text.find(']');
  return open < close && close != std::string::npos ? text.substr(open + 1, close - open - 1)
                                                    : text;
}

}  // namespace

std::size_t last_level_caches(std::span<const int> cpus, const fs::path& root) {
  std::set<std::string> caches;
  for (const int cpu : cpus)
    caches.insert(last_level_cache(root, cpu, "shared_cpu_list").value_or(""));
  return std::max<std::size_t>(caches.size(), 1);
}

Facts machine_facts(const std::vector<int>& cpus, const fs::path& root) {
  Facts facts;
  const auto add = [&](const char* key, const std::optional<std::string>& value) {
    if (value && !value->empty()) facts[key] = *value;
  };
  const std::string cpuinfo = read_text(root / "proc/cpuinfo").value_or("");
  add("cpu.model", find_value(cpuinfo, "model name"));

  const std::vector<int> online =
      parse_cpu_list(read_text(root / "sys/devices/system/cpu/online").value_or(""));
  std::set<std::string> sockets, cores;
  for (const int cpu : online) {
    const fs::path topology = cpu_directory(root, cpu) / "topology";
    sockets.insert(read_text(topology / "physical_package_id").value_or(""));
    cores.insert(read_text(topology / "thread_siblings_list").value_or(std::to_string(cpu)));
  }
  if (!online.empty()) {
    facts["cpu.sockets"] = std::to_string(sockets.size());
    facts["cpu.cores"] = std::to_string(cores.size());
    facts["cpu.threads"] = std::to_string(online.size());
  }
  facts["cpu.quota"] = std::to_string(cpus.size());
  std::string order;
  for (const int cpu : cpus) order += (order.empty() ? "" : ",") + std::to_string(cpu);
  facts["cpu.order"] = order;
  facts["cpu.pinning"] = "one thread per CPU, in cpu.order";
  facts["cpu.isa"] = describe(cpu_features());
  if (!cpus.empty()) {
    add("cpu.governor", read_text(cpu_directory(root, cpus.front()) / "cpufreq/scaling_governor"));
    if (const auto size = last_level_cache(root, cpus.front(), "size")) {  // "32768K"
      facts["cpu.l3_bytes"] = std::to_string(std::atoll(size->c_str()) * 1024);
    }
  }
  const auto nodes =
      parse_cpu_list(read_text(root / "sys/devices/system/node/online").value_or(""));
  if (!nodes.empty()) facts["cpu.numa_nodes"] = std::to_string(nodes.size());
  if (const auto total = find_value(read_text(root / "proc/meminfo").value_or(""), "MemTotal")) {
    facts["memory.total_bytes"] = std::to_string(std::atoll(total->c_str()) * 1024);
  }
  if (const auto thp = read_text(root / "sys/kernel/mm/transparent_hugepage/enabled")) {
    facts["thp"] = chosen(*thp);
  }
  return facts;
}

}  // namespace breakeven
