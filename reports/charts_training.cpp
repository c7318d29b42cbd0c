// Charts of section 7: rates against the batch, and loss curves.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "reports/charts.h"
#include "reports/text.h"
#include "reports/thinning.h"
#include "reports/training.h"

namespace breakeven {
namespace {

// A rate scales with 1 / time, so its interval is the time's turned round.
Point rate_point(const Case& c) {
  const double rate = *items_per_second(c);
  const double batch = *sweep_batch(c);
  Point point{batch, rate, {}, {}, ""};
  if (c.seconds->interval.coverage > 0) {
    point.low = rate * c.seconds->value / c.seconds->interval.high;
    point.high = rate * c.seconds->value / c.seconds->interval.low;
  }
  point.tip = fmt::format("batch {:.0f}: {} {} per second", batch, format_number(rate),
                          c.text("items_name"));
  return point;
}

// By way_text: rows that differ in precision or launch only lie beside each other in these charts.
using WayStyles = std::map<std::string, int>;

void set_style(Series& series, const WayStyles& styles) {
  series.style = styles.at(series.label) % kStyles;
  series.dashed = styles.at(series.label) / kStyles % 2 == 1;
}

std::optional<Chart> sweep_chart(const Run& run, const WayStyles& styles,
                                 const std::vector<TrainingRow>& rows, const std::string& model,
                                 const std::string& sweep) {
  Plot plot;
  std::map<std::string, Series> by_way;
  std::string items;
  bool swept = false;
  for (const TrainingRow& row : rows) {
    if (row.model != model || sweep_name(row.name.shape) != sweep || row.step == nullptr ||
        row.name.options.contains("threads") || row.name.options.contains("cache") ||
        !sweep_batch(*row.step) || !items_per_second(*row.step)) {
      continue;
    }
    const std::string way = way_text(row.name);
    Series& series = by_way[way];
    series.label = way;
    set_style(series, styles);
    series.points.push_back(rate_point(*row.step));
    swept = swept || series.points.size() > 1;
    items = row.step->text("items_name");
  }
  if (!swept) return std::nullopt;
  for (auto& [way, series] : by_way) {
    std::sort(series.points.begin(), series.points.end(),
              [](const Point& a, const Point& b) { return a.x < b.x; });
    plot.series.push_back(std::move(series));
  }
  plot.x = {"batch", true, true};
  plot.y = {items.empty() ? "per second" : items + " per second", true, false};
  plot.description = fmt::format(
      "{} per second of whole training steps of {} against the batch, log-log, by implementation "
      "and precision.",
      items, model);
  return make_chart(run, "training", "sweep-" + model + "-" + sweep,
                    fmt::format("Training {} by batch{}", model, machine_of(run)), std::move(plot));
}

std::optional<Chart> loss_chart(const Run& run, const WayStyles& styles,
                                const std::vector<Convergence>& all, const std::string& model,
                                const std::string& shape) {
  Plot plot;
  for (const Convergence& each : all) {
    const CaseName& name = each.row->segments;
    if (each.model != model || name.shape != shape || each.losses.empty()) continue;
    Series series;
    series.label = way_text(name);
    set_style(series, styles);
    series.markers = false;
    // A line loses nothing by steps that are nearer to one another than pixels.
    const std::size_t stride = 1 + each.losses.size() / kMostMarks;
    for (std::size_t i = 0; i < each.losses.size(); i += stride) {
      series.points.push_back({static_cast<double>(i + 1),
                               each.losses[i],
                               {},
                               {},
                               fmt::format("step {}: {}", i + 1, format_number(each.losses[i]))});
    }
    plot.series.push_back(std::move(series));
  }
  if (plot.series.empty()) return std::nullopt;
  plot.x = {"step", false, false};
  plot.y = {"loss", false, false};
  plot.description = fmt::format(
      "Loss of every step of {} from the same seed and data, one line per implementation, "
      "device and precision.",
      model);
  return make_chart(run, "training", "loss-" + model + "-" + shape,
                    fmt::format("Loss curves of {} {}{}", model, shape, machine_of(run)),
                    std::move(plot));
}

}  // namespace

std::vector<Chart> training_charts(const Run& run) {
  std::vector<Chart> charts;
  const auto add = [&charts](std::optional<Chart> chart) {
    if (chart) charts.push_back(std::move(*chart));
  };
  const std::vector<TrainingRow> rows = training_rows(run);
  std::set<std::pair<std::string, std::string>> sweeps;
  for (const TrainingRow& row : rows) {
    if (sweeps.size() == kMostChartKinds) break;
    sweeps.emplace(row.model, sweep_name(row.name.shape));
  }
  const std::vector<Convergence> all = convergences(run);
  std::set<std::pair<std::string, std::string>> curves;
  WayStyles styles;
  for (const TrainingRow& row : rows) styles[way_text(row.name)] = 0;
  for (const Convergence& each : all) styles[way_text(each.row->segments)] = 0;
  int style = 0;
  for (auto& [way, own] : styles) own = style++;
  for (const auto& [model, sweep] : sweeps) add(sweep_chart(run, styles, rows, model, sweep));
  for (const Convergence& each : all) {
    if (curves.size() == kMostChartKinds) break;
    curves.emplace(each.model, each.row->segments.shape);
  }
  for (const auto& [model, shape] : curves) add(loss_chart(run, styles, all, model, shape));
  return charts;
}

}  // namespace breakeven
