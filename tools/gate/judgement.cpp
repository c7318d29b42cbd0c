#include "tools/gate/judgement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/text.h"
#include "tools/gate/verdict_parts.h"

namespace breakeven::gate {
namespace {

constexpr std::size_t kReasonLimit = 300;

/// Of those rows, the one that a reader should look at first, and how it did.
std::string foremost(const std::vector<const RowJudgement*>& rows, const std::string& what) {
  const std::string name = shortened(rows.front()->name, kNameLimit);
  return (rows.size() > 1 ? ", first " : ": ") + name + (what.empty() ? "" : " " + what);
}

std::string worse_counter(const RowJudgement& row) {
  for (const CounterChange& change : row.changes) {
    if (change.worse) return shortened(change.name, kNameLimit) + " " + counter_text(change);
  }
  return "";
}

std::size_t compared(const Judgement& judgement) {
  return static_cast<std::size_t>(
      std::count_if(judgement.rows.begin(), judgement.rows.end(), [&](const RowJudgement& row) {
        return row.decision ||
               (!judgement.times_judged && !lost(row) && row.verdict != Verdict::added);
      }));
}

template <class Which>
std::vector<const RowJudgement*> gating(const std::vector<const RowJudgement*>& rows, Which which) {
  std::vector<const RowJudgement*> result;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(result),
               [&](const RowJudgement* row) { return row->gates && which(*row); });
  return result;
}

std::string of(std::size_t count, std::size_t all, const char* verb, const char* verbs) {
  return fmt::format("{} of {} {}", count, counted(all, "row"), count == 1 ? verb : verbs);
}

/// What refuses the change, one part for each kind.
std::vector<std::string> refusals(const Judgement& judgement) {
  std::vector<std::string> parts;
  const auto told = told_rows(judgement.rows);
  const std::size_t all = judgement.rows.size();
  const auto add = [&](auto which, std::size_t whole, const char* one, const char* many,
                       auto what) {
    const auto rows = gating(told, which);
    if (rows.empty()) return;
    parts.push_back(of(rows.size(), whole, one, many) + foremost(rows, what(*rows.front())));
  };
  const auto reason = [](const RowJudgement& row) {
    return row.reason.empty() ? "" : "(" + shortened(row.reason, kNameLimit) + ")";
  };
  add([](const RowJudgement& row) { return row.verdict == Verdict::missing; }, all, "is missing",
      "are missing", reason);
  add([](const RowJudgement& row) { return row.verdict == Verdict::error; }, all, "failed",
      "failed", reason);
  add([](const RowJudgement& row) { return row.verdict == Verdict::regressed; },
      compared(judgement), "is slower", "are slower",
      [](const RowJudgement& row) { return row.decision ? change_text(row.decision->ratio) : ""; });
  add([](const RowJudgement& row) { return !lost(row) && row.verdict != Verdict::regressed; }, all,
      "got worse in an exact counter", "got worse in exact counters", worse_counter);
  const auto budgets = told_rows(judgement.budgets);
  const auto gone = gating(budgets, lost),
             worse = gating(budgets, [](const RowJudgement& row) { return !lost(row); });
  if (!gone.empty()) {
    parts.push_back(counted(gone.size(), "static budget") +
                    (gone.size() == 1 ? " is missing" : " are missing") + foremost(gone, ""));
  }
  if (!worse.empty()) {
    parts.push_back(
        counted(worse.size(), "kernel") +
        (worse.size() == 1 ? " exceeds its static budget" : " exceed their static budgets") +
        foremost(worse, worse_counter(*worse.front())));
  }
  return parts;
}

/// What stands in brackets behind "no regression".
std::string reservations(const Judgement& judgement) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  std::size_t accepted = 0;
  for (const auto* list : {&judgement.rows, &judgement.budgets}) {
    accepted += static_cast<std::size_t>(std::count_if(
        list->begin(), list->end(), [](const RowJudgement& row) { return !row.accepted.empty(); }));
  }
  if (accepted > 0) add(fmt::format("{} accepted", accepted));
  if (const std::size_t added = judgement.count(Verdict::added)) {
    add(fmt::format("{} new", added));
  }
  if (!judgement.times_judged) {
    add("times were not judged");
    return " (" + text + ")";
  }
  const std::size_t undecided = judgement.count(Verdict::inconclusive);
  if (undecided > 0) add(fmt::format("{} undecided", undecided));
  const std::string sensitivity = sensitivity_text(judgement.rows);
  if (!sensitivity.empty()) add(sensitivity);
  return text.empty() ? "" : " (" + text + ")";
}

std::string nothing_refused(const Judgement& judgement) {
  const std::size_t rows = compared(judgement);
  if (judgement.exit_code == kCoverage) {
    return fmt::format("nothing could be compared: none of {} is in both arms with a figure",
                       counted(judgement.rows.size(), "row"));
  }
  if (judgement.exit_code == kInconclusive) {
    const auto undecided =
        std::count_if(judgement.rows.begin(), judgement.rows.end(),
                      [&](const RowJudgement& row) { return refused(judgement, row); });
    const std::string sensitivity = sensitivity_text(judgement.rows);
    return fmt::format("{} of {} undecided, which --strict refuses{}", undecided,
                       counted(judgement.rows.size(), "row"),
                       sensitivity.empty() ? "" : " (" + sensitivity + ")");
  }
  const std::string what = judgement.times_judged ? "no regression" : "no exact figure is worse";
  return fmt::format("{} in {}{}", what, counted(rows, "row"), reservations(judgement));
}

}  // namespace

std::size_t Judgement::count(Verdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(rows.begin(), rows.end(),
                    [verdict](const RowJudgement& row) { return row.verdict == verdict; }));
}

std::string headline(const Judgement& judgement) {
  const std::vector<std::string> parts = refusals(judgement);
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
  if (text.empty()) text = nothing_refused(judgement);
  if (judgement.exit_code != kOtherMachine) return text;
  return "base and head are of two machines, so their times mean nothing together; " + text;
}

std::string row_text(const RowJudgement& row) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (row.decision) add(change_text(row.decision->ratio));
  for (const CounterChange& change : row.changes) {
    add(shortened(change.name, kNameLimit) + " " + counter_text(change) +
        (change.worse ? " (worse)" : ""));
  }
  if (!row.reason.empty()) add(shortened(row.reason, kReasonLimit));
  return text;
}

}  // namespace breakeven::gate
