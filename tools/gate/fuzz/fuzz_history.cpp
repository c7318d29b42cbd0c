#include <algorithm>
#include <cmath>

#include "reports/change_points.h"
#include "reports/history.h"
#include "tools/gate/fuzz/fuzz.h"

namespace breakeven::gate::fuzz {
namespace {

std::vector<double> logs_of(const RowHistory& series, std::size_t measurements) {
  require(series.seconds.size() == series.measurements.size(), "times without a commit");
  require(series.measurements.empty() || series.measurements.back() < measurements,
          "a time of a commit that is not there");
  require(std::is_sorted(series.measurements.begin(), series.measurements.end()),
          "commits out of order");
  std::vector<double> logs;
  for (const double seconds : series.seconds) {
    require(std::isfinite(seconds) && seconds > 0, "a time that is not positive and finite");
    logs.push_back(std::log(seconds));
  }
  return logs;
}

void require_sound(const std::vector<ChangePoint>& points, std::size_t values) {
  std::size_t last = 0;
  for (const ChangePoint& point : points) {
    require(point.index > last && point.index < values, "a change outside of its series");
    require(std::isfinite(point.before) && std::isfinite(point.after), "a mean is not finite");
    require(point.p_value >= 0 && point.p_value <= 1, "a probability outside of 0 … 1");
    last = point.index;
  }
}

}  // namespace

void fuzz_history(std::string_view input) {
  MachineHistory history;
  std::vector<std::string> torn;
  if (!reads([&] { parse_history(input, "2026-01.ndjson", history, torn); })) return;
  for (const auto& [name, series] : history.rows) {
    const std::vector<double> logs = logs_of(series, history.measurements.size());
    require_sound(change_points(logs), logs.size());
  }
}

}  // namespace breakeven::gate::fuzz
