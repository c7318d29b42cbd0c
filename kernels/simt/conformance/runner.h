// Runs conformance checks in a row, up to one that breaks the GPU's context: a trap or a wild
// address fails every later call of the process, so what comes behind needs a fresh one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "kernels/simt/conformance/check.h"

namespace breakeven::conformance {

/// What surrounds the checks; a test fills in its own.
struct Surroundings {
  int compute_capability;  ///< of the code that runs: 10 major + minor
  /// After a check has failed: whether nothing else can run in this process.
  std::function<bool()> is_broken;
  std::function<void(const std::string&)> print;
};

struct Outcome {
  std::size_t
      next;  ///< the first check that was not tried; all of them were where it is past the end
  int wrong;
};

inline constexpr int kRounds = 20;

/// "" or the first mismatch among kRounds draws.
inline std::string first_mismatch(const Check& check, std::uint64_t seed) {
  try {
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const std::string difference = check.run(seed + round);
      if (!difference.empty()) return difference + " (seed " + std::to_string(seed + round) + ")";
    }
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

/// One line a check, its name before it runs, so that a hang names its check, too.
inline Outcome run_checks(const std::vector<Check>& checks, std::size_t from, std::uint64_t seed,
                          const Surroundings& around) {
  int wrong = 0;
  for (std::size_t i = from; i < checks.size(); ++i) {
    const Check& check = checks[i];
    around.print(std::string(check.name) + ": ");
    if (around.compute_capability < check.min_compute_capability ||
        around.compute_capability > check.max_compute_capability) {
      around.print("not on this architecture\n");
      continue;
    }
    const std::string difference = first_mismatch(check, seed);
    if (difference.empty()) {
      around.print("ok\n");
      continue;
    }
    ++wrong;
    const bool broken = around.is_broken();
    around.print("WRONG: " + difference + (broken ? "; it broke the GPU's context" : "") + "\n");
    if (broken) return {i + 1, wrong};
  }
  return {checks.size(), wrong};
}

}  // namespace breakeven::conformance
