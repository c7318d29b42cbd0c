// What `gate run` keeps: its journal, and base.json and head.json made out of it.
#pragma once

#include <array>
#include <filesystem>
#include <string>

#include "tools/gate/machine.h"

namespace breakeven::gate {

/// Google Benchmark's JSON of both arms (by Arm), each row with its round, arm and stage. `facts`
/// of each arm are added to its context where the program doesn't give them. Throws
/// std::runtime_error where the journal is no journal of `gate run`.
std::array<std::string, 2> results_of(const std::filesystem::path& journal,
                                      const std::array<Facts, 2>& facts);

}  // namespace breakeven::gate
