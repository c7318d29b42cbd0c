// How a worker process, breakeven-bench, is called, and what it is told about a run.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace breakeven {

struct WorkerSettings {
  std::filesystem::path executable;
  std::vector<std::filesystem::path> shapes;  ///< files of the user's own shapes
  std::optional<int> threads;                 ///< of default rows; absent: all that may be used
  std::uint64_t seed = 1;
  int repetitions = 3;
  double min_batch_seconds = 0.02;
  std::chrono::milliseconds case_timeout{120'000};
};

/// The program named by BREAKEVEN_BENCH, or breakeven-bench beside this executable.
/// Throws std::runtime_error where there is none.
std::filesystem::path find_worker();

/// The command with the flags that every call of this run shares: shapes, threads, seed.
std::vector<std::string> worker_command(const WorkerSettings& settings);

/// A worker refused its arguments: one line or, of a shape file, one for each bad entry.
class WorkerRefusal : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What a worker said on standard error when it refused its arguments: the lines that bear its
/// name, without it, else the last one.
std::string complaint(const std::string& errors);

}  // namespace breakeven
