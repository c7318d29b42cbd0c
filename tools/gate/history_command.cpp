#include "tools/gate/history_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <stdexcept>

#include "reports/text.h"
#include "tools/breakeven/lines.h"
#include "tools/gate/change_points.h"
#include "tools/gate/history.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;

/// A change of one row between two commits of one machine.
struct Change {
  const std::string* row;
  std::size_t last_before, first_after;  ///< of the machine's measurements
  double ratio;
  double p_value;
};

/// Changes of all rows that `wanted` matches, newest first.
std::vector<Change> changes_of(const MachineHistory& machine, const std::regex& wanted,
                               std::size_t& rows) {
  std::vector<Change> changes;
  for (const auto& [name, series] : machine.rows) {
    if (!std::regex_search(name, wanted)) continue;
    ++rows;
    // Of logarithms: a change is a factor, and a slow row's noise no more than a fast one's.
    std::vector<double> logs;
    logs.reserve(series.seconds.size());
    for (const double seconds : series.seconds) logs.push_back(std::log(seconds));
    for (const ChangePoint& point : change_points(logs)) {
      changes.push_back({&name, series.measurements[point.index - 1],
                         series.measurements[point.index], std::exp(point.after - point.before),
                         point.p_value});
    }
  }
  std::stable_sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    return a.first_after != b.first_after ? a.first_after > b.first_after : a.ratio > b.ratio;
  });
  return changes;
}

std::string short_commit(const std::string& commit) { return shortened(commit.substr(0, 10), 10); }

std::string percent_text(double ratio) { return fmt::format("{:+.1f} %", 100 * (ratio - 1)); }

void print(const MachineHistory& machine, const std::vector<Change>& changes, std::size_t rows) {
  fmt::print("machine {}: {} measurements of {} rows, {} changes\n",
             visible_text(machine.fingerprint), machine.measurements.size(), rows, changes.size());
  std::vector<std::vector<std::string>> lines;
  for (const Change& change : changes) {
    constexpr std::size_t kNameColumns = 28;
    const Measurement &before = machine.measurements[change.last_before],
                      &after = machine.measurements[change.first_after];
    lines.push_back({short_commit(before.commit) + ".." + short_commit(after.commit),
                     shortened(after.date, 10), percent_text(change.ratio),
                     change.p_value > 0 ? "p " + format_scientific(change.p_value) : "p 0",
                     shortened(*change.row, kNameColumns)});
  }
  fmt::print("{}\n", table(lines, 5));
}

json to_json(const MachineHistory& machine, const std::vector<Change>& changes, std::size_t rows) {
  json list = json::array();
  for (const Change& change : changes) {
    const Measurement &before = machine.measurements[change.last_before],
                      &after = machine.measurements[change.first_after];
    list.push_back({{"row", visible_text(*change.row)},
                    {"after_commit", before.commit},
                    {"commit", after.commit},
                    {"date", after.date},
                    {"ratio", change.ratio},
                    {"p_value", change.p_value}});
  }
  return {{"fingerprint", machine.fingerprint},
          {"measurements", machine.measurements.size()},
          {"rows", rows},
          {"changes", std::move(list)}};
}

std::regex expression(const std::string& text) {
  try {
    return std::regex(text, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& error) {
    throw std::runtime_error(fmt::format("--row '{}': not a regular expression: {}",
                                         visible_text(text), last_line(error.what())));
  }
}

}  // namespace

int history_command(const HistoryOptions& options) {
  const std::regex wanted = expression(options.row);
  std::vector<std::string> torn;
  const std::vector<MachineHistory> machines = read_history(options.directory, torn);
  std::size_t matched = 0;
  json document = json::array();
  std::vector<std::pair<std::vector<Change>, std::size_t>> all;
  for (const MachineHistory& machine : machines) {
    std::size_t rows = 0;
    std::vector<Change> changes = changes_of(machine, wanted, rows);
    matched += rows;
    all.emplace_back(std::move(changes), rows);
  }
  if (matched == 0) {
    throw std::runtime_error(fmt::format("--row '{}' matches no row of {}",
                                         visible_text(options.row), options.directory));
  }
  for (std::size_t i = 0; i < machines.size(); ++i) {
    const auto& [changes, rows] = all[i];
    if (options.json) {
      document.push_back(to_json(machines[i], changes, rows));
    } else {
      print(machines[i], changes, rows);
    }
  }
  if (options.json) {
    fmt::print("{}\n", document.dump(1, ' ', false, json::error_handler_t::replace));
  }
  for (const std::string& file : torn) {
    fmt::print(stderr, "{}: a torn line was passed over\n", visible_text(file));
  }
  return 0;
}

}  // namespace breakeven::gate
