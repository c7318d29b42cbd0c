// breakeven doctor: asks the worker and the machine, prints the findings.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "tools/breakeven/catalog.h"
#include "tools/breakeven/commands.h"
#include "tools/breakeven/doctor.h"
#include "tools/breakeven/lines.h"

namespace breakeven {
namespace {

using nlohmann::json;

// Long enough for a process that uses a tenth of a CPU to show.
constexpr std::chrono::milliseconds kLook(700);

Patient this_machine() {
  WorkerSettings settings;
  settings.executable = find_worker();
  const Catalog catalog = load_catalog(settings);
  Patient patient;
  patient.facts = load_context(settings);
  for (const ListedModule& module : catalog.modules) {
    if (module.unavailable.empty()) {
      const bool gpu = module.device == "gpu";
      patient.facts.update(gpu ? facts_alone(settings, module.name) : module.facts);
    } else if (module.device == "gpu") {
      patient.unavailable_gpus[module.name] = module.unavailable;
    }
  }
  for (const char* name : kWatchedVariables) {
    if (const char* value = std::getenv(name)) patient.environment[name] = value;
  }
  patient.wait = [] { std::this_thread::sleep_for(kLook); };
  return patient;
}

json findings_json(const std::vector<Finding>& findings) {
  json result = json::array();
  for (const Finding& finding : findings) {
    result.push_back({{"id", finding.id},
                      {"harmful", finding.harmful},
                      {"what", finding.what},
                      {"remedy", finding.remedy}});
  }
  return {{"findings", result}};
}

}  // namespace

int doctor_command(const DoctorOptions& options) {
  const std::vector<Finding> findings = examine(this_machine());
  const auto harmful = std::count_if(findings.begin(), findings.end(),
                                     [](const Finding& finding) { return finding.harmful; });
  if (options.json) {
    fmt::print("{}\n", findings_json(findings).dump(1, ' ', false, json::error_handler_t::replace));
  } else {
    for (const Finding& finding : findings) {
      const std::string head = finding.harmful ? "! " : "  ";
      fmt::print("{}{}\n", head, wrapped(finding.what, 2, 2));
      if (!finding.remedy.empty()) fmt::print("    -> {}\n", wrapped(finding.remedy, 7, 7));
    }
    fmt::print("{}\n", harmful == 0 ? "Nothing here will spoil the numbers."
                                    : fmt::format("{} of these will spoil the numbers.", harmful));
  }
  return harmful == 0 ? kExitFine : kExitFailed;
}

}  // namespace breakeven
