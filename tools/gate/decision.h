// From paired rounds to verdicts: what is judged, against which margin, at which error rate.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "reports/statistics.h"

namespace breakeven::gate {

struct Margins {
  double regression = 0.02;      ///< slower (or faster) by less than this is no change
  double equivalence = 0.05;     ///< inside of it on both sides is the same
  double discovery_rate = 0.05;  ///< Benjamini and Hochberg's q, for each side
  double screening_p = 0.10;     ///< uncorrected; below it a row gets fresh rounds
};

enum class Verdict {
  regressed,
  improved,
  equivalent,
  inconclusive,
  added,
  missing,
  error,
  changed
};

/// REGRESSED, IMPROVED, EQUIVALENT, INCONCLUSIVE, NEW, MISSING, ERROR, CHANGED.
std::string_view verdict_word(Verdict verdict);

/// ln(head / base) of each round; `confirmation` holds the fresh rounds of a row that screening
/// found conspicuous, and is empty for others.
struct PairedRounds {
  std::vector<double> screening;
  std::vector<double> confirmation;
};

struct Decision {
  Verdict verdict = Verdict::inconclusive;  ///< one of the first four
  bool confirmed = false;                   ///< judged on fresh rounds alone
  bool unconfirmed = false;  ///< conspicuous, but without fresh rounds in a run that has them
  double p_regressed = 1;    ///< uncorrected, of the rounds that were judged
  double q_regressed = 1;    ///< the same, corrected
  double q_improved = 1;
  Estimate ratio;          ///< head / base, with the exact interval of 95 %
  std::size_t rounds = 0;  ///< that were judged
  /// The smallest slowdown (0.05 is 5 %) that would have been flagged had these rounds, with this
  /// scatter, been centred on it; absent where they are too few for any.
  std::optional<double> detectable;
};

/// How much a row's log ratios scatter: 1.4826 times the median distance from their median, which
/// is the standard deviation where they are normal, whatever a few outliers do. Not of no rounds.
double noise(std::span<const double> rounds);

inline constexpr int kScreeningRounds = 12;     ///< of every row, at the least
inline constexpr int kConfirmationRounds = 24;  ///< fresh ones of a conspicuous row

/// Rows that screening finds conspicuous: p < margins.screening_p that they are slower by more than
/// the margin. They get fresh rounds.
bool conspicuous(std::span<const double> screening, const Margins& margins);

/// Judges all rows of a run together. `two_stages`: the run gives conspicuous rows fresh rounds,
/// and a regression is judged on those alone, corrected over them; else on the screening rounds,
/// corrected over all rows. Improvements are judged on the screening rounds, or the fresh ones
/// where there are any, corrected over all rows. Rows must have at least one screening round each
/// and no more than kMostRounds. The order of rows makes no difference.
std::vector<Decision> decide(std::span<const PairedRounds> rows, const Margins& margins,
                             bool two_stages);

}  // namespace breakeven::gate
