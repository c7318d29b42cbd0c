#include "tools/breakeven/worker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "tools/breakeven/lines.h"

namespace breakeven {

std::filesystem::path find_worker() {
  const char* named = std::getenv("BREAKEVEN_BENCH");
  const bool by_name = named && *named;
  std::filesystem::path path =
      by_name ? std::filesystem::path(named)
              : std::filesystem::read_symlink("/proc/self/exe").parent_path() / "breakeven-bench";
  if (access(path.c_str(), X_OK) != 0 || std::filesystem::is_directory(path)) {
    throw std::runtime_error(
        by_name ? fmt::format("BREAKEVEN_BENCH={}: no such program", path.string())
                : fmt::format("{}: no such program; build the target breakeven-bench, or name it "
                              "in the environment variable BREAKEVEN_BENCH",
                              path.string()));
  }
  return path;
}

std::vector<std::string> worker_command(const WorkerSettings& settings) {
  std::vector<std::string> command = {settings.executable.string(),
                                      fmt::format("--seed={}", settings.seed)};
  if (settings.threads) command.push_back(fmt::format("--threads={}", *settings.threads));
  for (const std::filesystem::path& file : settings.shapes) {
    command.push_back(fmt::format("--shapes={}", file.string()));
  }
  return command;
}

std::string complaint(const std::string& errors) {
  constexpr std::string_view kName = "breakeven-bench: ";
  std::istringstream lines(errors);
  std::string said;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(kName)) continue;
    said += (said.empty() ? "" : "\n") + last_line(std::string_view(line).substr(kName.size()));
  }
  if (said.empty()) said = last_line(errors);
  return said.empty() ? "breakeven-bench refused its arguments without a reason" : said;
}

}  // namespace breakeven
