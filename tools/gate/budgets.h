// Static budgets of CUDA kernels: what tells, without a GPU, that a kernel got worse.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tools/gate/judgement.h"

namespace breakeven::gate {

/// Compares two files that tools/budget writes (--record or --out). More registers, shared or local
/// memory, and more spills are worse; so are fewer blocks on a multiprocessor and a smaller share
/// of the main loop that multiplies, beyond rounding. Other figures are told. Named "kernel @
/// sm_90a", in order of names; those without a difference are left out. A kernel that is gone gates
/// (as MISSING); an architecture that a whole file lacks is one row, "all kernels @ sm_90a". Throws
/// std::runtime_error with one line that names the file and the entry where one can't be read.
std::vector<RowJudgement> compare_budgets(const std::filesystem::path& base,
                                          const std::filesystem::path& head);

/// The same for texts that are already here; the names are for messages.
std::vector<RowJudgement> compare_budget_texts(std::string_view base, const std::string& base_file,
                                               std::string_view head, const std::string& head_file);

}  // namespace breakeven::gate
