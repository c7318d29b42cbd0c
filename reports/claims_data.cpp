// Claims 6 and 9: what moving data costs, and what fits into memory.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "reports/claims_parts.h"
#include "reports/text.h"
#include "reports/words.h"

namespace breakeven {
namespace {

constexpr double kMatters = 1.1;  // time with transfers over time without

struct Bandwidth {
  std::string text;
  const Case* row;
};

// The fastest stream row of each device that is sure to move memory.
std::vector<Bandwidth> bandwidths(const Run& run) {
  std::vector<Bandwidth> list;
  for (const char* device : {"cpu", "gpu"}) {
    const Case* best = nullptr;
    for (const Case& c : run.cases) {
      if (c.segments.op != "stream" || c.segments.device != device || !c.verified() ||
          !c.bytes_per_second() || !moves_memory(run, c)) {
        continue;
      }
      if (best == nullptr || *c.bytes_per_second() > *best->bytes_per_second()) best = &c;
    }
    if (best == nullptr) continue;
    list.push_back(
        {fmt::format("memory bandwidth of the {} {} ({})",
                     device == std::string("cpu") ? "CPU" : "GPU",
                     rate_text("stream", "", *best->bytes_per_second()), best->segments.shape),
         best});
  }
  return list;
}

/// GPU seconds with transfers at every call over those without, by round.
struct TransferCost {
  std::string name;
  Estimate cost;
  const Case* gpu;
  const Pair* pair;  ///< null where no CPU row stands against it
};

// Of pairs; where there are none, of the GPU's rows alone.
std::vector<TransferCost> transfer_costs(const Run& run) {
  std::vector<TransferCost> list;
  for (const Pair& pair : run.pairs) {
    const auto cost = times_as_fast(pair.gpu.every_call_seconds, pair.gpu.seconds);
    if (cost) list.push_back({pair_name(pair), *cost, &pair.gpu.favourite(), &pair});
  }
  if (!run.pairs.empty()) return list;
  for (const Case& c : run.cases) {
    if (c.segments.device != "gpu" || !c.verified() || is_framework(c)) continue;
    RoundValues every_call;
    for (const Round& round : c.rounds) {
      if (round.every_call_seconds) every_call[round.number] = *round.every_call_seconds;
    }
    const auto cost = times_as_fast(every_call, c.round_seconds());
    if (cost) list.push_back({c.name, *cost, &c, nullptr});
  }
  return list;
}

// How much slower pageable copies up are than pinned ones, in the row where that is most.
std::string pageable_text(const Run& run, std::vector<Evidence>& rows) {
  const Case* worst = nullptr;
  double most = 0;
  for (const Case& c : run.cases) {
    const auto pinned = c.counter("upload_seconds");
    const auto pageable = c.counter("upload_pageable_seconds");
    if (!c.verified() || !pinned || !pageable || !(*pinned > 0)) continue;
    if (*pageable / *pinned <= most) continue;
    most = *pageable / *pinned;
    worst = &c;
  }
  if (worst == nullptr) return "";
  const std::string text =
      fmt::format("uploads take {} pageable and {} pinned in {}",
                  format_seconds(*worst->counter("upload_pageable_seconds")),
                  format_seconds(*worst->counter("upload_seconds")), worst->name);
  rows.push_back(evidence(run, text, {worst}));
  return text;
}

// Copies laid over the arithmetic against copies around it, of the same product.
std::string overlap_text(const Run& run, std::vector<Evidence>& rows) {
  std::string text;
  for (const Case& c : run.cases) {
    if (c.segments.implementation != "handwritten_pipeline" || !c.verified()) continue;
    for (const Pair& pair : run.pairs) {
      if (pair.op != c.segments.op || pair.shape != c.segments.shape ||
          pair.precision != c.segments.precision || !pair.mode.empty()) {
        continue;
      }
      const auto ratio = times_as_fast(pair.gpu.every_call_seconds, c.round_seconds());
      if (!ratio) continue;
      const std::string said =
          fmt::format("copies that overlap the arithmetic are {} as fast in {}",
                      ratio_phrase(*ratio), pair_name(pair));
      if (text.empty()) text = said;
      rows.push_back(evidence(run, said, {&c, &pair.gpu.favourite()}));
    }
  }
  return text;
}

// Whether a reason tells of memory that didn't suffice.
bool lacks_memory(const std::string& reason) {
  return reason.find("GiB of") != std::string::npos ||
         reason.find("out of memory") != std::string::npos ||
         reason.find("where memory runs out") != std::string::npos;
}

using WorkKey = std::tuple<std::string, std::string, std::string>;  // op, shape, precision

WorkKey work_key(const CaseName& name) { return {name.op, name.shape, name.precision}; }

struct Refusal {
  CaseName name;
  std::string whole_name;
  std::string reason;
};

std::vector<Refusal> refusals(const Run& run) {
  std::vector<Refusal> list;
  for (const Skipped& skip : run.results.skipped) {
    if (!lacks_memory(skip.reason)) continue;
    list.push_back({split_case_name(skip.name), skip.name, skip.reason});
  }
  for (const Case& c : run.cases) {
    if (c.failure && lacks_memory(*c.failure)) list.push_back({c.segments, c.name, *c.failure});
  }
  return list;
}

std::string capacity_text(const Run& run) {
  std::vector<std::string> parts;
  for (const auto& [fact, name] :
       {std::pair("memory.total_bytes", "the host"), std::pair("gpu.memory_bytes", "the GPU")}) {
    const std::string text = run.fact(fact);
    double bytes = 0;
    std::from_chars(text.data(), text.data() + text.size(), bytes);
    if (bytes > 0) parts.push_back(fmt::format("{} has {}", name, format_bytes(bytes)));
  }
  return joined_parts(parts);
}

// The row that held most memory on a device.
const Case* largest_row(const Run& run, const std::string& device) {
  const Case* largest = nullptr;
  for (const Case& c : run.cases) {
    if (c.segments.device != device || !c.verified() || is_framework(c)) continue;
    const auto bytes = c.counter("peak_bytes");
    if (!bytes) continue;
    if (largest == nullptr || *bytes > *largest->counter("peak_bytes")) largest = &c;
  }
  return largest;
}

std::string largest_text(const Run& run, std::vector<Evidence>& rows) {
  std::vector<std::string> parts;
  for (const char* device : {"cpu", "gpu"}) {
    const Case* largest = largest_row(run, device);
    if (largest == nullptr) continue;
    const std::string text =
        fmt::format("the most that a row held on the {} is {} ({})",
                    device == std::string("cpu") ? "CPU" : "GPU",
                    format_bytes(*largest->counter("peak_bytes")), largest->name);
    parts.push_back(text);
    rows.push_back(evidence(run, text, {largest}));
  }
  return joined_parts(parts);
}

}  // namespace

Judgement judge_data_flow(const ClaimInput& input) {
  const Run& run = input.run;
  std::vector<std::string> parts;
  std::vector<Evidence> rows;
  for (const Bandwidth& each : bandwidths(run)) {
    parts.push_back(each.text);
    rows.push_back(evidence(run, each.text, {each.row}));
  }
  if (!run.has_gpu_rows()) return no_gpu(run, joined_parts(parts), rows);
  for (const std::string& text : {pageable_text(run, rows), overlap_text(run, rows)}) {
    if (!text.empty()) parts.push_back(text);
  }
  Judgement judgement;
  int matters = 0, little = 0, unsure = 0, turned = 0;
  const std::vector<TransferCost> costs = transfer_costs(run);
  const TransferCost* dearest = nullptr;
  const char* what = run.pairs.empty() ? "GPU rows" : "pairs";
  std::vector<double> calls;
  for (const TransferCost& each : costs) {
    const Side side = side_of(each.cost, kMatters);
    ++(side == Side::above ? matters : side == Side::below ? little : unsure);
    if (side != Side::undecided && (dearest == nullptr || each.cost.value > dearest->cost.value)) {
      dearest = &each;
    }
    std::string text = fmt::format("{}: with transfers at every call {} the time on the GPU",
                                   each.name, ratio_phrase(each.cost));
    std::vector<const Case*> behind = {each.gpu};
    if (const Pair* pair = each.pair) {
      turned += pair->every_call && side_of(pair->speedup) == Side::above &&
                side_of(*pair->every_call) == Side::below;
      if (pair->breakeven_calls) {
        calls.push_back(*pair->breakeven_calls);
        text += fmt::format(", break-even after {:.0f} calls", *pair->breakeven_calls);
      }
      behind.push_back(&pair->cpu.favourite());
    }
    judgement.evidence.push_back(evidence(run, text, behind));
  }
  judgement.evidence.insert(judgement.evidence.end(), rows.begin(), rows.end());
  if (matters + little + unsure == 0) {
    judgement.sentence = "No GPU row has upload and download times.";
  } else if (dearest == nullptr || (matters == 0 && unsure > 0)) {
    judgement.sentence = fmt::format(
        "Of {} {} with transfers none tells that they cost 10 %, and {} can't tell. Missing: more "
        "rounds.",
        little + unsure, what, unsure);
  } else {
    judgement.ruling = matters > 0 ? Ruling::holds : Ruling::does_not_hold;
    judgement.sentence = fmt::format(
        "Transfers at every call cost 10 % or more in {} of {} {} for certain{}, most in {}: {} "
        "the time.",
        matters, costs.size(), what, unsure > 0 ? fmt::format(" ({} can't tell)", unsure) : "",
        dearest->name, ratio_phrase(dearest->cost));
    if (!run.pairs.empty()) {
      judgement.sentence +=
          fmt::format(" Pairs whose winner they turn from the GPU to the CPU: {}.", turned);
    }
  }
  if (!calls.empty()) {
    const auto [least, longest] = std::minmax_element(calls.begin(), calls.end());
    parts.push_back(
        *least < *longest
            ? fmt::format("on resident inputs the GPU breaks even after {:.0f} to {:.0f} calls",
                          *least, *longest)
            : fmt::format("on resident inputs the GPU breaks even after {:.0f} {}", *least,
                          *least > 1 ? "calls" : "call"));
  }
  if (!parts.empty()) judgement.sentence += " Beside that: " + joined_parts(parts) + ".";
  return judgement;
}

Judgement judge_memory(const ClaimInput& input) {
  const Run& run = input.run;
  std::vector<Evidence> rows;
  const std::string largest = largest_text(run, rows);
  std::vector<std::string> facts;
  for (const std::string& text : {capacity_text(run), largest}) {
    if (!text.empty()) facts.push_back(text);
  }
  if (!run.has_gpu_rows()) return no_gpu(run, joined_parts(facts), rows);
  std::map<WorkKey, const Case*> ran[2];  // on the CPU, on the GPU
  for (const Case& c : run.cases) {
    if (c.verified() && !is_framework(c))
      ran[c.segments.device == "gpu"][work_key(c.segments)] = &c;
  }
  std::set<WorkKey> gpu_only, cpu_only;
  Judgement judgement;
  for (const Refusal& refusal : refusals(run)) {
    const bool refused_by_gpu = refusal.name.device == "gpu";
    const WorkKey key = work_key(refusal.name);
    // Another implementation on the same device may have managed.
    if (ran[refused_by_gpu].contains(key)) continue;
    const auto other = ran[!refused_by_gpu].find(key);
    if (other == ran[!refused_by_gpu].end()) continue;
    (refused_by_gpu ? cpu_only : gpu_only).insert(key);
    judgement.evidence.push_back(
        evidence(run, refusal.whole_name + ": " + refusal.reason + "; the other device ran it",
                 {other->second}));
  }
  judgement.evidence.insert(judgement.evidence.end(), rows.begin(), rows.end());
  if (gpu_only.empty() && cpu_only.empty()) {
    judgement.sentence =
        "No row ran out of memory on one device and ran on the other, so neither limit was "
        "reached; `breakeven-bench --largest_batch` finds them.";
  } else {
    judgement.ruling = cpu_only.empty() ? Ruling::holds : Ruling::does_not_hold;
    judgement.sentence =
        fmt::format("{} of the measured sizes fit on the GPU only, {} on the CPU only.",
                    gpu_only.size(), cpu_only.size());
  }
  if (!facts.empty()) judgement.sentence += " Beside that: " + joined_parts(facts) + ".";
  return judgement;
}

}  // namespace breakeven
