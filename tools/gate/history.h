// A commit's times appended to the history of its machine; reports/history.h reads it.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "reports/history.h"

namespace breakeven::gate {

/// One commit's measurement on one machine: a line of a history file.
struct HistoryEntry {
  std::string commit;
  std::string date;                       ///< ISO 8601, as the results say it
  std::string fingerprint;                ///< of the machine
  std::map<std::string, double> seconds;  ///< row -> median over rounds, seconds a call
};

/// Appends a line to DIRECTORY/<fingerprint>/<YYYY-MM>.ndjson, the month being the entry's: in one
/// write under a lock, on the disk when it returns. Throws std::runtime_error where that can't be
/// done, or where the entry has no commit, date, fingerprint or rows.
void append_history(const std::filesystem::path& directory, const HistoryEntry& entry);

}  // namespace breakeven::gate
