#include "tools/breakeven/selection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <stdexcept>
#include <utility>

#include "tools/breakeven/lines.h"
#include "tools/breakeven/random.h"

namespace breakeven {
namespace {

// Small enough that a workload's rows lie within seconds of each other, large enough that starting
// processes costs little.
constexpr std::size_t kShardCases = 24;

class Pattern {
 public:
  Pattern(const std::string& text, const std::string& source) {
    try {
      expression_ = std::regex(text, std::regex::ECMAScript | std::regex::optimize);
    } catch (const std::regex_error& error) {
      throw std::runtime_error(fmt::format("{} '{}': not a regular expression: {}", source, text,
                                           last_line(error.what())));
    }
    // Tells the matcher not to try every position of names that can only match at their start.
    const bool anchored = text.starts_with('^') && text.find('|') == std::string::npos;
    if (anchored) flags_ = std::regex_constants::match_continuous;
  }
  bool matches(const std::string& name) const {
    return std::regex_search(name, expression_, flags_);
  }

 private:
  std::regex expression_;
  std::regex_constants::match_flag_type flags_ = std::regex_constants::match_default;
};

bool any_matches(const std::vector<Pattern>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const Pattern& pattern) { return pattern.matches(name); });
}

std::string unavailable_modules(const Catalog& catalog) {
  std::vector<std::string> names;
  for (const ListedModule& module : catalog.modules) {
    if (!module.unavailable.empty()) names.push_back(module.name);
  }
  if (names.empty()) return {};
  return fmt::format("; not available here: {}", fmt::join(names, ", "));
}

[[noreturn]] void fail_empty(const Catalog& catalog, const Wanted& wanted,
                             const std::vector<ListedCase>& selected) {
  const std::string what =
      wanted.filter.empty() ? wanted.rows_name : fmt::format("--filter '{}'", wanted.filter);
  if (!selected.empty()) {
    throw std::runtime_error(
        fmt::format("{} matches {} cases, none of which can run here; the first: {}: {}", what,
                    selected.size(), selected.front().name, selected.front().unsupported));
  }
  std::set<std::string> ops;
  for (const ListedCase& listed : catalog.cases) ops.insert(listed.parts.op);
  throw std::runtime_error(
      fmt::format("{} matches none of the {} cases here (operations: {}{}); `breakeven list "
                  "--cases` shows them",
                  what, catalog.cases.size(), fmt::join(ops, ", "), unavailable_modules(catalog)));
}

using Modules = std::map<std::size_t, std::vector<std::string>>;

void append_shard(Modules& shard, Random& random, std::vector<ModuleCases>& batches) {
  std::vector<std::size_t> order;
  for (const auto& [module, cases] : shard) order.push_back(module);
  random.shuffle(order);
  for (const std::size_t module : order) {
    std::vector<std::string>& cases = shard[module];
    random.shuffle(cases);
    batches.push_back({module, std::move(cases)});
  }
  shard.clear();
}

}  // namespace

std::vector<ListedCase> select_cases(const Catalog& catalog, const Wanted& wanted) {
  std::vector<Pattern> rows, filter;
  for (const std::string& row : wanted.rows.value_or(std::vector<std::string>())) {
    rows.emplace_back(row, "suite row");
  }
  if (!wanted.filter.empty()) filter.emplace_back(wanted.filter, "--filter");
  const bool everything = !wanted.rows && !wanted.user_shapes;

  std::vector<ListedCase> selected;
  for (const ListedCase& listed : catalog.cases) {
    if (!filter.empty() && !filter.front().matches(listed.name)) continue;
    const bool own = wanted.user_shapes && listed.user_shape;
    if (everything || own || any_matches(rows, listed.name)) selected.push_back(listed);
  }
  if (std::none_of(selected.begin(), selected.end(),
                   [](const ListedCase& listed) { return listed.unsupported.empty(); })) {
    fail_empty(catalog, wanted, selected);
  }
  return selected;
}

std::vector<ModuleCases> round_order(const std::vector<ListedCase>& cases, std::uint64_t seed,
                                     int round) {
  std::map<std::string, std::vector<const ListedCase*>> by_workload;
  for (const ListedCase& listed : cases) by_workload[workload_of(listed.parts)].push_back(&listed);
  std::vector<std::string> workloads;
  workloads.reserve(by_workload.size());
  for (const auto& [workload, members] : by_workload) workloads.push_back(workload);
  Random random(seed, static_cast<std::uint64_t>(round));
  random.shuffle(workloads);

  std::vector<ModuleCases> batches;
  Modules shard;
  std::size_t shard_cases = 0;
  for (const std::string& workload : workloads) {
    for (const ListedCase* listed : by_workload[workload]) {
      shard[listed->module].push_back(listed->name);
      ++shard_cases;
    }
    if (shard_cases < kShardCases) continue;
    append_shard(shard, random, batches);
    shard_cases = 0;
  }
  append_shard(shard, random, batches);
  return batches;
}

}  // namespace breakeven
