#include "bench/environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include "bench/build_info.h"

namespace breakeven {
namespace {

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n\"");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n\"") - begin + 1);
}

template <class Number>
std::optional<Number> number(std::string_view text) {
  text = trim(text);
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void add(Facts& facts, const std::string& key, std::string_view value) {
  if (!trim(value).empty()) facts[key] = trim(value);
}

/// "32768K", "480M" in bytes.
std::optional<std::size_t> cache_bytes(std::string_view text) {
  text = trim(text);
  if (text.empty()) return std::nullopt;
  std::size_t unit = 1;
  if (text.back() == 'K') unit = 1024;
  if (text.back() == 'M') unit = 1024 * 1024;
  if (unit > 1) text.remove_suffix(1);
  const auto count = number<std::size_t>(text);
  if (!count) return std::nullopt;
  return *count * unit;
}

/// The instruction sets that the competitors choose between, out of the CPU's flags.
std::string isa_of(const std::string& flags) {
  constexpr std::array kSets = {"avx2",        "fma",         "avx_vnni",    "avx512f",
                                "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile",
                                "amx_bf16",    "amx_int8",    "amx_fp16",    "asimd",
                                "sve",         "sve2",        "bf16",        "i8mm"};
  std::istringstream words(flags);
  std::set<std::string> present;
  for (std::string word; words >> word;) present.insert(word);
  std::string result;
  for (const char* name : kSets) {
    if (!present.contains(name)) continue;
    if (!result.empty()) result += ' ';
    result += name;
  }
  return result;
}

/// "always [madvise] never": the word in brackets.
std::string_view chosen(std::string_view text) {
  const std::size_t open = text.find('[');
  const std::size_t close = text.find(']');
  if (open == std::string_view::npos || close == std::string_view::npos) return {};
  return text.substr(open + 1, close - open - 1);
}

/// A line "key value" of a cgroup's memory.stat, or 0.
std::size_t statistic(const std::string& text, std::string_view wanted) {
  std::istringstream words(text);
  std::size_t value = 0;
  for (std::string key; words >> key >> value;) {
    if (key == wanted) return value;
  }
  return 0;
}

}  // namespace

std::vector<int> Machine::cpu_list(std::string_view text) {
  std::vector<int> cpus;
  text = trim(text);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view range = text.substr(begin, end - begin);
    const std::size_t dash = range.find('-');
    const auto first = number<int>(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number<int>(range.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last > 65535) return {};
    for (int cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
    begin = end + 1;
  }
  return cpus;
}

std::string Machine::text(const std::filesystem::path& path) const {
  std::ifstream file(root_ / path);
  std::ostringstream content;
  if (file) content << file.rdbuf();
  return content.str();
}

std::optional<std::string> Machine::line(const std::filesystem::path& path) const {
  std::ifstream file(root_ / path);
  std::string first;
  if (!std::getline(file, first)) return std::nullopt;
  return std::string(trim(first));
}

/// The value of the first line `key : value` or `key=value`.
std::string Machine::field(const std::filesystem::path& path, std::string_view key) const {
  std::ifstream file(root_ / path);
  for (std::string row; std::getline(file, row);) {
    const std::size_t separator = row.find_first_of(":=");
    if (separator == std::string::npos) continue;
    if (trim(std::string_view(row).substr(0, separator)) == key) {
      return std::string(trim(std::string_view(row).substr(separator + 1)));
    }
  }
  return {};
}

std::vector<int> Machine::allowed_cpus() const {
  std::vector<int> cpus = cpu_list(field("proc/self/status", "Cpus_allowed_list"));
  if (cpus.empty()) cpus = cpu_list(line("sys/devices/system/cpu/online").value_or("0"));
  if (cpus.empty()) cpus = {0};
  return cpus;
}

int Machine::physical_cores(const std::vector<int>& cpus) const {
  std::set<std::string> cores;
  for (const int cpu : cpus) {
    const auto siblings =
        line(fmt::format("sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu));
    cores.insert(siblings.value_or(std::to_string(cpu)));
  }
  return static_cast<int>(cores.size());
}

/// The folders of this process's cgroup and all its ancestors, for one controller. In a container
/// that sees the host's path but only its own tree, the ancestors that exist are what counts.
std::vector<std::filesystem::path> Machine::cgroup_folders(std::string_view controller) const {
  std::vector<std::filesystem::path> folders;
  std::istringstream groups(text("proc/self/cgroup"));
  for (std::string row; std::getline(groups, row);) {
    const std::size_t first = row.find(':');
    const std::size_t second = row.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = row.substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    const std::string listed = "," + controllers + ",";
    if (!unified && listed.find("," + std::string(controller) + ",") == std::string::npos) continue;
    std::filesystem::path base = "sys/fs/cgroup";
    if (!unified) {
      base /= std::filesystem::exists(root_ / base / controllers) ? controllers
                                                                  : std::string(controller);
    }
    std::filesystem::path group = std::filesystem::path(row.substr(second + 1)).relative_path();
    for (; !group.empty(); group = group.parent_path()) folders.push_back(base / group);
    folders.push_back(base);
  }
  return folders;
}

std::optional<double> Machine::cpu_quota() const {
  std::optional<double> quota;
  const auto tighten = [&](std::optional<double> micros, std::optional<double> period) {
    if (!micros || !period || !(*micros > 0) || !(*period > 0)) return;
    quota = std::min(quota.value_or(*micros / *period), *micros / *period);
  };
  for (const std::filesystem::path& folder : cgroup_folders("cpu")) {
    if (const auto v2 = line(folder / "cpu.max")) {
      const std::size_t space = v2->find(' ');
      if (space != std::string::npos) {
        tighten(number<double>(v2->substr(0, space)), number<double>(v2->substr(space + 1)));
      }
    }
    tighten(number<double>(line(folder / "cpu.cfs_quota_us").value_or("")),
            number<double>(line(folder / "cpu.cfs_period_us").value_or("")));
  }
  return quota;
}

std::size_t Machine::available_bytes() const {
  std::size_t available = std::numeric_limits<std::size_t>::max();
  const std::string meminfo = field("proc/meminfo", "MemAvailable");
  if (const auto kib = number<std::size_t>(meminfo.substr(0, meminfo.find(' ')))) {
    available = *kib * 1024;
  }
  const auto tighten = [&](const std::filesystem::path& folder, const char* limit, const char* used,
                           const char* cache) {
    const auto most = number<std::size_t>(line(folder / limit).value_or(""));
    const auto now = number<std::size_t>(line(folder / used).value_or(""));
    if (!most || !now) return;
    const std::size_t free = *most > *now ? *most - *now : 0;
    available = std::min(available, free + statistic(text(folder / "memory.stat"), cache));
  };
  for (const std::filesystem::path& folder : cgroup_folders("memory")) {
    tighten(folder, "memory.max", "memory.current", "inactive_file");
    tighten(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file");
  }
  return available;
}

void Machine::add_cpu_facts(Facts& facts) const {
  const std::filesystem::path cpu = "sys/devices/system/cpu";
  add(facts, "cpu.model", field("proc/cpuinfo", "model name"));
  const std::string flags = field("proc/cpuinfo", "flags");
  add(facts, "cpu.isa", isa_of(flags.empty() ? field("proc/cpuinfo", "Features") : flags));
  if (!flags.empty()) {
    facts["cpu.virtual"] = flags.find(" hypervisor") != std::string::npos ? "true" : "false";
  }
  const std::vector<int> online = cpu_list(line(cpu / "online").value_or(""));
  std::set<std::string> sockets;
  for (const int id : online) {
    const auto package = line(cpu / fmt::format("cpu{}/topology/physical_package_id", id));
    if (package) sockets.insert(*package);
  }
  if (!sockets.empty()) facts["cpu.sockets"] = std::to_string(sockets.size());
  if (!online.empty()) {
    facts["cpu.threads"] = std::to_string(online.size());
    facts["cpu.cores"] = std::to_string(physical_cores(online));
  }
  add(facts, "cpu.allowed", field("proc/self/status", "Cpus_allowed_list"));
  if (const auto quota = cpu_quota()) facts["cpu.quota"] = fmt::format("{:.4g}", *quota);
  const auto nodes = cpu_list(line("sys/devices/system/node/online").value_or(""));
  if (!nodes.empty()) facts["cpu.numa_nodes"] = std::to_string(nodes.size());
  if (const std::size_t bytes = l3_bytes(); bytes > 0)
    facts["cpu.l3_bytes"] = std::to_string(bytes);
  add(facts, "cpu.governor", line(cpu / "cpu0/cpufreq/scaling_governor").value_or(""));
  if (const auto off = line(cpu / "intel_pstate/no_turbo")) {
    facts["cpu.turbo"] = *off == "0" ? "on" : "off";
  } else if (const auto boost = line(cpu / "cpufreq/boost")) {
    facts["cpu.turbo"] = *boost == "1" ? "on" : "off";
  }
}

void Machine::add_system_facts(Facts& facts) const {
  const std::string total = field("proc/meminfo", "MemTotal");
  if (const auto kib = number<std::size_t>(total.substr(0, total.find(' ')))) {
    facts["memory.total_bytes"] = std::to_string(*kib * 1024);
  }
  add(facts, "os.kernel", line("proc/sys/kernel/osrelease").value_or(""));
  add(facts, "os.name", field("etc/os-release", "PRETTY_NAME"));
  const std::string load = line("proc/loadavg").value_or("");
  add(facts, "load.1min", load.substr(0, load.find(' ')));
  add(facts, "thp", chosen(line("sys/kernel/mm/transparent_hugepage/enabled").value_or("")));
}

/// The last-level caches above the CPUs of this process, each counted once; 0 where unknown.
std::size_t Machine::l3_bytes() const {
  std::set<std::string> seen;
  std::size_t sum = 0;
  for (const int id : allowed_cpus()) {
    const std::filesystem::path cache =
        fmt::format("sys/devices/system/cpu/cpu{}/cache/index3", id);
    const auto bytes = cache_bytes(line(cache / "size").value_or(""));
    if (bytes && seen.insert(line(cache / "shared_cpu_list").value_or("")).second) sum += *bytes;
  }
  return sum;
}

Facts Machine::facts() const {
  Facts facts;
  add_cpu_facts(facts);
  add_system_facts(facts);
  return facts;
}

Facts build_facts() {
  const BuildInfo build = build_info();
  return {{"git.commit", build.commit},
          {"git.dirty", build.dirty},
          {"compiler", build.compiler},
          {"compiler.flags", build.flags},
          {"build.type", build.type}};
}

Facts environment_facts(const char* const* environment) {
  constexpr std::array kPrefixes = {
      "OMP_",    "GOMP_",      "KMP_",    "OPENBLAS_", "GOTO_",       "MKL_",
      "DNNL_",   "ONEDNN_",    "CUDA_",   "CUBLAS_",   "CUBLASLT_",   "CUDNN_",
      "NVIDIA_", "BREAKEVEN_", "MALLOC_", "GLIBC_",    "LD_PRELOAD=", "LD_LIBRARY_PATH="};
  Facts facts;
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    if (entry.starts_with("BREAKEVEN_ANSWERS=")) continue;  // the run's own folder
    if (std::ranges::any_of(kPrefixes, [&](const char* p) { return entry.starts_with(p); })) {
      facts["env." + std::string(entry.substr(0, equals))] = entry.substr(equals + 1);
    }
  }
  return facts;
}

}  // namespace breakeven
