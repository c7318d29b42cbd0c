// Stored baselines: results of one machine, kept under its fingerprint.
#pragma once

#include <filesystem>
#include <string>

#include "tools/gate/samples.h"

namespace breakeven::gate {

/// DIRECTORY/<fingerprint>.json of the machine that `head` is of. Throws std::runtime_error where
/// `head` doesn't say which that is.
std::filesystem::path baseline_path(const std::filesystem::path& directory, const Samples& head);

/// Writes `samples` there as Google Benchmark's JSON: its context, and of each row and round the
/// median and the exact counters. An earlier one is replaced. Throws std::runtime_error where it
/// can't be written.
void store_baseline(const std::filesystem::path& directory, const Samples& samples);

/// One line for a directory that has no baseline of head's machine: which that is, and which are
/// there.
std::string missing_baseline(const std::filesystem::path& directory, const Samples& head);

}  // namespace breakeven::gate
