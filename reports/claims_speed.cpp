// Claims 1 to 3: speedups of matrix products, a hundredfold, and sizes from which the GPU wins.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "reports/claims_parts.h"
#include "reports/text.h"
#include "reports/words.h"

namespace breakeven {
namespace {

constexpr double kHundredfold = 100;
constexpr std::size_t kMostSweeps = 4;  // that a sentence tells of

std::string fastest_matmul(const Run& run, std::vector<Evidence>& rows) {
  std::vector<std::string> parts;
  for (const Headline& best : headlines(run)) {
    if (best.op != "matmul" || best.device != "cpu") continue;
    const std::string text = fmt::format(
        "matmul {} reaches {}{} ({} on {})", best.precision,
        rate_text(best.op, best.precision, best.per_second),
        best.share_of_ceiling ? ", " + format_percent(*best.share_of_ceiling) + " of measured peak"
                              : "",
        implementation_text(best.favourite->segments.implementation),
        best.favourite->segments.shape);
    parts.push_back(text);
    rows.push_back(evidence(run, text, {best.favourite}));
  }
  return joined_parts(parts);
}

/// The speedups of all pairs that have an interval, against one baseline.
struct Distribution {
  const char* name;
  struct Entry {
    const Pair* pair;
    const Case* cpu;
    Estimate speedup;
  };
  std::vector<Entry> entries;  ///< from the lowest to the highest
  int reach = 0;               ///< pairs surely at a hundredfold or above

  void add(const Pair& pair, const Best& cpu, const Estimate& speedup) {
    if (!speedup.interval.decides()) return;
    entries.push_back({&pair, &cpu.favourite(), speedup});
    reach += speedup.interval.low >= kHundredfold;
  }

  // Between order statistics, linearly.
  double quantile(double share) const {
    const double at = share * static_cast<double>(entries.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, entries.size() - 1);
    const double part = at - std::floor(at);
    return entries[below].speedup.value * (1 - part) + entries[above].speedup.value * part;
  }

  std::string reach_text() const { return fmt::format("{} of {}", reach, entries.size()); }

  std::string text() const {
    if (entries.empty()) return std::string(name) + ": not measured";
    return std::string(name) + ": " + reach_text();
  }

  std::vector<std::string> line() const {
    if (entries.empty()) return {name, "not measured", "", "", "", "", "", ""};
    const auto at = [&](double share) { return format_number(quantile(share), 3) + "x"; };
    return {name,
            fmt::format("{}", entries.size()),
            ratio_text(entries.front().speedup),
            at(0.25),
            at(0.5),
            at(0.75),
            ratio_text(entries.back().speedup),
            reach_text()};
  }
};

// Against the strongest row, the naive loop, one tuned thread, all cores.
std::vector<Distribution> distributions(const Run& run) {
  std::vector<Distribution> all = {{"the strongest CPU row", {}, 0},
                                   {"the naive loop, one thread (a strawman)", {}, 0},
                                   {"one tuned thread", {}, 0},
                                   {"all cores, tuned", {}, 0}};
  for (const Pair& pair : run.pairs) {
    if (pair.one_thread || pair.all_cores) all[0].add(pair, pair.cpu, pair.speedup);
    if (pair.naive) all[1].add(pair, pair.naive->cpu, pair.naive->speedup);
    if (pair.one_thread) all[2].add(pair, pair.one_thread->cpu, pair.one_thread->speedup);
    if (pair.all_cores) all[3].add(pair, pair.all_cores->cpu, pair.all_cores->speedup);
  }
  for (Distribution& each : all) {
    std::sort(each.entries.begin(), each.entries.end(), [](const auto& a, const auto& b) {
      return std::tuple(a.speedup.value, a.cpu->name) < std::tuple(b.speedup.value, b.cpu->name);
    });
  }
  return all;
}

std::string highest_text(const Distribution& strongest) {
  const auto& highest = strongest.entries.back();
  return fmt::format("The highest that counts is {} in {}.", ratio_phrase(highest.speedup),
                     pair_name(*highest.pair));
}

struct Scaling {
  const Case* one = nullptr;
  const Case* all = nullptr;
  Estimate ratio;
};

// All cores against one thread of the same CPU row, from the least to the best gain.
std::vector<Scaling> thread_scaling(const Run& run) {
  std::vector<Scaling> list;
  std::map<std::string, const Case*> by_name;
  for (const Case& c : run.cases) by_name[c.name] = &c;
  for (const Case& c : run.cases) {
    const auto threads = c.segments.options.find("threads");
    if (threads == c.segments.options.end() || threads->second != "1" || !c.verified() ||
        c.segments.op == "peak" || c.segments.op == "stream") {
      continue;
    }
    std::string name = c.name;
    name.erase(name.find("/threads:1"), std::string("/threads:1").size());
    const auto all = by_name.find(name);
    if (all == by_name.end() || !all->second->verified() || all->second->threads < 2) continue;
    const auto ratio = times_as_fast(c.round_seconds(), all->second->round_seconds());
    if (ratio) list.push_back({&c, all->second, *ratio});
  }
  std::sort(list.begin(), list.end(), [](const Scaling& a, const Scaling& b) {
    return std::tuple(a.ratio.value, a.one->name) < std::tuple(b.ratio.value, b.one->name);
  });
  return list;
}

std::string scaling_text(const Run& run, std::vector<Evidence>& rows) {
  const std::vector<Scaling> list = thread_scaling(run);
  if (list.empty()) return "";
  const auto said = [](const Scaling& s) {
    return fmt::format("{} threads are {} as fast as one in {}", s.all->threads,
                       ratio_phrase(s.ratio), s.all->name);
  };
  for (const Scaling& s : list) rows.push_back(evidence(run, said(s), {s.all, s.one}));
  std::string text = said(list.back());
  if (list.size() > 1) text += ", at the least " + said(list.front());
  return text;
}

}  // namespace

Judgement judge_matmul(const ClaimInput& input) {
  const Run& run = input.run;
  Sweep sweep;
  const RivalPairs rivals = rival_pairs(run, "matmul");
  for (const Pair* pair : rivals.pairs) sweep.add(pair->size, pair->speedup);
  if (rivals.pairs.empty()) {
    std::vector<Evidence> rows;
    const std::string alone = fastest_matmul(run, rows);
    return no_gpu(run, alone, rows);
  }
  Judgement judgement;
  rule(judgement, sweep, size_place);
  judgement.sentence =
      fmt::format("Matmul pairs in which the GPU is faster: {}.", counts_text(sweep));
  if (judgement.ruling == Ruling::not_measured) {
    judgement.sentence += " Missing: more rounds, for intervals that exclude 1.";
  }
  add_pairs(judgement, run, rivals.pairs);
  judgement.sentence += rivals.left_out_text();
  return judgement;
}

Judgement judge_hundredfold(const ClaimInput& input) {
  const Run& run = input.run;
  if (run.pairs.empty()) return no_gpu(run, "");
  Judgement judgement;
  const std::vector<Distribution> all = distributions(run);
  const Distribution& strongest = all.front();
  if (strongest.entries.empty()) {
    judgement.sentence =
        "No pair with a tuned CPU row has an interval. Missing: such rows, or more rounds than "
        "one.";
    return judgement;
  }
  judgement.table = {{"Against", "Pairs", "Lowest", "First quartile", "Median", "Third quartile",
                      "Highest", "Reach 100x"}};
  std::vector<std::string> parts;
  for (const Distribution& each : all) {
    judgement.table.push_back(each.line());
    parts.push_back(each.text());
    if (each.entries.empty()) continue;
    const auto& low = each.entries.front();
    const auto& high = each.entries.back();
    judgement.evidence.push_back(
        evidence(run,
                 fmt::format("against {}: lowest {} in {}, highest {} in {}", each.name,
                             ratio_text(low.speedup), pair_name(*low.pair),
                             ratio_text(high.speedup), pair_name(*high.pair)),
                 {&high.pair->gpu.favourite(), high.cpu, &low.pair->gpu.favourite(), low.cpu}));
  }
  for (const Distribution& each : all) {
    for (const auto& entry : each.entries) {
      if (entry.speedup.interval.low < kHundredfold) continue;
      judgement.evidence.push_back(
          evidence(run,
                   fmt::format("{} reaches {} against {}", pair_name(*entry.pair),
                               ratio_text(entry.speedup), each.name),
                   {&entry.pair->gpu.favourite(), entry.cpu}));
    }
  }
  const bool unsure =
      std::any_of(strongest.entries.begin(), strongest.entries.end(),
                  [](const auto& entry) { return entry.speedup.interval.high >= kHundredfold; });
  judgement.sentence =
      "Pairs that reach 100x against " + joined_parts(parts) + ". " + highest_text(strongest);
  if (strongest.reach > 0) {
    judgement.ruling = Ruling::holds;
  } else if (unsure) {
    judgement.sentence += " An interval holds 100x: more rounds could tell.";
  } else {
    judgement.ruling = Ruling::does_not_hold;
  }
  return judgement;
}

Judgement judge_parallelism(const ClaimInput& input) {
  const Run& run = input.run;
  std::vector<Evidence> scaling_rows;
  const std::string scaling = scaling_text(run, scaling_rows);
  if (run.pairs.empty()) return no_gpu(run, scaling, scaling_rows);
  Judgement judgement;
  Sweep sweep;
  std::vector<const Pair*> squares;
  std::vector<std::string> parts;
  for (const Answer& answer : run.answers) {
    const Crossovers& crossovers = answer.crossovers;
    if (!crossovers.resident) continue;
    parts.push_back(fmt::format(
        "{} {}{}: the GPU wins {}{}", answer.op, answer.precision,
        answer.mode.empty() ? "" : " " + answer.mode, crossover_text(*crossovers.resident),
        crossovers.every_call
            ? "; with transfers at every call " + crossover_text(*crossovers.every_call)
            : ""));
    for (const Pair* pair : answer.pairs) {
      if (!pair->square || !pair->rival) continue;
      sweep.add(pair->size, pair->speedup);
      squares.push_back(pair);
    }
  }
  if (squares.empty()) {
    judgement.sentence =
        "Not swept: no operation, precision and mode has pairs of two square sizes or more.";
  } else {
    rule(judgement, sweep, size_place);
    judgement.sentence = joined_parts(
        {parts.begin(),
         parts.begin() + static_cast<std::ptrdiff_t>(std::min(parts.size(), kMostSweeps))});
    if (parts.size() > kMostSweeps) {
      judgement.sentence += fmt::format("; and {} more sweeps", parts.size() - kMostSweeps);
    }
    judgement.sentence += ".";
    if (judgement.ruling == Ruling::not_measured) {
      judgement.sentence += " Missing: more rounds, for intervals that exclude 1.";
    } else if (judgement.ruling == Ruling::holds) {
      // Only beside sizes that leave cores idle can a win be put down to how many work at once.
      judgement.ruling = Ruling::not_measured;
      judgement.sentence += " Missing: sizes so small that the CPU wins.";
    }
    add_pairs(judgement, run, squares);
  }
  if (!scaling.empty()) judgement.sentence += " On the CPU " + scaling + ".";
  judgement.evidence.insert(judgement.evidence.end(), scaling_rows.begin(), scaling_rows.end());
  return judgement;
}

}  // namespace breakeven
