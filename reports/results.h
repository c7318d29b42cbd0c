// Results files: Google Benchmark's JSON with the keys that docs/results.md adds, or without them.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reports/atomic_file.h"
#include "reports/flat_map.h"
#include "reports/json_text.h"

namespace breakeven {

/// The newest `context.breakeven_schema` that this program reads, and the one it writes.
inline constexpr int kResultsSchema = 1;

/// The segments of a case name: op/shape/device/implementation/precision[/key:value…]. The name of
/// a plain Google Benchmark row that has no such form is all `op`.
struct CaseName {
  std::string op;
  std::string shape;
  std::string device;
  std::string implementation;
  std::string precision;
  std::map<std::string, std::string> options;
};

/// One repetition of one case in one round, or the reason why there is none.
struct Row {
  std::string name;  ///< the identity: no iteration or repetition counts
  CaseName segments;
  std::optional<int> round;            ///< absent in files that know no rounds
  std::optional<int> process;          ///< likewise
  int repetition = 0;                  ///< -1 from visit_rows() where the file numbers none
  int threads = 0;                     ///< CPU threads used; 0 on a GPU
  double iterations = 0;               ///< calls that the time is the mean of
  std::optional<double> seconds;       ///< per call; absent in error rows, always there in others
  std::optional<double> cpu_seconds;   ///< per call, of the main thread
  std::optional<std::string> failure;  ///< why this row has no time
  bool skipped = false;                ///< that failure is a wish of the program, not an error
  FlatMap<double> counters;
  FlatMap<std::string> texts;  ///< label, verify_method and other strings

  /// The counter of that name, where this row has it.
  std::optional<double> counter(std::string_view key) const;
};

struct Skipped {
  std::string name;
  std::string reason;
};

/// A kernel module that could not be opened, with the implementations that it would have brought.
struct Unavailable {
  std::string module;
  std::string reason;
  std::vector<std::string> competitors;
};

/// Why a case got no more rounds: "narrow", "rounds" or "budget"; half_width is relative.
struct Stopping {
  std::string name;
  int rounds = 0;
  std::string reason;
  std::optional<double> half_width;
};

/// A worker process of the gate, and what the machine did meanwhile: key "processes".
struct ProcessConditions {
  double seconds = 0;
  double load = 0;  ///< of the system, before
  double steal_seconds = 0;
  bool throttled = false;
};

struct Results {
  std::string file;                            ///< as given, for messages and headings
  int schema = 0;                              ///< 0: a plain Google Benchmark file
  std::map<std::string, std::string> context;  ///< facts; what is not a string is JSON text
  std::vector<Row> rows;
  std::vector<Skipped> skipped;
  std::vector<std::string> refused;  ///< a line for every entry of a shape file that is no shape
  std::vector<Unavailable> unavailable;
  std::vector<Stopping> stopping;
  std::vector<ProcessConditions> processes;  ///< empty in files of others than the gate
  std::string command;                       ///< that wrote the file; empty where unknown
};

/// A row's name without what Google Benchmark appends to it (/iterations:N /repeats:N /min_time:X
/// /manual_time /real_time /process_time): runs differ there, the case doesn't.
std::string case_identity(std::string_view name);

/// Splits an identity into its segments. A name whose third segment is neither "cpu" nor "gpu" has
/// no such form: all of it becomes `op`. Of what is longer than 200 bytes the beginning is left,
/// with a hash of all, so that it can be shown in many places and is still told apart.
CaseName split_case_name(std::string_view identity);

/// Seconds of Google Benchmark's time_unit: ns, us, ms, s. Absent for any other.
std::optional<double> unit_seconds(std::string_view unit);

/// Reads a results file. Throws std::runtime_error with one line that names the file, the place and
/// what is wrong: not readable, a directory, empty, malformed JSON (line and column), NaN, a newer
/// schema, no benchmarks, a duplicate row, a time that is not a positive finite number.
Results read_results(const std::filesystem::path& path);

/// The same for text that is already here; `file` is the name that messages give it.
Results parse_results(std::string_view text, const std::string& file);

using RowKeys = std::vector<std::string>;
using RowVisitor = std::function<void(Row& row, const Place& place)>;

/// Reads `text` row by row, for files that would be too large as Results: `visit` gets each row in
/// the file's order and the place to name where it is wrong. Of counters and texts only `wanted`
/// are read, and no segments; all where it is null. The returned Results hold no rows. Throws as
/// read_results() does, but for rows that are there twice.
Results visit_rows(std::string_view text, const std::string& file, const RowKeys* wanted,
                   const RowVisitor& visit);

}  // namespace breakeven
