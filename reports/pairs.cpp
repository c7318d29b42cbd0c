// Ratios: which rows may be compared, the best of each side, crossovers and geometric means.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <set>
#include <tuple>

#include "reports/model.h"
#include "reports/parallel.h"
#include "reports/training.h"

namespace breakeven {
namespace {

// A case's rounds, to be asked again and again for the median of all but one.
class OtherRounds {
 public:
  explicit OtherRounds(const Case& c) : case_(&c) {
    for (const Round& round : c.rounds) sorted_.push_back(round.median_seconds);
    std::sort(sorted_.begin(), sorted_.end());
  }

  const Case* of() const { return case_; }

  const Round* find(int number) const {
    const auto round =
        std::lower_bound(case_->rounds.begin(), case_->rounds.end(), number,
                         [](const Round& r, int wanted) { return r.number < wanted; });
    return round != case_->rounds.end() && round->number == number ? &*round : nullptr;
  }

  // How fast the case was in every round but this one; nothing where it has no other.
  std::optional<double> median_without(const Round& left_out) const {
    if (sorted_.size() < 2) return std::nullopt;
    const auto place = static_cast<std::size_t>(
        std::lower_bound(sorted_.begin(), sorted_.end(), left_out.median_seconds) -
        sorted_.begin());
    const auto other = [&](std::size_t i) { return sorted_[i < place ? i : i + 1]; };
    const std::size_t n = sorted_.size() - 1;
    return n % 2 == 1 ? other(n / 2) : std::midpoint(other(n / 2 - 1), other(n / 2));
  }

 private:
  const Case* case_;
  std::vector<double> sorted_;
};

using PairKey = std::tuple<std::string, std::string, std::string, std::string>;

bool is_convergence(const Case& c) { return c.segments.op.starts_with("convergence_"); }

// Thread count and launch method are means of being fast, not different work. Trainings are the
// same work where they ran to the same target.
PairKey pair_key(const Case& c) {
  std::string mode = options_text(c.segments, {"threads", "launch"});
  if (is_convergence(c)) {
    mode += (mode.empty() ? "to " : ", to ") + label_fact(c.text("label"), "target");
  }
  return {c.segments.op, c.segments.shape, c.segments.precision, mode};
}

// Calls from which N resident calls with one upload and one download beat N calls on the CPU.
std::optional<double> breakeven_calls(double cpu, double gpu, double gpu_every_call) {
  if (!(gpu < cpu)) return std::nullopt;
  return std::max(1.0, std::ceil((gpu_every_call - gpu) / (cpu - gpu)));
}

std::optional<Against> against(const std::vector<const Case*>& cpu, const Best& gpu) {
  if (cpu.empty()) return std::nullopt;
  Best best = best_by_other_rounds(cpu);
  const auto ratios = paired_log_ratios(best.seconds, gpu.seconds);
  if (ratios.empty()) return std::nullopt;
  return Against{std::move(best), ratio_estimate(ratios)};
}

std::vector<const Case*> those(const std::vector<const Case*>& cases, bool (*wanted)(const Case&)) {
  std::vector<const Case*> found;
  std::copy_if(cases.begin(), cases.end(), std::back_inserter(found),
               [&](const Case* c) { return wanted(*c); });
  return found;
}

// Of each round that has transfers: a call with its share of one upload and download in kOnceCalls.
RoundValues once_seconds(const Best& gpu) {
  RoundValues values;
  for (const auto& [round, every_call] : gpu.every_call_seconds) {
    const auto resident = gpu.seconds.find(round);
    if (resident == gpu.seconds.end()) continue;
    values[round] = resident->second + (every_call - resident->second) / kOnceCalls;
  }
  return values;
}

std::optional<Pair> make_pair(const PairKey& key, const std::vector<const Case*>& gpu,
                              const std::vector<const Case*>& tuned,
                              const std::vector<const Case*>& naive) {
  // Where only the loop ran, the pair names it and enters no answer.
  const auto& cpu = tuned.empty() ? naive : tuned;
  if (cpu.empty()) return std::nullopt;
  Pair pair;
  std::tie(pair.op, pair.shape, pair.precision, pair.mode) = key;
  pair.rival = !tuned.empty();
  pair.size = case_size(*gpu.front());
  pair.square = is_square(*gpu.front());
  pair.gpu = best_by_other_rounds(gpu);
  pair.cpu = best_by_other_rounds(cpu);
  pair.log_ratios = paired_log_ratios(pair.cpu.seconds, pair.gpu.seconds);
  if (pair.log_ratios.empty()) return std::nullopt;
  pair.speedup = ratio_estimate(pair.log_ratios);
  pair.naive = against(naive, pair.gpu);
  pair.one_thread = against(those(tuned, [](const Case& c) { return c.threads == 1; }), pair.gpu);
  pair.all_cores =
      against(those(tuned, [](const Case& c) { return !c.segments.options.contains("threads"); }),
              pair.gpu);
  pair.once = times_as_fast(pair.cpu.seconds, once_seconds(pair.gpu));
  pair.every_call = times_as_fast(pair.cpu.seconds, pair.gpu.every_call_seconds);
  if (pair.every_call) {
    const Interval& resident = pair.speedup.interval;
    if (resident.decides() && resident.low > 1)
      pair.breakeven_calls =
          breakeven_calls(median_of_rounds(pair.cpu.seconds), median_of_rounds(pair.gpu.seconds),
                          median_of_rounds(pair.gpu.every_call_seconds));
  }
  return pair;
}

// The CPU side of a pair, or null where it has no such row.
using Side = const Best* (*)(const Pair&);

const Best* strongest(const Pair& pair) { return &pair.cpu; }
const Best* naive(const Pair& pair) { return pair.naive ? &pair.naive->cpu : nullptr; }
const Best* one_thread(const Pair& pair) {
  return pair.one_thread ? &pair.one_thread->cpu : nullptr;
}
const Best* all_cores(const Pair& pair) { return pair.all_cores ? &pair.all_cores->cpu : nullptr; }

// The mean over pairs inside each round that all pairs have, then the estimate over rounds: the
// round is what repeats, not the pair.
std::optional<Estimate> geometric_mean_of(const std::vector<const Pair*>& pairs, Side side) {
  std::map<int, std::vector<double>> by_round;
  for (const Pair* pair : pairs) {
    for (const auto& [round, cpu] : side(*pair)->seconds) {
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

BaselineMeans baseline_means(const std::vector<const Pair*>& pairs) {
  std::vector<Side> sides;  // that any pair has
  for (const Side side : {naive, one_thread, all_cores}) {
    if (std::any_of(pairs.begin(), pairs.end(), [&](const Pair* p) { return side(*p); })) {
      sides.push_back(side);
    }
  }
  BaselineMeans means;
  std::copy_if(pairs.begin(), pairs.end(), std::back_inserter(means.pairs), [&](const Pair* pair) {
    return std::all_of(sides.begin(), sides.end(), [&](Side side) { return side(*pair); });
  });
  const auto mean = [&](Side side) {
    const bool any = std::count(sides.begin(), sides.end(), side) > 0;
    return any ? geometric_mean_of(means.pairs, side) : std::nullopt;
  };
  means.naive = mean(naive);
  means.one_thread = mean(one_thread);
  means.all_cores = mean(all_cores);
  means.strongest = geometric_mean_of(means.pairs, strongest);
  return means;
}

void find_answers(Run& run) {
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<const Pair*>> groups;
  for (const Pair& pair : run.pairs) {
    if (pair.rival) groups[{pair.op, pair.precision, pair.mode}].push_back(&pair);
  }
  for (auto& [key, pairs] : groups) {
    Answer answer;
    std::tie(answer.op, answer.precision, answer.mode) = key;
    std::sort(pairs.begin(), pairs.end(), [](const Pair* a, const Pair* b) {
      return std::tie(a->size, a->shape) < std::tie(b->size, b->shape);
    });
    const auto [worst, best] = std::minmax_element(
        pairs.begin(), pairs.end(),
        [](const Pair* a, const Pair* b) { return a->speedup.value < b->speedup.value; });
    answer.worst = *worst;
    answer.best = *best;
    answer.geometric_mean = geometric_mean_of(pairs, strongest);
    answer.baselines = baseline_means(pairs);
    std::vector<std::pair<double, const Pair*>> squares;
    for (const Pair* pair : pairs) {
      if (pair->square) squares.emplace_back(pair->size, pair);
    }
    answer.crossovers = find_crossovers(squares);
    answer.pairs = std::move(pairs);
    run.answers.push_back(std::move(answer));
  }
}

}  // namespace

const Case& Best::favourite() const {
  return *std::max_element(chosen.begin(), chosen.end(), [](const auto& a, const auto& b) {
            return std::tie(a.second, b.first->name) < std::tie(b.second, a.first->name);
          })->first;
}

Best best_by_other_rounds(const std::vector<const Case*>& candidates) {
  Best best;
  std::vector<OtherRounds> all;
  std::set<int> numbers;
  for (const Case* c : candidates) {
    all.emplace_back(*c);
    for (const Round& round : c->rounds) numbers.insert(numbers.end(), round.number);
  }
  bool all_have_transfers = true;
  for (const int number : numbers) {
    const Case* chosen = nullptr;
    const Round* reported = nullptr;
    double fastest = std::numeric_limits<double>::infinity();
    for (const OtherRounds& rounds : all) {
      const Round* own = rounds.find(number);
      if (own == nullptr) continue;
      const auto others = rounds.median_without(*own);
      if (!others) best.chosen_on_reported_rounds = true;
      const double seconds = others.value_or(own->median_seconds);
      if (chosen == nullptr || seconds < fastest) {
        fastest = seconds;
        chosen = rounds.of();
        reported = own;
      }
    }
    best.seconds.emplace_hint(best.seconds.end(), number, reported->median_seconds);
    ++best.chosen[chosen];
    if (reported->every_call_seconds) {
      best.every_call_seconds.emplace_hint(best.every_call_seconds.end(), number,
                                           *reported->every_call_seconds);
    } else {
      all_have_transfers = false;
    }
  }
  if (!all_have_transfers) best.every_call_seconds.clear();
  return best;
}

const std::optional<Crossover>& Crossovers::of(Transfers transfers) const {
  switch (transfers) {
    case Transfers::once:
      return once;
    case Transfers::every_call:
      return every_call;
    case Transfers::resident:
      break;
  }
  return resident;
}

Crossovers find_crossovers(const std::vector<std::pair<double, const Pair*>>& pairs) {
  std::vector<std::pair<double, Estimate>> resident, once, every_call;
  for (const auto& [size, pair] : pairs) {
    resident.emplace_back(size, pair->speedup);
    if (pair->once) once.emplace_back(size, *pair->once);
    if (pair->every_call) every_call.emplace_back(size, *pair->every_call);
  }
  const auto along = [](const auto& ratios) {
    return ratios.size() < 2 ? std::nullopt : std::optional(find_crossover(ratios));
  };
  return {along(resident), along(once), along(every_call)};
}

Crossover find_crossover(const std::vector<std::pair<double, Estimate>>& ratio_by_size) {
  Crossover crossover;
  for (const auto& [size, ratio] : ratio_by_size) {
    const bool has_interval = ratio.interval.decides();
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
    if (!c.seconds || is_packed(c) || is_pipeline(c) || is_framework(c) ||
        c.segments.op == "peak") {
      continue;
    }
    const bool gpu = c.segments.device == "gpu";
    if (is_convergence(c) && label_fact(c.text("label"), "steps_to_target").empty()) {
      if (gpu) pairing.unpaired.emplace_back(c.name, "its training reached no target");
      continue;
    }
    Sides& sides = groups[pair_key(c)];
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
  std::vector<std::pair<const PairKey*, const Sides*>> order;
  for (const auto& [key, sides] : groups) {
    if (!sides.gpu.empty()) order.emplace_back(&key, &sides);
  }
  std::vector<std::optional<Pair>> pairs(order.size());
  parallel_for(order.size(), [&](std::size_t i) {
    const auto& [key, sides] = order[i];
    pairs[i] = make_pair(*key, sides->gpu, sides->cpu, sides->naive);
  });
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Sides& sides = *order[i].second;
    if (std::optional<Pair>& pair = pairs[i]) {
      pairing.pairs.push_back(std::move(*pair));
      continue;
    }
    const bool verified = !sides.cpu.empty() || !sides.naive.empty();
    const char* reason = verified        ? "no round has both sides"
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
  std::stable_sort(run.pairs.begin(), run.pairs.end(), [](const Pair& a, const Pair& b) {
    return std::tie(a.op, a.precision, a.mode, a.size) <
           std::tie(b.op, b.precision, b.mode, b.size);
  });
  run.unpaired = std::move(pairing.unpaired);
  find_answers(run);
}

}  // namespace breakeven
