// Results that are kept in the repository: which may be, under which name, and without what.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reports/results.h"

namespace breakeven {

/// Why these results can't be recorded, a sentence each; none where they can. A recorded file is
/// `breakeven run`'s, of a build whose sources were those of a commit, says on what and how it was
/// measured (docs/results.md), and holds no row that failed or whose answer wasn't checked.
std::vector<std::string> recording_faults(const Results& results);

/// Where these results belong below reports/recorded/: MACHINE/DATE-SUITE-COMMIT.json, the machine
/// being its GPU's name, or its CPU's and how many of it could be used ("nvidia_h100_pcie",
/// "amd_epyc_2_cpus"), in a-z, 0-9 and _, and the suite "selection" where another selection was
/// measured. Requires results without recording_faults().
std::filesystem::path recorded_path(const Results& results);

/// The document without what says whose machine it was: the host's name, paths, and variables of
/// the environment that hold one.
nlohmann::json without_host(nlohmann::json document);

/// What is wrong with the recorded files below `directory`, "FILE: why" each: not readable as
/// results, recording_faults(), another place than recorded_path(), a host's name or path in it.
/// Throws std::runtime_error where `directory` is none.
std::vector<std::string> recorded_faults(const std::filesystem::path& directory);

}  // namespace breakeven
