#include "tools/gate/hypothesis.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "reports/statistics.h"

namespace breakeven::gate {
namespace {

constexpr double kEqual = 1e-12;  // of logarithms: far below any clock, far above rounding

struct SignedRanks {
  std::vector<std::size_t> doubled;  ///< twice the midrank of each sample, ascending
  std::size_t positive = 0;          ///< twice the sum of the ranks of positive samples
  bool tied = false;
};

SignedRanks signed_ranks(std::vector<double>& differences) {
  std::sort(differences.begin(), differences.end(),
            [](double a, double b) { return std::abs(a) < std::abs(b); });
  SignedRanks ranks;
  for (std::size_t begin = 0; begin < differences.size();) {
    std::size_t end = begin + 1;
    while (end < differences.size() &&
           std::abs(differences[end]) - std::abs(differences[begin]) <= kEqual) {
      ++end;
    }
    ranks.tied = ranks.tied || end - begin > 1;
    for (std::size_t i = begin; i < end; ++i) {
      ranks.doubled.push_back(begin + end + 1);  // ranks begin + 1 … end
      if (differences[i] > 0) ranks.positive += begin + end + 1;
    }
    begin = end;
  }
  return ranks;
}

/// P(sum of the doubled ranks with a random sign >= observed), over all 2^n sign patterns.
double tied_upper_tail(const SignedRanks& ranks) {
  const std::size_t n = ranks.doubled.size();
  std::vector<double> probability(n * (n + 1) + 1, 0.0);
  probability[0] = 1;
  std::size_t largest = 0;
  for (const std::size_t rank : ranks.doubled) {
    largest += rank;
    for (std::size_t t = largest + 1; t-- > 0;) {
      probability[t] = (probability[t] + (t >= rank ? probability[t - rank] : 0)) / 2;
    }
  }
  // From the far end on: the smallest terms are added first.
  double tail = 0;
  for (std::size_t t = largest + 1; t-- > ranks.positive;) tail += probability[t];
  return std::min(tail, 1.0);
}

}  // namespace

double signed_rank_p(std::span<const double> samples, double center, Side side) {
  if (samples.size() > kMostRounds) throw std::invalid_argument("more than 1000 rounds");
  std::vector<double> differences;
  differences.reserve(samples.size());
  for (const double sample : samples) {
    const double difference = side == Side::greater ? sample - center : center - sample;
    if (std::abs(difference) > kEqual) differences.push_back(difference);
  }
  if (differences.empty()) return 1;
  const SignedRanks ranks = signed_ranks(differences);
  if (ranks.tied) return tied_upper_tail(ranks);
  // Symmetric: P(T >= t) = P(T <= n(n+1)/2 - t).
  const std::size_t n = differences.size();
  return signed_rank_distribution(n)[n * (n + 1) / 2 - ranks.positive / 2];
}

std::vector<double> benjamini_hochberg(std::span<const double> p_values) {
  const std::size_t m = p_values.size();
  std::vector<std::size_t> order(m);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(m);
  double smallest = 1;
  for (std::size_t rank = m; rank > 0; --rank) {
    const std::size_t i = order[rank - 1];
    smallest = std::min(smallest, p_values[i] * static_cast<double>(m) / static_cast<double>(rank));
    adjusted[i] = smallest;
  }
  return adjusted;
}

int rounds_needed(std::size_t rows, double q) {
  int rounds = 1;
  for (double p = 0.5; p > q / static_cast<double>(std::max<std::size_t>(rows, 1)); p /= 2) {
    ++rounds;
  }
  return rounds;
}

std::size_t critical_walsh_rank(std::size_t rounds, double alpha) {
  // All samples above c give T = M; T falls by one with each Walsh average that c passes. The last
  // of the distribution is P(T <= M), which belongs to no Walsh average.
  const std::vector<double>& below = signed_rank_distribution(rounds);
  const auto end = std::upper_bound(below.begin(), below.end() - 1, alpha);
  return static_cast<std::size_t>(end - below.begin());
}

}  // namespace breakeven::gate
