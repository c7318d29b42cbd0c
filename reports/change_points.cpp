#include "reports/change_points.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace breakeven {
namespace {

constexpr double kLooser = 10;  // p-values of candidates, before weak ones are taken back

/// The regularised incomplete beta function I_x(a, b), by Lentz's continued fraction (Press et al.,
/// Numerical Recipes, 6.4).
double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(b, a, 1 - x);
  constexpr double kTiny = 1e-300, kPrecise = 1e-15;
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                a * std::log(x) + b * std::log1p(-x)) /
                       a;
  const auto away_from_zero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), fraction = d;
  for (int m = 1; m < 1000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    fraction *= c * d;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    fraction *= c * d;
    if (std::abs(c * d - 1) < kPrecise) break;
  }
  return front * fraction;
}

struct Moments {
  double mean = 0;
  double variance = 0;  ///< of the sample, n - 1
  double count = 0;
};

Moments moments(std::span<const double> values) {
  Moments result;
  result.count = static_cast<double>(values.size());
  for (const double value : values) result.mean += value / result.count;
  if (values.size() < 2) return result;
  for (const double value : values) {
    result.variance += (value - result.mean) * (value - result.mean) / (result.count - 1);
  }
  return result;
}

/// The statistic of every division of a window, each from the one before in linear time: sums of
/// the distances inside either side and between them change by those of one value.
class Divisions {
 public:
  explicit Divisions(std::span<const double> window) : window_(window) {
    for (std::size_t i = 0; i < window.size(); ++i) {
      for (std::size_t j = i + 1; j < window.size(); ++j) right_ += distance(i, j);
    }
  }

  /// Moves the next value to the left side; then the statistic.
  double next() {
    const std::size_t moved = left_count_++;
    double to_left = 0, to_right = 0;
    for (std::size_t i = 0; i < moved; ++i) to_left += distance(i, moved);
    for (std::size_t i = moved + 1; i < window_.size(); ++i) to_right += distance(moved, i);
    left_ += to_left;
    right_ -= to_right;
    between_ += to_right - to_left;
    const auto m = static_cast<double>(left_count_);
    const auto n = static_cast<double>(window_.size() - left_count_);
    const double inside_left = m > 1 ? left_ / (m * (m - 1) / 2) : 0;
    const double inside_right = n > 1 ? right_ / (n * (n - 1) / 2) : 0;
    return m * n / (m + n) * (2 * between_ / (m * n) - inside_left - inside_right);
  }

 private:
  double distance(std::size_t i, std::size_t j) const { return std::abs(window_[i] - window_[j]); }

  std::span<const double> window_;
  std::size_t left_count_ = 0;
  double left_ = 0, right_ = 0, between_ = 0;
};

class Search {
 public:
  Search(std::span<const double> series, const ChangePointRule& rule)
      : series_(series), rule_(rule) {}

  std::vector<ChangePoint> run() {
    const std::size_t window = std::max({rule_.window, 2 * rule_.least_values, std::size_t{2}});
    for (std::size_t begin = 0;; begin += window / 2) {
      const std::size_t end = std::min(begin + window, series_.size());
      divide(begin, end);
      if (end == series_.size()) break;
    }
    std::sort(found_.begin(), found_.end());
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    while (take_weakest_back()) {
    }
    std::vector<ChangePoint> points;
    for (std::size_t i = 0; i < found_.size(); ++i) {
      const auto [before, after] = neighbours(i);
      points.push_back(
          {found_[i], moments(before).mean, moments(after).mean, welch_p(before, after)});
    }
    return points;
  }

 private:
  void divide(std::size_t begin, std::size_t end) {
    if (end - begin < 2 * rule_.least_values) return;
    Divisions divisions(series_.subspan(begin, end - begin));
    std::size_t best = 0;
    double largest = -std::numeric_limits<double>::infinity();
    for (std::size_t at = begin + 1; at < end; ++at) {
      const double statistic = divisions.next();
      const bool allowed = at - begin >= rule_.least_values && end - at >= rule_.least_values;
      if (!allowed || statistic <= largest) continue;
      largest = statistic;
      best = at;
    }
    const double p =
        welch_p(series_.subspan(begin, best - begin), series_.subspan(best, end - best));
    if (!(p < kLooser * rule_.p_limit)) return;
    found_.push_back(best);
    divide(begin, best);
    divide(best, end);
  }

  /// The segments on either side of a point.
  std::pair<std::span<const double>, std::span<const double>> neighbours(std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : found_[i - 1];
    const std::size_t end = i + 1 == found_.size() ? series_.size() : found_[i + 1];
    return {series_.subspan(begin, found_[i] - begin), series_.subspan(found_[i], end - found_[i])};
  }

  bool take_weakest_back() {
    std::optional<std::size_t> weakest;
    double largest = rule_.p_limit;
    for (std::size_t i = 0; i < found_.size(); ++i) {
      const auto [before, after] = neighbours(i);
      // Windows that overlap may find one change at two neighbouring places.
      const bool thin = std::min(before.size(), after.size()) < rule_.least_values;
      const double p = thin ? 1 : welch_p(before, after);
      if (p < largest || (weakest && p <= largest)) continue;
      largest = p;
      weakest = i;
    }
    if (weakest) found_.erase(found_.begin() + static_cast<std::ptrdiff_t>(*weakest));
    return weakest.has_value();
  }

  std::span<const double> series_;
  const ChangePointRule& rule_;
  std::vector<std::size_t> found_;
};

}  // namespace

double welch_p(std::span<const double> a, std::span<const double> b) {
  if (a.size() < 2 || b.size() < 2) return 1;
  const Moments x = moments(a), y = moments(b);
  const double vx = x.variance / x.count, vy = y.variance / y.count;
  // Rounding alone makes a constant series vary by some 1e-16 of its value.
  const double noise = 1e-13 * std::max(std::abs(x.mean), std::abs(y.mean));
  if (std::sqrt(vx + vy) <= noise) return std::abs(x.mean - y.mean) <= noise ? 1 : 0;
  const double t = (x.mean - y.mean) / std::sqrt(vx + vy);
  const double freedom =
      (vx + vy) * (vx + vy) / (vx * vx / (x.count - 1) + vy * vy / (y.count - 1));
  return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

double e_divisive_statistic(std::span<const double> series, std::size_t index) {
  Divisions divisions(series);
  double statistic = 0;
  for (std::size_t i = 0; i < index; ++i) statistic = divisions.next();
  return statistic;
}

std::vector<ChangePoint> change_points(std::span<const double> series,
                                       const ChangePointRule& rule) {
  return Search(series, rule).run();
}

}  // namespace breakeven
