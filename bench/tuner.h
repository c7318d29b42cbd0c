// Finds the fastest way of each case that a module's tuning table wants, on the device that is
// there.
#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "bench/cases.h"
#include "bench/session.h"

namespace breakeven {

struct TunerPolicy {
  Policy measure;  ///< how one way is timed
  /// Ways this close to the fastest are timed again, alternating, since drift could have ordered
  /// them.
  double finalist_share = 0.03;
  std::size_t most_finalists = 4;
  int final_passes = 3;
  /// Closer than this, the earlier way wins, so that the table changes for a reason only.
  double tie_share = 0.005;
};

/// A policy with short warm-ups: a tuner compares ways with each other within minutes.
TunerPolicy tuner_policy(const Policy& measure);

/// One thing to try.
struct Candidate {
  const Implementation* implementation;
  std::string way;
};

class Tuner {
 public:
  /// Reports on `log`, a line a case. `over` says whether the time is up; it is asked before each
  /// measurement. All references outlive the tuner.
  Tuner(Device& device, const Registry& registry, TunerPolicy policy, std::ostream& log,
        std::function<bool()> over);

  /// The fastest right way of each shape and precision of `table`, as far as time allows: a case
  /// that is not finished is left out. Shapes that `workloads` lacks are an error:
  /// std::invalid_argument.
  std::vector<Tuned> tune(const TuningTable& table, const Workloads& workloads);

  int errors() const { return errors_; }       ///< ways that were wrong or failed
  bool ended_early() const { return ended_; }  ///< whether time ran out

 private:
  /// A candidate's seconds per call, one for each time that it was measured.
  struct Timing {
    Candidate candidate;
    std::vector<double> seconds;
    double median() const;
  };

  std::vector<Candidate> candidates(const Workload& workload, Precision precision) const;
  std::optional<Tuned> fastest(const Workload& workload, Precision precision);
  /// Seconds of one call, or nothing where it can't be done or its answer is wrong.
  std::optional<double> measure(const Candidate& candidate, const Workload& workload,
                                Precision precision, bool verify);
  std::string name_of(const Candidate& candidate, const Workload& workload,
                      Precision precision) const;
  bool time_is_up();

  Device& device_;
  const Registry& registry_;
  TunerPolicy policy_;
  std::ostream& log_;
  std::function<bool()> over_;
  int errors_ = 0;
  bool ended_ = false;
};

}  // namespace breakeven
