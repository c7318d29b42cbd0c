#include "reports/statistics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace breakeven {
namespace {

constexpr std::size_t kMostSignedRankSamples = 1000;  // the distribution costs n^3 / 6 additions

// ln of the binomial probability of k heads in n throws of a fair coin.
double log_binomial_half(std::size_t n, std::size_t k) {
  const auto log_factorial = [](std::size_t i) { return std::lgamma(static_cast<double>(i) + 1); };
  return log_factorial(n) - log_factorial(k) - log_factorial(n - k) -
         static_cast<double>(n) * std::log(2.0);
}

void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(what);
}

// The median of a sorted, non-empty vector.
double sorted_median(const std::vector<double>& sorted) {
  const std::size_t n = sorted.size();
  return n % 2 == 1 ? sorted[n / 2] : std::midpoint(sorted[n / 2 - 1], sorted[n / 2]);
}

}  // namespace

double median(std::vector<double> samples) {
  require(!samples.empty(), "median of no samples");
  std::sort(samples.begin(), samples.end());
  return sorted_median(samples);
}

double median_of_rounds(const RoundValues& values) {
  std::vector<double> samples;
  for (const auto& [round, value] : values) samples.push_back(value);
  return median(std::move(samples));
}

Estimate median_estimate(std::vector<double> samples, double confidence) {
  require(!samples.empty(), "median of no samples");
  std::sort(samples.begin(), samples.end());
  const std::size_t n = samples.size();
  // k counts from 1; the interval may narrow while what it leaves out on one side stays small.
  double outside = std::exp(log_binomial_half(n, 0));  // P(B < 1)
  std::size_t k = 1;
  while (2 * (k + 1) <= n) {
    const double next = outside + std::exp(log_binomial_half(n, k));
    if (1 - 2 * next < confidence) break;
    outside = next;
    ++k;
  }
  return {
      sorted_median(samples), {samples[k - 1], samples[n - k], n == 1 ? 0 : 1 - 2 * outside}, n};
}

const std::vector<double>& signed_rank_distribution(std::size_t n) {
  require(n <= kMostSignedRankSamples, "the exact signed-rank distribution stops at 1000 samples");
  thread_local std::map<std::size_t, std::vector<double>> known;
  const auto found = known.find(n);
  if (found != known.end()) return found->second;
  // probability[t]: the share of the 2^n sign patterns whose positive ranks add up to t.
  std::vector<double> probability(n * (n + 1) / 2 + 1, 0.0);
  probability[0] = 1;
  std::size_t largest = 0;
  for (std::size_t rank = 1; rank <= n; ++rank) {
    largest += rank;
    for (std::size_t t = largest + 1; t-- > 0;) {
      probability[t] = (probability[t] + (t >= rank ? probability[t - rank] : 0)) / 2;
    }
  }
  std::partial_sum(probability.begin(), probability.end(), probability.begin());
  return known.emplace(n, std::move(probability)).first->second;
}

Estimate hodges_lehmann(const std::vector<double>& samples, double confidence) {
  require(!samples.empty(), "Hodges-Lehmann estimate of no samples");
  const std::size_t n = samples.size();
  const std::vector<double>& below = signed_rank_distribution(n);
  std::vector<double> walsh;
  walsh.reserve(n * (n + 1) / 2);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i; j < n; ++j) walsh.push_back((samples[i] + samples[j]) / 2);
  }
  std::sort(walsh.begin(), walsh.end());
  std::size_t k = 1;
  while (2 * (k + 1) <= walsh.size() && 1 - 2 * below[k] >= confidence) ++k;
  return {sorted_median(walsh),
          {walsh[k - 1], walsh[walsh.size() - k], n == 1 ? 0 : 1 - 2 * below[k - 1]},
          n};
}

double geometric_mean(const std::vector<double>& values) {
  require(!values.empty(), "geometric mean of no values");
  double sum = 0;
  for (const double value : values) {
    require(value > 0, "geometric mean of a value that is not positive");
    sum += std::log(value);
  }
  return std::exp(sum / static_cast<double>(values.size()));
}

std::vector<double> paired_log_ratios(const RoundValues& numerator,
                                      const RoundValues& denominator) {
  std::vector<double> ratios;
  for (const auto& [round, above] : numerator) {
    const auto below = denominator.find(round);
    if (below == denominator.end()) continue;
    require(above > 0 && below->second > 0, "ratio of a value that is not positive");
    ratios.push_back(std::log(above / below->second));
  }
  return ratios;
}

Estimate ratio_estimate(const std::vector<double>& log_ratios, double confidence) {
  Estimate estimate = hodges_lehmann(log_ratios, confidence);
  estimate.value = std::exp(estimate.value);
  estimate.interval.low = std::exp(estimate.interval.low);
  estimate.interval.high = std::exp(estimate.interval.high);
  return estimate;
}

std::optional<Estimate> times_as_fast(const RoundValues& slow, const RoundValues& fast) {
  const std::vector<double> ratios = paired_log_ratios(slow, fast);
  if (ratios.empty()) return std::nullopt;
  return ratio_estimate(ratios);
}

}  // namespace breakeven
