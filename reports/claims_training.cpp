// Claims 7, 10, 13 and 14: steps on both devices, inference beside them, ablation, frameworks.

#include <fmt/format.h>

#include <algorithm>

#include "reports/claims_parts.h"
#include "reports/text.h"
#include "reports/training.h"
#include "reports/words.h"

namespace breakeven {
namespace {

constexpr double kAsFast = 1.1;  // a framework's time over ours that still counts as this speed
constexpr std::size_t kMostSaid = 4;

std::string rate_of(const Case& c) {
  const auto rate = items_per_second(c);
  if (!rate) return "";
  return fmt::format("{} {}/s", format_number(*rate), c.text("items_name"));
}

std::string row_name(const TrainingRow& row) {
  return row.model + " " + row.name.shape + ", " + way_text(row.name);
}

// The first few of the figures, and how many more there are.
std::string first_of(const std::vector<Evidence>& figures) {
  std::vector<std::string> parts;
  for (const Evidence& each : figures) {
    if (parts.size() < kMostSaid) parts.push_back(each.text);
  }
  std::string text = joined_parts(parts);
  if (figures.size() > kMostSaid) text += fmt::format("; and {} more", figures.size() - kMostSaid);
  return text;
}

void append(std::vector<Evidence>& to, const std::vector<Evidence>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

constexpr const char* kMoreRounds = " Missing: more rounds, for intervals that exclude 1.";

// Steps over inference of one device, verified, ours.
std::vector<Evidence> inference_rows(const Run& run, const std::string& device, Sweep& sweep) {
  std::vector<Evidence> figures;
  for (const TrainingRow& row : training_rows(run)) {
    if (row.name.device != device || row.step == nullptr || row.inference == nullptr) continue;
    if (!row.step->verified() || !row.inference->verified() || is_framework(*row.step)) continue;
    const auto ratio = row.step_to_inference();
    if (!ratio) continue;
    sweep.add(row.step->counter("flops").value_or(0), *ratio);
    figures.push_back(evidence(run,
                               fmt::format("a step of {} takes {} the time of inference",
                                           row_name(row), ratio_phrase(*ratio)),
                               {row.step, row.inference}));
  }
  return figures;
}

// The last stage of the unfused one's precision decides: a gain across precisions is no share of
// anything, and is told only.
std::vector<Evidence> ablation_rows(const Run& run, const std::string& device, Sweep& sweep) {
  std::vector<Evidence> figures;
  for (const Ablation& ablation : ablations(training_rows(run))) {
    if (ablation.device != device) continue;
    std::string text =
        fmt::format("{} {}, {}:", ablation.model, ablation.shape, ablation.implementation);
    std::vector<const Case*> rows;
    bool verified = true;
    const std::string& precision = ablation.stages.front().step->segments.precision;
    std::optional<Estimate> last;
    for (const AblationStage& stage : ablation.stages) {
      rows.push_back(stage.step);
      verified = verified && stage.step->verified();
      const bool same = stage.step->segments.precision == precision;
      if (same && stage.of_first) last = stage.of_first;
      const auto share = stage.step->share_of_ceiling;
      text += fmt::format("{} {}{}{}{}", rows.size() > 1 ? "," : "", stage.name,
                          stage.of_first ? " " + ratio_text(*stage.of_first) : "",
                          same ? "" : " across precisions",
                          share ? " (" + format_percent(*share) + " of measured peak)" : "");
    }
    if (!verified || !last) continue;
    sweep.add(rows.front()->counter("flops").value_or(0), *last);
    figures.push_back(evidence(run, text, rows));
  }
  return figures;
}

}  // namespace

Judgement judge_training(const ClaimInput& input) {
  const Run& run = input.run;
  const RivalPairs rivals = rival_pairs(run, "training_step_");
  const std::vector<const Pair*>& pairs = rivals.pairs;
  Sweep sweep;
  for (const Pair* pair : pairs) {
    sweep.add(pair->gpu.favourite().counter("flops").value_or(0), pair->speedup);
  }
  Judgement judgement;
  if (pairs.empty()) {
    std::vector<Evidence> rows;
    for (const Case& c : run.cases) {
      if (c.segments.device != "cpu" || !c.segments.op.starts_with("training_step_") ||
          !c.verified() || is_framework(c)) {
        continue;
      }
      const std::string rate = rate_of(c);
      rows.push_back(evidence(
          run,
          fmt::format("{} {} takes {} a step{}", c.segments.op.substr(14),
                      c.segments.shape + ", " + way_text(c.segments),
                      format_seconds(c.seconds->value), rate.empty() ? "" : " (" + rate + ")"),
          {&c}));
    }
    if (!run.has_gpu_rows()) return no_gpu(run, first_of(rows), rows);
    judgement.sentence = "No pair of whole training steps: no model has verified steps on both.";
    judgement.evidence = std::move(rows);
    return judgement;
  }
  rule(judgement, sweep, flops_place);
  judgement.sentence =
      fmt::format("Training steps that are faster on the GPU: {}.", counts_text(sweep));
  if (judgement.ruling == Ruling::not_measured) judgement.sentence += kMoreRounds;
  add_pairs(judgement, run, pairs);
  judgement.sentence += rivals.left_out_text();
  const Pair& best = **std::max_element(
      pairs.begin(), pairs.end(),
      [](const Pair* a, const Pair* b) { return a->speedup.value < b->speedup.value; });
  const std::string on_gpu = rate_of(best.gpu.favourite());
  const std::string on_cpu = rate_of(best.cpu.favourite());
  if (!on_gpu.empty() && !on_cpu.empty()) {
    judgement.sentence +=
        fmt::format(" In the former the GPU trains {}, the CPU {}.", on_gpu, on_cpu);
  }
  return judgement;
}

Judgement judge_inference(const ClaimInput& input) {
  const Run& run = input.run;
  Sweep gpu, cpu;
  const std::vector<Evidence> on_gpu = inference_rows(run, "gpu", gpu);
  const std::vector<Evidence> on_cpu = inference_rows(run, "cpu", cpu);
  if (!run.has_gpu_rows()) return no_gpu(run, first_of(on_cpu), on_cpu);
  Judgement judgement;
  append(judgement.evidence, on_gpu);
  append(judgement.evidence, on_cpu);
  if (on_gpu.empty() || on_cpu.empty()) {
    judgement.sentence = fmt::format(
        "No {} has verified rows of both a step and inference of one model.{}",
        on_gpu.empty() ? "GPU implementation" : "CPU implementation",
        judgement.evidence.empty() ? "" : " Of the other: " + first_of(judgement.evidence) + ".");
    return judgement;
  }
  Sweep both = gpu;
  for (const Sweep::Point& point : cpu.points) both.points.push_back(point);
  rule(judgement, both, flops_place);
  judgement.sentence = fmt::format(
      "Steps that take longer than inference, on the GPU: {}; on the CPU: {}. Such as: {}; {}.",
      counts_text(gpu), counts_text(cpu), on_gpu.front().text, on_cpu.front().text);
  if (judgement.ruling == Ruling::not_measured) judgement.sentence += kMoreRounds;
  return judgement;
}

Judgement judge_ablation(const ClaimInput& input) {
  const Run& run = input.run;
  Sweep gpu, cpu;
  const std::vector<Evidence> on_gpu = ablation_rows(run, "gpu", gpu);
  const std::vector<Evidence> on_cpu = ablation_rows(run, "cpu", cpu);
  const std::string alone = on_cpu.empty() ? "" : "times as fast as unfused: " + first_of(on_cpu);
  if (!run.has_gpu_rows()) return no_gpu(run, alone, on_cpu);
  Judgement judgement;
  if (on_gpu.empty()) {
    judgement.sentence =
        "No training step on the GPU has verified rows of an unfused stage and a later one.";
  } else {
    rule(judgement, gpu, flops_place);
    judgement.sentence = fmt::format(
        "Models whose last stage at the same precision is faster than the unfused one: {}. {}.",
        counts_text(gpu), first_of(on_gpu));
    if (judgement.ruling == Ruling::not_measured) judgement.sentence += kMoreRounds;
  }
  if (!alone.empty()) judgement.sentence += " On the CPU, " + alone + ".";
  append(judgement.evidence, on_gpu);
  append(judgement.evidence, on_cpu);
  return judgement;
}

Judgement judge_frameworks(const ClaimInput& input) {
  const Run& run = input.run;
  std::vector<Evidence> on_gpu, on_cpu;
  int close = 0, slower = 0, unsure = 0;
  for (const FrameworkRow& row : framework_rows(run)) {
    if (!row.ratio) continue;
    const Case& c = *row.framework;
    const bool gpu = c.segments.device == "gpu";
    (gpu ? on_gpu : on_cpu)
        .push_back(evidence(run,
                            fmt::format("{} {}, {}: the framework takes {} our time ({})",
                                        row.model, c.segments.shape, c.segments.precision,
                                        ratio_phrase(*row.ratio), by_text(c)),
                            {&c, &row.ours->favourite()}));
    if (!gpu) continue;
    const Side side = side_of(*row.ratio, kAsFast);
    ++(side == Side::below ? close : side == Side::above ? slower : unsure);
  }
  if (!run.has_gpu_rows()) return no_gpu(run, first_of(on_cpu), on_cpu);
  Judgement judgement;
  if (on_gpu.empty()) {
    judgement.sentence =
        "No verified training step of a framework on the GPU beside one of ours: measure them with "
        "`tools/peers/pytorch --device gpu`.";
  } else {
    judgement.sentence = fmt::format(
        "Of {} training steps a framework is within 10 % of ours in {} and slower in {} for "
        "certain; {} can't tell. {}.",
        on_gpu.size(), close, slower, unsure, first_of(on_gpu));
    if (slower > 0) {
      judgement.ruling = Ruling::does_not_hold;
    } else if (carries(close, slower, unsure)) {
      judgement.ruling = Ruling::holds;
    } else {
      judgement.sentence += " Missing: more rounds.";
    }
  }
  if (!on_cpu.empty()) judgement.sentence += " On the CPU: " + first_of(on_cpu) + ".";
  append(judgement.evidence, on_gpu);
  append(judgement.evidence, on_cpu);
  return judgement;
}

}  // namespace breakeven
