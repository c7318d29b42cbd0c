#include "tools/gate/testing/simulation.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "reports/statistics.h"

namespace breakeven::gate {
namespace {

/// A stationary Ornstein-Uhlenbeck process, a step a slot. It moves slowly against a slot, so that
/// what two neighbours differ by is small.
class Drift {
 public:
  Drift(double deviation, NoiseSource& random)
      : deviation_(deviation),
        step_(deviation * std::sqrt(1 - keep_ * keep_)),
        value_(deviation > 0 ? deviation * random.normal() : 0) {}

  double next(NoiseSource& random) {
    const double now = value_;
    if (deviation_ > 0) value_ = keep_ * value_ + step_ * random.normal();
    return now;
  }

 private:
  double keep_ = std::exp(-1 / kDriftSlots);
  double deviation_, step_, value_;
};

double repetition(const Noise& noise, NoiseSource& random) {
  double value = noise.repetition > 0 ? noise.repetition * random.normal() : 0;
  if (noise.spike_probability > 0 && random.uniform() < noise.spike_probability) {
    value += std::log1p(random.exponential(noise.spike_mean));
  }
  return value;
}

/// The median of the repetitions of one process.
double process_time(const Noise& noise, int repetitions, NoiseSource& random) {
  const double process = noise.process * random.normal();
  if (noise.repetition == 0 && noise.spike_probability == 0) return process;
  std::vector<double> times(static_cast<std::size_t>(repetitions));
  for (double& time : times) time = repetition(noise, random);
  return process + median(std::move(times));
}

std::vector<bool> regressed(const std::vector<Decision>& decisions) {
  std::vector<bool> flagged;
  flagged.reserve(decisions.size());
  for (const Decision& decision : decisions) {
    flagged.push_back(decision.verdict == Verdict::regressed);
  }
  return flagged;
}

std::vector<PairedRounds> screen(std::span<const double> effects, const Noise& noise,
                                 const Design& design, NoiseSource& random) {
  std::vector<PairedRounds> rows(effects.size());
  auto screening = interleaved(effects, noise, design.screening_rounds, design, random);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].screening = std::move(screening[i]);
  return rows;
}

/// Measures the conspicuous rows again, and no others.
void confirm(std::span<const double> effects, const Noise& noise, const Design& design,
             NoiseSource& random, std::vector<PairedRounds>& rows) {
  std::vector<std::size_t> again;
  std::vector<double> their_effects;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!conspicuous(rows[i].screening, Margins{})) continue;
    again.push_back(i);
    their_effects.push_back(effects[i]);
  }
  auto fresh = interleaved(their_effects, noise, design.confirmation_rounds, design, random);
  for (std::size_t i = 0; i < again.size(); ++i) rows[again[i]].confirmation = std::move(fresh[i]);
}

}  // namespace

double NoiseSource::uniform() { return static_cast<double>(random_.next() >> 11) * 0x1p-53; }

double NoiseSource::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  double x = 0, y = 0, square = 0;
  do {
    x = 2 * uniform() - 1;
    y = 2 * uniform() - 1;
    square = x * x + y * y;
  } while (square >= 1 || square == 0);
  const double scale = std::sqrt(-2 * std::log(square) / square);
  spare_ = y * scale;
  has_spare_ = true;
  return x * scale;
}

double NoiseSource::exponential(double mean) { return -mean * std::log1p(-uniform()); }

Noise normal_noise(double deviation_of_ratio) {
  return {.process = deviation_of_ratio / std::sqrt(2.0)};
}

std::vector<std::vector<double>> interleaved(std::span<const double> effects, const Noise& noise,
                                             int rounds, const Design& design,
                                             NoiseSource& random) {
  std::vector<std::vector<double>> ratios(effects.size());
  Drift drift(noise.drift, random);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t row = 0; row < effects.size(); ++row) {
      const double first = drift.next(random) + process_time(noise, design.repetitions, random);
      const double second = drift.next(random) + process_time(noise, design.repetitions, random);
      const double later = second - first + design.warm_up;
      const bool base_first = !design.random_order || random.below(2) == 0;
      ratios[row].push_back(effects[row] + (base_first ? later : -later));
    }
  }
  return ratios;
}

Arms sequential(std::span<const double> effects, const Noise& noise, int repetitions,
                bool other_machine, NoiseSource& random) {
  Drift drift(noise.drift, random);
  const auto arm = [&](double machine, bool slowed) {
    std::vector<std::vector<double>> times(effects.size());
    for (std::size_t row = 0; row < effects.size(); ++row) {
      const double process = machine + drift.next(random) + noise.process * random.normal() +
                             (slowed ? effects[row] : 0);
      for (int i = 0; i < repetitions; ++i) {
        times[row].push_back(process + repetition(noise, random));
      }
    }
    return times;
  };
  Arms arms;
  arms.base = arm(0, false);
  arms.head = arm(other_machine ? noise.machine * random.normal() : 0, true);
  return arms;
}

Rule gate_rule(const Noise& noise, const Design& design) {
  return [=](std::span<const double> effects, NoiseSource& random) {
    std::vector<PairedRounds> rows = screen(effects, noise, design, random);
    confirm(effects, noise, design, random, rows);
    return regressed(decide(rows, Margins{}, true));
  };
}

Rule one_stage_rule(const Noise& noise, const Design& design) {
  return [=](std::span<const double> effects, NoiseSource& random) {
    return regressed(decide(screen(effects, noise, design, random), Margins{}, false));
  };
}

double false_suite_rate(const Rule& rule, double effect, std::uint64_t seed) {
  const std::vector<double> effects(kRows, std::log1p(effect));
  NoiseSource random(seed);
  std::size_t wrong = 0;
  for (std::size_t suite = 0; suite < kSuites; ++suite) {
    const std::vector<bool> flagged = rule(effects, random);
    if (std::find(flagged.begin(), flagged.end(), true) != flagged.end()) ++wrong;
  }
  return static_cast<double>(wrong) / static_cast<double>(kSuites);
}

double found_rate(const Rule& rule, double effect, std::uint64_t seed) {
  std::vector<double> effects(kRows, 0.0);
  std::fill_n(effects.begin(), kSlowedRows, std::log1p(effect));
  NoiseSource random(seed);
  std::ptrdiff_t found = 0;
  for (std::size_t suite = 0; suite < kSuites; ++suite) {
    const std::vector<bool> flagged = rule(effects, random);
    found += std::count(flagged.begin(), flagged.begin() + kSlowedRows, true);
  }
  return static_cast<double>(found) / static_cast<double>(kSuites * kSlowedRows);
}

double scatter_of_ratio(const Noise& noise, std::uint64_t seed) {
  NoiseSource random(seed);
  std::vector<double> ratios;
  for (const auto& row :
       interleaved(std::vector<double>(kRows, 0.0), noise, 1000, Design{}, random)) {
    ratios.insert(ratios.end(), row.begin(), row.end());
  }
  return gate::noise(ratios);
}

}  // namespace breakeven::gate
