#include "kernels/host/system_files.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <tuple>

namespace breakeven {
namespace {

namespace fs = std::filesystem;

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

// The directories of this process' group and of all groups above it. Inside a container the path in
// /proc/self/cgroup is the host's and may not exist below the mount: what exists is used.
std::vector<fs::path> group_directories(const fs::path& root, std::string_view controller) {
  std::vector<fs::path> directories;
  std::istringstream lines(read_text(root / "proc/self/cgroup").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::istringstream names(line.substr(first + 1, second - first - 1));  // "cpu,cpuacct", or ""
    const bool unified = names.str().empty();
    bool wanted = unified;
    for (std::string name; std::getline(names, name, ',');) wanted = wanted || name == controller;
    if (!wanted) continue;
    const fs::path mount = unified ? root / "sys/fs/cgroup" : root / "sys/fs/cgroup" / controller;
    fs::path group = fs::path(line.substr(second + 1)).relative_path();
    while (true) {
      directories.push_back(mount / group);
      if (group.empty()) break;
      group = group.parent_path();
    }
  }
  return directories;
}

std::optional<double> quota_of(const fs::path& directory) {
  if (const auto text = read_text(directory / "cpu.max")) {  // version 2: "200000 100000"
    std::istringstream fields(*text);
    double quota = 0, period = 0;
    if (fields >> quota >> period && quota > 0 && period > 0) return quota / period;
    return std::nullopt;  // "max 100000"
  }
  const auto quota = read_integer(directory / "cpu.cfs_quota_us");
  const auto period = read_integer(directory / "cpu.cfs_period_us");
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

std::optional<std::size_t> memory_left_of(const fs::path& directory) {
  auto limit = read_integer(directory / "memory.max");
  auto usage = read_integer(directory / "memory.current");
  const char* reclaimable = "inactive_file";
  if (!usage) {
    limit = read_integer(directory / "memory.limit_in_bytes");
    usage = read_integer(directory / "memory.usage_in_bytes");
    reclaimable = "total_inactive_file";
  }
  if (!limit || !usage) return std::nullopt;
  long long left = *limit - *usage;
  const std::string stat = read_text(directory / "memory.stat").value_or("");
  if (const auto cache = find_value(stat, reclaimable)) left += std::atoll(cache->c_str());
  return static_cast<std::size_t>(std::max(left, 0LL));
}

}  // namespace

std::optional<std::string> read_text(const fs::path& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::string text(std::size_t{1} << 20, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return std::nullopt;
  text.resize(static_cast<std::size_t>(file.gcount()));
  text.erase(text.find_last_not_of(" \t\n") + 1);
  return text;
}

std::optional<long long> read_integer(const fs::path& path) {
  const auto text = read_text(path);
  if (!text) return std::nullopt;
  long long value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

std::optional<std::string> find_value(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (!line.starts_with(key)) continue;
    std::string_view rest = line.substr(key.size());
    const std::string_view value = trim(rest);
    if (rest.empty() || (rest[0] != ' ' && rest[0] != '\t' && rest[0] != ':')) continue;
    return std::string(trim(value.starts_with(':') ? value.substr(1) : value));
  }
  return std::nullopt;
}

std::vector<int> parse_cpu_list(std::string_view list) {
  std::vector<int> cpus;
  std::istringstream ranges{std::string(trim(list))};
  for (std::string range; std::getline(ranges, range, ',');) {
    const char* const end = range.data() + range.size();
    int first = 0;
    auto parsed = std::from_chars(range.data(), end, first);
    if (parsed.ec != std::errc()) return {};
    int last = first;
    if (parsed.ptr != end) {
      if (*parsed.ptr != '-') return {};
      parsed = std::from_chars(parsed.ptr + 1, end, last);
      if (parsed.ec != std::errc() || parsed.ptr != end || last < first) return {};
    }
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

std::optional<double> cgroup_cpu_quota(const fs::path& root) {
  std::optional<double> least;
  for (const fs::path& directory : group_directories(root, "cpu")) {
    const auto quota = quota_of(directory);
    if (quota && (!least || *quota < *least)) least = quota;
  }
  return least;
}

std::optional<std::size_t> cgroup_memory_left(const fs::path& root) {
  std::optional<std::size_t> least;
  for (const fs::path& directory : group_directories(root, "memory")) {
    const auto left = memory_left_of(directory);
    if (left && (!least || *left < *least)) least = left;
  }
  return least;
}

std::size_t available_memory_bytes(const fs::path& root) {
  const std::string meminfo = read_text(root / "proc/meminfo").value_or("");
  const auto kibibytes = find_value(meminfo, "MemAvailable");
  const std::size_t available =
      kibibytes ? static_cast<std::size_t>(std::atoll(kibibytes->c_str())) * 1024 : 0;
  return std::min(available, cgroup_memory_left(root).value_or(available));
}

std::vector<int> order_cpus(std::vector<int> allowed, std::optional<double> quota,
                            const fs::path& root) {
  std::map<int, int> rank;  // how many hardware threads of the same core come first
  for (const int cpu : allowed) {
    const fs::path topology =
        root / "sys/devices/system/cpu" / ("cpu" + std::to_string(cpu)) / "topology";
    const std::vector<int> siblings =
        parse_cpu_list(read_text(topology / "thread_siblings_list").value_or(""));
    rank[cpu] = static_cast<int>(std::count_if(siblings.begin(), siblings.end(), [&](int sibling) {
      return sibling < cpu && std::find(allowed.begin(), allowed.end(), sibling) != allowed.end();
    }));
  }
  std::sort(allowed.begin(), allowed.end(),
            [&](int a, int b) { return std::tuple(rank[a], a) < std::tuple(rank[b], b); });
  // Half a CPU more than the quota would be throttled for half of the time: round down.
  if (quota) {
    const auto granted = static_cast<std::size_t>(std::max(1.0, std::floor(*quota + 0.01)));
    allowed.resize(std::min(allowed.size(), granted));
  }
  return allowed;
}

}  // namespace breakeven
