#include "reports/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "reports/parallel.h"

namespace breakeven {
namespace {

// Memory ceilings come from rows that move so many times the last cache: of that at most a quarter
// can have stayed there.
constexpr double kTimesTheCache = 4;
constexpr double kLargeStreamBytes = 256.0 * 1024 * 1024;  // where the cache is unknown

// Counters that say nothing about time, and so may stand in a row that failed.
constexpr std::array<std::string_view, 7> kUntimed = {"error", "tolerance", "flops", "bytes",
                                                      "m",     "n",         "k"};

// The rows' counters as the case's: medians, of `error` the largest, since one wrong answer is
// enough. Times of the rounds that went well would pass for a failed case's own.
void merge_counters(const std::vector<Row*>& rows, Case& c) {
  if (rows.size() == 1 && !c.failure) {
    c.counters = std::move(rows.front()->counters);
    return;
  }
  FlatMap<std::vector<double>> all;
  for (const Row* row : rows) {
    for (const auto& [key, value] : row->counters) {
      if (c.failure && std::count(kUntimed.begin(), kUntimed.end(), key) == 0) continue;
      std::vector<double>& values = all[key];
      if (values.empty()) values.reserve(rows.size());
      values.push_back(value);
    }
  }
  for (auto& [key, values] : all) {
    c.counters[key] =
        key == "error" ? *std::max_element(values.begin(), values.end()) : median(values);
  }
}

// Of a round in which some repetitions lack a value it says nothing.
std::optional<double> median_if_whole(const std::vector<double>& values, std::size_t repetitions) {
  if (values.size() != repetitions) return std::nullopt;
  return median(values);
}

// Of rows in order of round and repetition; takes what they hold.
Case make_case(const std::vector<Row*>& rows,
               const std::unordered_map<std::string, const Stopping*>& stops) {
  Case c;
  c.name = std::move(rows.front()->name);
  c.segments = std::move(rows.front()->segments);
  c.texts = std::move(rows.front()->texts);
  for (const Row* row : rows) {
    if (row != rows.front()) {
      for (const auto& [key, value] : row->texts) c.texts.emplace(key, value);
    }
    if (!row->failure) continue;
    ++c.failed_rows;
    if (!c.failure) c.failure = row->failure;
  }
  if (const auto stop = stops.find(c.name); stop != stops.end()) c.stopping = *stop->second;
  for (const Row* row : rows) {
    if (!row->failure) c.threads = row->threads;
  }
  if (c.failure) {
    merge_counters(rows, c);
    c.check_error();
    return c;
  }
  std::vector<double> medians, every_call, joules;
  for (auto row = rows.begin(); row != rows.end();) {
    Round round;
    round.number = (*row)->round.value_or(0);
    every_call.clear();
    joules.clear();
    for (; row != rows.end() && (*row)->round.value_or(0) == round.number; ++row) {
      round.process = (*row)->process;
      round.seconds.push_back(*(*row)->seconds);
      const auto up = (*row)->counter("upload_seconds");
      const auto down = (*row)->counter("download_seconds");
      if (up && down) every_call.push_back(*(*row)->seconds + *up + *down);
      const auto energy = (*row)->counter("energy_joules");
      if (energy && *energy > 0) joules.push_back(*energy);
    }
    round.median_seconds = median(round.seconds);
    round.every_call_seconds = median_if_whole(every_call, round.seconds.size());
    round.joules = median_if_whole(joules, round.seconds.size());
    medians.push_back(round.median_seconds);
    c.rounds.push_back(std::move(round));
  }
  c.seconds = median_estimate(std::move(medians));
  merge_counters(rows, c);
  c.check_error();
  return c;
}

void find_ceilings(Run& run) {
  std::map<std::tuple<std::string, std::string, int>, Ceiling> best;
  const auto offer = [&](const Case& c, const std::string& precision, double rate) {
    Ceiling& ceiling = best[{c.segments.device, precision, c.threads}];
    if (rate > ceiling.per_second) {
      ceiling = {c.segments.device, precision, c.threads, rate, c.name};
    }
  };
  for (const Case& c : run.cases) {
    if (!run.trusts(c)) continue;
    if (c.segments.op == "peak" && c.flops_per_second()) {
      offer(c, c.segments.precision, *c.flops_per_second());
    }
    if (c.segments.op == "stream" && c.bytes_per_second() && moves_memory(run, c)) {
      offer(c, "", *c.bytes_per_second());
    }
  }
  for (auto& [key, ceiling] : best) {
    (ceiling.precision.empty() ? run.memory : run.compute).push_back(std::move(ceiling));
  }
}

}  // namespace

RoundValues Case::round_seconds() const {
  RoundValues values;
  for (const Round& round : rounds) values[round.number] = round.median_seconds;
  return values;
}

std::optional<double> Case::counter(std::string_view key) const {
  const auto found = counters.find(key);
  if (found == counters.end()) return std::nullopt;
  return found->second;
}

std::string Case::text(std::string_view key) const {
  const auto found = texts.find(key);
  return found == texts.end() ? "" : found->second;
}

std::optional<double> Case::flops_per_second() const {
  const auto flops = counter("flops");
  if (!seconds || !flops || !(*flops > 0)) return std::nullopt;
  return *flops / seconds->value;
}

std::optional<double> Case::bytes_per_second() const {
  const auto bytes = counter("bytes");
  if (!seconds || !bytes || !(*bytes > 0)) return std::nullopt;
  return *bytes / seconds->value;
}

void Case::check_error() {
  const auto error = counter("error");
  const auto tolerance = counter("tolerance");
  right = error && tolerance && *error <= *tolerance;
}

std::size_t Case::samples() const {
  std::size_t count = 0;
  for (const Round& round : rounds) count += round.seconds.size();
  return count;
}

bool Run::has_gpu_rows() const {
  return std::any_of(cases.begin(), cases.end(),
                     [](const Case& c) { return c.segments.device == "gpu" && c.seconds; });
}

std::string Run::fact(const std::string& key) const {
  const auto found = results.context.find(key);
  return found == results.context.end() ? "" : found->second;
}

bool is_packed(const Case& c) {
  return c.segments.implementation.find("packed") != std::string::npos;
}

bool is_naive(const Case& c) { return c.segments.implementation == "naive"; }

bool is_pipeline(const Case& c) { return c.segments.implementation == "handwritten_pipeline"; }

bool is_framework(const Case& c) { return c.segments.implementation.starts_with("pytorch_"); }

bool is_convolution(const Case& c) { return c.segments.op.starts_with("conv2d_"); }

double case_size(const Case& c) {
  if (is_convolution(c)) return c.counter("flops").value_or(0);
  const auto m = c.counter("m");
  const auto n = c.counter("n");
  const auto k = c.counter("k");
  if (m && n && k) return std::cbrt(*m * *n * *k);
  return c.counter("bytes").value_or(c.counter("flops").value_or(0));
}

bool moves_memory(const Run& run, const Case& c) {
  if (c.segments.op != "stream") return true;
  const std::string fact = run.fact(c.segments.device == "gpu" ? "gpu.l2_bytes" : "cpu.l3_bytes");
  double cache = 0;
  std::from_chars(fact.data(), fact.data() + fact.size(), cache);
  const double least = cache > 0 ? kTimesTheCache * cache : kLargeStreamBytes;
  return c.counter("bytes").value_or(0) >= least;
}

bool is_square(const Case& c) {
  const auto m = c.counter("m");
  return m && m == c.counter("n") && m == c.counter("k");
}

// Arithmetic is held against the peak of its precision, stream rows against memory; always of the
// same device and thread count in the same run.
void apply_ceiling(const Run& run, Case& c) {
  if (!c.seconds || c.segments.op == "peak") return;
  const bool streams = c.segments.op == "stream";
  const auto rate = streams ? c.bytes_per_second() : c.flops_per_second();
  if (!rate) return;
  const std::string precision = streams ? "" : c.segments.precision;
  const std::vector<Ceiling>& ceilings = streams ? run.memory : run.compute;
  const auto key = std::tie(c.segments.device, precision, c.threads);
  const auto found = std::lower_bound(
      ceilings.begin(), ceilings.end(), key, [](const Ceiling& ceiling, const auto& wanted) {
        return std::tie(ceiling.device, ceiling.precision, ceiling.threads) < wanted;
      });
  if (found == ceilings.end()) return;
  if (std::tie(found->device, found->precision, found->threads) != key) return;
  c.share_of_ceiling = *rate / found->per_second;
  c.ceiling = found->name;
}

std::span<const Case> cases_of(const Run& run, const std::string& op) {
  const auto begin = std::lower_bound(
      run.cases.begin(), run.cases.end(), op,
      [](const Case& c, const std::string& wanted) { return c.segments.op < wanted; });
  const auto end = std::upper_bound(
      begin, run.cases.end(), op,
      [](const std::string& wanted, const Case& c) { return wanted < c.segments.op; });
  return {begin, end};
}

bool same_work(const Case& a, const Case& b) {
  const CaseName& x = a.segments;
  const CaseName& y = b.segments;
  return std::tie(x.shape, x.op, x.device, x.precision) ==
         std::tie(y.shape, y.op, y.device, y.precision);
}

std::string options_text(const CaseName& name, const std::vector<std::string>& without) {
  std::string text;
  for (const auto& [key, value] : name.options) {
    if (std::find(without.begin(), without.end(), key) != without.end()) continue;
    if (!text.empty()) text += " ";
    text += key;
    if (!value.empty()) text.append(":").append(value);
  }
  return text;
}

std::vector<Case> aggregate(std::vector<Row> rows, const std::vector<Stopping>& stopping) {
  std::unordered_map<std::string, const Stopping*> stops;
  for (const Stopping& stop : stopping) stops[stop.name] = &stop;
  std::unordered_map<std::string_view, std::size_t> places;
  places.reserve(rows.size());
  std::vector<std::vector<Row*>> groups;
  for (Row& row : rows) {
    const auto [place, added] = places.try_emplace(row.name, groups.size());
    if (added) groups.emplace_back();
    groups[place->second].push_back(&row);
  }
  places.clear();  // it looks into names that are moved from here on
  std::vector<Case> cases(groups.size());
  parallel_for(groups.size(), [&](std::size_t i) {
    std::vector<Row*>& group = groups[i];
    std::sort(group.begin(), group.end(), [](const Row* a, const Row* b) {
      return std::tuple(a->round.value_or(0), a->repetition) <
             std::tuple(b->round.value_or(0), b->repetition);
    });
    cases[i] = make_case(group, stops);
  });
  // Error rows may not know their size: they stand beside the rows of their shape.
  const auto work_of = [](const Case& c) {  // "op/shape", as the name begins
    return std::string_view(c.name).substr(0, c.segments.op.size() + 1 + c.segments.shape.size());
  };
  std::unordered_map<std::string_view, double> sizes;
  sizes.reserve(cases.size());
  for (const Case& c : cases) {
    double& size = sizes[work_of(c)];
    size = std::max(size, case_size(c));
  }
  struct Rank {
    double size;
    std::size_t index;
  };
  std::vector<Rank> order;
  order.reserve(cases.size());
  for (const Case& c : cases) {
    order.push_back({sizes.at(work_of(c)), order.size()});
  }
  std::sort(order.begin(), order.end(), [&](const Rank& a, const Rank& b) {
    const Case& left = cases[a.index];
    const Case& right = cases[b.index];
    const CaseName& l = left.segments;
    const CaseName& r = right.segments;
    return std::tie(l.op, a.size, l.shape, l.device, l.precision, l.implementation, left.name) <
           std::tie(r.op, b.size, r.shape, r.device, r.precision, r.implementation, right.name);
  });
  std::vector<Case> sorted;
  sorted.reserve(cases.size());
  for (const Rank& rank : order) sorted.push_back(std::move(cases[rank.index]));
  return sorted;
}

Run make_run(Results results, std::string label) {
  Run run;
  run.label = std::move(label);
  run.results = std::move(results);
  run.cases = aggregate(std::exchange(run.results.rows, {}), run.results.stopping);
  find_ceilings(run);
  for (Case& c : run.cases) apply_ceiling(run, c);
  parallel_for(2, [&](std::size_t i) {
    if (i == 0) {
      find_pairs(run);
      find_networks(run);
      find_batch_series(run);
    } else {
      find_work(run);
    }
  });
  return run;
}

}  // namespace breakeven
