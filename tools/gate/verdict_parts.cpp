#include "tools/gate/verdict_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "reports/text.h"

namespace breakeven::gate {
namespace {

std::string number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : "?"; }

/// 0.0314 is "3.1 %".
std::string percent(double fraction) { return fmt::format("{:.1f} %", 100 * fraction); }

/// The smallest of ascending values that at least `share` of them don't exceed.
double reached_by(const std::vector<double>& ascending, double share) {
  const double rank = std::ceil(share * static_cast<double>(ascending.size()));
  return ascending[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

int order_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::missing:
      return 0;
    case Verdict::error:
      return 1;
    case Verdict::regressed:
      return 2;
    case Verdict::changed:
      return 3;
    case Verdict::improved:
      return 4;
    case Verdict::added:
      return 5;
    case Verdict::inconclusive:
      return 6;
    case Verdict::equivalent:
      return 7;
  }
  return 8;
}

/// Rows keep the order of their names, that of the vector, where nothing else tells them apart.
std::vector<const RowJudgement*> picked(const std::vector<RowJudgement>& rows, bool told) {
  std::vector<const RowJudgement*> result;
  for (const RowJudgement& row : rows) {
    if (worth_telling(row) == told) result.push_back(&row);
  }
  const auto key = [](const RowJudgement* row) {
    const double ratio = row->decision ? row->decision->ratio.value : 1;
    const bool measured = std::isfinite(ratio) && ratio > 0;
    return std::tuple(!row->gates, row->accepted.empty(), order_of(row->verdict),
                      measured ? -std::abs(std::log(ratio)) : 0.0, row);
  };
  std::sort(result.begin(), result.end(),
            [&](const RowJudgement* a, const RowJudgement* b) { return key(a) < key(b); });
  return result;
}

}  // namespace

std::string counted(std::size_t count, const std::string& one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

std::string counter_text(const CounterChange& change) {
  if (change.base == change.head) return number(change.head) + ", not in every round";
  return number(change.base) + " → " + number(change.head);
}

std::string times_text(const RowJudgement& row) {
  if (!row.decision || !(row.base_seconds > 0) || !(row.head_seconds > 0)) return "";
  return format_seconds(row.base_seconds) + " → " + format_seconds(row.head_seconds);
}

std::string corrected_p_text(const RowJudgement& row) {
  if (!row.decision) return "";
  if (row.decision->verdict == Verdict::regressed) return p_text(row.decision->q_regressed);
  if (row.decision->verdict == Verdict::improved) return p_text(row.decision->q_improved);
  return "";
}

std::string rounds_text(const RowJudgement& row) {
  if (!row.decision) return "";
  return counted(row.decision->rounds, row.decision->confirmed ? "fresh round" : "round");
}

bool worth_telling(const RowJudgement& row) {
  return row.gates || !row.accepted.empty() ||
         (row.verdict != Verdict::equivalent && row.verdict != Verdict::inconclusive);
}

bool refused(const Judgement& judgement, const RowJudgement& row) {
  return row.gates || (judgement.exit_code == kInconclusive &&
                       row.verdict == Verdict::inconclusive && !row.told_only);
}

bool lost(const RowJudgement& row) {
  return row.verdict == Verdict::missing || row.verdict == Verdict::error;
}

std::vector<const RowJudgement*> told_rows(const std::vector<RowJudgement>& rows) {
  return picked(rows, true);
}

std::vector<const RowJudgement*> other_rows(const std::vector<RowJudgement>& rows) {
  return picked(rows, false);
}

std::string sensitivity_text(const std::vector<RowJudgement>& rows) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  std::vector<double> seen;
  for (const RowJudgement& row : rows) {
    if (row.decision) seen.push_back(row.decision->detectable.value_or(kNone));
  }
  if (seen.empty()) return "";
  std::sort(seen.begin(), seen.end());
  const double half = reached_by(seen, 0.5), most = reached_by(seen, 0.9);
  if (!std::isfinite(half)) return "too few rounds to see any slowdown in half of the rows";
  std::string text = "the smallest slowdown this run could see: " + percent(half);
  if (seen.size() == 1) return text;
  const std::string tail = seen.size() < 10 ? "all of them" : "nine of ten";
  if (std::isfinite(most)) {
    return text + fmt::format(" in half of the rows, {} in {}", percent(most), tail);
  }
  return text + " in half of the rows, none in others";
}

}  // namespace breakeven::gate
