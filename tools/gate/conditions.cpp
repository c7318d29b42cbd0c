#include "tools/gate/conditions.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

namespace breakeven::gate {
namespace {

namespace fs = std::filesystem;

/// The first number of a file, 0 where there is none.
template <class Number>
Number first_number(const fs::path& path) {
  std::ifstream file(path);
  Number number = 0;
  return file >> number ? number : 0;
}

double stolen_seconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  double value = 0, steal = 0;
  file >> word;  // "cpu": user nice system idle iowait irq softirq steal
  for (int column = 0; column < 8 && file >> value; ++column) steal = column == 7 ? value : 0;
  return steal / static_cast<double>(sysconf(_SC_CLK_TCK));
}

long long throttle_count() {
  long long count = 0;
  std::error_code error;
  for (const auto& cpu : fs::directory_iterator("/sys/devices/system/cpu", error)) {
    const fs::path folder = cpu.path() / "thermal_throttle";
    for (const char* name : {"core_throttle_count", "package_throttle_count"}) {
      count += first_number<long long>(folder / name);
    }
  }
  return count;
}

double mean_clock_mhz() {
  double sum = 0;
  int count = 0;
  std::error_code error;
  for (const auto& cpu : fs::directory_iterator("/sys/devices/system/cpu", error)) {
    const auto khz = first_number<double>(cpu.path() / "cpufreq" / "scaling_cur_freq");
    if (khz <= 0) continue;
    sum += khz / 1000;
    ++count;
  }
  return count > 0 ? sum / count : 0;
}

}  // namespace

Conditions Conditions::now() {
  return {first_number<double>("/proc/loadavg"), stolen_seconds(), throttle_count(),
          mean_clock_mhz()};
}

nlohmann::json describe_process(const Conditions& before, const Conditions& after,
                                const ProgramRun& run) {
  const bool slowed = std::any_of(run.rows.begin(), run.rows.end(), [](const nlohmann::json& row) {
    const auto throttled = row.find("throttled");
    return throttled != row.end() && throttled->is_number() && throttled->get<double>() > 0;
  });
  nlohmann::json process = {{"seconds", run.seconds},
                            {"load", before.load},
                            {"steal_seconds", after.steal_seconds - before.steal_seconds},
                            {"throttled", slowed || after.throttles > before.throttles}};
  if (after.clock_mhz > 0) process["clock_mhz"] = after.clock_mhz;
  return process;
}

}  // namespace breakeven::gate
