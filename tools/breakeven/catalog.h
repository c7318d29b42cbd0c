// What can be measured here: every module, every case, and why the absent ones are absent.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reports/results.h"
#include "tools/breakeven/worker.h"

namespace breakeven {

struct ListedModule {
  std::string name;
  std::string device;                    ///< "cpu", "gpu", or "" where only opening it would tell
  std::string unavailable;               ///< why it can't be used here, or ""
  std::vector<std::string> competitors;  ///< "matmul/cublas"
  nlohmann::json facts = nlohmann::json::object();
  int default_threads = 0;
};

struct ListedCase {
  std::string name;
  CaseName parts;
  std::size_t module = 0;   ///< index into Catalog::modules
  std::string unsupported;  ///< why it can't run here, or ""
  bool user_shape = false;  ///< from a file of --shapes
};

struct Catalog {
  std::vector<ListedModule> modules;
  std::vector<ListedCase> cases;
  std::vector<std::string> refused;  ///< entries of --shapes files that are no shapes, a line each
};

/// "matmul/square_512": what the rows of all implementations, precisions and devices share.
inline std::string workload_of(const CaseName& name) { return name.op + "/" + name.shape; }

/// Asks one worker per module, side by side. A module that crashes or hangs while it is listed is
/// unavailable with that reason. Throws WorkerRefusal with the worker's own lines where it refuses
/// the shapes or the thread count.
Catalog load_catalog(const WorkerSettings& settings);

/// Says on standard error which entries were refused.
void print_refused(const Catalog& catalog);

/// ", 2 shapes refused" for the end of a summary, or "".
std::string refused_text(const Catalog& catalog);

/// The facts of a module that is asked alone. load_catalog() asks all at once, and a GPU module
/// then counts the others' workers among the processes on its device.
nlohmann::json facts_alone(const WorkerSettings& settings, const std::string& module);

/// Facts of this machine and build as a worker without a module sees them.
/// Throws std::runtime_error where it can't say.
nlohmann::json load_context(const WorkerSettings& settings);

}  // namespace breakeven
