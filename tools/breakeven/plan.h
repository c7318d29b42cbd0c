// What a run is going to do: written into its journal, so that it can be taken up again.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace breakeven {

/// A file of the user's shapes and a hash of its text, by which a changed file is noticed.
struct ShapesFile {
  std::string path;  ///< absolute
  std::string hash;
};

/// Two runs with equal plans measure the same things in the same way, and in the same order.
struct Plan {
  std::string suite;   ///< "" for none
  std::string filter;  ///< "" for none
  std::vector<ShapesFile> shapes;
  std::optional<int> threads;
  std::uint64_t seed = 1;
  int rounds = 0;
  int max_rounds = 0;
  int repetitions = 0;
  double min_batch_seconds = 0;
  double half_width = 0;
  std::size_t cases = 0;            ///< how many
  std::string cases_hash;           ///< and which
  std::string machine;              ///< CPU model
  std::string build;                ///< commit of the worker
  double case_timeout_seconds = 0;  ///< may differ when the run is taken up
};

nlohmann::json to_json(const Plan& plan);

/// What stands in the way of going on with `old_plan` by `new_plan`, as "filter: 'a' then, 'b' now;
/// ...", or "". Paths of shapes don't count, their text does.
std::string difference(const nlohmann::json& old_plan, const nlohmann::json& new_plan);

/// Reads the file. Throws std::runtime_error naming it where that fails.
ShapesFile describe_shapes(const std::string& path);

}  // namespace breakeven
