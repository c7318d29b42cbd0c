// Claim 4: what the precisions that tensor cores serve bring, and what they cost in error.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "reports/claims_parts.h"
#include "reports/text.h"
#include "reports/words.h"

namespace breakeven {
namespace {

constexpr std::array<const char*, 5> kNarrow = {"tf32", "bf16", "f16", "fp8", "int8"};

/// f32 over a narrower precision on the same work and device.
struct Gain {
  const Work* work;
  std::string precision;
  const Case* wide;
  const Case* narrow;
  double flops;
  Estimate ratio;

  std::string text() const {
    return fmt::format("{} {}{}: {} {} as fast as f32, error {} against {}", work->op, work->shape,
                       work->mode.empty() ? "" : " " + work->mode, precision, ratio_text(ratio),
                       format_scientific(narrow->counter("error").value_or(0)),
                       format_scientific(wide->counter("error").value_or(0)));
  }
};

std::vector<Gain> gains_of(const std::vector<Work>& all,
                           std::map<std::string, std::vector<const Case*>> Work::*device) {
  std::vector<Gain> gains;
  for (const Work& work : all) {
    const auto& rows = work.*device;
    const auto wide = rows.find("f32");
    if (wide == rows.end()) continue;
    const Best f32 = best_by_other_rounds(wide->second);
    for (const char* precision : kNarrow) {
      const auto narrow = rows.find(precision);
      if (narrow == rows.end()) continue;
      const Best best = best_by_other_rounds(narrow->second);
      const auto ratio = times_as_fast(f32.seconds, best.seconds);
      if (!ratio) continue;
      gains.push_back({&work, precision, &f32.favourite(), &best.favourite(),
                       f32.favourite().counter("flops").value_or(0), *ratio});
    }
  }
  return gains;
}

// Of each precision the lowest and the highest gain, never a mean.
std::string by_precision(const std::vector<Gain>& gains) {
  std::vector<std::string> parts;
  for (const char* precision : kNarrow) {
    const Gain* low = nullptr;
    const Gain* high = nullptr;
    double error = 0;
    std::size_t count = 0;
    for (const Gain& gain : gains) {
      if (gain.precision != precision) continue;
      ++count;
      error = std::max(error, gain.narrow->counter("error").value_or(0));
      if (low == nullptr || gain.ratio.value < low->ratio.value) low = &gain;
      if (high == nullptr || gain.ratio.value > high->ratio.value) high = &gain;
    }
    if (low == nullptr) continue;
    const auto at = [](const Gain& gain) {
      return fmt::format("{} in {} {}", ratio_text(gain.ratio), gain.work->op, gain.work->shape);
    };
    parts.push_back(
        count == 1 ? fmt::format("{}: {}, error {}", precision, at(*low), format_scientific(error))
                   : fmt::format("{}: {} shapes, from {} to {}, error up to {}", precision, count,
                                 at(*low), at(*high), format_scientific(error)));
  }
  return joined_parts(parts);
}

std::vector<Evidence> evidence_of(const Run& run, std::vector<Gain> gains) {
  std::sort(gains.begin(), gains.end(), [](const Gain& a, const Gain& b) {
    return std::tuple(b.ratio.value, a.narrow->name) < std::tuple(a.ratio.value, b.narrow->name);
  });
  std::vector<Evidence> list;
  for (const Gain& gain : gains)
    list.push_back(evidence(run, gain.text(), {gain.narrow, gain.wide}));
  return list;
}

}  // namespace

Judgement judge_tensor_cores(const ClaimInput& input) {
  const Run& run = input.run;
  const std::vector<Work> all = all_work(run);
  const std::vector<Gain> on_gpu = gains_of(all, &Work::gpu);
  const std::vector<Gain> on_cpu = gains_of(all, &Work::cpu);
  std::string cpu = by_precision(on_cpu);
  if (!cpu.empty()) cpu = "times as fast as f32 (across precisions, no speedup): " + cpu;
  std::vector<Evidence> cpu_rows = evidence_of(run, on_cpu);
  if (!run.has_gpu_rows()) return no_gpu(run, cpu, cpu_rows);
  Judgement judgement;
  if (on_gpu.empty()) {
    judgement.sentence =
        "No work has verified GPU rows in f32 and in tf32, bf16, f16, fp8 or int8.";
  } else {
    Sweep sweep;
    for (const Gain& gain : on_gpu) sweep.add(gain.flops, gain.ratio);
    rule(judgement, sweep, flops_place);
    judgement.sentence =
        fmt::format("Faster than f32 on the GPU, across precisions and so no speedup: {}. {}.",
                    counts_text(sweep), by_precision(on_gpu));
    if (judgement.ruling == Ruling::not_measured) {
      judgement.sentence += " Missing: more rounds, for intervals that exclude 1.";
    }
    judgement.evidence = evidence_of(run, on_gpu);
  }
  if (!cpu.empty()) judgement.sentence += " On the CPU, " + cpu + ".";
  judgement.evidence.insert(judgement.evidence.end(), cpu_rows.begin(), cpu_rows.end());
  return judgement;
}

}  // namespace breakeven
