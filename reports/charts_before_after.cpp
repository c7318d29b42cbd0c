// A roofline of two runs of one machine.

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "reports/charts.h"
#include "reports/machines.h"
#include "reports/text.h"
#include "reports/words.h"

namespace breakeven {
namespace {

constexpr double kLeastMove = 0.02;

// The style that the plot gave the rows of a precision.
std::map<std::string, int> precision_styles(const Plot& plot) {
  std::map<std::string, int> styles;
  for (const Series& series : plot.series) {
    if (series.markers) styles[series.label.substr(0, series.label.find(' '))] = series.style;
  }
  return styles;
}

}  // namespace

std::optional<Chart> before_after_chart(const Run& before, const Run& after,
                                        const std::string& device) {
  std::optional<RooflinePlot> roofline = roofline_plot(after, device);
  if (!roofline) return std::nullopt;
  Plot& plot = roofline->plot;
  const std::map<std::string, int> styles = precision_styles(plot);
  const int threads = most_threads(after, device);
  std::size_t moved = 0;
  for (const Rerow& row : rerows({&before, &after})) {  // the largest change first
    const CaseName& name = row.after->segments;
    const auto old_rate = row.before->flops_per_second(), rate = row.after->flops_per_second();
    const auto flops = row.after->counter("flops"), bytes = row.after->counter("bytes");
    const auto style = styles.find(name.precision);
    if (name.device != device || name.op == "peak" || !old_rate || !rate || !flops || !bytes ||
        !(*bytes > 0) || style == styles.end() || row.after->threads != threads ||
        row.before->threads != threads || std::abs(std::log(row.ratio)) < std::log1p(kLeastMove) ||
        ++moved > kMostArrows) {
      continue;
    }
    const double intensity = *flops / *bytes;
    Arrow arrow;
    arrow.style = style->second;
    arrow.from = {intensity, *old_rate / 1e9, {}, {}, ""};
    arrow.to = {intensity, *rate / 1e9, {}, {}, ""};
    arrow.to.tip = fmt::format("{} {} {}: {} → {}, {}", name.shape, name.implementation,
                               name.precision, format_number(arrow.from.y),
                               rate_text(name.op, name.precision, *rate), kUnpaired);
    plot.arrows.push_back(std::move(arrow));
  }
  if (plot.arrows.empty()) return std::nullopt;
  plot.description +=
      fmt::format(" Arrows: from run {} to run {}, {}.", before.label, after.label, kUnpaired);
  const std::string caption = fmt::format(
      "Roofline of the {}, before → after (run {} → run {}: {}{}){}", device, before.label,
      after.label, kUnpaired,
      moved > kMostArrows ? fmt::format("; the {} largest of {} moves", kMostArrows, moved) : "",
      roofline->left_out);
  return make_chart(after, "roofline", device + "-from-" + before.label, caption, std::move(plot));
}

}  // namespace breakeven
