// Claim 4: what the precisions that tensor cores serve bring, and what they cost in error.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "reports/claims_parts.h"
#include "reports/text.h"
#include "reports/training.h"
#include "reports/words.h"

namespace breakeven {
namespace {

constexpr std::array<const char*, 5> kNarrow = {"tf32", "bf16", "f16", "fp8", "int8"};

std::string gain_text(const PrecisionGain& gain) {
  const Work& work = *gain.work;
  return fmt::format("{} {}{}: {} {} as fast as f32, error {} against {}", work.op, work.shape,
                     work.mode.empty() ? "" : " " + work.mode, gain.precision,
                     ratio_phrase(gain.ratio),
                     format_scientific(gain.other->counter("error").value_or(0)),
                     format_scientific(gain.f32->counter("error").value_or(0)));
}

std::vector<PrecisionGain> narrow(std::vector<PrecisionGain> gains) {
  std::erase_if(gains, [](const PrecisionGain& gain) {
    return std::find(kNarrow.begin(), kNarrow.end(), gain.precision) == kNarrow.end();
  });
  return gains;
}

// Of each precision the lowest and the highest gain, never a mean.
std::string by_precision(const std::vector<PrecisionGain>& gains) {
  std::vector<std::string> parts;
  for (const char* precision : kNarrow) {
    const PrecisionGain* low = nullptr;
    const PrecisionGain* high = nullptr;
    double error = 0;
    std::size_t count = 0;
    for (const PrecisionGain& gain : gains) {
      if (gain.precision != precision) continue;
      ++count;
      // Of models the error counts spreads of perturbed runs: another measure.
      if (!is_training(gain.work->op)) {
        error = std::max(error, gain.other->counter("error").value_or(0));
      }
      if (low == nullptr || gain.ratio.value < low->ratio.value) low = &gain;
      if (high == nullptr || gain.ratio.value > high->ratio.value) high = &gain;
    }
    if (low == nullptr) continue;
    const auto at = [](const PrecisionGain& gain) {
      return fmt::format("{} in {} {}", ratio_text(gain.ratio), gain.work->op, gain.work->shape);
    };
    parts.push_back(
        count == 1 ? fmt::format("{}: {}, error {}", precision, at(*low), format_scientific(error))
                   : fmt::format("{}: {} shapes, from {} to {}, relative error up to {}", precision,
                                 count, at(*low), at(*high), format_scientific(error)));
  }
  return joined_parts(parts);
}

std::vector<Evidence> evidence_of(const Run& run, std::vector<PrecisionGain> gains) {
  std::sort(gains.begin(), gains.end(), [](const PrecisionGain& a, const PrecisionGain& b) {
    return std::tuple(b.ratio.value, a.other->name) < std::tuple(a.ratio.value, b.other->name);
  });
  std::vector<Evidence> list;
  for (const PrecisionGain& gain : gains)
    list.push_back(evidence(run, gain_text(gain), {gain.other, gain.f32}));
  return list;
}

}  // namespace

Judgement judge_tensor_cores(const ClaimInput& input) {
  const Run& run = input.run;
  const std::vector<PrecisionGain> on_gpu = narrow(run.gpu_gains);
  const std::vector<PrecisionGain> on_cpu = narrow(run.cpu_gains);
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
    for (const PrecisionGain& gain : on_gpu)
      sweep.add(gain.f32->counter("flops").value_or(0), gain.ratio);
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
