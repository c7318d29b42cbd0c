#include "reports/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "reports/text.h"
#include "reports/thinning.h"
#include "reports/words.h"

namespace breakeven {
namespace {

constexpr double kGiga = 1e9;
constexpr std::size_t kMostSeries = 40;  // of one chart: more lines can't be told apart

// Also the name of a file: a long one is told apart by its hash.
std::string safe_id(const std::string& text) {
  constexpr std::size_t kLongest = 120;
  if (text.size() > kLongest) return safe_id(text.substr(0, kLongest - 20)) + "-" + hash_text(text);
  std::string id;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    id += plain ? c : '-';
  }
  return id;
}

bool streams(const std::string& op) { return op == "stream"; }

std::optional<double> rate_of(const Case& c) {
  return streams(c.segments.op) ? c.bytes_per_second() : c.flops_per_second();
}

Axis size_axis(const Case& c) {
  if (is_convolution(c)) return {"operations per call", true, false};
  if (c.counter("m")) return {"size: ∛(m·n·k)", true, true};
  return {c.counter("bytes") ? "bytes moved per call" : "operations per call", true, false};
}

// "resnet50_conv1_n16 (n16 3x224x224 -> 64, 7x7, pad 3, stride 2)"; a matmul's name is enough.
std::string shape_text(const Case& c) {
  const std::string dimensions = is_convolution(c) ? dimension_text(c) : "";
  return c.segments.shape + (dimensions.empty() ? "" : " (" + dimensions + ")");
}

// A rate scales with 1 / time, so its interval is the time's turned round.
Point rate_point(const Case& c) {
  const double rate = *rate_of(c) / kGiga;
  Point point{case_size(c), rate, {}, {}, ""};
  const Estimate& seconds = *c.seconds;
  if (seconds.interval.coverage > 0) {
    point.low = rate * seconds.value / seconds.interval.high;
    point.high = rate * seconds.value / seconds.interval.low;
  }
  point.tip = fmt::format("{}: {} {}", shape_text(c), format_number(rate),
                          rate_unit(c.segments.op, c.segments.precision));
  return point;
}

// The rows of a size chart: one operation and precision at the default number of threads.
std::vector<const Case*> default_cases(const Run& run, const std::string& op,
                                       const std::string& precision) {
  std::vector<const Case*> cases;
  for (const Case& c : cases_of(run, op)) {
    if (c.segments.precision == precision && rate_of(c) && case_size(c) > 0 &&
        !c.segments.options.count("threads")) {
      cases.push_back(&c);
    }
  }
  return cases;
}

struct SeriesKey {
  std::string label;
  std::string implementation;
  bool dashed;
  bool operator<(const SeriesKey& other) const { return label < other.label; }
};

SeriesKey series_key(const Case& c) {
  std::string options = options_text(c.segments, {"cache"});
  if (const auto cache = c.segments.options.find("cache"); cache != c.segments.options.end()) {
    options += (options.empty() ? "" : " ") + cache->second;
  }
  // On a mixed page "naive" alone would not say which device ran it.
  std::string label = c.segments.implementation;
  if (c.segments.device == "gpu") label += " (gpu)";
  if (streams(c.segments.op)) {
    label = c.segments.shape.substr(0, c.segments.shape.find('_')) + " " + label;
  }
  if (!options.empty()) label += ", " + options;
  return {label, c.segments.implementation, !options.empty()};
}

// Lines join squares only: along other shapes a line would suggest an order that isn't there.
MarkCount add_series(Plot& plot, const Styles& styles, const std::vector<const Case*>& cases,
                     Point (*point_of)(const Case&)) {
  std::map<SeriesKey, std::array<std::vector<const Case*>, 2>> groups;
  for (const Case* c : cases) {
    const bool joined = is_square(*c) || streams(c->segments.op);
    groups[series_key(*c)][joined ? 0 : 1].push_back(c);
  }
  MarkCount count;
  const std::size_t most = std::max<std::size_t>(kMostMarks / groups.size(), 2);
  const auto place_of = [](const Case* c) { return MarkPlace{case_size(*c), *rate_of(*c)}; };
  int next_style = 1;
  for (auto& [key, own] : groups) {
    if (plot.series.size() >= kMostSeries) {
      count.all += own[0].size() + own[1].size();
      continue;
    }
    // The kernels of stream share an implementation: there each series has a style of its own.
    const bool by_kind = streams(cases.front()->segments.op);
    const int style = by_kind ? next_style++ : styles.of(key.implementation);
    bool labelled = false;
    for (const bool joined : {true, false}) {
      Series series;
      for (const Case* c : thinned(std::move(own[joined ? 0 : 1]), most, place_of, count)) {
        series.points.push_back(point_of(*c));
      }
      if (series.points.empty()) continue;
      series.label = labelled ? "" : key.label;
      labelled = true;
      series.style = style;
      series.line = joined;
      series.dashed = key.dashed;
      plot.series.push_back(std::move(series));
    }
  }
  return count;
}

// The measured limits of the devices that the chart shows.
void add_levels(Plot& plot, const Run& run, const std::vector<const Case*>& cases) {
  const bool memory = streams(cases.front()->segments.op);
  std::set<std::pair<std::string, int>> devices;
  for (const Case* c : cases) devices.insert({c->segments.device, c->threads});
  for (const Ceiling& ceiling : memory ? run.memory : run.compute) {
    const bool matches = memory || ceiling.precision == cases.front()->segments.precision;
    if (!matches || ceiling.threads != most_threads(run, ceiling.device) ||
        !devices.count({ceiling.device, ceiling.threads})) {
      continue;
    }
    plot.levels.push_back({fmt::format("{} {} {}", ceiling.device, memory ? "memory" : "peak",
                                       format_number(ceiling.per_second / kGiga)),
                           ceiling.per_second / kGiga});
  }
}

Point share_point(const Case& c) {
  Point point = rate_point(c);
  const double scale = *c.share_of_ceiling * 100 / point.y;
  point.y *= scale;
  if (point.low) point.low = *point.low * scale;
  if (point.high) point.high = *point.high * scale;
  point.tip = fmt::format("{}: {}", shape_text(c), format_percent(*c.share_of_ceiling));
  return point;
}

Point ratio_point(const Pair& pair, const Estimate& ratio) {
  Point point{pair.size, ratio.value, {}, {}, ""};
  if (ratio.interval.coverage > 0) {
    point.low = ratio.interval.low;
    point.high = ratio.interval.high;
  }
  point.tip =
      fmt::format("{}: {}x", shape_text(pair.gpu.favourite()), format_number(ratio.value, 3));
  return point;
}

}  // namespace

int most_threads(const Run& run, const std::string& device) {
  int threads = 0;
  for (const Case& c : run.cases) {
    if (c.segments.device == device) threads = std::max(threads, c.threads);
  }
  return threads;
}

std::string machine_of(const Run& run) {
  return run.label.empty() ? "" : fmt::format(" (run {})", run.label);
}

Chart make_chart(const Run& run, const std::string& section, const std::string& name,
                 const std::string& caption, Plot plot) {
  plot.id = safe_id(fmt::format("{}-{}-{}", section, run.label, name));
  plot.title = caption;
  return {plot.id, section, caption, render_svg(plot), run.label};
}

std::optional<Chart> speedup_chart(const Run& run, const Answer& answer) {
  if (answer.pairs.size() < 2 || !(answer.pairs.front()->size > 0)) return std::nullopt;
  Plot plot;
  Series resident{"operands resident", 1, true, true, false, true, {}};
  Series once{fmt::format("once in {} calls", kOnceCalls), 4, true, false, true, false, {}};
  Series every_call{"transfers every call", 2, true, true, true, true, {}};
  // Layers of a network have no order that a line could follow.
  const bool layers = is_convolution(answer.pairs.front()->gpu.favourite());
  Series others{
      layers ? "operands resident" : "other shapes, resident", 3, false, true, false, false, {}};
  MarkCount count;
  const auto place_of = [](const Pair* pair) { return MarkPlace{pair->size, pair->speedup.value}; };
  for (const Pair* pair : thinned(answer.pairs, kMostMarks / 2, place_of, count)) {
    if (!pair->square) {
      others.points.push_back(ratio_point(*pair, pair->speedup));
      if (layers && pair->every_call) {
        every_call.line = false;
        every_call.band = false;
        every_call.points.push_back(ratio_point(*pair, *pair->every_call));
      }
      continue;
    }
    resident.points.push_back(ratio_point(*pair, pair->speedup));
    if (pair->once) once.points.push_back({pair->size, pair->once->value, {}, {}, ""});
    if (pair->every_call) every_call.points.push_back(ratio_point(*pair, *pair->every_call));
  }
  plot.series = {resident, once, every_call, others};
  plot.levels = {{"as fast as the CPU", 1}};
  plot.x = size_axis(answer.pairs.front()->gpu.favourite());
  plot.y = {"CPU time / GPU time", true, false};
  if (const auto& crossover = answer.crossovers.resident; crossover && crossover->gpu_wins_from) {
    const double smallest = crossover->verdicts.front().first;
    const double from = crossover->cpu_wins_to.value_or(smallest);
    const double to = *crossover->gpu_wins_from;
    // Where the CPU surely wins nowhere, the crossover may lie below the smallest size.
    if (crossover->cpu_wins_to || to > smallest) {
      plot.spans = {{crossover->cpu_wins_to ? "crossover" : "crossover, or below", from, to}};
    }
  }
  plot.description =
      "Speedup of the best GPU row over the best CPU row of the same machine, run and precision "
      "against size, both logarithmic, with intervals. Above 1 the GPU is faster.";
  const std::string caption =
      fmt::format("Speedup of {} {}{}{}{}", answer.op, answer.precision,
                  answer.mode.empty() ? "" : ", " + answer.mode, machine_of(run), count.text());
  return make_chart(run, "speedup", answer.op + "-" + answer.precision + "-" + answer.mode, caption,
                    std::move(plot));
}

std::optional<Chart> throughput_chart(const Run& run, const Styles& styles, const std::string& op,
                                      const std::string& precision) {
  const auto cases = default_cases(run, op, precision);
  if (cases.empty()) return std::nullopt;
  Plot plot;
  const MarkCount count = add_series(plot, styles, cases, rate_point);
  add_levels(plot, run, cases);
  plot.x = size_axis(*cases.front());
  plot.y = {rate_unit(op, precision), true, false};
  plot.description = fmt::format(
      "{} of {} in {} against size, both logarithmic. Whiskers: intervals of the median over "
      "rounds, where longer than a marker. {}.{}",
      rate_unit(op, precision), op, precision,
      is_convolution(*cases.front()) ? "Each marker is one shape"
      : streams(op) ? "Lines join the sizes of one kernel; other shapes are single markers"
                    : "Lines join squares; other shapes are single markers",
      plot.levels.empty() ? " No ceiling was measured for this precision and thread count."
                          : " Dashed: the ceilings measured in the same run.");
  const std::string caption =
      fmt::format("Throughput of {} {}{}{}", op, precision, machine_of(run), count.text());
  return make_chart(run, "throughput", op + "-" + precision, caption, std::move(plot));
}

std::optional<Chart> share_chart(const Run& run, const Styles& styles, const std::string& op,
                                 const std::string& precision) {
  auto cases = default_cases(run, op, precision);
  std::erase_if(cases, [](const Case* c) { return !c->share_of_ceiling; });
  std::set<std::string> ceilings;
  for (const Case* c : cases) ceilings.insert(c->ceiling);
  if (ceilings.size() < 2) return std::nullopt;
  Plot plot;
  const MarkCount count = add_series(plot, styles, cases, share_point);
  const char* ceiling = streams(op) ? "memory bandwidth" : "peak";
  plot.levels = {{streams(op) ? "measured bandwidth" : "measured peak", 100}};
  plot.x = size_axis(*cases.front());
  plot.y = {fmt::format("% of measured {}", ceiling), false, false};
  plot.description = fmt::format(
      "Share of the {} that was measured in the same run at the same precision and thread count, "
      "against size.{}",
      ceiling, streams(op) ? " Above 100 % caches serve the data." : "");
  const std::string caption = fmt::format("Share of measured {}: {} {}{}{}", ceiling, op, precision,
                                          machine_of(run), count.text());
  return make_chart(run, "throughput", "share-" + op + "-" + precision, caption, std::move(plot));
}

std::optional<RooflinePlot> roofline_plot(const Run& run, const std::string& device) {
  const int threads = most_threads(run, device);
  std::map<std::string, std::vector<const Case*>> dots;  // by precision
  const auto place_of = [](const Case* c) {
    return MarkPlace{*c->counter("flops") / *c->counter("bytes"), *c->flops_per_second() / kGiga};
  };
  const Styles styles({});
  double least = INFINITY;
  double most = 0;
  for (const Case& c : run.cases) {
    const auto flops = c.counter("flops");
    const auto bytes = c.counter("bytes");
    if (c.segments.device != device || c.threads != threads || c.segments.op == "peak" ||
        !c.flops_per_second() || !bytes || !(*bytes > 0)) {
      continue;
    }
    least = std::min(least, *flops / *bytes);
    most = std::max(most, *flops / *bytes);
    dots[c.segments.precision].push_back(&c);
  }
  double bandwidth = 0;
  for (const Ceiling& ceiling : run.memory) {
    if (ceiling.device == device && ceiling.threads == threads) bandwidth = ceiling.per_second;
  }
  Plot plot;
  for (const Ceiling& ceiling : run.compute) {
    if (ceiling.device != device || ceiling.threads != threads) continue;
    const double peak = ceiling.per_second / kGiga;
    Series roof;
    roof.label = fmt::format("{} peak {}", ceiling.precision, format_number(peak));
    roof.markers = false;
    roof.style = 0;
    const double ridge = bandwidth > 0 ? ceiling.per_second / bandwidth : 0;
    const double start = std::min(least, ridge > 0 ? ridge / 4 : least);
    const double end = std::max(most, ridge) * 2;
    if (bandwidth > 0) {
      roof.points.push_back({start, start * bandwidth / kGiga, {}, {}, ""});
      roof.points.push_back({ridge, peak, {}, {}, ""});
    } else {
      roof.points.push_back({start, peak, {}, {}, ""});
    }
    roof.points.push_back({end, peak, {}, {}, ""});
    plot.series.push_back(std::move(roof));
  }
  if (dots.empty() || plot.series.empty()) return std::nullopt;
  int style = 1;
  MarkCount count;
  const std::size_t most_marks = std::max<std::size_t>(kMostMarks / dots.size(), 2);
  for (auto& [precision, rows] : dots) {
    if (plot.series.size() >= kMostSeries) {
      count.all += rows.size();
      continue;
    }
    Series series;
    for (const Case* c : thinned(std::move(rows), most_marks, place_of, count)) {
      const MarkPlace place = place_of(c);
      series.points.push_back(
          {place.x,
           place.y,
           {},
           {},
           fmt::format("{} {} {}: {}", c->segments.shape, c->segments.implementation,
                       c->segments.precision,
                       rate_text(c->segments.op, c->segments.precision, place.y * kGiga))});
    }
    series.label = precision + " rows";
    series.style = style++;
    series.line = false;
    plot.series.push_back(std::move(series));
  }
  plot.x = {"operations per byte", true, false};
  plot.y = {dots.contains("int8") ? "GFLOP/s (int8: GOP/s)" : "GFLOP/s", true, false};
  plot.description = fmt::format(
      "Each marker is a row of the {} at {}. The lines are what the measured memory bandwidth "
      "({} GB/s) and the measured peak of each precision allow.",
      device, threads > 0 ? fmt::format("{} threads", threads) : "full width",
      bandwidth > 0 ? format_number(bandwidth / kGiga) : "not measured:");
  return RooflinePlot{std::move(plot), count.text()};
}

std::optional<Chart> roofline_chart(const Run& run, const std::string& device) {
  std::optional<RooflinePlot> roofline = roofline_plot(run, device);
  if (!roofline) return std::nullopt;
  const std::string caption =
      fmt::format("Roofline of the {}{}{}", device, machine_of(run), roofline->left_out);
  return make_chart(run, "roofline", device, caption, std::move(roofline->plot));
}

std::optional<Chart> threads_chart(const Run& run, const Styles& styles, const std::string& op,
                                   const std::string& precision) {
  // The largest shape that was measured at several thread counts stands for its operation.
  std::map<std::string, std::map<std::string, std::map<int, const Case*>>> sweeps;
  std::string shape;
  double largest = 0;
  for (const Case& c : cases_of(run, op)) {
    if (c.segments.device != "cpu" || c.segments.precision != precision || !c.seconds ||
        !options_text(c.segments, {"threads"}).empty()) {
      continue;
    }
    auto& sweep = sweeps[c.segments.shape][c.segments.implementation];
    sweep[c.threads] = &c;
    if (sweep.size() > 1 && case_size(c) >= largest) {
      largest = case_size(c);
      shape = c.segments.shape;
    }
  }
  if (shape.empty()) return std::nullopt;
  Plot plot;
  for (const auto& [implementation, sweep] : sweeps[shape]) {
    const auto one = sweep.find(1);
    if (sweep.size() < 2 || one == sweep.end()) continue;
    Series series;
    series.label = implementation;
    series.style = styles.of(implementation);
    for (const auto& [threads, c] : sweep) {
      const auto ratios = paired_log_ratios(one->second->round_seconds(), c->round_seconds());
      if (ratios.empty()) continue;
      const Estimate ratio = ratio_estimate(ratios);
      Point point{static_cast<double>(threads),
                  ratio.value,
                  {},
                  {},
                  fmt::format("{} threads: {}x", threads, format_number(ratio.value, 3))};
      if (ratio.interval.coverage > 0 && threads > 1) {
        point.low = ratio.interval.low;
        point.high = ratio.interval.high;
      }
      series.points.push_back(point);
    }
    plot.series.push_back(std::move(series));
  }
  if (plot.series.empty()) return std::nullopt;
  plot.x = {"threads", true, true};
  plot.y = {"times as fast as one thread", false, false};
  plot.description = fmt::format(
      "How many times as fast as one thread {} {} in {} runs, with intervals from paired "
      "rounds.",
      op, shape, precision);
  const std::string caption =
      fmt::format("Thread scaling of {} {} {}{}", op, shape, precision, machine_of(run));
  return make_chart(run, "threads", op + "-" + precision, caption, std::move(plot));
}

}  // namespace breakeven
