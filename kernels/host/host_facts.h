// The machine in words, for results.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "kernels/kernel.h"

namespace breakeven {

/// "cpu.model", "cpu.sockets", "cpu.cores", "cpu.threads" (of the machine), "cpu.quota" (CPUs that
/// this process uses), "cpu.order", "cpu.pinning", "cpu.governor", "cpu.numa_nodes", "cpu.isa",
/// "cpu.l3_bytes" (as the system claims), "memory.total_bytes", "thp". What can't be read is
/// absent.
Facts machine_facts(const std::vector<int>& cpus, const std::filesystem::path& root = "/");

/// How many last-level caches `cpus` lie under, at least 1.
std::size_t last_level_caches(std::span<const int> cpus, const std::filesystem::path& root = "/");

}  // namespace breakeven
