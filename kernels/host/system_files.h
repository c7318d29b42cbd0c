// Reads what the kernel says under /proc and /sys. Every function takes the root directory, so that
// tests can show it a machine that isn't there.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace breakeven {

/// The file's first 1 MiB without trailing white space, or nothing where it can't be read.
std::optional<std::string> read_text(const std::filesystem::path& path);

/// The leading integer of a file, or nothing ("max" is nothing too).
std::optional<long long> read_integer(const std::filesystem::path& path);

/// The value of "key: value" or "key value" in a text of such lines (/proc/cpuinfo, memory.stat).
std::optional<std::string> find_value(std::string_view text, std::string_view key);

/// CPU numbers of a kernel list such as "0-2,8"; empty where it is malformed.
std::vector<int> parse_cpu_list(std::string_view list);

/// CPUs' worth of time that this process' control groups (version 1 or 2, own one and all above it)
/// grant, e.g. 1.5; nothing where there is no quota.
std::optional<double> cgroup_cpu_quota(const std::filesystem::path& root = "/");

/// Bytes that the control groups leave to this process: limit - usage + reclaimable page cache.
std::optional<std::size_t> cgroup_memory_left(const std::filesystem::path& root = "/");

/// MemAvailable, capped by what the control groups leave. 0 where /proc can't be read.
std::size_t available_memory_bytes(const std::filesystem::path& root = "/");

/// The CPUs of `allowed` that a run should use, in the order in which to use them: first one
/// hardware thread of every core, then the second ones; no more than the quota grants (at least 1).
std::vector<int> order_cpus(std::vector<int> allowed, std::optional<double> quota,
                            const std::filesystem::path& root = "/");

}  // namespace breakeven
