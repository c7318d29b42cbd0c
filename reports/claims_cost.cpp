// Claim 11: energy by counters, cost by the price file.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/claims_parts.h"
#include "reports/text.h"
#include "reports/words.h"

namespace breakeven {
namespace {

// By round of the rows that a choice names; only rounds whose row has a counter.
RoundValues joules_of(const Case& c) {
  RoundValues values;
  for (const Round& round : c.rounds) {
    if (round.joules) values[round.number] = *round.joules;
  }
  return values;
}

Estimate scaled(Estimate ratio, double factor) {
  ratio.value *= factor;
  ratio.interval.low *= factor;
  ratio.interval.high *= factor;
  return ratio;
}

/// What one of the two halves of the claim says.
struct Half {
  Sweep sweep;
  const Pair* best = nullptr;
  Estimate most;
  std::vector<Evidence> figures;

  void add(const Pair& pair, const Estimate& ratio, Evidence figure) {
    sweep.add(pair.gpu.favourite().counter("flops").value_or(0), ratio);
    figures.push_back(std::move(figure));
    if (best == nullptr || ratio.value > most.value) {
      best = &pair;
      most = ratio;
    }
  }
  Judgement ruling() const {
    Judgement judgement;
    if (!figures.empty()) rule(judgement, sweep, flops_place);
    return judgement;
  }
  std::string text(const char* what) const {
    return fmt::format("{} lower on the GPU: {} ({}); at best the CPU takes {} as much ({})", what,
                       counts_text(sweep), ruling_text(ruling()), ratio_phrase(most),
                       pair_name(*best));
  }
};

std::string price_text(const Prices& prices, const Price& price) {
  return fmt::format("{} {} an hour{}", format_number(price.per_hour), prices.currency,
                     price.note.empty() ? "" : ", " + shortened(price.note, 120));
}

std::string cost_of(const Prices& prices, const Price& price, const Case& c) {
  return fmt::format("{} {}", format_number(1e6 * Prices::cost(price, c.seconds->value)),
                     prices.currency);
}

}  // namespace

Judgement judge_cost(const ClaimInput& input) {
  const Run& run = input.run;
  const Prices& prices = input.prices;
  const Price* gpu_price = prices.of(run, "gpu");
  const Price* cpu_price = prices.of(run, "cpu");
  const std::vector<const Pair*> steps = rival_pairs(run, "training_step_").pairs;
  const std::vector<const Pair*> pairs = steps.empty() ? rival_pairs(run).pairs : steps;
  if (pairs.empty()) {
    std::string alone;
    std::vector<Evidence> rows;
    for (const Headline& best : headlines(run)) {
      if (best.device != "cpu" || cpu_price == nullptr) continue;
      const std::string text =
          fmt::format("a million calls of {} cost {} at {}", best.favourite->name,
                      cost_of(prices, *cpu_price, *best.favourite), price_text(prices, *cpu_price));
      if (alone.empty()) alone = text;
      rows.push_back(evidence(run, text, {best.favourite}));
    }
    return no_gpu(run, alone, rows);
  }
  Half energy, cost;
  for (const Pair* pair : pairs) {
    const Case& gpu = pair->gpu.favourite();
    const Case& cpu = pair->cpu.favourite();
    if (const auto ratio = times_as_fast(joules_of(cpu), joules_of(gpu))) {
      energy.add(
          *pair, *ratio,
          evidence(run,
                   fmt::format(
                       "{}: {} J on the GPU board, {} J on the CPU package, {}", pair_name(*pair),
                       format_number(gpu.counter("energy_joules").value_or(0)),
                       format_number(cpu.counter("energy_joules").value_or(0)), ratio_text(*ratio)),
                   {&gpu, &cpu}));
    }
    if (gpu_price == nullptr || cpu_price == nullptr) continue;
    const Estimate ratio = scaled(pair->speedup, cpu_price->per_hour / gpu_price->per_hour);
    cost.add(*pair, ratio,
             evidence(run,
                      fmt::format("{}: a million cost {} on the GPU, {} on the CPU, {}",
                                  pair_name(*pair), cost_of(prices, *gpu_price, gpu),
                                  cost_of(prices, *cpu_price, cpu), ratio_text(ratio)),
                      {&gpu, &cpu}));
  }
  const Judgement of_energy = energy.ruling();
  const Judgement of_cost = cost.ruling();
  Judgement judgement;
  std::vector<std::string> parts, missing;
  if (energy.figures.empty()) {
    missing.push_back("energy counters on both sides of a pair");
  } else {
    parts.push_back(energy.text("Energy"));
    if (of_energy.ruling == Ruling::not_measured) missing.push_back("more rounds, for energy");
  }
  if (cost.figures.empty()) {
    missing.push_back("prices of the GPU and the CPU (`breakeven report --prices FILE`)");
  } else {
    parts.push_back(cost.text("Cost") + fmt::format(", by {}: GPU {}, CPU {}", prices.file,
                                                    price_text(prices, *gpu_price),
                                                    price_text(prices, *cpu_price)));
    if (of_cost.ruling == Ruling::not_measured) missing.push_back("more rounds, for cost");
  }
  const auto either = [&](Ruling ruling) {
    return of_energy.ruling == ruling || of_cost.ruling == ruling;
  };
  if (either(Ruling::does_not_hold)) {
    judgement.ruling = Ruling::does_not_hold;
  } else if (!either(Ruling::not_measured)) {
    judgement.ruling = either(Ruling::holds_from) ? Ruling::holds_from : Ruling::holds;
    judgement.from = of_energy.from.empty() || of_cost.from.empty()
                         ? of_energy.from + of_cost.from
                         : of_energy.from + " (energy) and " + of_cost.from + " (cost)";
  }
  if (!parts.empty()) judgement.sentence = joined_parts(parts) + ".";
  if (!missing.empty()) {
    judgement.sentence += (parts.empty() ? "" : " ") + ("Missing: " + joined_parts(missing)) + ".";
  }
  for (const Half* half : {&energy, &cost}) {
    judgement.evidence.insert(judgement.evidence.end(), half->figures.begin(), half->figures.end());
  }
  return judgement;
}

}  // namespace breakeven
