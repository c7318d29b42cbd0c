// The command line of breakeven-bench: flags of its own, and Google Benchmark's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace breakeven {

/// A mistake of the caller: one line that says what, where and what to do. The program exits 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Mode { run, verify, tune, largest_batch, list, list_names, modules, facts, help };

struct BenchOptions {
  Mode mode = Mode::run;
  std::string module;  ///< empty: the only one that has matching rows
  std::vector<std::filesystem::path> shapes;
  std::optional<int> threads;  ///< of rows without a `threads` key; checked against the quota later
  std::optional<std::filesystem::path> cases;  ///< a file of exact names, one a line, run in order
  std::string filter = ".";           ///< ECMAScript; a leading '-' takes what doesn't match
  std::optional<std::string> events;  ///< path that the event stream is appended to
  std::optional<std::uint64_t> seed;  ///< given without --cases: shuffles the rows
  bool energy = false;
  std::optional<double> tune_seconds;             ///< absent: until all is tuned
  std::optional<std::filesystem::path> tune_out;  ///< folder; absent: each table's own place

  // Google Benchmark's flags that this program carries out itself.
  double min_batch_seconds = 0.02;
  int repetitions = 3;
  std::string format = "console";  ///< console, json or csv
  std::optional<std::filesystem::path> out;
  std::string out_format = "json";
  std::optional<bool> color;  ///< absent: where standard output is a terminal
  bool tabular = false;

  /// What is handed to Google Benchmark, which refuses what it doesn't know.
  std::vector<std::string> benchmark_flags;
};

/// `arguments` without the program's name. Throws UsageError.
BenchOptions parse_options(std::span<const std::string> arguments);

std::string_view help_text();

}  // namespace breakeven
