#include "tools/gate/testing/comparison_rules.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "reports/statistics.h"

namespace breakeven::gate {
namespace {

constexpr int kRepetitions = 36;  // what the gate's 12 rounds of 3 cost

double mean_time(const std::vector<double>& logarithms) {
  double sum = 0;
  for (const double logarithm : logarithms) sum += std::exp(logarithm);
  return sum / static_cast<double>(logarithms.size());
}

/// `slower(base, head)` of each row decides.
template <typename Slower>
Rule sequential_rule(const Noise& noise, bool other_machine, Slower slower) {
  return [=](std::span<const double> effects, NoiseSource& random) {
    const Arms arms = sequential(effects, noise, kRepetitions, other_machine, random);
    std::vector<bool> flagged;
    for (std::size_t row = 0; row < effects.size(); ++row) {
      flagged.push_back(slower(arms.base[row], arms.head[row]));
    }
    return flagged;
  };
}

}  // namespace

double mann_whitney_p(std::span<const double> a, std::span<const double> b) {
  std::vector<std::pair<double, bool>> pooled;
  for (const double value : a) pooled.emplace_back(value, true);
  for (const double value : b) pooled.emplace_back(value, false);
  std::sort(pooled.begin(), pooled.end());
  double rank_sum = 0, ties = 0;
  for (std::size_t begin = 0; begin < pooled.size();) {
    std::size_t end = begin;
    std::size_t of_a = 0;
    for (; end < pooled.size() && pooled[end].first == pooled[begin].first; ++end) {
      of_a += pooled[end].second ? 1 : 0;
    }
    const auto size = static_cast<double>(end - begin);
    rank_sum += static_cast<double>(of_a) * static_cast<double>(begin + end + 1) / 2;
    ties += size * size * size - size;
    begin = end;
  }
  const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size());
  const double u = rank_sum - n * (n + 1) / 2;
  const double variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)));
  if (variance <= 0) return 1;
  const double z = (std::abs(u - n * m / 2) - 0.5) / std::sqrt(variance);
  return std::min(1.0, std::erfc(z / std::sqrt(2.0)));
}

Rule mann_whitney_rule(const Noise& noise) {
  return sequential_rule(noise, false,
                         [](const std::vector<double>& base, const std::vector<double>& head) {
                           return mann_whitney_p(base, head) < 0.05 && median(head) > median(base);
                         });
}

Rule asv_rule(const Noise& noise) {
  return sequential_rule(
      noise, false, [](const std::vector<double>& base, const std::vector<double>& head) {
        return mann_whitney_p(base, head) < 0.002 && median(head) - median(base) > std::log(1.1);
      });
}

Rule stored_baseline_rule(const Noise& noise) {
  return sequential_rule(noise, true,
                         [](const std::vector<double>& base, const std::vector<double>& head) {
                           return mean_time(head) > 1.10 * mean_time(base);
                         });
}

}  // namespace breakeven::gate
