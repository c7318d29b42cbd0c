// Ratios: which rows may be compared, the best of each side, crossovers and geometric means.

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "reports/model.h"

namespace breakeven {
namespace {

// Packed weights are compared with packed weights only: packing outside the time is a different
// promise to the caller.
bool is_packed(const Case& c) {
  return c.segments.implementation.find("packed") != std::string::npos;
}

// The one-thread i-j-k loop: shown as a strawman, never a rival where a better row exists.
bool is_naive(const Case& c) { return c.segments.implementation == "naive"; }

// How fast a case was in every round but one; nothing where it has no other round.
std::optional<double> median_of_others(const Case& c, int round) {
  std::vector<double> others;
  for (const Round& r : c.rounds) {
    if (r.number != round) others.push_back(r.median_seconds);
  }
  if (others.empty()) return std::nullopt;
  return median(std::move(others));
}

const Round* find_round(const Case& c, int number) {
  for (const Round& round : c.rounds) {
    if (round.number == number) return &round;
  }
  return nullptr;
}

using PairKey = std::tuple<std::string, std::string, std::string, std::string>;

// Thread count and launch method are means of being fast, not different work.
PairKey pair_key(const Case& c) {
  return {c.segments.op, c.segments.shape, c.segments.precision,
          options_text(c.segments, {"threads", "launch"})};
}

// Calls from which N resident calls with one upload and one download beat N calls on the CPU.
std::optional<double> breakeven_calls(double cpu, double gpu, double gpu_every_call) {
  if (!(gpu < cpu)) return std::nullopt;
  return std::max(1.0, std::ceil((gpu_every_call - gpu) / (cpu - gpu)));
}

double median_of(const RoundValues& values) {
  std::vector<double> seconds;
  for (const auto& [round, value] : values) seconds.push_back(value);
  return median(std::move(seconds));
}

std::optional<Pair> make_pair(const PairKey& key, const std::vector<const Case*>& gpu,
                              const std::vector<const Case*>& cpu,
                              const std::vector<const Case*>& naive) {
  Pair pair;
  std::tie(pair.op, pair.shape, pair.precision, pair.mode) = key;
  pair.size = case_size(*gpu.front());
  pair.square = is_square(*gpu.front());
  pair.gpu = best_by_other_rounds(gpu);
  pair.cpu = best_by_other_rounds(cpu);
  pair.log_ratios = paired_log_ratios(pair.cpu.seconds, pair.gpu.seconds);
  if (pair.log_ratios.empty()) return std::nullopt;
  pair.speedup = ratio_estimate(pair.log_ratios);
  if (!naive.empty()) {
    const auto ratios = paired_log_ratios(best_by_other_rounds(naive).seconds, pair.gpu.seconds);
    if (!ratios.empty()) pair.against_naive = ratio_estimate(ratios);
  }
  const auto ratios = paired_log_ratios(pair.cpu.seconds, pair.gpu.every_call_seconds);
  if (!ratios.empty()) {
    pair.every_call = ratio_estimate(ratios);
    pair.breakeven_calls = breakeven_calls(median_of(pair.cpu.seconds), median_of(pair.gpu.seconds),
                                           median_of(pair.gpu.every_call_seconds));
  }
  return pair;
}

// The mean over pairs inside each round that all pairs have, then the estimate over rounds: the
// round is what repeats, not the pair.
std::optional<Estimate> geometric_mean_of(const std::vector<const Pair*>& pairs) {
  std::map<int, std::vector<double>> by_round;
  for (const Pair* pair : pairs) {
    for (const auto& [round, cpu] : pair->cpu.seconds) {
      const auto gpu = pair->gpu.seconds.find(round);
      if (gpu != pair->gpu.seconds.end()) by_round[round].push_back(std::log(cpu / gpu->second));
    }
  }
  std::vector<double> means;
  for (const auto& [round, ratios] : by_round) {
    if (ratios.size() != pairs.size()) continue;
    double sum = 0;
    for (const double ratio : ratios) sum += ratio;
    means.push_back(sum / static_cast<double>(ratios.size()));
  }
  if (means.empty()) return std::nullopt;
  return ratio_estimate(means);
}

void find_answers(Run& run) {
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<const Pair*>> groups;
  for (const Pair& pair : run.pairs) {
    groups[{pair.op, pair.precision, pair.mode}].push_back(&pair);
  }
  for (auto& [key, pairs] : groups) {
    Answer answer;
    std::tie(answer.op, answer.precision, answer.mode) = key;
    std::sort(pairs.begin(), pairs.end(), [](const Pair* a, const Pair* b) {
      return std::tuple(a->size, a->shape) < std::tuple(b->size, b->shape);
    });
    const auto [worst, best] = std::minmax_element(
        pairs.begin(), pairs.end(),
        [](const Pair* a, const Pair* b) { return a->speedup.value < b->speedup.value; });
    answer.worst = *worst;
    answer.best = *best;
    answer.geometric_mean = geometric_mean_of(pairs);
    std::vector<std::pair<double, Estimate>> resident;
    std::vector<std::pair<double, Estimate>> every_call;
    for (const Pair* pair : pairs) {
      if (!pair->square) continue;
      resident.emplace_back(pair->size, pair->speedup);
      if (pair->every_call) every_call.emplace_back(pair->size, *pair->every_call);
    }
    if (resident.size() >= 2) answer.resident = find_crossover(resident);
    if (every_call.size() >= 2) answer.every_call = find_crossover(every_call);
    answer.pairs = std::move(pairs);
    run.answers.push_back(std::move(answer));
  }
}

}  // namespace

const Case& Best::favourite() const {
  return *std::max_element(chosen.begin(), chosen.end(), [](const auto& a, const auto& b) {
            return std::tuple(a.second, b.first->name) < std::tuple(b.second, a.first->name);
          })->first;
}

Best best_by_other_rounds(const std::vector<const Case*>& candidates) {
  Best best;
  std::map<int, const Case*> choice;
  for (const Case* c : candidates) {
    for (const Round& round : c->rounds) choice[round.number] = nullptr;
  }
  bool all_have_transfers = true;
  for (auto& [round, chosen] : choice) {
    double fastest = std::numeric_limits<double>::infinity();
    for (const Case* c : candidates) {
      const Round* own = find_round(*c, round);
      if (own == nullptr) continue;
      const auto others = median_of_others(*c, round);
      if (!others) best.chosen_on_reported_rounds = true;
      const double seconds = others.value_or(own->median_seconds);
      if (chosen == nullptr || seconds < fastest) {
        fastest = seconds;
        chosen = c;
      }
    }
    const Round* reported = find_round(*chosen, round);
    best.seconds[round] = reported->median_seconds;
    ++best.chosen[chosen];
    if (reported->every_call_seconds) {
      best.every_call_seconds[round] = *reported->every_call_seconds;
    } else {
      all_have_transfers = false;
    }
  }
  if (!all_have_transfers) best.every_call_seconds.clear();
  return best;
}

Crossover find_crossover(const std::vector<std::pair<double, Estimate>>& ratio_by_size) {
  Crossover crossover;
  for (const auto& [size, ratio] : ratio_by_size) {
    const bool has_interval = ratio.interval.coverage > 0;
    if (has_interval && ratio.interval.high < 1) {
      crossover.cpu_wins_to = size;
      crossover.gpu_wins_from.reset();
      crossover.verdicts.emplace_back(size, Verdict::cpu_wins);
    } else if (has_interval && ratio.interval.low > 1) {
      crossover.verdicts.emplace_back(size, Verdict::gpu_wins);
      if (!crossover.gpu_wins_from) crossover.gpu_wins_from = size;
    } else {
      crossover.gpu_wins_from.reset();
      crossover.verdicts.emplace_back(size, Verdict::undecided);
    }
  }
  for (std::size_t i = ratio_by_size.size(); i-- > 1;) {
    const double left = std::log(ratio_by_size[i - 1].second.value);
    const double right = std::log(ratio_by_size[i].second.value);
    if (left > 0 || right <= 0) continue;
    const double from = std::log(ratio_by_size[i - 1].first);
    const double to = std::log(ratio_by_size[i].first);
    crossover.interpolated = std::exp(from + (to - from) * (-left) / (right - left));
    break;
  }
  return crossover;
}

Pairing pair_up(const std::vector<const Case*>& cases) {
  struct Sides {
    std::vector<const Case*> gpu, cpu, naive;
    bool any_cpu = false;
  };
  Pairing pairing;
  std::map<PairKey, Sides> groups;
  for (const Case* candidate : cases) {
    const Case& c = *candidate;
    if (!c.seconds || is_packed(c) || is_framework(c) || c.segments.op == "peak") continue;
    Sides& sides = groups[pair_key(c)];
    const bool gpu = c.segments.device == "gpu";
    if (!gpu) sides.any_cpu = true;
    if (!c.verified()) {
      if (gpu) pairing.unpaired.emplace_back(c.name, "its answer was not verified");
      continue;
    }
    if (gpu) {
      sides.gpu.push_back(&c);
    } else if (c.segments.device == "cpu") {
      (is_naive(c) ? sides.naive : sides.cpu).push_back(&c);
    }
  }
  for (const auto& [key, sides] : groups) {
    if (sides.gpu.empty()) continue;
    // Where only the loop ran, it is the strongest CPU row there is, and it is named.
    const auto& cpu = sides.cpu.empty() ? sides.naive : sides.cpu;
    auto pair = cpu.empty() ? std::nullopt : make_pair(key, sides.gpu, cpu, sides.naive);
    if (pair) {
      pairing.pairs.push_back(std::move(*pair));
      continue;
    }
    const char* reason = !cpu.empty()    ? "no round has both sides"
                         : sides.any_cpu ? "no CPU row of this precision was verified"
                                         : "no CPU row of this precision and mode";
    for (const Case* c : sides.gpu) pairing.unpaired.emplace_back(c->name, reason);
  }
  return pairing;
}

void find_pairs(Run& run) {
  std::vector<const Case*> cases;
  for (const Case& c : run.cases) cases.push_back(&c);
  Pairing pairing = pair_up(cases);
  run.pairs = std::move(pairing.pairs);
  run.unpaired = std::move(pairing.unpaired);
  find_answers(run);
}

}  // namespace breakeven
