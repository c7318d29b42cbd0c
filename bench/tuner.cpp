#include "bench/tuner.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <stdexcept>

namespace breakeven {

TunerPolicy tuner_policy(const Policy& measure) {
  TunerPolicy policy;
  policy.measure = measure;
  policy.measure.energy = false;
  policy.measure.gpu_warm_up = {0.02, 0.05, 0.3};
  return policy;
}

Tuner::Tuner(Device& device, const Registry& registry, TunerPolicy policy, std::ostream& log,
             std::function<bool()> over)
    : device_(device),
      registry_(registry),
      policy_(std::move(policy)),
      log_(log),
      over_(std::move(over)) {}

double Tuner::Timing::median() const {
  std::vector<double> sorted = seconds;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 != 0 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

std::vector<Tuned> Tuner::tune(const TuningTable& table, const Workloads& workloads) {
  std::vector<Tuned> found;
  for (const std::string& shape : table.shapes) {
    const auto workload = std::find_if(workloads.begin(), workloads.end(), [&](const auto& each) {
      return each->op() == table.op && each->shape() == shape;
    });
    if (workload == workloads.end()) {
      throw std::invalid_argument(fmt::format("no {} shape is called {}", table.op, shape));
    }
    for (const Precision precision : table.precisions) {
      if (auto tuned = fastest(**workload, precision)) found.push_back(std::move(*tuned));
      if (ended_) return found;
    }
  }
  return found;
}

std::vector<Candidate> Tuner::candidates(const Workload& workload, Precision precision) const {
  std::vector<Candidate> all;
  for (const Implementation& implementation : registry_.implementations()) {
    const auto& offered = implementation.precisions;
    if (implementation.op != workload.op() || !implementation.ways ||
        std::find(offered.begin(), offered.end(), precision) == offered.end()) {
      continue;
    }
    for (std::string& way : implementation.ways(workload, precision)) {
      all.push_back({&implementation, std::move(way)});
    }
  }
  return all;
}

std::optional<Tuned> Tuner::fastest(const Workload& workload, Precision precision) {
  std::vector<Timing> timings;
  for (const Candidate& candidate : candidates(workload, precision)) {
    if (time_is_up()) return std::nullopt;
    if (const auto seconds = measure(candidate, workload, precision, true)) {
      timings.push_back({candidate, {*seconds}});
    }
  }
  if (timings.empty()) return std::nullopt;
  const std::size_t tried = timings.size();
  const auto quicker = [](const Timing& a, const Timing& b) { return a.median() < b.median(); };

  // The finalists, in the order in which they were offered.
  std::vector<double> sorted;
  for (const Timing& timing : timings) sorted.push_back(timing.median());
  std::sort(sorted.begin(), sorted.end());
  const double limit = std::min(sorted.front() * (1 + policy_.finalist_share),
                                sorted[std::min(policy_.most_finalists, tried) - 1]);
  std::erase_if(timings, [&](const Timing& timing) { return timing.median() > limit; });
  for (int pass = 0; pass < policy_.final_passes && timings.size() > 1; ++pass) {
    for (Timing& timing : timings) {
      if (time_is_up()) return std::nullopt;
      if (const auto seconds = measure(timing.candidate, workload, precision, false)) {
        timing.seconds.push_back(*seconds);
      }
    }
  }
  const double best = std::min_element(timings.begin(), timings.end(), quicker)->median();
  const auto winner = std::find_if(timings.begin(), timings.end(), [&](const Timing& timing) {
    return timing.median() <= best * (1 + policy_.tie_share);
  });
  log_ << fmt::format("{}: {:.4g} ms, of {} ways\n",
                      name_of(winner->candidate, workload, precision), 1e3 * winner->median(),
                      tried)
       << std::flush;
  return Tuned{&workload, precision, winner->candidate.implementation->name, winner->candidate.way};
}

std::optional<double> Tuner::measure(const Candidate& candidate, const Workload& workload,
                                     Precision precision, bool verify) {
  Case c;
  c.name = name_of(candidate, workload, precision);
  c.workload = &workload;
  c.implementation = candidate.implementation;
  c.precision = precision;
  c.options.threads = device_.kind() == "gpu" ? 0 : 1;
  c.options.way = candidate.way;
  try {
    c.unsupported = candidate.implementation->unsupported(workload, precision, c.options);
    if (!c.unsupported.empty()) return std::nullopt;
    Session session(c, device_, policy_.measure);
    session.load();
    if (verify) session.verify();
    session.settle();
    const Sample sample = session.batch();
    return sample.batch.seconds / static_cast<double>(sample.calls);
  } catch (const Unsupported&) {
    return std::nullopt;
  } catch (const std::exception& error) {
    ++errors_;
    log_ << fmt::format("FAILED {}: {}\n", c.name, error.what()) << std::flush;
    return std::nullopt;
  }
}

std::string Tuner::name_of(const Candidate& candidate, const Workload& workload,
                           Precision precision) const {
  return fmt::format("{}/{}/{}/{}/{}{}{}", workload.op(), workload.shape(), device_.kind(),
                     candidate.implementation->name, traits(precision).name,
                     candidate.way.empty() ? "" : " ", candidate.way);
}

bool Tuner::time_is_up() {
  ended_ = ended_ || over_();
  return ended_;
}

}  // namespace breakeven
