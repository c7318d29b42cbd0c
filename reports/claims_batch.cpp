// Claim 5: batch sweeps, and the batch at which throughput saturates.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "reports/claims_parts.h"
#include "reports/text.h"
#include "reports/training.h"
#include "reports/words.h"

namespace breakeven {
namespace {

constexpr double kSaturated = 1.1;  // the best throughput over one that counts as saturated
constexpr std::size_t kMostSaid = 1;
constexpr std::size_t kMostLines = 12;  // of the table and a device; every sweep is evidence

/// A sweep over batches of one layer, model or product, at one precision and mode, on one device.
struct BatchSweep {
  std::string name;
  std::map<double, std::vector<const Case*>> candidates;  ///< by batch

  struct Stop {
    double batch;
    Best best;
    RoundValues per_item;  ///< seconds
  };
  std::vector<Stop> stops;  ///< from the smallest batch on
  std::size_t fastest = 0;  ///< of the stops, by throughput
  std::optional<std::size_t> saturated;
  std::optional<Estimate> gain;  ///< of the largest over the smallest batch

  void finish();
  std::string text() const;
};

double middle(const RoundValues& values) {
  std::vector<double> list;
  for (const auto& [round, value] : values) list.push_back(value);
  return median(std::move(list));
}

void BatchSweep::finish() {
  for (const auto& [batch, cases] : candidates) {
    Stop stop{batch, best_by_other_rounds(cases), {}};
    for (const auto& [round, seconds] : stop.best.seconds) stop.per_item[round] = seconds / batch;
    stops.push_back(std::move(stop));
  }
  for (std::size_t i = 1; i < stops.size(); ++i) {
    if (middle(stops[i].per_item) < middle(stops[fastest].per_item)) fastest = i;
  }
  gain = times_as_fast(stops.front().per_item, stops.back().per_item);
  for (std::size_t i = 0; i < stops.size() && !saturated; ++i) {
    const auto ratio = times_as_fast(stops[i].per_item, stops[fastest].per_item);
    if (ratio && side_of(*ratio, kSaturated) == Side::below) saturated = i;
  }
}

std::string BatchSweep::text() const {
  std::string text =
      fmt::format("{}: from batch {:.0f} to {:.0f} throughput grows {}", name, stops.front().batch,
                  stops.back().batch, gain ? ratio_text(*gain) : "by what no round tells");
  if (!saturated) return text + ", saturation can't be told";
  const Stop& stop = stops[*saturated];
  if (*saturated + 1 == stops.size()) return text + ", not saturated below the largest";
  text += fmt::format(", saturated at batch {:.0f}", stop.batch);
  if (const auto share = stop.best.favourite().share_of_ceiling) {
    text += fmt::format(" ({} of measured peak)", format_percent(*share));
  }
  return text;
}

// What a row is a batch of, and the batch; nothing where it is none of a sweep.
std::optional<std::pair<std::string, double>> batch_of(const Case& c) {
  const std::string& shape = c.segments.shape;
  // Phases follow their step: they would only repeat it.
  for (const char* phase : {"training_forward_", "training_backward_", "training_update_"}) {
    if (c.segments.op.starts_with(phase)) return std::nullopt;
  }
  if (const auto batch = sweep_batch(c)) return std::pair(sweep_name(shape), *batch);
  const auto n = c.counter("n");
  if (is_convolution(c)) {
    const std::string layer = c.text("layer");
    if (layer.empty() || !n || !(*n > 0)) return std::nullopt;
    return std::pair(layer, *n);
  }
  // A product whose name ends in its m; n and k tell it from squares, which aren't batches.
  const auto m = c.counter("m");
  const auto k = c.counter("k");
  if (!m || !n || !k || !(*m > 0)) return std::nullopt;
  if (shape != fmt::format("{}{:.0f}", sweep_name(shape), *m)) return std::nullopt;
  return std::pair(fmt::format("{} ({:.0f} x {:.0f})", sweep_name(shape), *n, *k), *m);
}

std::vector<BatchSweep> batch_sweeps(const Run& run, const std::string& device) {
  using Key = std::tuple<std::string, std::string, std::string, std::string>;
  std::map<Key, BatchSweep> sweeps;
  for (const Case& c : run.cases) {
    const CaseName& name = c.segments;
    if (name.device != device || !c.verified() || is_framework(c) || name.op == "stream" ||
        name.op == "peak" || is_packed(c)) {
      continue;
    }
    const auto batch = batch_of(c);
    if (!batch) continue;
    const std::string mode = options_text(name, {"threads", "launch"});
    BatchSweep& sweep = sweeps[{name.op, batch->first, name.precision, mode}];
    sweep.name = fmt::format("{} {} {}{}", name.op, batch->first, name.precision,
                             mode.empty() ? "" : " " + mode);
    sweep.candidates[batch->second].push_back(&c);
  }
  std::vector<BatchSweep> list;
  for (auto& [key, sweep] : sweeps) {
    if (sweep.candidates.size() < 2) continue;
    sweep.finish();
    list.push_back(std::move(sweep));
  }
  return list;
}

std::string said(const std::vector<BatchSweep>& sweeps) {
  std::vector<std::string> parts;
  for (const BatchSweep& sweep : sweeps) {
    if (parts.size() < kMostSaid) parts.push_back(sweep.text());
  }
  std::string text = joined_parts(parts);
  if (sweeps.size() > kMostSaid) text += fmt::format("; and {} more", sweeps.size() - kMostSaid);
  return text;
}

// A line a sweep: what grows, where it saturates, and what share of the peak that is.
void add_lines(std::vector<std::vector<std::string>>& table, const char* device,
               const std::vector<BatchSweep>& sweeps) {
  for (std::size_t i = 0; i < sweeps.size() && i < kMostLines; ++i) {
    const BatchSweep& sweep = sweeps[i];
    const Case* at = sweep.saturated ? &sweep.stops[*sweep.saturated].best.favourite() : nullptr;
    table.push_back(
        {device, sweep.name,
         fmt::format("{:.0f}–{:.0f}", sweep.stops.front().batch, sweep.stops.back().batch),
         sweep.gain ? ratio_text(*sweep.gain) : "–",
         at == nullptr ? "can't tell"
         : *sweep.saturated + 1 == sweep.stops.size()
             ? "not below the largest"
             : fmt::format("{:.0f}", sweep.stops[*sweep.saturated].batch),
         at != nullptr && at->share_of_ceiling ? format_percent(*at->share_of_ceiling) : "–"});
  }
  if (sweeps.size() > kMostLines) {
    table.push_back(
        {device, fmt::format("{} more sweeps", sweeps.size() - kMostLines), "", "", "", ""});
  }
}

void add_sweeps(std::vector<Evidence>& list, const Run& run,
                const std::vector<BatchSweep>& sweeps) {
  for (const BatchSweep& sweep : sweeps) {
    std::vector<const Case*> rows;
    for (const BatchSweep::Stop& stop : sweep.stops) rows.push_back(&stop.best.favourite());
    list.push_back(evidence(run, sweep.text(), rows));
  }
}

}  // namespace

Judgement judge_batches(const ClaimInput& input) {
  const Run& run = input.run;
  const std::vector<BatchSweep> on_gpu = batch_sweeps(run, "gpu");
  const std::vector<BatchSweep> on_cpu = batch_sweeps(run, "cpu");
  std::vector<Evidence> rows;
  add_sweeps(rows, run, on_gpu);
  add_sweeps(rows, run, on_cpu);
  Judgement judgement;
  if (!run.has_gpu_rows()) judgement = no_gpu(run, said(on_cpu));
  judgement.evidence = rows;
  judgement.table = {{"On", "Sweep", "Batches", "Throughput, largest over smallest",
                      "Saturated at batch", "Of measured peak there"}};
  add_lines(judgement.table, "GPU", on_gpu);
  add_lines(judgement.table, "CPU", on_cpu);
  if (judgement.table.size() == 1) judgement.table.clear();
  if (!run.has_gpu_rows()) return judgement;
  Sweep gains;
  for (const BatchSweep& sweep : on_gpu) {
    if (sweep.gain) gains.add(0, *sweep.gain);
  }
  if (gains.points.empty()) {
    judgement.sentence = "No verified GPU rows of one layer, model or product at two batches.";
  } else {
    rule(judgement, gains, size_place);
    judgement.sentence =
        fmt::format("Sweeps in which a larger batch gives more throughput: {}. {}.",
                    counts_text(gains), said(on_gpu));
    if (judgement.ruling == Ruling::not_measured) {
      judgement.sentence += " Missing: more rounds, for intervals that exclude 1.";
    }
  }
  if (!on_cpu.empty()) judgement.sentence += " On the CPU: " + said(on_cpu) + ".";
  return judgement;
}

}  // namespace breakeven
