// breakeven list: the cases here, and why the absent ones are absent.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "tools/breakeven/commands.h"
#include "tools/breakeven/lines.h"
#include "tools/breakeven/plan.h"
#include "tools/breakeven/selection.h"

namespace breakeven {
namespace {

using nlohmann::json;

json listing_json(const Catalog& catalog, const std::vector<ListedCase>& selected) {
  json modules = json::array(), cases = json::array();
  for (const ListedModule& module : catalog.modules) {
    json entry = {{"name", module.name},
                  {"device", module.device},
                  {"competitors", module.competitors},
                  {"facts", module.facts}};
    if (!module.unavailable.empty()) entry["unavailable"] = module.unavailable;
    modules.push_back(std::move(entry));
  }
  for (const ListedCase& listed : selected) {
    json entry = {{"name", listed.name}, {"module", catalog.modules[listed.module].name}};
    if (!listed.unsupported.empty()) entry["unsupported"] = listed.unsupported;
    cases.push_back(std::move(entry));
  }
  return {{"modules", modules}, {"cases", cases}, {"refused", catalog.refused}};
}

void print_names(const std::vector<ListedCase>& selected) {
  for (const ListedCase& listed : selected) {
    if (listed.unsupported.empty()) fmt::print("{}\n", listed.name);
  }
}

/// One line per device and implementation below each operation's name.
void print_implementations(const std::vector<ListedCase>& selected) {
  struct Counts {
    std::set<std::string> shapes, precisions;
    std::size_t here = 0, unsupported = 0;
  };
  std::map<std::array<std::string, 3>, Counts> groups;
  for (const ListedCase& listed : selected) {
    const CaseName& parts = listed.parts;
    Counts& counts = groups[{parts.op, parts.device, parts.implementation}];
    counts.shapes.insert(parts.shape);
    counts.precisions.insert(parts.precision);
    ++(listed.unsupported.empty() ? counts.here : counts.unsupported);
  }
  std::vector<std::vector<std::string>> rows = {
      {"", "device", "implementation", "precisions", "shapes", "cases", "not here"}};
  std::vector<std::string> ops;  // of each row
  for (const auto& [key, counts] : groups) {
    std::string precisions;
    for (const std::string& precision : counts.precisions) {
      precisions += (precisions.empty() ? "" : " ") + precision;
    }
    ops.push_back(key[0]);
    rows.push_back({"", key[1], key[2], precisions, std::to_string(counts.shapes.size()),
                    std::to_string(counts.here), std::to_string(counts.unsupported)});
  }
  std::istringstream lines(table(rows, 4));
  std::string line;
  std::getline(lines, line);
  fmt::print("{}\n", line);
  for (std::size_t i = 0; std::getline(lines, line); ++i) {
    if (i == 0 || ops[i] != ops[i - 1]) fmt::print("{}\n", ops[i]);
    fmt::print("{}\n", line);
  }
  fmt::print("\n");
}

void print_shapes(const std::vector<ListedCase>& selected) {
  std::map<std::string, std::vector<std::string>> shapes;  // by operation, in the catalog's order
  std::set<std::string> seen;
  for (const ListedCase& listed : selected) {
    const std::string workload = workload_of(listed.parts);
    if (seen.insert(workload).second) shapes[listed.parts.op].push_back(listed.parts.shape);
  }
  // The four convolutions share their shapes, and those are many: a list stands once.
  std::map<std::vector<std::string>, std::string> ops;
  std::vector<std::vector<std::string>> order;
  for (const auto& [op, names] : shapes) {
    std::string& text = ops[names];
    if (text.empty()) order.push_back(names);
    text += (text.empty() ? "" : ", ") + op;
  }
  for (const std::vector<std::string>& names : order) {
    std::string text = fmt::format("{} shapes ({}):", ops[names], names.size());
    for (const std::string& name : names) text += " " + name;
    fmt::print("{}\n", wrapped(text, 2));
  }
}

/// Unsupported cases, grouped by what is said of them.
void print_absent(const Catalog& catalog, const std::vector<ListedCase>& selected) {
  std::map<std::string, std::map<std::string, std::size_t>> reasons;  // reason -> who -> count
  for (const ListedCase& listed : selected) {
    if (listed.unsupported.empty()) continue;
    const std::string who = fmt::format("{}/{}/{}", listed.parts.op, listed.parts.implementation,
                                        listed.parts.precision);
    ++reasons[listed.unsupported][who];
  }
  if (!reasons.empty()) fmt::print("\nNot here, because\n");
  constexpr std::size_t kMostReasons = 20;
  std::size_t shown = 0, hidden = 0;
  for (const auto& [reason, who] : reasons) {
    std::size_t count = 0;
    for (const auto& [name, cases] : who) count += cases;
    if (shown++ >= kMostReasons) {
      hidden += count;
      continue;
    }
    std::string text = fmt::format("{}: {} {}:", reason, count, count == 1 ? "case" : "cases");
    for (const auto& [name, cases] : who) text += " " + name;
    fmt::print("  {}\n", wrapped(text, 4, 2));
  }
  if (hidden > 0)
    fmt::print("  and {} cases for other reasons (`breakeven list --json`)\n", hidden);
  bool first = true;
  for (const ListedModule& module : catalog.modules) {
    if (module.unavailable.empty()) continue;
    if (first) fmt::print("\nModules that are not available\n");
    first = false;
    std::string text = fmt::format("{}: {}", module.name, module.unavailable);
    if (!module.competitors.empty()) text += "; it would bring";
    for (const std::string& competitor : module.competitors) text += " " + competitor;
    fmt::print("  {}\n", wrapped(text, 4, 2));
  }
}

}  // namespace

int list_command(const ListOptions& options) {
  WorkerSettings settings;
  settings.executable = find_worker();
  for (const std::string& file : options.shapes) {
    settings.shapes.emplace_back(describe_shapes(file).path);
  }
  const Catalog catalog = load_catalog(settings);
  print_refused(catalog);
  const int code = catalog.refused.empty() ? kExitFine : kExitFailed;
  const std::vector<ListedCase> selected =
      options.filter.empty() && options.shapes.empty()
          ? catalog.cases
          : select_cases(catalog,
                         {.filter = options.filter, .user_shapes = !options.shapes.empty()});
  if (options.json) {
    fmt::print("{}\n",
               listing_json(catalog, selected).dump(1, ' ', false, json::error_handler_t::replace));
    return code;
  }
  if (options.cases) {
    print_names(selected);
    return code;
  }
  const auto here = std::count_if(selected.begin(), selected.end(), [](const ListedCase& listed) {
    return listed.unsupported.empty();
  });
  fmt::print("{} cases here, {} that can't run here{}\n\n", here,
             static_cast<std::ptrdiff_t>(selected.size()) - here, refused_text(catalog));
  print_implementations(selected);
  print_shapes(selected);
  print_absent(catalog, selected);
  return code;
}

}  // namespace breakeven
