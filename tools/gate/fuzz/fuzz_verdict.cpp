#include <cmath>

#include "reports/charts.h"
#include "reports/forest.h"
#include "reports/verdict.h"
#include "tools/gate/fuzz/fuzz.h"

namespace breakeven::gate::fuzz {
namespace {

void require_sound(const Estimate& ratio) {
  require(std::isfinite(ratio.value) && ratio.value >= 0, "a ratio below 0");
  const Interval& interval = ratio.interval;
  require(interval.coverage >= 0 && interval.coverage <= 1, "a coverage outside of 0 … 1");
  require(!(interval.coverage > 0) || interval.low <= interval.high, "an interval upside down");
}

}  // namespace

void fuzz_verdict(std::string_view input) {
  GateVerdict verdict;
  if (!reads([&] { verdict = parse_verdict(input, "verdict.json"); })) return;
  for (const VerdictRow& row : verdict.rows) {
    if (row.decision) require_sound(row.decision->ratio);
    require_visible_lines(verdict_words(row), "the words of a verdict");
  }
  require(in_telling_order(verdict.rows).size() == verdict.rows.size(), "a row is lost");
  for (const Chart& chart : verdict_charts(verdict)) {
    require_visible_lines(chart.svg, "a forest plot");
    // No text holds a quotation mark.
    for (const char* wrong : {" x=\"nan", " x=\"-nan", " x=\"inf", " d=\"Mnan", " d=\"M-nan"}) {
      require(chart.svg.find(wrong) == std::string::npos, "a place that is no number");
    }
  }
}

}  // namespace breakeven::gate::fuzz
