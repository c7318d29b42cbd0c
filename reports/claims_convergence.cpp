// Claim 8: the same training on both devices: do the curves agree, and who is first at the target?

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

constexpr std::size_t kComparedSteps = 50;  // as many as the rows' own check looks at

using Key = std::tuple<std::string, std::string, std::string>;  // model, data, precision

struct Sides {
  std::vector<Convergence> cpu, gpu;  ///< verified
  std::vector<std::string> failures;
  bool gpu_failed = false;
};

std::map<Key, Sides> groups_of(const Run& run) {
  std::map<Key, Sides> groups;
  for (const Convergence& each : convergences(run)) {
    const Case& c = *each.row;
    Sides& sides = groups[{each.model, c.segments.shape, c.segments.precision}];
    if (!c.verified()) {
      sides.gpu_failed |= c.segments.device == "gpu";
      sides.failures.push_back(c.name + (c.failure ? ": " + *c.failure : ": not verified"));
      continue;
    }
    (c.segments.device == "gpu" ? sides.gpu : sides.cpu).push_back(each);
  }
  return groups;
}

/// The rows of one device: which is first at the target is chosen on the other rounds than the one
/// that is reported. Rows without a target count only where none has one.
struct Fastest {
  const Convergence* favourite;
  RoundValues seconds;
};

Fastest fastest(const std::vector<Convergence>& rows) {
  const bool any = std::any_of(rows.begin(), rows.end(),
                               [](const auto& each) { return !each.steps_to_target.empty(); });
  std::vector<const Case*> candidates;
  for (const Convergence& each : rows) {
    if (!any || !each.steps_to_target.empty()) candidates.push_back(each.row);
  }
  Best best = best_by_other_rounds(candidates);
  const Case* row = &best.favourite();
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const auto& each) { return each.row == row; });
  return {&*found, std::move(best.seconds)};
}

/// The largest relative distance of two curves, step by step; absent without common steps.
std::optional<double> distance(const std::vector<double>& a, const std::vector<double>& b) {
  std::optional<double> most;
  for (std::size_t i = 0; i < std::min({a.size(), b.size(), kComparedSteps}); ++i) {
    const double scale = std::max(std::abs(a[i]), std::abs(b[i]));
    most = std::max(most.value_or(0), scale > 0 ? std::abs(a[i] - b[i]) / scale : 0);
  }
  return most;
}

// Error over limit: how much of its bound around the reference a curve takes.
std::string bound_text(const Case& c) {
  const double tolerance = *c.counter("tolerance");
  return tolerance > 0 ? format_percent(*c.counter("error") / tolerance) : "none";
}

std::string reached_text(const Convergence& each) {
  if (each.steps_to_target.empty()) return "no target";
  return fmt::format("{} in {} steps and {}", each.target, each.steps_to_target,
                     format_seconds(each.row->seconds->value));
}

}  // namespace

Judgement judge_convergence(const ClaimInput& input) {
  const Run& run = input.run;
  std::vector<Evidence> cpu_alone;
  Judgement judgement;
  std::vector<std::string> parts, missing;
  int faster = 0, slower = 0, unsure = 0;
  int off_curve = 0;  // models that only the CPU trained within the bound
  for (const auto& [key, sides] : groups_of(run)) {
    const auto& [model, data, precision] = key;
    const std::string name = fmt::format("{} {} {}", model, data, precision);
    for (const std::string& failure : sides.failures) missing.push_back(failure);
    for (const Convergence& each : sides.cpu) {
      cpu_alone.push_back(
          evidence(run, fmt::format("{} by {}: {}", name, by_text(*each.row), reached_text(each)),
                   {each.row}));
    }
    off_curve += !sides.cpu.empty() && sides.gpu.empty() && sides.gpu_failed;
    if (sides.gpu.empty() || sides.cpu.empty()) continue;
    const Fastest on_gpu = fastest(sides.gpu);
    const Fastest on_cpu = fastest(sides.cpu);
    const Convergence& gpu = *on_gpu.favourite;
    const Convergence& cpu = *on_cpu.favourite;
    std::string text = fmt::format(
        "{}: both curves lie within the bound around the reference's (they take {} of it on the "
        "GPU, {} on the CPU)",
        name, bound_text(*gpu.row), bound_text(*cpu.row));
    if (const auto apart = distance(gpu.losses, cpu.losses)) {
      text += fmt::format(" and differ by at most {} in the first steps", format_percent(*apart));
    }
    const auto ratio = times_as_fast(on_cpu.seconds, on_gpu.seconds);
    if (gpu.steps_to_target.empty() || cpu.steps_to_target.empty()) {
      text += "; no target";
    } else if (gpu.target != cpu.target) {
      text += "; their targets differ (GPU " + gpu.target + ", CPU " + cpu.target + ")";
    } else if (ratio) {
      const Side side = side_of(*ratio);
      ++(side == Side::above ? faster : side == Side::below ? slower : unsure);
      text += fmt::format("; to the target the CPU takes {} the GPU's time (GPU {}, CPU {})",
                          ratio_phrase(*ratio), reached_text(gpu), reached_text(cpu));
    }
    parts.push_back(text);
    judgement.evidence.push_back(evidence(run, text, {gpu.row, cpu.row}));
  }
  if (!run.has_gpu_rows()) {
    std::vector<std::string> said;
    for (const Evidence& each : cpu_alone) said.push_back(each.text);
    return no_gpu(run, joined_parts(said), cpu_alone);
  }
  judgement.evidence.insert(judgement.evidence.end(), cpu_alone.begin(), cpu_alone.end());
  if (parts.empty()) {
    judgement.sentence =
        "No model was trained to a target on both devices at one precision: "
        "`breakeven run --suite convergence` measures that.";
  } else {
    judgement.sentence = joined_parts(parts) + ".";
    if (faster + slower == 0) {
      judgement.sentence +=
          unsure > 0 ? " Missing: more rounds (`--rounds 6`), for an interval that excludes 1."
                     : " Missing: rows with a target on both devices.";
    } else if (slower > 0) {
      judgement.ruling = Ruling::does_not_hold;
    } else if (off_curve == 0 && carries(faster, slower, unsure)) {
      judgement.ruling = Ruling::holds;
    }
  }
  if (!missing.empty()) {
    judgement.sentence += " Without a verdict: " + joined_parts(missing) + ".";
  }
  return judgement;
}

}  // namespace breakeven
