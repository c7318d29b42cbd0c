// Any Google Benchmark program, of any version and maker: which rows it has, and one run of some.
#pragma once

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/breakeven/interrupt.h"

namespace breakeven::gate {

struct ProgramSettings {
  int repetitions = 3;
  double min_time_seconds = 0.05;                                ///< of a repetition
  std::chrono::milliseconds timeout = std::chrono::minutes(10);  ///< of a process
};

/// What one process brought.
struct ProgramRun {
  nlohmann::json context = nlohmann::json::object();
  std::vector<nlohmann::json> rows;  ///< repetitions, and rows that failed or were skipped
  std::string trouble;               ///< why it is not whole, in one line: a crash, no time left
  double seconds = 0;                ///< wall time of the process
  bool interrupted = false;          ///< by a signal to us; then nothing of it counts
};

class Program {
 public:
  /// Asks `path` for its rows and for the syntax of --benchmark_min_time that it takes (a plain
  /// number before Google Benchmark 1.8, with an `s` since). `arguments` are given to every run.
  /// Throws std::runtime_error where it can't be started, is no Google Benchmark program, or lists
  /// nothing though `filter` is "": one line. A filter that matches nothing leaves rows() empty.
  Program(std::string path, std::vector<std::string> arguments, const std::string& filter,
          ProgramSettings settings);

  const std::string& path() const { return path_; }
  /// Identities, in the program's order, each once.
  const std::vector<std::string>& rows() const { return rows_; }
  bool has(const std::string& row) const { return listed_.contains(row); }

  /// Measures these of its rows (identities; others are passed over) in one fresh process.
  ProgramRun run(const std::vector<std::string>& rows, const InterruptGuard& interrupt) const;

  /// The same, as briefly as it goes: to find out what can run at all.
  ProgramRun try_out(const std::vector<std::string>& rows, const InterruptGuard& interrupt) const;

 private:
  std::vector<std::string> list(const std::vector<std::string>& more) const;
  ProgramRun execute(const std::vector<std::string>& rows, int repetitions, double min_time,
                     const InterruptGuard& interrupt) const;

  std::string path_;
  std::vector<std::string> arguments_;
  ProgramSettings settings_;
  std::string min_time_suffix_;
  std::vector<std::string> rows_;
  std::map<std::string, std::vector<std::string>> listed_;  ///< identity -> names as listed
};

/// Rows out of what a Google Benchmark program wrote as JSON. Aggregates are left out, but where a
/// row has nothing else its median stands for it, as one repetition without a count of calls. NaN
/// and infinity, which Google Benchmark writes bare, leave a counter out and fail a time. A row
/// that the program has twice gets as many more repetitions. Throws std::runtime_error where the
/// text is no such JSON.
ProgramRun parse_program_output(const std::string& text, const std::string& program);

/// A regular expression that matches these texts alone.
std::string exact_filter(const std::vector<std::string>& names);

}  // namespace breakeven::gate
