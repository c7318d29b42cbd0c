#include "tools/gate/budgets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "reports/json_text.h"
#include "reports/text.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;

constexpr double kShareTolerance = 0.005;  // of a share, as in tools/budget; below it is rounding

/// One kernel's code for one architecture. Absent: the file doesn't say.
struct Kernel {
  std::string arch;
  std::map<std::string, double> figures;
  std::string math;  ///< the multiplying instruction of the main loop; "" where there is no loop
  double share = 0;
};

using Budgets = std::map<std::string, Kernel>;  // "kernel @ sm_90a" ->

/// A kernel that no file knows to spill doesn't: the build refuses those that do.
constexpr const char* kAbsentMeansNone[] = {"local", "spills"};
constexpr const char* kMoreIsWorse[] = {"registers", "shared"};
constexpr const char* kTold[] = {"threads", "instructions"};

std::optional<double> number_at(const json& entry, const char* key, const Place& place) {
  const auto found = entry.find(key);
  if (found == entry.end()) return std::nullopt;
  if (!found->is_number() || found->get<double>() < 0) {
    place.at(key).fail("is not a number of 0 or more");
  }
  return found->get<double>();
}

Kernel read_kernel(const json& entry, const Place& place) {
  Kernel kernel;
  kernel.arch = text_at(entry, "arch", place);
  for (const char* key :
       {"registers", "shared", "blocks", "local", "spills", "threads", "instructions"}) {
    if (const auto value = number_at(entry, key, place)) kernel.figures[key] = *value;
  }
  for (const char* key : kMoreIsWorse) {
    if (!kernel.figures.contains(key)) place.fail(fmt::format("\"{}\" is missing", key));
  }
  if (entry.contains("math")) {
    kernel.math = text_at(entry, "math", place);
    const auto share = number_at(entry, "share", place);
    if (!share) place.fail("\"share\" is missing");
    kernel.share = *share;
  }
  return kernel;
}

Budgets read_budgets(std::string_view text, const std::string& file) {
  const Place place{file, ""};
  const json document = parse_json(text, place);
  if (!document.is_array()) place.fail("is not a list of kernels, as tools/budget writes it");
  Budgets budgets;
  for (std::size_t i = 0; i < document.size(); ++i) {
    const Place at = place.at(fmt::format("[{}]", i));
    if (!document[i].is_object()) at.fail("is not an object");
    Kernel kernel = read_kernel(document[i], at);
    const std::string name = text_at(document[i], "kernel", at) + " @ " + kernel.arch;
    if (!budgets.emplace(name, std::move(kernel)).second) {
      at.fail(fmt::format("{} is there twice", shortened(name, 200)));
    }
  }
  return budgets;
}

std::optional<double> figure(const Kernel& kernel, const char* key) {
  const auto found = kernel.figures.find(key);
  return found == kernel.figures.end() ? std::nullopt : std::optional(found->second);
}

/// Of one instruction's share; 0 where another one multiplies.
double share_of(const Kernel& kernel, const std::string& math) {
  return kernel.math == math ? kernel.share : 0;
}

void add_shares(const Kernel& base, const Kernel& head, std::vector<CounterChange>& changes) {
  std::set<std::string> kinds = {base.math, head.math};
  kinds.erase("");
  for (const std::string& math : kinds) {
    const double before = share_of(base, math), after = share_of(head, math);
    if (std::abs(after - before) <= kShareTolerance * before) continue;
    changes.push_back({"share of " + math, before, after, math == base.math && after < before});
  }
}

std::vector<CounterChange> differences(const Kernel& base, const Kernel& head) {
  std::vector<CounterChange> changes;
  const auto add = [&](const char* key, double before, double after, bool worse) {
    if (before != after) changes.push_back({key, before, after, worse});
  };
  for (const char* key : kMoreIsWorse) {
    const double before = *figure(base, key), after = *figure(head, key);
    add(key, before, after, after > before);
  }
  for (const char* key : kAbsentMeansNone) {
    const auto after = figure(head, key);
    const double before = figure(base, key).value_or(0);
    if (after) add(key, before, *after, *after > before);
  }
  // Blocks that are no longer known are none, so that losing a kernel's launch doesn't hide it.
  const double before = figure(base, "blocks").value_or(0);
  const double after = figure(head, "blocks").value_or(0);
  add("blocks", before, after, after < before);
  add_shares(base, head, changes);
  for (const char* key : kTold) {
    const auto was = figure(base, key), is = figure(head, key);
    if (was && is) add(key, *was, *is, false);
  }
  return changes;
}

std::map<std::string, std::size_t> kernels_by_arch(const Budgets& budgets) {
  std::map<std::string, std::size_t> count;
  for (const auto& [name, kernel] : budgets) ++count[kernel.arch];
  return count;
}

RowJudgement settled(std::string name, Verdict verdict, std::string reason) {
  RowJudgement row;
  row.name = std::move(name);
  row.verdict = verdict;
  row.reason = std::move(reason);
  row.gates = verdict == Verdict::missing;
  return row;
}

/// Kernels of `these` that `those` lacks, an architecture that it lacks altogether as one row.
void add_unmatched(const Budgets& these, const Budgets& those, Verdict verdict,
                   const std::string& lacking, std::vector<RowJudgement>& rows) {
  const auto known = kernels_by_arch(those);
  for (const auto& [arch, kernels] : kernels_by_arch(these)) {
    if (known.contains(arch)) continue;
    rows.push_back(settled("all kernels @ " + arch, verdict,
                           fmt::format("{} has none of {} kernels", lacking, kernels)));
  }
  for (const auto& [name, kernel] : these) {
    if (!known.contains(kernel.arch) || those.contains(name)) continue;
    rows.push_back(settled(name, verdict, "not in " + lacking));
  }
}

}  // namespace

std::vector<RowJudgement> compare_budget_texts(std::string_view base, const std::string& base_file,
                                               std::string_view head,
                                               const std::string& head_file) {
  const Budgets before = read_budgets(base, base_file), after = read_budgets(head, head_file);
  std::vector<RowJudgement> rows;
  add_unmatched(before, after, Verdict::missing, "head", rows);
  add_unmatched(after, before, Verdict::added, "base", rows);
  for (const auto& [name, kernel] : before) {
    const auto found = after.find(name);
    if (found == after.end()) continue;
    RowJudgement row;
    row.changes = differences(kernel, found->second);
    if (row.changes.empty()) continue;
    row.name = name;
    row.verdict = Verdict::changed;
    row.gates = std::any_of(row.changes.begin(), row.changes.end(),
                            [](const CounterChange& change) { return change.worse; });
    rows.push_back(std::move(row));
  }
  std::sort(rows.begin(), rows.end(),
            [](const RowJudgement& a, const RowJudgement& b) { return a.name < b.name; });
  return rows;
}

std::vector<RowJudgement> compare_budgets(const std::filesystem::path& base,
                                          const std::filesystem::path& head) {
  constexpr std::string_view kWanted = "a file of tools/budget";
  return compare_budget_texts(read_text(base, kWanted), base.string(), read_text(head, kWanted),
                              head.string());
}

}  // namespace breakeven::gate
