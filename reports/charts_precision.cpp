// Speed against error: what other precisions bring beside f32 on the same device and work.

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "reports/charts.h"
#include "reports/text.h"
#include "reports/thinning.h"
#include "reports/training.h"
#include "reports/words.h"

namespace breakeven {
namespace {

struct Mark {
  double error;
  const PrecisionGain* gain;
};

Point point_of(const Mark& mark) {
  const PrecisionGain& gain = *mark.gain;
  return {mark.error,
          gain.ratio.value,
          {},
          {},
          fmt::format("{} {}: {} as fast as f32", gain.work->op, gain.work->shape,
                      ratio_phrase(gain.ratio))};
}

}  // namespace

std::optional<Chart> precision_chart(const Run& run, const std::string& device) {
  const std::vector<PrecisionGain>& gains = device == "gpu" ? run.gpu_gains : run.cpu_gains;
  std::map<std::string, std::vector<Mark>> marks;
  std::size_t exact = 0;
  double f32_least = std::numeric_limits<double>::infinity(), f32_most = 0;
  for (const PrecisionGain& gain : gains) {
    if (is_training(gain.work->op)) continue;  // its errors have another measure
    const double error = gain.other->counter("error").value_or(0);
    if (const double wide = gain.f32->counter("error").value_or(0); wide > 0) {
      f32_least = std::min(f32_least, wide);
      f32_most = std::max(f32_most, wide);
    }
    if (error > 0) {
      marks[gain.precision].push_back({error, &gain});
    } else {
      ++exact;
    }
  }
  if (marks.empty()) return std::nullopt;
  Plot plot;
  MarkCount count;
  const auto place_of = [](const Mark& mark) {
    return MarkPlace{mark.error, mark.gain->ratio.value};
  };
  const std::size_t most = std::max<std::size_t>(kMostMarks / marks.size(), 2);
  int style = 1;
  for (auto& [precision, own] : marks) {
    Series series;
    series.label = precision;
    series.style = style++;
    series.line = false;
    for (const Mark& mark : thinned(std::move(own), most, place_of, count)) {
      series.points.push_back(point_of(mark));
    }
    plot.series.push_back(std::move(series));
  }
  plot.levels = {{"as fast as f32", 1}};
  if (f32_most > 0) plot.spans = {{"errors of f32", f32_least, f32_most}};
  plot.x = {"error of the answer, as checked", true, false};
  plot.y = {"f32 time / time", true, false};
  plot.description =
      "How many times as fast as f32 another precision is on the same work and device, by the "
      "error of its answer; both axes are logarithmic. Each marker is one shape. Across precisions "
      "this is no speedup. Training steps, whose errors have another measure, are in the table.";
  if (exact > 0) {
    plot.description +=
        fmt::format(" {} exact answers (error 0) have no place on a logarithmic axis.", exact);
  }
  const std::string caption =
      fmt::format("Speed against error on the {}{}{}", device, machine_of(run), count.text());
  return make_chart(run, "precision", device, caption, std::move(plot));
}

}  // namespace breakeven
