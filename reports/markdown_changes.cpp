// The verdict and the histories, in short.

#include <fmt/format.h>

#include <algorithm>

#include "reports/markdown.h"
#include "reports/markdown_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

constexpr std::size_t kMostRows = 20;
constexpr std::size_t kMostMachines = 10;  // the page counts the others
constexpr std::size_t kMostChanges = 10;
constexpr std::size_t kNameLimit = 120;
constexpr std::size_t kTextLimit = 200;

std::string cell(const std::string& text) { return escape_markdown(shortened(text, kTextLimit)); }

std::string what_happened(const VerdictRow& row) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (row.decision && row.decision->ratio.value > 0) add(change_text(row.decision->ratio));
  for (const VerdictCounter& counter : row.counters) {
    if (text.size() > kTextLimit) break;
    add(shortened(counter.name, kNameLimit) + " " + counter_text(counter));
  }
  if (!row.reason.empty()) add(row.reason);
  if (!row.accepted.empty()) {
    add("accepted: " + row.accepted +
        (row.accepted_until.empty() ? "" : ", until " + row.accepted_until));
  }
  return cell(text);
}

std::string verdict_markdown(const GateVerdict& verdict) {
  std::string out = fmt::format("**Against the baseline: {}** (gate exit {}: {})\n\n",
                                escape_markdown(shortened(verdict.headline, 600)),
                                verdict.exit_code, exit_meaning(verdict.exit_code));
  std::vector<const VerdictRow*> told;
  for (const auto* rows : {&verdict.rows, &verdict.budgets}) {
    for (const VerdictRow* row : in_telling_order(*rows)) {
      if (worth_telling(*row)) told.push_back(row);
    }
  }
  if (told.empty()) return out;
  out += "| row | verdict | change |\n|---|---|---|\n";
  const std::size_t shown = std::min(told.size(), kMostRows);
  for (std::size_t i = 0; i < shown; ++i) {
    out += fmt::format("| {} | {} | {} |\n", code(shortened(told[i]->name, kNameLimit)),
                       told[i]->verdict, what_happened(*told[i]));
  }
  if (told.size() > shown) {
    out += fmt::format("\n{} more rows are in verdict.json.\n", told.size() - shown);
  }
  return out + "\n";
}

struct Newest {
  const std::string* row;
  RowChange change;
};

std::string history_markdown(const MachineHistory& machine) {
  std::vector<Newest> changes;
  for (const auto& [name, row] : machine.rows) {
    for (const RowChange& change : row_changes(row)) changes.push_back({&name, change});
  }
  std::stable_sort(changes.begin(), changes.end(), [](const Newest& a, const Newest& b) {
    return a.change.first_after > b.change.first_after;
  });
  std::string out =
      fmt::format("History of machine {}: {} measurements of {} rows, {} change{}.\n\n",
                  code(shortened(machine.fingerprint, 40)), machine.measurements.size(),
                  machine.rows.size(), changes.size(), changes.size() == 1 ? "" : "s");
  if (changes.empty()) return out;
  out += "| row | commits | date | before → after | p |\n|---|---|---|---|---:|\n";
  const std::size_t shown = std::min(changes.size(), kMostChanges);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& [row, change] = changes[i];
    const Measurement& before = machine.measurements[change.last_before];
    const Measurement& after = machine.measurements[change.first_after];
    out += fmt::format("| {} | {}..{} | {} | {} → {} ({}) | {} |\n",
                       code(shortened(*row, kNameLimit)), cell(before.commit.substr(0, 10)),
                       cell(after.commit.substr(0, 10)), cell(after.date.substr(0, 10)),
                       format_seconds(change.before_seconds), format_seconds(change.after_seconds),
                       change_text({change.ratio, {}, 0}), p_text(change.p_value));
  }
  if (changes.size() > shown) {
    out += fmt::format("\n{} more changes are told by `breakeven gate history`.\n",
                       changes.size() - shown);
  }
  return out + "\n";
}

}  // namespace

std::string changes_markdown(const Page& page) {
  std::string out;
  if (page.verdict) out += verdict_markdown(*page.verdict);
  for (std::size_t i = 0; i < std::min(page.histories.size(), kMostMachines); ++i) {
    out += history_markdown(page.histories[i]);
  }
  if (page.histories.size() > kMostMachines) {
    out += fmt::format("{} more machines are told by `breakeven gate history`.\n\n",
                       page.histories.size() - kMostMachines);
  }
  return out;
}

}  // namespace breakeven
