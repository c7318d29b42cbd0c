// The tests behind a verdict: exact, and of few, noisy, paired rounds.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace breakeven::gate {

enum class Side { greater, less };

/// The most rounds that a row may have: the exact distribution of 1,000 ties costs seconds.
inline constexpr std::size_t kMostRounds = 1000;

/// Exact one-sided p-value of Wilcoxon's signed-rank test that samples symmetric about their centre
/// lie above (or below) `center` (Hollander & Wolfe, Nonparametric Statistical Methods, 3.1).
/// Differences closer than 1e-12 count as equal. Ties share the mean of their ranks, and the
/// distribution is that of these very ranks; samples equal to `center` are left out, as Wilcoxon
/// did. 1 where no sample is left. Throws std::invalid_argument above kMostRounds samples.
double signed_rank_p(std::span<const double> samples, double center, Side side);

/// Each p-value times m / rank, made monotone: the smallest false discovery rate at which that
/// hypothesis is rejected (Benjamini & Hochberg 1995). In the order given.
std::vector<double> benjamini_hochberg(std::span<const double> p_values);

/// The least number of rounds with which one regression alone among `rows` can be found at false
/// discovery rate `q`: a one-sided signed-rank p-value is never below 2^-rounds.
int rounds_needed(std::size_t rows, double q);

/// The largest t so that signed_rank_p() of untied samples is at most `alpha` for every center
/// below their t-th smallest Walsh average, counted from 1; 0 where `rounds` are too few for any.
std::size_t critical_walsh_rank(std::size_t rounds, double alpha);

}  // namespace breakeven::gate
