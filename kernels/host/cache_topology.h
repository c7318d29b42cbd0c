// Which CPUs share a last-level cache, as the system claims.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace breakeven {

/// How many last-level caches `cpus` lie under, at least 1.
std::size_t last_level_caches(std::span<const int> cpus, const std::filesystem::path& root = "/");

}  // namespace breakeven
