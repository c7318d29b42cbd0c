#include "tools/breakeven/doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

#include "tools/breakeven/cpu_use.h"

namespace breakeven {
namespace {

namespace fs = std::filesystem;
using Findings = std::vector<Finding>;

constexpr double kBusyCpus = 0.1;       // of other processes, in CPUs
constexpr double kStolenShare = 0.01;   // of the CPU time, by the hypervisor
constexpr double kLeastMemory = 3.0e9;  // bytes: the quick suite needs 2 GiB

std::string read_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<long long> read_number(const fs::path& path) {
  std::ifstream file(path);
  long long value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

/// Directories cpu0, cpu1, ... of sysfs.
std::vector<fs::path> cpu_directories(const fs::path& root) {
  std::vector<fs::path> directories;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root / "sys/devices/system/cpu", ignored)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("cpu") && name.find_first_not_of("0123456789", 3) == std::string::npos &&
        name.size() > 3) {
      directories.push_back(entry.path());
    }
  }
  return directories;
}

std::string fact(const Patient& patient, const std::string& key) {
  const auto found = patient.facts.find(key);
  if (found == patient.facts.end()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

void check_governor(const Patient& patient, Findings& findings) {
  std::set<std::string> governors;
  for (const fs::path& cpu : cpu_directories(patient.root)) {
    const std::string governor = read_line(cpu / "cpufreq/scaling_governor");
    if (!governor.empty()) governors.insert(governor);
  }
  governors.erase("performance");
  if (governors.empty()) return;
  findings.push_back({"governor", true,
                      fmt::format("the CPU frequency governor is {}, not performance",
                                  fmt::join(governors, " and ")),
                      "sudo cpupower frequency-set -g performance"});
}

void check_turbo(const Patient& patient, Findings& findings) {
  const fs::path cpu = patient.root / "sys/devices/system/cpu";
  const bool intel = read_number(cpu / "intel_pstate/no_turbo") == 0;
  const bool other = read_number(cpu / "cpufreq/boost") == 1;
  if (!intel && !other) return;
  findings.push_back({"turbo", true,
                      "turbo is on: the clock depends on heat and on how many cores work",
                      intel ? "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
                            : "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"});
}

void check_hyperthreads(const Patient& patient, Findings& findings) {
  if (read_number(patient.root / "sys/devices/system/cpu/smt/active") != 1) return;
  const std::string cores = fact(patient, "cpu.cores");
  findings.push_back({"hyperthreads", true,
                      "two hardware threads share each core: a row at all threads is no row at all "
                      "cores",
                      cores.empty() ? "give --threads the number of physical cores"
                                    : fmt::format("breakeven run --threads {}", cores)});
}

void check_throttling(const Patient& patient, Findings& findings) {
  long long count = 0;
  for (const fs::path& cpu : cpu_directories(patient.root)) {
    count += read_number(cpu / "thermal_throttle/core_throttle_count").value_or(0);
  }
  if (count == 0) return;
  findings.push_back({"throttling", true,
                      fmt::format("cores were throttled by heat {} times since the start", count),
                      "improve the cooling, or lower the power limit to what it can bear"});
}

void check_huge_pages(const Patient& patient, Findings& findings) {
  const std::string choice = read_line(patient.root / "sys/kernel/mm/transparent_hugepage/enabled");
  if (choice.find("[never]") == std::string::npos) return;
  findings.push_back({"huge-pages", true, "transparent huge pages are off (5 to 9 % at 4096)",
                      "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"});
}

void check_memory(const Patient& patient, Findings& findings) {
  std::ifstream file(patient.root / "proc/meminfo");
  std::string key;
  double kibibytes = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    if (!(words >> key >> kibibytes) || key != "MemAvailable:") continue;
    if (kibibytes * 1024 >= kLeastMemory) return;
    findings.push_back(
        {"memory", true,
         fmt::format("only {:.1f} GB of memory are available", kibibytes * 1024 / 1e9),
         "end other programs; large cases are skipped otherwise"});
  }
}

void check_quota(const Patient& patient, Findings& findings) {
  const std::string quota = fact(patient, "cpu.quota"), threads = fact(patient, "cpu.threads");
  if (quota.empty() || threads.empty() || std::stod(quota) >= std::stod(threads)) return;
  findings.push_back(
      {"quota", true,
       fmt::format("only {} of the machine's {} CPUs may be used (affinity or cgroup quota)", quota,
                   threads),
       "raise the container's CPU limit, or read every CPU row as one of a part of the machine"});
}

/// What others do while we sleep, and what the hypervisor takes.
void check_load(const Patient& patient, Findings& findings) {
  const CpuUse before = read_cpu_use(patient.root);
  if (patient.wait) patient.wait();
  const CpuUse after = read_cpu_use(patient.root);
  const double cpus = busy_cpus(before, after);
  if (cpus > kBusyCpus) {
    std::vector<std::string> names;
    for (const Consumer& consumer : top_consumers(before, after)) {
      names.push_back(
          fmt::format("{} ({}) {:.0f} %", consumer.name, consumer.id, 100 * consumer.cpus));
    }
    findings.push_back(
        {"load", true,
         fmt::format("other processes use {:.1f} CPUs{}{}", cpus, names.empty() ? "" : ": ",
                     fmt::join(names, ", ")),
         "end them or wait: threaded rows collapse to scheduler quanta beside them"});
  }
  const double stolen = stolen_share(before, after);
  if (stolen > kStolenShare) {
    findings.push_back({"steal", true,
                        fmt::format("the hypervisor takes {:.1f} % of the CPU time", 100 * stolen),
                        "use a machine or an instance type of your own"});
  }
}

/// OpenBLAS cores by what they need; what is not named here is taken to be fine.
void check_openblas(const Patient& patient, Findings& findings) {
  static const std::set<std::string> kAvx512 = {"skylakex", "cooperlake", "sapphirerapids"};
  static const std::set<std::string> kAvx2 = {"haswell", "zen", "excavator"};
  std::string core = fact(patient, "openblas.core");
  if (core.empty() || !fact(patient, "openblas.warning").empty()) return;
  std::transform(core.begin(), core.end(), core.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const fs::path cpuinfo = patient.root / "proc/cpuinfo";
  std::ifstream file(cpuinfo);
  std::string flags;
  for (std::string line; std::getline(file, line) && flags.empty();) {
    if (line.starts_with("flags")) flags = line + " ";
  }
  const bool avx512 = flags.find(" avx512vl ") != std::string::npos;
  const bool avx2 = flags.find(" avx2 ") != std::string::npos;
  const bool weak = (avx512 && !kAvx512.contains(core)) ||
                    (!avx512 && avx2 && !kAvx2.contains(core) && !kAvx512.contains(core));
  if (!weak) return;
  findings.push_back({"openblas-core", true,
                      fmt::format("OpenBLAS runs its {} kernels on a CPU with {}",
                                  fact(patient, "openblas.core"), avx512 ? "AVX-512" : "AVX2"),
                      fmt::format("export OPENBLAS_CORETYPE={}, or a newer OpenBLAS",
                                  avx512 ? "SkylakeX" : "Haswell")});
}

/// Modules that see something wrong with their own libraries say so in a fact "<library>.warning".
void check_warnings(const Patient& patient, Findings& findings) {
  constexpr std::string_view kEnding = ".warning";
  for (const auto& [key, value] : patient.facts.items()) {
    if (!key.ends_with(kEnding) || !value.is_string()) continue;
    findings.push_back(
        {key.substr(0, key.size() - kEnding.size()), true, value.get<std::string>(), ""});
  }
}

void check_environment(const Patient& patient, Findings& findings) {
  for (const auto& [name, value] : patient.environment) {
    std::string upper = value;
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    const bool off = name == "OMP_PROC_BIND" && upper == "FALSE";
    // A core type below the CPU's is dropped by the worker, which says so in this fact.
    const bool dropped =
        name == "OPENBLAS_CORETYPE" &&
        fact(patient, "openblas.core_requested").find(value) != std::string::npos &&
        fact(patient, "openblas.core_requested").find("instead") != std::string::npos;
    if (off || dropped) continue;
    findings.push_back(
        {"environment", true, fmt::format("{}={} is set", name, value),
         name == "OMP_PROC_BIND"
             ? "unset OMP_PROC_BIND: bound threads make OpenBLAS single-threaded"
             : fmt::format("unset {}, unless that is what you want to measure", name)});
  }
}

void check_gpu(const Patient& patient, Findings& findings) {
  for (const auto& [module, reason] : patient.unavailable_gpus) {
    findings.push_back(
        {"gpu", false, fmt::format("module {} can't be used: {}", module, reason), ""});
  }
  const std::string others = fact(patient, "gpu.other_processes");
  if (others.empty() || others == "0") return;
  findings.push_back({"gpu-processes", true, fmt::format("other processes on the GPU: {}", others),
                      "end them (nvidia-smi names them)"});
}

void check_harness(const Patient& patient, Findings& findings) {
  if (fact(patient, "library_build_type") != "debug") return;
  findings.push_back({"benchmark-build", false,
                      "Google Benchmark is a debug build; its overhead lies outside every timed "
                      "batch",
                      ""});
}

}  // namespace

std::vector<Finding> examine(const Patient& patient) {
  Findings findings;
  for (const auto check : {check_governor, check_turbo, check_hyperthreads, check_throttling,
                           check_huge_pages, check_memory, check_quota, check_load, check_openblas,
                           check_warnings, check_environment, check_gpu, check_harness}) {
    check(patient, findings);
  }
  Findings harmful, harmless;
  for (Finding& finding : findings) {
    (finding.harmful ? harmful : harmless).push_back(std::move(finding));
  }
  harmful.insert(harmful.end(), harmless.begin(), harmless.end());
  return harmful;
}

}  // namespace breakeven
