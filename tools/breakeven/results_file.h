// The results file of a run, put together from its journal.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/breakeven/measure.h"
#include "tools/breakeven/plan.h"

namespace breakeven {

/// What stands in a results file beside its rows.
struct RunNotes {
  Plan plan = {};
  std::string command = {};                              ///< "breakeven run --suite quick"
  nlohmann::json skipped = nlohmann::json::array();      ///< [{"name","reason"}]
  nlohmann::json refused = nlohmann::json::array();      ///< lines
  nlohmann::json unavailable = nlohmann::json::array();  ///< [{"module","reason","competitors"}]
  nlohmann::json stopping = nlohmann::json::array();  ///< [{"name","rounds","reason","half_width"}]
};

/// Notes on a run that came to `end`. `selected` are the cases that were asked for, those that
/// can't run here included.
RunNotes run_notes(const Plan& plan, const std::string& command, const Catalog& catalog,
                   const std::vector<ListedCase>& selected, const Measurement& measurement);

/// Writes the file at once or not at all. Rows are the journal's, in its order, each with its round
/// and process; a case that failed in any round is a row with its reason, and no time. Throws
/// std::runtime_error where the journal can't be read or the file can't be written.
void write_results(const std::filesystem::path& path, const std::filesystem::path& journal,
                   const RunNotes& notes);

}  // namespace breakeven
