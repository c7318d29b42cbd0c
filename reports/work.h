// The same work by several implementations and precisions, and what a precision brings.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "reports/model.h"

namespace breakeven {

/// Work that several implementations did, by device and precision.
struct Work {
  std::string op;
  std::string shape;
  std::string mode;
  std::map<std::string, std::vector<const Case*>> gpu;  ///< by precision
  std::map<std::string, std::vector<const Case*>> cpu;
};

/// Verified rows of ours, neither naive nor packed nor peak nor stream nor with transfers inside,
/// by what they compute.
std::vector<Work> all_work(const Run& run);

/// f32 over another precision on the same work and device: across precisions, so no speedup.
struct PrecisionGain {
  const Work* work;
  std::string precision;
  const Case* f32;    ///< the favourite of the best by the other rounds, as is
  const Case* other;  ///< this one
  Estimate ratio;     ///< above 1 where the other precision is faster
};

/// In order of the work and of the precisions' names. Points into `all`, which must outlive it.
std::vector<PrecisionGain> precision_gains(
    const std::vector<Work>& all, std::map<std::string, std::vector<const Case*>> Work::*device);

}  // namespace breakeven
