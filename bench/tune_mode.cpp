#include "bench/tune_mode.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <ostream>

#include "bench/environment.h"
#include "bench/tuner.h"

namespace breakeven {
namespace {

namespace fs = std::filesystem;

Module open_to_tune(const std::vector<ModuleInfo>& modules, const std::string& name) {
  std::string reasons;
  for (const ModuleInfo& info : modules) {
    if (name.empty() ? info.device != "gpu" : info.name != name) continue;
    std::string reason = "has nothing to tune";
    try {
      Module module = open_module(info);
      if (!module.registry.tuning_tables().empty()) return module;
    } catch (const Unsupported& why) {
      reason = why.what();
    }
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", info.name, reason);
  }
  if (reasons.empty()) reasons = "there is no such module";
  throw UsageError(fmt::format("--tune: no module can be tuned here ({})", reasons));
}

/// Where a table goes. Throws UsageError where it can't be written.
fs::path destination(const TuningTable& table, const BenchOptions& options) {
  const fs::path path = options.tune_out ? *options.tune_out / table.file.filename() : table.file;
  const fs::path folder = path.parent_path().empty() ? fs::path(".") : path.parent_path();
  if (!fs::is_directory(folder)) {
    throw UsageError(
        fmt::format("--tune: there is no folder {} to write {} into; run from the project's root, "
                    "or give --tune_out=FOLDER",
                    folder.string(), path.filename().string()));
  }
  const fs::path temporary = path.string() + ".part";
  if (!std::ofstream(temporary)) {
    throw UsageError(fmt::format("--tune: can't write {}", temporary.string()));
  }
  fs::remove(temporary);
  return path;
}

/// Whole, or not at all.
void write_file(const fs::path& path, const std::string& text) {
  const fs::path temporary = path.string() + ".part";
  std::ofstream file(temporary);
  file << text;
  file.close();
  if (!file) throw std::runtime_error("can't write " + temporary.string());
  fs::rename(temporary, path);
}

}  // namespace

int tune(const std::vector<ModuleInfo>& modules, const Workloads& workloads,
         const BenchOptions& options, std::ostream& log) {
  const Module module = open_to_tune(modules, options.module);
  const std::vector<TuningTable>& tables = module.registry.tuning_tables();
  std::vector<fs::path> paths;
  for (const TuningTable& table : tables) paths.push_back(destination(table, options));

  using Clock = std::chrono::steady_clock;
  const double seconds = options.tune_seconds.value_or(std::numeric_limits<double>::infinity());
  const Clock::time_point start = Clock::now();
  const auto over = [&] {
    return std::chrono::duration<double>(Clock::now() - start).count() >= seconds;
  };
  Policy policy;
  policy.min_batch_seconds = options.min_batch_seconds;
  policy.host_available_bytes = [machine = Machine()] { return machine.available_bytes(); };
  Tuner tuner(*module.device, module.registry, tuner_policy(policy), log, over);
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const std::vector<Tuned> found = tuner.tune(tables[i], workloads);
    const std::size_t wanted = tables[i].shapes.size() * tables[i].precisions.size();
    if (found.empty()) {
      log << fmt::format("nothing found for {}: it stays as it is\n", paths[i].string());
      continue;
    }
    write_file(paths[i], tables[i].text(found));
    log << fmt::format("{} of {} cases tuned{}; written to {}\n", found.size(), wanted,
                       tuner.ended_early() ? " before the time was up" : "", paths[i].string());
  }
  return tuner.errors() > 0 ? 1 : 0;
}

}  // namespace breakeven
