// What happened to each row over many commits: the lines that the gate's --history wrote.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace breakeven {

inline constexpr int kHistoryVersion = 1;  ///< of a line: key gate_history

/// One row's times on one machine.
struct RowHistory {
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
  std::map<std::string, RowHistory> rows;
};

/// Reads DIRECTORY/*/*.ndjson, months in order, never more than a line's text at a time; other
/// files are let be. A line that ends too early is passed over, and its "file:line" added to
/// `torn`: its writer was stopped, and a later one may have begun a new line behind it. Throws
/// std::runtime_error with one line where DIRECTORY is no directory or has no history, or a line is
/// malformed: file, line number, what is wrong there and what to do.
std::vector<MachineHistory> read_history(const std::filesystem::path& directory,
                                         std::vector<std::string>& torn);

/// Histories of these places: a directory as read_history() takes it, that of one machine in it, or
/// a file, whose machine is named by its directory. Places of one machine are joined in the order
/// given. Throws as read_history() does, and where a place is given twice.
std::vector<MachineHistory> read_histories(const std::vector<std::filesystem::path>& places,
                                           std::vector<std::string>& torn);

/// Adds the lines of one file's text. Throws as read_history() does.
void parse_history(std::string_view text, const std::string& file, MachineHistory& history,
                   std::vector<std::string>& torn);

/// A row's times changed between two commits that were measured one after the other.
struct RowChange {
  std::size_t last_before = 0, first_after = 0;  ///< of the machine's measurements
  double before_seconds = 0, after_seconds = 0;  ///< geometric means up to the next changes
  double ratio = 1;                              ///< after / before
  double p_value = 1;                            ///< see ChangePoint
};

/// The change points of a row, oldest first: of logarithms, since a change is a factor, and a slow
/// row's noise no more than a fast one's.
std::vector<RowChange> row_changes(const RowHistory& row);

}  // namespace breakeven
