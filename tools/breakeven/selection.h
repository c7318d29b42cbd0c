// Which cases a command is about, and in which order a round measures them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/breakeven/catalog.h"

namespace breakeven {

/// What was asked for. With nothing set, every case.
struct Wanted {
  std::optional<std::vector<std::string>> rows = {};  ///< of a suite: any of these expressions
  std::string rows_name = {};  ///< what messages call `rows`: "--suite quick"
  std::string filter = {};     ///< of the user: this too, if not empty
  bool user_shapes = false;    ///< cases of the user's own shapes count as `rows`
};

/// The cases that `wanted` names, runnable or not, in the catalog's order. Throws
/// std::runtime_error where an expression doesn't compile or where nothing runnable is left, saying
/// what there is instead.
std::vector<ListedCase> select_cases(const Catalog& catalog, const Wanted& wanted);

/// Cases of one module that one worker process runs, in this order.
struct ModuleCases {
  std::size_t module;
  std::vector<std::string> cases;
};

/// The order of one round: workloads are shuffled and cut into shards of a few, inside a shard the
/// modules are shuffled and each gets one batch of its shuffled cases. So all rows of a workload
/// are measured close together, and neither a module nor a size always comes first. The same for
/// the same seed and round, on every machine.
std::vector<ModuleCases> round_order(const std::vector<ListedCase>& cases, std::uint64_t seed,
                                     int round);

}  // namespace breakeven
