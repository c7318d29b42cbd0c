// Simulated benchmark suites on noisy machines, to count how often a rule is wrong about them.
// The distributions are our own, for the standard library's differ between implementations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "tools/breakeven/random.h"
#include "tools/gate/decision.h"

namespace breakeven::gate {

/// Draws from distributions.
class NoiseSource {
 public:
  explicit NoiseSource(std::uint64_t seed) : random_(seed, 0) {}
  std::size_t below(std::size_t limit) { return random_.next() % limit; }
  double uniform();  ///< 0 <= u < 1
  double normal();   ///< mean 0, variance 1, by Marsaglia's polar method
  double exponential(double mean);

 private:
  Random random_;
  double spare_ = 0;
  bool has_spare_ = false;
};

/// Of ln(time): standard deviations, unless the name says otherwise.
struct Noise {
  double process = 0;            ///< of a process as a whole: its memory layout, say
  double drift = 0;              ///< of the machine's slow wandering (Ornstein-Uhlenbeck)
  double repetition = 0;         ///< of one repetition
  double spike_probability = 0;  ///< that a repetition was disturbed
  double spike_mean = 0;         ///< exponential: 0.25 means 25 % more time on average
  double machine = 0;            ///< between two machines of the same kind
};

inline constexpr double kDriftSlots = 200;  ///< after which the drift's correlation is 1/e

inline constexpr Noise kQuiet = {.process = 0.003,
                                 .drift = 0.003,
                                 .repetition = 0.008,
                                 .spike_probability = 0.01,
                                 .spike_mean = 0.10,
                                 .machine = 0.01};
inline constexpr Noise kShared = {.process = 0.010,
                                  .drift = 0.025,
                                  .repetition = 0.020,
                                  .spike_probability = 0.05,
                                  .spike_mean = 0.25,
                                  .machine = 0.10};
inline constexpr Noise kNoisy = {.process = 0.020,
                                 .drift = 0.060,
                                 .repetition = 0.040,
                                 .spike_probability = 0.10,
                                 .spike_mean = 0.40,
                                 .machine = 0.15};

/// Noise whose log ratios of a round are normal with exactly this standard deviation.
Noise normal_noise(double deviation_of_ratio);

/// How `gate run` measures, and what happens to it meanwhile.
struct Design {
  int screening_rounds = kScreeningRounds;
  int confirmation_rounds = kConfirmationRounds;
  int repetitions = 3;       ///< a process; its median is the round's value
  bool random_order = true;  ///< false: base always before head
  double warm_up = 0;  ///< ln of how much slower the second process of a pair is than the first
};

/// ln(head / base) of each round of each row; `effects` is what is true of them. Pairs of processes
/// follow each other, all rows in a round before the next round.
std::vector<std::vector<double>> interleaved(std::span<const double> effects, const Noise& noise,
                                             int rounds, const Design& design, NoiseSource& random);

/// ln(time) of each repetition of each row.
struct Arms {
  std::vector<std::vector<double>> base, head;
};

/// One process a row: all rows of base first, then all of head, on another machine or the same.
Arms sequential(std::span<const double> effects, const Noise& noise, int repetitions,
                bool other_machine, NoiseSource& random);

/// A way to measure and judge a suite whose rows are slower by `effects` (logarithms): which rows
/// it calls regressed.
using Rule = std::function<std::vector<bool>(std::span<const double> effects, NoiseSource& random)>;

/// What is shipped: interleaved screening, fresh rounds for what is conspicuous(), and decide().
Rule gate_rule(const Noise& noise, const Design& design = {});

/// The same without a second stage.
Rule one_stage_rule(const Noise& noise, const Design& design = {});

inline constexpr std::size_t kSuites = 1000;
inline constexpr std::size_t kRows = 60;
inline constexpr std::size_t kSlowedRows = 3;

/// The share of suites with any row called regressed, where all rows are slower by exactly `effect`
/// (0.02 is 2 %).
double false_suite_rate(const Rule& rule, double effect, std::uint64_t seed);

/// The share of slowed rows that are called regressed, where kSlowedRows are slower by `effect` and
/// the others are not.
double found_rate(const Rule& rule, double effect, std::uint64_t seed);

/// noise() of many rounds.
double scatter_of_ratio(const Noise& noise, std::uint64_t seed);

}  // namespace breakeven::gate
