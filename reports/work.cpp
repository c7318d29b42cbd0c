// The same work by several implementations and precisions, and what a precision brings.

#include <tuple>

#include "reports/model.h"

namespace breakeven {
namespace {

bool counts(const Case& c) {
  const std::string& op = c.segments.op;
  return c.verified() && !is_framework(c) && op != "peak" && op != "stream" &&
         !op.starts_with("convergence_") && !is_packed(c) && !is_naive(c) && !is_pipeline(c);
}

std::vector<PrecisionGain> gains_of(const std::vector<Work>& all,
                                    std::map<std::string, std::vector<const Case*>> Work::*device) {
  std::vector<PrecisionGain> gains;
  for (const Work& work : all) {
    const auto& rows = work.*device;
    const auto wide = rows.find("f32");
    if (wide == rows.end() || rows.size() < 2) continue;
    const Best f32 = best_by_other_rounds(wide->second);
    for (const auto& [precision, cases] : rows) {
      if (precision == "f32") continue;
      const Best best = best_by_other_rounds(cases);
      const auto ratio = times_as_fast(f32.seconds, best.seconds);
      if (ratio) gains.push_back({&work, precision, &f32.favourite(), &best.favourite(), *ratio});
    }
  }
  return gains;
}

}  // namespace

void find_work(Run& run) {
  std::map<std::tuple<std::string, std::string, std::string>, Work> all;
  for (const Case& c : run.cases) {
    if (!counts(c)) continue;
    const CaseName& name = c.segments;
    const std::string mode = options_text(name, {"threads", "launch"});
    Work& work = all[{name.op, name.shape, mode}];
    work.op = name.op;
    work.shape = name.shape;
    work.mode = mode;
    (name.device == "gpu" ? work.gpu : work.cpu)[name.precision].push_back(&c);
  }
  for (auto& [key, work] : all) run.work.push_back(std::move(work));
  run.cpu_gains = gains_of(run.work, &Work::cpu);
  run.gpu_gains = gains_of(run.work, &Work::gpu);
}

}  // namespace breakeven
