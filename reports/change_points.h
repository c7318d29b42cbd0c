// Where a series of times changed, after the fact.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace breakeven {

/// A change between two neighbouring values of a series.
struct ChangePoint {
  std::size_t index = 0;  ///< the first value that is different
  double before = 0;      ///< means of the neighbouring segments
  double after = 0;
  double p_value = 1;  ///< of Welch's t-test between them
};

struct ChangePointRule {
  std::size_t window = 50;  ///< values that are looked at together
  double p_limit = 0.001;
  std::size_t least_values = 3;  ///< of a segment: one outlier is no change
};

/// E-divisive means (Matteson & James, A Nonparametric Approach for Multiple Change Point Analysis,
/// 2014) in the variant of Hunter (Fleming et al. 2023): windows that overlap by half are divided
/// where the statistic below is largest, and again inside, as long as Welch's t-test of the two
/// parts gives a p-value below 10 times the limit; then the weakest points are taken back until all
/// that are left are below the limit between their neighbouring segments. Nothing in it is random.
/// Values must be finite.
std::vector<ChangePoint> change_points(std::span<const double> series,
                                       const ChangePointRule& rule = {});

/// E-divisive's statistic (with alpha = 1) of the division before `index`, 0 < index < size:
/// m n / (m + n) (2 E|X - Y| - E|X - X'| - E|Y - Y'|), the means over all pairs of different
/// values; a side of one value has no pairs and adds nothing.
double e_divisive_statistic(std::span<const double> series, std::size_t index);

/// Two-sided p-value of Welch's t-test that two samples have one mean; 1 where either has fewer
/// than two values. Where neither varies: 1 if they are equal, else 0.
double welch_p(std::span<const double> a, std::span<const double> b);

}  // namespace breakeven
