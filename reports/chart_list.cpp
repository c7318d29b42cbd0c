// Which charts a report has, and which style each implementation has in all of them.

#include <fmt/format.h>

#include <array>
#include <functional>
#include <iterator>
#include <set>

#include "reports/charts.h"
#include "reports/machines.h"
#include "reports/parallel.h"
#include "reports/training.h"

namespace breakeven {
namespace {

// Known implementations keep their style in every report; others get what is left, in order.
constexpr std::array<const char*, 8> kKnown = {"naive",         "openblas",   "onednn",
                                               "onednn_packed", "cublas",     "cublas_pedantic",
                                               "cudnn",         "handwritten"};

using Kinds = std::set<std::pair<std::string, std::string>>;

// Operations with their precisions.
Kinds kinds_of(const Run& run) {
  Kinds kinds;
  for (const Case& c : run.cases) {
    if (c.segments.op != "peak") kinds.emplace(c.segments.op, c.segments.precision);
  }
  return kinds;
}

Kinds first_of(Kinds kinds) {
  if (kinds.size() <= kMostChartKinds) return kinds;
  kinds.erase(std::next(kinds.begin(), kMostChartKinds), kinds.end());
  return kinds;
}

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

std::string charts_left_out(const std::vector<Run>& runs) {
  std::size_t left_out = 0;
  for (const Run& run : runs) {
    const std::size_t kinds = kinds_of(run).size();
    left_out += kinds > kMostChartKinds ? kinds - kMostChartKinds : 0;
  }
  if (left_out == 0) return "";
  return fmt::format(
      "Charts are drawn for the first {} operations and precisions of a file; {} more have none.",
      kMostChartKinds, left_out);
}

std::vector<Chart> make_charts(const std::vector<Run>& runs) {
  struct Job {
    std::function<std::optional<Chart>()> draw;
    std::string op, precision, device;
    std::vector<Chart> charts = {};
  };
  std::vector<Job> jobs;
  const Styles styles(runs);
  const std::vector<Rerun> again = reruns(runs);
  for (const Run& run : runs) {
    std::set<std::string> devices;
    for (const Case& c : run.cases) {
      devices.insert(c.segments.device);  // cpu, gpu, or none in a plain file
    }
    const Kinds kinds = first_of(kinds_of(run));
    for (std::size_t i = 0; i < run.answers.size() && i < kMostChartKinds; ++i) {
      const Answer& answer = run.answers[i];
      jobs.push_back({[&] { return speedup_chart(run, answer); }, answer.op, answer.precision, ""});
    }
    for (const auto& [op, precision] : kinds) {
      // Models have charts of their own, of items against the batch.
      if (is_training(op)) continue;
      jobs.push_back({[&, op, precision] { return throughput_chart(run, styles, op, precision); },
                      op, precision, ""});
      jobs.push_back({[&, op, precision] { return share_chart(run, styles, op, precision); }, op,
                      precision, ""});
    }
    for (const std::string& device : devices) {
      jobs.push_back({[&run, device] { return roofline_chart(run, device); }, "", "", device});
    }
    for (const Rerun& rerun : again) {
      if (rerun.after != &run) continue;
      for (const std::string& device : devices) {
        jobs.push_back({[&, device] { return before_after_chart(*rerun.before, run, device); }, "",
                        "", device});
      }
    }
    for (const auto& [op, precision] : kinds) {
      const bool part = is_training(op) && !op.starts_with("training_step_");
      if (op == "stream" || part) continue;
      jobs.push_back({[&, op, precision] { return threads_chart(run, styles, op, precision); }, op,
                      precision, ""});
    }
    for (const std::string& device : devices) {
      jobs.push_back({[&run, device] { return precision_chart(run, device); }, "", "", device});
    }
    jobs.push_back({nullptr, "", "", "", training_charts(run)});
  }
  parallel_for(jobs.size(), [&](std::size_t i) {
    Job& job = jobs[i];
    if (!job.draw) return;
    std::optional<Chart> chart = job.draw();
    if (!chart) return;
    chart->op = job.op;
    chart->precision = job.precision;
    chart->device = job.device;
    job.charts.push_back(std::move(*chart));
  });
  std::vector<Chart> charts;
  for (Job& job : jobs) {
    for (Chart& chart : job.charts) charts.push_back(std::move(chart));
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
