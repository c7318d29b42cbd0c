// The commands of `breakeven`: what each was asked, and the function that does it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace breakeven {

inline constexpr int kExitFine = 0;
inline constexpr int kExitFailed = 1;  ///< a wrong answer, a failed case, a finding
inline constexpr int kExitUsage = 2;   ///< also: nothing to do, or a file that can't be written
inline constexpr int kExitInterrupted = 130;

inline constexpr double kCaseTimeoutSeconds = 120;  ///< of one case, unless told

struct RunOptions {
  std::optional<std::string> suite, filter;
  std::vector<std::string> shapes;
  std::optional<int> threads, rounds;
  std::optional<std::uint64_t> seed;
  std::optional<double> budget_seconds, case_timeout_seconds;
  std::filesystem::path out = "results.json";
  bool resume = false;
  std::string program = "breakeven";  ///< as it was called, for commands that go on with the run
};

struct VerifyOptions {
  std::string filter;
  std::vector<std::string> shapes;
  std::optional<int> threads;
  double case_timeout_seconds = kCaseTimeoutSeconds;
};

struct ListOptions {
  std::string filter;
  std::vector<std::string> shapes;
  bool json = false;
  bool cases = false;  ///< every name instead of counts
};

struct DoctorOptions {
  bool json = false;
};

struct PeakOptions {
  bool json = false;
};

struct ReportOptions {
  std::vector<std::string> files;
  std::string html = "report.html";
  std::string markdown, charts, prices, verdict;  ///< "" for none
  std::vector<std::string> history;
  bool across_machines = false;
};

struct RecordOptions {
  std::string file;  ///< results to record; "" with check
  std::string directory = "reports/recorded";
  bool check = false;  ///< of all that is recorded
};

// Each returns an exit code and throws std::runtime_error with one line where it can't begin or go
// on: exit 2.
int run_command(const RunOptions& options);
int verify_command(const VerifyOptions& options);
int list_command(const ListOptions& options);
int doctor_command(const DoctorOptions& options);
int peak_command(const PeakOptions& options);
int report_command(const ReportOptions& options);
int record_command(const RecordOptions& options);

/// Parses the command line and does what it says.
int breakeven_main(int argument_count, char** arguments);

/// "90", "90s", "5m", "1h30m", "1.5h" as seconds. Throws std::runtime_error for anything else, and
/// where it is not positive.
double parse_duration(const std::string& text);

}  // namespace breakeven
