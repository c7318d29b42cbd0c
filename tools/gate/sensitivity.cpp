#include "tools/gate/sensitivity.h"

#include <cmath>

#include "tools/breakeven/random.h"
#include "tools/gate/hypothesis.h"

namespace breakeven::gate {
namespace {

constexpr int kDraws = 400;
constexpr double kPower = 0.8;
constexpr double kMostSlowdown = 0.5;
constexpr double kStep = 0.001;

/// One simulated gate of a row alone.
struct Draw {
  std::vector<double> screening, confirmation;
};

double sign(Random& random) { return random.next() % 2 == 0 ? 1 : -1; }

std::vector<double> draw(std::span<const double> rounds, int count, Random& random) {
  std::vector<double> drawn;
  for (int i = 0; i < count; ++i) {
    drawn.push_back(sign(random) * rounds[random.next() % rounds.size()]);
  }
  return drawn;
}

/// Slower by `shift` is the same as a margin that is lower by it.
bool found(const Draw& draw, double shift, const Margins& margins) {
  const double margin = std::log1p(margins.regression) - shift;
  return signed_rank_p(draw.screening, margin, Side::greater) < margins.screening_p &&
         signed_rank_p(draw.confirmation, margin, Side::greater) <= margins.discovery_rate;
}

}  // namespace

std::optional<double> detectable_slowdown(std::span<const double> rounds, const Margins& margins,
                                          std::uint64_t seed) {
  Random random(seed, 0);
  std::vector<Draw> draws;
  for (int i = 0; i < kDraws; ++i) {
    draws.push_back(
        {draw(rounds, kScreeningRounds, random), draw(rounds, kConfirmationRounds, random)});
  }
  const auto power = [&](double slowdown) {
    int count = 0;
    for (const Draw& one : draws) count += found(one, std::log1p(slowdown), margins) ? 1 : 0;
    return static_cast<double>(count) / kDraws;
  };
  if (power(kMostSlowdown) < kPower) return std::nullopt;
  // Found at a slowdown, found at any larger one: the same draws, and both tests are monotone.
  int below = 0, above = static_cast<int>(kMostSlowdown / kStep);
  while (above - below > 1) {
    const int middle = (below + above) / 2;
    (power(middle * kStep) >= kPower ? above : below) = middle;
  }
  return above * kStep;
}

double false_positive_rate(const std::vector<std::vector<double>>& rows, const Margins& margins,
                           std::uint64_t seed) {
  constexpr int kFlips = 200;
  if (rows.empty()) return 0;
  Random random(seed, 1);
  std::size_t flagged = 0;
  for (int flip = 0; flip < kFlips; ++flip) {
    std::vector<PairedRounds> flipped;
    for (const std::vector<double>& row : rows) {
      flipped.emplace_back();
      for (const double round : row) flipped.back().screening.push_back(sign(random) * round);
    }
    for (const Decision& decision : decide(flipped, margins, false)) {
      flagged += decision.verdict == Verdict::regressed ? 1 : 0;
    }
  }
  return static_cast<double>(flagged) / static_cast<double>(kFlips * rows.size());
}

}  // namespace breakeven::gate
