// Which charts a report has, and which style each implementation has in all of them.

#include <fmt/format.h>

#include <array>
#include <set>

#include "reports/charts.h"
#include "reports/training.h"

namespace breakeven {
namespace {

// Known implementations keep their style in every report; others get what is left, in order.
constexpr std::array<const char*, 8> kKnown = {"naive",         "openblas",   "onednn",
                                               "onednn_packed", "cublas",     "cublas_pedantic",
                                               "cudnn",         "handwritten"};

}  // namespace

Styles::Styles(const std::vector<Run>& runs) {
  for (std::size_t i = 0; i < kKnown.size(); ++i) styles_[kKnown[i]] = static_cast<int>(i);
  for (const Run& run : runs) {
    for (const Case& c : run.cases) {
      styles_.emplace(c.segments.implementation, static_cast<int>(styles_.size()));
    }
  }
}

int Styles::of(const std::string& implementation) const {
  const auto found = styles_.find(implementation);
  return found == styles_.end() ? 0 : found->second % kStyles;
}

std::vector<Chart> make_charts(const std::vector<Run>& runs) {
  std::vector<Chart> charts;
  const auto add = [&](std::optional<Chart> chart) {
    if (chart) charts.push_back(std::move(*chart));
  };
  const Styles styles(runs);
  for (const Run& run : runs) {
    std::set<std::pair<std::string, std::string>> kinds;
    std::set<std::string> devices;
    for (const Case& c : run.cases) {
      if (c.segments.op != "peak") kinds.insert({c.segments.op, c.segments.precision});
      devices.insert(c.segments.device);
    }
    for (const Answer& answer : run.answers) add(speedup_chart(run, answer));
    for (const auto& [op, precision] : kinds) {
      // Models have charts of their own, of items against the batch.
      if (is_training(op)) continue;
      add(throughput_chart(run, styles, op, precision));
      add(share_chart(run, styles, op, precision));
    }
    for (const std::string& device : devices) add(roofline_chart(run, device));
    for (const auto& [op, precision] : kinds) {
      const bool part = is_training(op) && !op.starts_with("training_step_");
      if (op != "stream" && !part) add(threads_chart(run, styles, op, precision));
    }
    for (Chart& chart : training_charts(run)) charts.push_back(std::move(chart));
  }
  // Names from different files may look alike once they are made safe.
  std::set<std::string> ids;
  for (Chart& chart : charts) {
    const std::string id = chart.id;
    for (int i = 2; !ids.insert(chart.id).second; ++i) chart.id = fmt::format("{}-{}", id, i);
    if (chart.id == id) continue;
    for (const char* part : {"-t", "-d"}) {
      const std::string old_id = id + part;
      for (std::size_t at = 0; (at = chart.svg.find(old_id, at)) != std::string::npos;) {
        chart.svg.replace(at, old_id.size(), chart.id + part);
        at += chart.id.size() + 2;
      }
    }
  }
  return charts;
}

}  // namespace breakeven
