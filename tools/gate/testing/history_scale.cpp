// How long `gate history` takes for a large history, and how much memory: no test, since it times.
//
// usage: history_scale DIRECTORY [COMMITS [ROWS]]   (an empty or new directory; default 1000 1000)
#include <fmt/format.h>
#include <sys/resource.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tools/gate/history.h"
#include "tools/gate/history_command.h"
#include "tools/gate/testing/simulation.h"

namespace {

using namespace breakeven::gate;
namespace fs = std::filesystem;

constexpr double kNoise = 0.02, kStep = 1.05;
constexpr std::size_t kStepEvery = 10;  // rows
constexpr double kLimitSeconds = 30;

/// Rows scatter by 2 %; every tenth is 5 % slower from some commit on.
void write_history(const fs::path& directory, std::size_t commits, std::size_t rows) {
  NoiseSource random(1);
  std::vector<std::size_t> steps;
  for (std::size_t row = 0; row < rows; ++row) {
    steps.push_back(row % kStepEvery == 0 ? random.below(commits) : commits);
  }
  for (std::size_t commit = 0; commit < commits; ++commit) {
    const std::size_t month = 12 * commit / commits, day = 12 * 28 * commit / commits % 28;
    HistoryEntry entry{fmt::format("{:016x}{:024x}", (commit + 1) * 0x9e3779b97f4a7c15u, commit),
                       fmt::format("2026-{:02}-{:02}T00:00:00+00:00", month + 1, day + 1),
                       "0123456789abcdef",
                       {}};
    for (std::size_t row = 0; row < rows; ++row) {
      const double slow = commit >= steps[row] ? kStep : 1;
      entry.seconds[fmt::format("matmul/openblas/fp32/m:{}/n:1024/k:1024/threads:16", row)] =
          1e-3 * slow * (1 + kNoise * random.normal());
    }
    append_history(directory, entry);
  }
}

double mebibytes(std::uintmax_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

double stored_mebibytes(const fs::path& directory) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return mebibytes(bytes);
}

double peak_mebibytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return mebibytes(static_cast<std::uintmax_t>(usage.ru_maxrss) << 10);
}

double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::size_t count(std::string_view text) {
  std::size_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || rest != text.data() + text.size() || value == 0) {
    throw std::runtime_error(fmt::format("{}: give a number above 0", text));
  }
  return value;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.size() > 3) {
    throw std::runtime_error("usage: history_scale DIRECTORY [COMMITS [ROWS]]");
  }
  const fs::path directory = arguments[0];
  const std::size_t commits = arguments.size() > 1 ? count(arguments[1]) : 1000;
  const std::size_t rows = arguments.size() > 2 ? count(arguments[2]) : 1000;
  if (fs::exists(directory) && !fs::is_empty(directory)) {
    throw std::runtime_error(fmt::format("{}: is not empty", directory.string()));
  }
  const double writing = seconds_of([&] { write_history(directory, commits, rows); });
  const double peak_before = peak_mebibytes();
  const double reading = seconds_of([&] { history_command({directory.string(), "", false}); });
  fmt::print(stderr,
             "{} commits of {} rows, {:.1f} MiB: written in {:.2f} s (peak {:.1f} MiB), changes "
             "found in {:.2f} s (peak {:.1f} MiB)\n",
             commits, rows, stored_mebibytes(directory), writing, peak_before, reading,
             peak_mebibytes());
  return reading <= kLimitSeconds ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({std::next(argv), std::next(argv, argc)});
  } catch (const std::exception& error) {
    fmt::print(stderr, "history_scale: {}\n", error.what());
    return 2;
  }
}
