// Where Google Benchmark 1.6 to 1.9 differ, in one place.
#pragma once

#include <benchmark/benchmark.h>

#include <string>

namespace breakeven {

/// Ends a benchmark that can't run here. Up to 1.7 only errors could do so.
template <class State>
void skip(State& state, const std::string& reason) {
  if constexpr (requires { state.SkipWithMessage(reason); }) {
    state.SkipWithMessage(reason);
  } else {
    state.SkipWithError(("skipped: " + reason).c_str());
  }
}

/// True for a run that was skipped or failed: `error_occurred` up to 1.7, `skipped` from 1.8 on.
template <class Run>
bool has_no_time(const Run& run) {
  if constexpr (requires { run.error_occurred; }) {
    return run.error_occurred;
  } else {
    return static_cast<int>(run.skipped) != 0;
  }
}

}  // namespace breakeven
