#include "bench/modes.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <set>
#include <utility>

#include "bench/google.h"

namespace breakeven {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

bool has_selected_rows(const ModuleInfo& info, const BenchOptions& options,
                       const Workloads& workloads, const ThreadRange& threads) {
  try {
    const Module module = open_module(info);
    select_cases(expand_cases(module.registry, workloads, module.device->kind(), threads), options);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

/// Asks a child process, so that this one has opened no module yet.
bool child_finds_rows(const ModuleInfo& info, const BenchOptions& options,
                      const Workloads& workloads, const ThreadRange& threads) {
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) _exit(has_selected_rows(info, options, workloads, threads) ? 0 : 1);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// Refuses a bad filter or file of names here: in the children it would look like "no rows".
void check_selection(const BenchOptions& options) {
  if (options.cases) {
    read_case_names(*options.cases);
  } else {
    Filter{options.filter};
  }
}

}  // namespace

ThreadRange thread_range(const Machine& machine, std::optional<int> wanted) {
  const std::vector<int> cpus = machine.allowed_cpus();
  const double quota = machine.cpu_quota().value_or(static_cast<double>(cpus.size()));
  ThreadRange range;
  range.max_threads =
      std::clamp(static_cast<int>(std::floor(quota)), 1, static_cast<int>(cpus.size()));
  range.default_threads = std::min(machine.physical_cores(cpus), range.max_threads);
  if (wanted) {
    if (*wanted < 1 || *wanted > range.max_threads) {
      throw UsageError(fmt::format(
          "--threads={}: give 1 to {}, the CPUs that this process may use by affinity and cgroup "
          "quota",
          *wanted, range.max_threads));
    }
    range.default_threads = *wanted;
  }
  return range;
}

Json modules_json(const std::vector<ModuleInfo>& modules) {
  Json list = Json::array();
  for (const ModuleInfo& module : modules) {
    list.push_back({{"name", module.name},
                    {"device", module.device},
                    {"path", module.path.string()},
                    {"missing", module.missing},
                    {"competitors", module.competitors}});
  }
  return list;
}

Json list_json(const Module& module, const std::vector<Case>& cases, const ThreadRange& threads) {
  Facts facts = module.facts;
  facts.merge(module.device->facts());
  Json listed = Json::array();
  for (const Case& c : cases) {
    Json entry = {{"name", c.name}};
    if (!c.unsupported.empty()) entry["unsupported"] = c.unsupported;
    listed.push_back(std::move(entry));
  }
  return {{"module", module.info.name},
          {"device", module.device->kind()},
          {"facts", facts},
          {"default_threads", threads.default_threads},
          {"max_threads", threads.max_threads},
          {"cases", std::move(listed)}};
}

Json unavailable_json(const ModuleInfo& module, const std::string& reason,
                      const ThreadRange& threads) {
  return {{"module", module.name},
          {"device", module.device},
          {"unavailable", reason},
          {"facts", Json::object()},
          {"default_threads", threads.default_threads},
          {"max_threads", threads.max_threads},
          {"cases", Json::array()}};
}

ModuleInfo choose_module(const std::vector<ModuleInfo>& modules, const BenchOptions& options,
                         const Workloads& workloads, const ThreadRange& threads) {
  std::vector<std::string> names;
  for (const ModuleInfo& module : modules) {
    if (module.name == options.module) return module;
    names.push_back(module.name);
  }
  if (!options.module.empty()) {
    throw UsageError(fmt::format("--module={}: there is no such module; there are {}",
                                 options.module, joined(names)));
  }
  check_selection(options);
  std::vector<ModuleInfo> candidates;
  std::vector<std::string> candidate_names;
  for (const ModuleInfo& module : modules) {
    if (!module.missing.empty()) continue;
    if (!child_finds_rows(module, options, workloads, threads)) continue;
    candidates.push_back(module);
    candidate_names.push_back(module.name);
  }
  if (candidates.size() == 1) return candidates.front();
  if (candidates.empty()) {
    throw UsageError(
        fmt::format("no module that opens here ({}) has a row that was asked for; "
                    "--module=NAME --list names its rows",
                    joined(names)));
  }
  throw UsageError(fmt::format(
      "the rows lie in several modules ({}), and one process opens one: choose with --module=NAME",
      joined(candidate_names)));
}

Facts network_facts(const Workloads& workloads, const std::vector<Case>& selected) {
  std::set<std::string> wanted;
  for (const Case& c : selected) wanted.insert(c.workload->layer().network);
  wanted.erase("");
  Facts facts;
  std::set<std::pair<std::string, std::string>> told;  // a layer has many workloads
  for (const auto& workload : workloads) {
    const Layer& layer = workload->layer();
    if (!wanted.contains(layer.network) || !told.emplace(layer.network, layer.name).second) {
      continue;
    }
    std::string& text = facts["network." + layer.network];
    text += fmt::format("{}{}*{}", text.empty() ? "" : " ", layer.name, layer.times);
  }
  return facts;
}

Json context_json(const Facts& facts, const BenchOptions& options) {
  Json context = google_benchmark_context();
  context["breakeven_schema"] = kSchemaVersion;
  context["method_version"] = kMethodVersion;
  if (options.seed) context["seed"] = *options.seed;
  context["min_batch_seconds"] = options.min_batch_seconds;
  for (const auto& [key, value] : facts) context[key] = value;
  return context;
}

int verify_cases(const std::vector<Case>& cases, Runner& runner, std::ostream& out) {
  for (const Case& c : cases) {
    const Record& record = runner.verify(c);
    if (record.skipped) {
      out << fmt::format("skipped  {}: {}\n", c.name, *record.skipped);
    } else if (record.failure) {
      out << fmt::format("WRONG    {}: {}\n", c.name, record.failure->reason);
    } else {
      const Check& check = record.facts.check;
      out << fmt::format("right    {}: error {:.1e}, limit {:.1e} ({})\n", c.name, check.error,
                         check.limit, check.method);
    }
    out.flush();
  }
  return runner.errors() > 0 ? 1 : 0;
}

}  // namespace breakeven
