// Statistics for few, noisy, skewed samples: medians, exact intervals, ratios of paired rounds.
// Nothing here assumes a distribution, and every interval says which coverage it really has.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

namespace breakeven {

/// Covers the true value with probability `coverage`; exact intervals are discrete, so that is
/// rarely the confidence asked for. 0 (and low = high) where one sample allows no interval at all.
struct Interval {
  double low = 0;
  double high = 0;
  double coverage = 0;

  /// Whether it may carry a verdict: of paired rounds five (94 %) do, four (88 %) don't.
  bool decides() const { return coverage >= 0.9; }
};

struct Estimate {
  double value = 0;
  Interval interval;
  std::size_t samples = 0;
};

/// Round number -> value of that round (the median inside its process).
using RoundValues = std::map<int, double>;

/// The middle sample, or the mean of the middle two. Throws std::invalid_argument when empty.
double median(std::vector<double> samples);

/// Of the values of all rounds.
double median_of_rounds(const RoundValues& values);

/// The median and the narrowest symmetric interval between order statistics, [x(k), x(n+1-k)], that
/// covers the population median with at least `confidence`: its coverage is 1 - 2 P(B < k) for
/// B ~ Binomial(n, 1/2), whatever the distribution (David & Nagaraja, Order Statistics, 7.1). With
/// too few samples (n < 6 for 95 %) it is [min, max] and `coverage` says what that reaches.
/// Throws std::invalid_argument when empty.
Estimate median_estimate(std::vector<double> samples, double confidence = 0.95);

/// The Hodges-Lehmann estimate (median of the n(n+1)/2 Walsh averages) and the exact signed-rank
/// interval [W(k), W(M+1-k)] around it, for samples symmetric about their centre, such as log
/// ratios of paired rounds (Hollander & Wolfe, Nonparametric Statistical Methods, 3.2 and 3.3).
/// Throws std::invalid_argument when empty or above 1,000 samples.
Estimate hodges_lehmann(const std::vector<double>& samples, double confidence = 0.95);

/// P(T <= t) of the signed-rank statistic of n untied samples under the null hypothesis, for
/// t = 0 … n(n+1)/2; kept for the thread that asked. Throws std::invalid_argument above 1,000.
const std::vector<double>& signed_rank_distribution(std::size_t n);

/// Throws std::invalid_argument when empty or where a value is not positive.
double geometric_mean(const std::vector<double>& values);

/// ln(numerator / denominator) of each round that both have, in order of the rounds.
/// Throws std::invalid_argument where a value is not positive.
std::vector<double> paired_log_ratios(const RoundValues& numerator, const RoundValues& denominator);

/// exp(hodges_lehmann(log ratios)), interval included. Throws std::invalid_argument when empty.
Estimate ratio_estimate(const std::vector<double>& log_ratios, double confidence = 0.95);

/// Seconds of `slow` over those of `fast`, by paired rounds; absent where no round has both.
/// Throws std::invalid_argument where a value is not positive.
std::optional<Estimate> times_as_fast(const RoundValues& slow, const RoundValues& fast);

}  // namespace breakeven
