#include "tools/breakeven/cpu_use.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace breakeven {
namespace {

namespace fs = std::filesystem;

/// "123 (name with (brackets)) S 1 ..." of proc/<id>/stat; fields 14 and 15 are user and system.
CpuUse::Process parse_process(const std::string& line) {
  const std::size_t open = line.find('('), close = line.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return {};
  CpuUse::Process process{line.substr(open + 1, close - open - 1), 0};
  std::istringstream fields(line.substr(close + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0, system = 0;
  if (fields >> user >> system) process.ticks = user + system;
  return process;
}

double elapsed_per_cpu(const CpuUse& before, const CpuUse& after) {
  return after.cpus > 0 ? (after.total - before.total) / after.cpus : 0;
}

}  // namespace

CpuUse read_cpu_use(const fs::path& root) {
  CpuUse use;
  std::ifstream file(root / "proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("cpu ")) {
      std::istringstream fields(line.substr(4));
      double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, interrupts = 0, soft = 0;
      fields >> user >> nice >> system >> idle >> waiting >> interrupts >> soft >> use.stolen;
      use.busy = user + nice + system + interrupts + soft;
      use.total = use.busy + idle + waiting + use.stolen;
    } else if (line.starts_with("cpu")) {
      ++use.cpus;
    }
  }
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root / "proc", ignored)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream process_file(entry.path() / "stat");
    std::string line;
    if (!std::getline(process_file, line)) continue;  // it ended while we looked
    use.processes[std::atoi(name.c_str())] = parse_process(line);
  }
  return use;
}

double busy_cpus(const CpuUse& before, const CpuUse& after) {
  const double elapsed = elapsed_per_cpu(before, after);
  return elapsed > 0 ? (after.busy - before.busy) / elapsed : 0;
}

double stolen_share(const CpuUse& before, const CpuUse& after) {
  const double total = after.total - before.total;
  return total > 0 ? (after.stolen - before.stolen) / total : 0;
}

std::vector<Consumer> top_consumers(const CpuUse& before, const CpuUse& after) {
  constexpr double kLeastCpus = 0.05;
  constexpr std::size_t kMost = 3;
  const double elapsed = elapsed_per_cpu(before, after);
  std::vector<Consumer> consumers;
  if (elapsed <= 0) return consumers;
  for (const auto& [id, process] : after.processes) {
    const auto earlier = before.processes.find(id);
    const double start = earlier == before.processes.end() ? 0 : earlier->second.ticks;
    const double cpus = (process.ticks - start) / elapsed;
    if (cpus >= kLeastCpus) consumers.push_back({id, process.name, cpus});
  }
  std::sort(consumers.begin(), consumers.end(),
            [](const Consumer& a, const Consumer& b) { return a.cpus > b.cpus; });
  if (consumers.size() > kMost) consumers.resize(kMost);
  return consumers;
}

}  // namespace breakeven
