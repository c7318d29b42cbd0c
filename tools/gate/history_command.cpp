#include "tools/gate/history_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <stdexcept>

#include "reports/text.h"
#include "tools/breakeven/lines.h"
#include "tools/gate/history.h"
#include "tools/gate/short_names.h"
#include "tools/gate/verdict_parts.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;

/// A change of one row of a machine's history.
struct Change : RowChange {
  const std::string* row;
};

/// Of a longer name the first 2,048 bytes: libstdc++'s matcher takes stack for every byte.
bool matches(const std::string& name, const std::regex& wanted) {
  constexpr std::size_t kMatchedBytes = 2048;
  const auto end = name.begin() + static_cast<std::ptrdiff_t>(std::min(name.size(), kMatchedBytes));
  return std::regex_search(name.begin(), end, wanted);
}

/// Changes of all rows that `wanted` matches, by `least` or more, newest first.
std::vector<Change> changes_of(const MachineHistory& machine, const std::regex& wanted,
                               double least, std::size_t& rows) {
  std::vector<Change> changes;
  for (const auto& [name, series] : machine.rows) {
    if (!matches(name, wanted)) continue;
    ++rows;
    for (const RowChange& change : row_changes(series)) {
      if (std::abs(std::log(change.ratio)) < std::log1p(least)) continue;
      changes.push_back({change, &name});
    }
  }
  std::stable_sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    return a.first_after != b.first_after ? a.first_after > b.first_after : a.ratio > b.ratio;
  });
  return changes;
}

/// Ten characters: as much of a commit as is ever needed, and of a date its day.
std::string begin_of(const std::string& text) { return shortened(text.substr(0, 10), 10); }

std::string percent_text(double ratio) {
  constexpr double kShown = 100;  // what is beyond would need the columns of the name
  return ratio > kShown ? "> 9900 %" : fmt::format("{:+.1f} %", 100 * (ratio - 1));
}

/// Adds each change's row to its line, as wide as 80 columns allow, and says what all rows share.
void add_names(const std::vector<Change>& changes, std::vector<std::vector<std::string>>& lines) {
  std::size_t taken = 0;
  for (std::size_t cell = 0; !lines.empty() && cell < lines.front().size(); ++cell) {
    std::size_t widest = 0;
    for (const auto& line : lines) widest = std::max(widest, columns(line[cell]));
    taken += widest + 2;
  }
  std::vector<std::string> names;
  for (const Change& change : changes) names.push_back(*change.row);
  ShortNames fitted = short_names(names, kTerminalColumns - taken);
  for (std::size_t i = 0; i < lines.size(); ++i) lines[i].push_back(std::move(fitted.names[i]));
  if (!fitted.common.empty()) {
    fmt::print("rows: {}\n", without_middle(fitted.common, kTerminalColumns - 6));
  }
}

void print(const MachineHistory& machine, const std::vector<Change>& changes, std::size_t rows) {
  fmt::print("machine {}: {} of {}, {}\n", shortened(machine.fingerprint, 16),
             counted(machine.measurements.size(), "measurement"), counted(rows, "row"),
             counted(changes.size(), "change"));
  std::vector<std::vector<std::string>> lines;
  for (const Change& change : changes) {
    const Measurement &before = machine.measurements[change.last_before],
                      &after = machine.measurements[change.first_after];
    lines.push_back({begin_of(before.commit) + ".." + begin_of(after.commit), begin_of(after.date),
                     percent_text(change.ratio),
                     change.p_value > 0 ? "p " + format_scientific(change.p_value) : "p 0"});
  }
  add_names(changes, lines);
  fmt::print("{}\n", table(lines, 5));
}

json to_json(const MachineHistory& machine, const std::vector<Change>& changes, std::size_t rows) {
  json list = json::array();
  for (const Change& change : changes) {
    const Measurement &before = machine.measurements[change.last_before],
                      &after = machine.measurements[change.first_after];
    list.push_back({{"row", visible_text(*change.row)},
                    {"after_commit", visible_text(before.commit)},
                    {"commit", visible_text(after.commit)},
                    {"date", visible_text(after.date)},
                    {"before_seconds", change.before_seconds},
                    {"after_seconds", change.after_seconds},
                    {"ratio", change.ratio},
                    {"p_value", change.p_value}});
  }
  return {{"fingerprint", visible_text(machine.fingerprint)},
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
    std::vector<Change> changes = changes_of(machine, wanted, options.least, rows);
    matched += rows;
    all.emplace_back(std::move(changes), rows);
  }
  if (matched == 0) {
    throw std::runtime_error(fmt::format("--row '{}' matches no row of {}",
                                         visible_text(options.row),
                                         visible_text(options.directory)));
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
  for (const std::string& place : torn) {
    fmt::print(stderr, "{}: a torn line was passed over\n", visible_text(place));
  }
  return 0;
}

}  // namespace breakeven::gate
