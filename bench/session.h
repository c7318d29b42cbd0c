// One case from loading to its last batch. Nothing is timed before its answer was right.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "bench/energy.h"
#include "kernels/kernel.h"

namespace breakeven {

/// How long a case is run before its batches count (until it settles: docs/method.md).
struct WarmUp {
  double window_seconds;    ///< length of one window
  double least_seconds;     ///< in all, whatever the windows say
  double most_seconds;      ///< in all, even if two windows never agree
  double agreement = 0.01;  ///< two successive windows differ by no more than this share
};

struct Policy {
  double min_batch_seconds = 0.02;
  /// A batch lasts this many times the clock's resolution at least, so that reading the clock costs
  /// no more than a thousandth.
  double resolutions_per_batch = 1000;
  /// Eviction takes longer than most cold calls: wall time of a cold batch over min_batch_seconds.
  double cold_wall_factor = 10;
  WarmUp cpu_warm_up = {0.01, 0, 0.2};
  WarmUp gpu_warm_up = {0.1, 0.5, 2.0};
  int throttled_retries = 5;  ///< then a throttled batch is kept, and flagged
  bool energy = false;
  EnergyPolicy energy_policy;
  /// Bytes of host memory that may still be used: GPU rows need some for inputs and the check.
  std::function<std::size_t()> host_available_bytes = [] {
    return std::numeric_limits<std::size_t>::max();
  };
};

/// The answer was not within its bound. what() says by how much.
class WrongAnswer : public std::runtime_error {
 public:
  WrongAnswer(const std::string& when, Check check);
  const Check& check() const { return check_; }

 private:
  Check check_;
};

/// What is found out once per case.
struct CaseFacts {
  double prepare_seconds = 0;
  Check check;
  Transfers transfers;
  std::optional<double> energy_joules;  ///< per call
  Facts kernel;
};

/// One batch that counts.
struct Sample {
  Batch batch;
  std::int64_t calls = 0;
  double cpu_seconds = 0;  ///< of all threads of this process, eviction included
  std::optional<std::size_t> peak_bytes;
};

class Session {
 public:
  /// `c`, `device` and `policy` outlive the session.
  Session(const Case& c, Device& device, const Policy& policy);

  /// Refuses what doesn't fit, configures the device, allocates, fills and prepares.
  /// Throws Unsupported where the case can't be done here.
  void load();

  /// Runs twice, the second time as it will be timed, and has both answers judged against fp64.
  /// Throws WrongAnswer.
  Check verify();

  /// Times transfers, warms up, calibrates. `known_calls` spares the calibration, so that a case
  /// that was loaded before keeps the batch length of its other repetitions.
  void settle(std::int64_t known_calls = 0);

  /// One batch; throttled ones are repeated a few times.
  Sample batch();

  const Case& what() const { return case_; }
  const CaseFacts& facts() const { return facts_; }
  std::int64_t calls_per_batch() const { return calls_; }

 private:
  /// Seconds of one call: on the device's clock, and on the wall with what lies outside.
  struct Pace {
    double seconds;
    double wall_seconds;
  };

  bool on_gpu() const { return device_.kind() == "gpu"; }
  void check_footprint() const;
  Check judge(std::span<const std::byte> answer, const std::string& when) const;
  Pace pace(std::int64_t calls);
  /// Runs until clocks settle. Returns the fastest pace, so that no batch comes out too short.
  Pace warm_up();
  std::int64_t calibrate(Pace estimate);
  double target_seconds() const;

  const Case& case_;
  Device& device_;
  const Policy& policy_;
  std::unique_ptr<Kernel> kernel_;
  CaseFacts facts_;
  std::int64_t calls_ = 0;
  double first_call_seconds_ = 0;
  std::optional<std::size_t> peak_before_;
  std::optional<std::size_t> peak_unchecked_;  ///< after the first run, before any check
};

}  // namespace breakeven
