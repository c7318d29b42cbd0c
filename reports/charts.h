// The charts of a report, one function each. A chart without data is an absent one.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reports/model.h"
#include "reports/svg.h"
#include "reports/verdict.h"

namespace breakeven {

struct Chart {
  std::string id;       ///< unique in a report; also the file's name under --charts
  std::string section;  ///< the id of the section that shows it
  std::string caption;
  std::string svg;
  // What it belongs to, so that filters can hide it; empty where it is of several.
  std::string run = {};  ///< its label
  std::string op = {};
  std::string precision = {};
  std::string device = {};
};

/// Gives each implementation one style in every chart of a report.
class Styles {
 public:
  explicit Styles(const std::vector<Run>& runs);
  int of(const std::string& implementation) const;

 private:
  std::map<std::string, int> styles_;
};

/// Speedup against size for one answer: resident operands with its interval as a band, and with
/// transfers at every call; the level 1 and the crossover's place.
std::optional<Chart> speedup_chart(const Run& run, const Answer& answer);

/// GFLOP/s (GB/s for stream) against size, log-log, one series per implementation and mode, with
/// the measured ceilings of the device.
std::optional<Chart> throughput_chart(const Run& run, const Styles& styles, const std::string& op,
                                      const std::string& precision);

/// Share of the measured ceiling against size, where rows have different ones (those of a CPU and
/// those of a GPU): of a single one the throughput's chart says the same.
std::optional<Chart> share_chart(const Run& run, const Styles& styles, const std::string& op,
                                 const std::string& precision);

/// Attainable and reached GFLOP/s against operations per byte.
std::optional<Chart> roofline_chart(const Run& run, const std::string& device);

/// Of the rows of a device; rooflines show those alone that use as many.
int most_threads(const Run& run, const std::string& device);

/// The roofs and the rows of roofline_chart(), before they are drawn.
struct RooflinePlot {
  Plot plot;
  std::string left_out;  ///< how many rows have no dot, for the caption; "" where all have one
};
std::optional<RooflinePlot> roofline_plot(const Run& run, const std::string& device);

/// charts_before_after.cpp: the roofline of a run whose machine has an earlier run, with an arrow
/// from before to after for each row that moved by 2 % or more, the largest kMostArrows of them.
inline constexpr std::size_t kMostArrows = 100;
std::optional<Chart> before_after_chart(const Run& before, const Run& after,
                                        const std::string& device);

/// charts_precision.cpp: times as fast as f32 against error, a marker for each work of all_work().
std::optional<Chart> precision_chart(const Run& run, const std::string& device);

/// Speed relative to one thread, for shapes that were measured at several thread counts.
std::optional<Chart> threads_chart(const Run& run, const Styles& styles, const std::string& op,
                                   const std::string& precision);

/// A drawing as a chart of a section; the name is unique in its section and run.
Chart make_chart(const Run& run, const std::string& section, const std::string& name,
                 const std::string& caption, Plot plot);

/// " (run B)"; empty where there is one run only.
std::string machine_of(const Run& run);

/// charts_training.cpp: samples or tokens per second against the batch, and loss curves. A style
/// stands for implementation, precision and options here, which such a chart compares.
std::vector<Chart> training_charts(const Run& run);

/// Operations and precisions of one run that have charts, the first in order of their names;
/// answers likewise.
inline constexpr std::size_t kMostChartKinds = 100;

/// " More than 100 …" where a run has more, so that the page can say so; else empty.
std::string charts_left_out(const std::vector<Run>& runs);

/// html_changes.cpp: forest plots of a verdict's rows, those that aren't EQUIVALENT first.
std::vector<Chart> verdict_charts(const GateVerdict& verdict);

/// All charts of results in the order of the page.
std::vector<Chart> make_charts(const std::vector<Run>& runs);

}  // namespace breakeven
