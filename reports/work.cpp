#include "reports/work.h"

#include <tuple>

namespace breakeven {

std::vector<Work> all_work(const Run& run) {
  std::map<std::tuple<std::string, std::string, std::string>, Work> work;
  for (const Case& c : run.cases) {
    const CaseName& name = c.segments;
    if (!c.verified() || is_framework(c) || name.op == "peak" || name.op == "stream" ||
        name.op.starts_with("convergence_") || is_packed(c) || is_naive(c) || is_pipeline(c)) {
      continue;
    }
    const std::string mode = options_text(name, {"threads", "launch"});
    Work& entry = work[{name.op, name.shape, mode}];
    entry.op = name.op;
    entry.shape = name.shape;
    entry.mode = mode;
    (name.device == "gpu" ? entry.gpu : entry.cpu)[name.precision].push_back(&c);
  }
  std::vector<Work> list;
  for (auto& [key, entry] : work) list.push_back(std::move(entry));
  return list;
}

std::vector<PrecisionGain> precision_gains(
    const std::vector<Work>& all, std::map<std::string, std::vector<const Case*>> Work::*device) {
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

}  // namespace breakeven
