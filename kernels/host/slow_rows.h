// The textbook loops leave out what takes minutes: a size's cost says so, or its first rows do.
#pragma once

#include <time.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "kernels/kernel.h"

namespace breakeven {

inline constexpr double kLongestSeconds = 2;

/// "" or why one call of a plain loop can't take less than kLongestSeconds. One multiply-add per
/// addition latency (3 cycles at the least) at 6.5 GHz is 4.3 GFLOP/s: what exceeds that time at
/// 10 GFLOP/s needs no try.
inline std::string too_slow(const Workload& workload, Precision precision, const Options&) {
  constexpr double kUnreachedFlopsPerSecond = 10e9;
  if (workload.cost(precision).flops <= kLongestSeconds * kUnreachedFlopsPerSecond) return "";
  return "one call would take over 2 s, even at 10 GFLOP/s";
}

/// Processor time that this thread has used.
inline double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Times `row(i)` for the first of `rows` rows, about 0.05 s of them, and throws Unsupported where
/// all would take over kLongestSeconds. By the thread's processor time, so that what else runs on
/// the machine leaves nothing out. The estimate is never reported as a result.
template <class Row>
void refuse_if_slow(std::int64_t rows, const Row& row) {
  const double start = thread_seconds();
  double elapsed = 0;
  std::int64_t done = 0;
  for (; done < rows && elapsed < 0.05; ++done) {
    row(done);
    elapsed = thread_seconds() - start;
  }
  const double estimate = elapsed / static_cast<double>(done) * static_cast<double>(rows);
  if (estimate <= kLongestSeconds) return;
  char reason[80];
  std::snprintf(reason, sizeof reason,
                "one call would take over 2 s (by its first rows, about %.0f s)", estimate);
  throw Unsupported(reason);
}

}  // namespace breakeven
