#include "tools/gate/decision.h"

#include <algorithm>
#include <cmath>

#include "tools/gate/hypothesis.h"

namespace breakeven::gate {
namespace {

const std::vector<double>& judged_rounds(const PairedRounds& row) {
  return row.confirmation.empty() ? row.screening : row.confirmation;
}

/// Both one-sided tests against the margins of equivalence (Schuirmann's TOST).
bool equivalent(std::span<const double> rounds, const Margins& margins) {
  const double margin = std::log1p(margins.equivalence);
  constexpr double kLevel = 0.05;
  return signed_rank_p(rounds, -margin, Side::greater) <= kLevel &&
         signed_rank_p(rounds, margin, Side::less) <= kLevel;
}

/// The lower Walsh average that decides at level `alpha` lies this far below the `centre`, the
/// median of all of them; a slowdown is flagged where even that one is above the margin.
std::optional<double> detectable(const std::vector<double>& rounds, double centre, double alpha,
                                 const Margins& margins) {
  const std::size_t rank = critical_walsh_rank(rounds.size(), alpha);
  if (rank == 0) return std::nullopt;
  std::vector<double> walsh;
  walsh.reserve(rounds.size() * (rounds.size() + 1) / 2);
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    for (std::size_t j = i; j < rounds.size(); ++j) walsh.push_back((rounds[i] + rounds[j]) / 2);
  }
  const auto deciding = walsh.begin() + static_cast<std::ptrdiff_t>(rank - 1);
  std::nth_element(walsh.begin(), deciding, walsh.end());
  return std::expm1(std::log1p(margins.regression) + std::max(0.0, centre - *deciding));
}

/// Regressions: corrected over the rows that are candidates at all. Needs the decisions' ratios.
void judge_regressions(std::span<const PairedRounds> rows, const Margins& margins, bool two_stages,
                       std::vector<Decision>& decisions) {
  const double margin = std::log1p(margins.regression);
  std::vector<double> p_values;
  std::vector<std::size_t> judged;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Decision& decision = decisions[i];
    decision.p_regressed = signed_rank_p(judged_rounds(rows[i]), margin, Side::greater);
    decision.unconfirmed =
        two_stages && rows[i].confirmation.empty() && decision.p_regressed < margins.screening_p;
    if (two_stages && rows[i].confirmation.empty()) continue;
    judged.push_back(i);
    p_values.push_back(decision.p_regressed);
  }
  const std::vector<double> adjusted = benjamini_hochberg(p_values);
  for (std::size_t i = 0; i < judged.size(); ++i) decisions[judged[i]].q_regressed = adjusted[i];
  // A regression alone is found at q over the number of candidates, itself among them.
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool candidate = !two_stages || !rows[i].confirmation.empty();
    const std::size_t tests = judged.size() + (candidate ? 0 : 1);
    decisions[i].detectable =
        detectable(judged_rounds(rows[i]), std::log(decisions[i].ratio.value),
                   margins.discovery_rate / static_cast<double>(tests), margins);
  }
}

void judge_improvements(std::span<const PairedRounds> rows, const Margins& margins,
                        std::vector<Decision>& decisions) {
  const double margin = std::log1p(margins.regression);
  std::vector<double> p_values;
  p_values.reserve(rows.size());
  for (const PairedRounds& row : rows) {
    p_values.push_back(signed_rank_p(judged_rounds(row), -margin, Side::less));
  }
  const std::vector<double> adjusted = benjamini_hochberg(p_values);
  for (std::size_t i = 0; i < rows.size(); ++i) decisions[i].q_improved = adjusted[i];
}

}  // namespace

std::string_view verdict_word(Verdict verdict) {
  switch (verdict) {
    case Verdict::regressed:
      return "REGRESSED";
    case Verdict::improved:
      return "IMPROVED";
    case Verdict::equivalent:
      return "EQUIVALENT";
    case Verdict::inconclusive:
      return "INCONCLUSIVE";
    case Verdict::added:
      return "NEW";
    case Verdict::missing:
      return "MISSING";
    case Verdict::error:
      return "ERROR";
    case Verdict::changed:
      return "CHANGED";
  }
  return "";
}

double noise(std::span<const double> rounds) {
  constexpr double kNormal = 1.4826;
  const double centre = median({rounds.begin(), rounds.end()});
  std::vector<double> distances;
  for (const double round : rounds) distances.push_back(std::abs(round - centre));
  return kNormal * median(distances);
}

bool conspicuous(std::span<const double> screening, const Margins& margins) {
  return signed_rank_p(screening, std::log1p(margins.regression), Side::greater) <
         margins.screening_p;
}

std::vector<Decision> decide(std::span<const PairedRounds> rows, const Margins& margins,
                             bool two_stages) {
  std::vector<Decision> decisions(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    decisions[i].ratio = ratio_estimate(judged_rounds(rows[i]));
  }
  judge_regressions(rows, margins, two_stages, decisions);
  judge_improvements(rows, margins, decisions);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::vector<double>& rounds = judged_rounds(rows[i]);
    Decision& decision = decisions[i];
    decision.rounds = rounds.size();
    decision.confirmed = !rows[i].confirmation.empty();
    if (decision.q_regressed <= margins.discovery_rate) {
      decision.verdict = Verdict::regressed;
    } else if (decision.q_improved <= margins.discovery_rate) {
      decision.verdict = Verdict::improved;
    } else if (!decision.unconfirmed && equivalent(rounds, margins)) {
      decision.verdict = Verdict::equivalent;
    }
  }
  return decisions;
}

}  // namespace breakeven::gate
