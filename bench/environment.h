// What is known of this machine, this build and this process, as facts for the results.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kernels/kernel.h"

namespace breakeven {

/// Raised whenever what is timed, or how, changes (docs/method.md).
inline constexpr int kMethodVersion = 1;

/// Raised on every incompatible change of the results' format.
inline constexpr int kSchemaVersion = 1;

/// Reads /proc and /sys below `root`, so that tests can show it another machine. Nothing here
/// throws: what can't be read is absent.
class Machine {
 public:
  explicit Machine(std::filesystem::path root = "/") : root_(std::move(root)) {}

  /// "0-3,8" as 0 1 2 3 8; nothing for what isn't such a list.
  static std::vector<int> cpu_list(std::string_view text);

  /// CPUs that this process may run on by affinity, ascending; taken before any pinning.
  std::vector<int> allowed_cpus() const;

  /// Physical cores among `cpus`: hyperthreads of one core count once.
  int physical_cores(const std::vector<int>& cpus) const;

  /// CPUs' worth of time that the cgroups of this process allow, e.g. 1.5; both cgroup versions,
  /// the tightest of all ancestors.
  std::optional<double> cpu_quota() const;

  /// Bytes that may still be used: what the kernel says, or what the cgroup's limit leaves
  /// (page cache counts as free).
  std::size_t available_bytes() const;

  /// Keys cpu.*, memory.*, os.*, load.*, thp.
  Facts facts() const;

 private:
  std::optional<std::string> line(const std::filesystem::path& path) const;
  std::string text(const std::filesystem::path& path) const;
  std::string field(const std::filesystem::path& path, std::string_view key) const;
  std::vector<std::filesystem::path> cgroup_folders(std::string_view controller) const;
  std::size_t l3_bytes() const;
  void add_cpu_facts(Facts& facts) const;
  void add_system_facts(Facts& facts) const;

  std::filesystem::path root_;
};

/// Commit, dirty flag, compiler, flags and build type of this binary.
Facts build_facts();

/// `environment` (as environ) cut down to what changes timings, as env.<NAME>: OpenMP, BLAS,
/// oneDNN, CUDA, NVIDIA, allocator and loader settings.
Facts environment_facts(const char* const* environment);

}  // namespace breakeven
