#include "tools/breakeven/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "reports/model.h"
#include "reports/statistics.h"
#include "reports/text.h"
#include "tools/breakeven/lines.h"

namespace breakeven {
namespace {

constexpr std::size_t kMostRows = 48;
constexpr std::size_t kShapeColumns = 23;
constexpr std::size_t kImplementationColumns = 28;  // only names from elsewhere are longer
constexpr double kGiga = 1e9;

double counter(const CaseState& state, const std::string& key) {
  const auto found = state.counters.find(key);
  return found == state.counters.end() ? 0 : found->second;
}

/// A stream is bound by memory whatever arithmetic it does.
bool bandwidth_bound(const CaseState& state) { return state.listed.parts.op == "stream"; }

std::vector<double> values(const RoundValues& rounds) {
  std::vector<double> result;
  for (const auto& [round, seconds] : rounds) result.push_back(seconds);
  return result;
}

/// The best of several, as the report picks it.
struct Shown {
  const CaseState* state;
  Estimate estimate;
  bool by_other_rounds;  ///< false where a lone round had to choose and to be shown
};

Shown pick(const std::vector<const CaseState*>& candidates) {
  std::vector<Case> cases(candidates.size());
  std::vector<const Case*> pointers;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    cases[i].name = candidates[i]->listed.name;
    for (const auto& [number, seconds] : candidates[i]->rounds) {
      Round round;
      round.number = number;
      round.median_seconds = seconds;
      cases[i].rounds.push_back(std::move(round));
    }
    pointers.push_back(&cases[i]);
  }
  const Best best = best_by_other_rounds(pointers);
  const auto index = static_cast<std::size_t>(&best.favourite() - cases.data());
  return {candidates[index], median_estimate(values(best.seconds)),
          !best.chosen_on_reported_rounds};
}

/// What the figures of the tables mean, for as much of it as holds here.
std::string footnote(bool by_other_rounds, bool by_own_round) {
  std::string text =
      "±: half the 95 % interval of the median, or half the range where the rounds are too few for "
      "one.";
  if (by_other_rounds && !by_own_round) {
    text += " In each round the best is picked by the other rounds.";
  } else if (by_other_rounds) {
    text += " In each round the best is picked by the other rounds, where there are any.";
  } else if (by_own_round) {
    text += " The best is picked by the one round that is shown: luck counts as speed.";
  }
  return wrapped(text, 0) + "\n";
}

std::string half_width(const Estimate& estimate) {
  if (estimate.samples < 2) return "-";
  const Interval& interval = estimate.interval;
  return fmt::format("{:.1f} %", 50 * (interval.high - interval.low) / estimate.value);
}

/// In the unit of its table's heading.
std::string rate(const CaseState& state, double seconds) {
  const double amount = counter(state, bandwidth_bound(state) ? "bytes" : "flops");
  return amount > 0 ? fmt::format("{:.1f}", amount / seconds / kGiga) : "-";
}

/// A long shape keeps its end: layers of one network and batch begin alike.
std::string shape_cell(const std::string& shape) {
  if (shape.size() <= kShapeColumns) return shortened(shape, kShapeColumns);
  return "…" + shape.substr(shape.size() - (kShapeColumns - 1));
}

/// Labels (the heading, then the shapes) and behind each its row of `cells`. Where a long
/// implementation leaves a label no room on the line of its row, it gets one of its own.
std::string labelled_table(const std::vector<std::string>& labels,
                           const std::vector<std::vector<std::string>>& cells) {
  constexpr std::size_t kGap = 2;
  std::vector<std::string> lines;
  std::istringstream text(table(cells, 2));
  std::size_t taken = kGap;
  for (std::string line; std::getline(text, line);) {
    taken = std::max(taken, kGap + columns(line));
    lines.push_back(line);
  }
  const std::size_t room =
      std::min(kShapeColumns, kTerminalColumns - std::min(taken, kTerminalColumns));
  std::vector<std::string> beside;  // what stands on the row's line; empty: nothing fits
  std::size_t width = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::string cell = i == 0 ? labels[i] : shape_cell(labels[i]);
    beside.push_back(columns(cell) <= room ? cell : "");
    width = std::max(width, columns(beside.back()));
  }
  std::string result;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (beside[i].empty()) result += shortened(labels[i], kTerminalColumns) + "\n";
    result += pad_right(beside[i], width + kGap) + lines[i] + "\n";
  }
  return result;
}

std::vector<std::string> table_row(const Shown& best, const std::vector<CaseState>& cases) {
  const CaseName& parts = best.state->listed.parts;
  const double seconds = best.estimate.value;
  const double peak = measured_peak(cases, parts.device, parts.precision);
  const double gflops = counter(*best.state, "flops") / seconds / kGiga;
  const bool of_peak = peak > 0 && gflops > 0 && !bandwidth_bound(*best.state);
  return {parts.precision,
          shortened(parts.implementation, kImplementationColumns),
          format_seconds(seconds),
          half_width(best.estimate),
          rate(*best.state, seconds),
          of_peak ? fmt::format("{:.0f} %", 100 * gflops / peak) : "-"};
}

}  // namespace

double median_seconds(const CaseState& state) { return median(values(state.rounds)); }

double measured_peak(const std::vector<CaseState>& cases, const std::string& device,
                     const std::string& precision) {
  double best = 0;
  for (const CaseState& state : cases) {
    const CaseName& parts = state.listed.parts;
    if (parts.op != "peak" || parts.device != device || parts.precision != precision) continue;
    if (state.dropped() || state.rounds.empty()) continue;
    best = std::max(best, counter(state, "flops") / median_seconds(state) / kGiga);
  }
  return best;
}

std::string summary_table(const std::vector<CaseState>& cases) {
  // Natural order of shapes: square_512 before square_1024.
  const auto natural = [](const std::string& a, const std::string& b) {
    return std::pair(a.size(), a) < std::pair(b.size(), b);
  };
  using Shapes = std::map<std::string, std::map<std::string, std::vector<const CaseState*>>,
                          decltype(natural)>;
  std::map<std::string, Shapes> groups;  // "matmul on cpu" -> shape -> precision -> candidates
  std::size_t with_options = 0;
  for (const CaseState& state : cases) {
    const CaseName& parts = state.listed.parts;
    if (state.dropped() || state.rounds.empty()) continue;
    if (!parts.options.empty()) {
      ++with_options;
      continue;
    }
    const auto group = groups.try_emplace(parts.op + " on " + parts.device, natural).first;
    group->second[parts.shape][parts.precision].push_back(&state);
  }
  std::string text;
  std::size_t rows_left = kMostRows, rows_hidden = 0;
  bool by_other_rounds = false, by_own_round = false;
  for (const auto& [heading, shapes] : groups) {
    std::vector<std::string> labels = {heading};
    std::vector<std::vector<std::string>> rows = {
        {"", "best", "median", "±", heading.starts_with("stream ") ? "GB/s" : "GFLOP/s",
         "of peak"}};
    for (const auto& [shape, precisions] : shapes) {
      for (const auto& [precision, candidates] : precisions) {
        if (rows_left == 0) {
          ++rows_hidden;
          continue;
        }
        --rows_left;
        const Shown best = pick(candidates);
        if (candidates.size() > 1) (best.by_other_rounds ? by_other_rounds : by_own_round) = true;
        labels.push_back(shape);
        rows.push_back(table_row(best, cases));
      }
    }
    if (rows.size() > 1) text += labelled_table(labels, rows) + "\n";
  }
  text += footnote(by_other_rounds, by_own_round);
  if (rows_hidden > 0) text += fmt::format("{} more rows are in the results.\n", rows_hidden);
  if (with_options > 0) {
    text += fmt::format("{} rows with other threads, a cold cache and the like are there too.\n",
                        with_options);
  }
  return text;
}

}  // namespace breakeven
