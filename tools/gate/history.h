// What happened to each row over many commits, and where it changed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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

/// One row's times on one machine.
struct Series {
  std::vector<std::size_t>
      measurements;  ///< of MachineHistory, ascending; a commit may lack the row
  std::vector<double> seconds;
};

struct Measurement {
  std::string commit;
  std::string date;
};

/// All that one machine measured, in the order in which it was appended.
struct MachineHistory {
  std::string fingerprint;
  std::vector<Measurement> measurements;
  std::map<std::string, Series> rows;
};

/// Reads DIRECTORY/*/*.ndjson, months in order, never more than a line's text at a time; other
/// files are let be. A line that ends too early is passed over, and its "file:line" added to
/// `torn`: its writer was stopped, and a later one may have begun a new line behind it. Throws
/// std::runtime_error with one line where DIRECTORY is no directory or has no history, or a line is
/// malformed: file, line number, what is wrong there and what to do.
std::vector<MachineHistory> read_history(const std::filesystem::path& directory,
                                         std::vector<std::string>& torn);

/// Adds the lines of one file's text. Throws as read_history() does.
void parse_history(std::string_view text, const std::string& file, MachineHistory& history,
                   std::vector<std::string>& torn);

}  // namespace breakeven::gate
