#include "tools/breakeven/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "tools/breakeven/lines.h"
#include "tools/breakeven/process.h"

namespace breakeven {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kListTimeout(30);
constexpr int kUsageError = 2;

[[noreturn]] void fail_listing(const std::string& question, const std::string& why) {
  throw std::runtime_error(fmt::format("breakeven-bench {}: {}", question, why));
}

/// Why this answer can't be used, or "".
std::string trouble(const Finished& finished) {
  if (finished.timed_out) return fmt::format("no answer within {} s", kListTimeout.count());
  if (finished.ending.signal == 0 && finished.ending.exit_code == 0) return {};
  const std::string last = last_line(finished.errors);
  return describe(finished.ending) + (last.empty() ? "" : ": " + last);
}

json answer(const std::vector<std::string>& command, const std::string& question) {
  std::vector<std::string> full = command;
  full.push_back(question);
  const Finished finished = run_all({full}, kListTimeout).front();
  if (finished.ending.exit_code == kUsageError) {
    throw WorkerRefusal(complaint(finished.errors));
  }
  if (const std::string why = trouble(finished); !why.empty()) fail_listing(question, why);
  json parsed = json::parse(finished.output, nullptr, false);
  if (parsed.is_discarded()) fail_listing(question, "its answer is not JSON");
  return parsed;
}

void add_cases(const json& listing, std::size_t module, Catalog& catalog) {
  for (const json& entry : listing.at("cases")) {
    ListedCase listed;
    listed.name = entry.at("name").get<std::string>();
    listed.parts = split_case_name(listed.name);
    if (listed.parts.device.empty()) {
      throw std::runtime_error(fmt::format("\"{}\" is not the name of a case", listed.name));
    }
    listed.module = module;
    listed.unsupported = entry.value("unsupported", "");
    catalog.cases.push_back(std::move(listed));
  }
}

/// Takes one module's answer to --list into the catalog.
void take_listing(const Finished& finished, std::size_t index, Catalog& catalog) {
  ListedModule& module = catalog.modules[index];
  if (finished.ending.exit_code == kUsageError) {
    throw WorkerRefusal(complaint(finished.errors));
  }
  module.unavailable = trouble(finished);
  if (!module.unavailable.empty()) return;
  try {
    const json listing = json::parse(finished.output);
    module.unavailable = listing.value("unavailable", "");
    module.device = listing.value("device", module.device);
    module.facts = listing.value("facts", json::object());
    module.default_threads = listing.value("default_threads", 0);
    for (auto& line : listing.value("refused", std::vector<std::string>())) {
      const bool known = std::ranges::find(catalog.refused, line) != catalog.refused.end();
      if (!known) catalog.refused.push_back(std::move(line));  // every module's worker says it
    }
    if (module.unavailable.empty()) add_cases(listing, index, catalog);
  } catch (const std::exception& error) {
    module.unavailable = fmt::format("its list can't be read: {}", last_line(error.what()));
  }
}

std::vector<ListedModule> known_modules(const WorkerSettings& settings) {
  std::vector<ListedModule> modules;
  try {
    for (const json& entry : answer({settings.executable.string()}, "--modules")) {
      ListedModule module;
      module.name = entry.at("name").get<std::string>();
      module.device = entry.value("device", "");
      module.unavailable = entry.value("missing", "");
      module.competitors = entry.value("competitors", std::vector<std::string>());
      modules.push_back(std::move(module));
    }
  } catch (const json::exception& error) {
    fail_listing("--modules", last_line(error.what()));
  }
  return modules;
}

void list_modules(const WorkerSettings& settings, Catalog& catalog) {
  std::vector<std::vector<std::string>> commands;
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < catalog.modules.size(); ++i) {
    if (!catalog.modules[i].unavailable.empty()) continue;
    commands.push_back(worker_command(settings));
    commands.back().insert(commands.back().end(),
                           {"--module=" + catalog.modules[i].name, "--list"});
    asked.push_back(i);
  }
  const std::vector<Finished> answers = run_all(commands, kListTimeout);
  for (std::size_t i = 0; i < asked.size(); ++i) take_listing(answers[i], asked[i], catalog);
}

/// Two modules may offer one name, e.g. a third party's; rows of one name must be of one kernel.
void refuse_duplicates(Catalog& catalog) {
  std::map<std::string, std::size_t> owners;
  for (ListedCase& listed : catalog.cases) {
    const auto [owner, fresh] = owners.emplace(listed.name, listed.module);
    if (!fresh && listed.unsupported.empty()) {
      listed.unsupported =
          fmt::format("module {} offers the same name", catalog.modules[owner->second].name);
    }
  }
}

}  // namespace

Catalog load_catalog(const WorkerSettings& settings) {
  Catalog catalog;
  catalog.modules = known_modules(settings);
  Catalog built_in = catalog;
  list_modules(settings, catalog);
  if (!settings.shapes.empty()) {
    WorkerSettings plain = settings;
    plain.shapes.clear();
    list_modules(plain, built_in);
    std::set<std::string> known;
    for (const ListedCase& listed : built_in.cases) known.insert(listed.name);
    for (ListedCase& listed : catalog.cases) listed.user_shape = !known.contains(listed.name);
  }
  refuse_duplicates(catalog);
  return catalog;
}

void print_refused(const Catalog& catalog) {
  for (const std::string& line : catalog.refused) {
    fmt::print(stderr, "refused: {}\n", wrapped(line, 9, 9));
  }
}

std::string refused_text(const Catalog& catalog) {
  const std::size_t count = catalog.refused.size();
  if (count == 0) return {};
  return fmt::format(", {} {} refused", count, count == 1 ? "shape" : "shapes");
}

json facts_alone(const WorkerSettings& settings, const std::string& module) {
  Catalog catalog;
  catalog.modules.resize(1);
  catalog.modules.front().name = module;
  list_modules(settings, catalog);
  return catalog.modules.front().facts;
}

json load_context(const WorkerSettings& settings) {
  json context = answer({settings.executable.string()}, "--facts");
  if (!context.is_object()) fail_listing("--facts", "its answer is not an object");
  return context;
}

}  // namespace breakeven
