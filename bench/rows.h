// Rows of results, in Google Benchmark's format: one per repetition, numbers finite or absent.
#pragma once

#include <string>

#include "bench/events.h"
#include "bench/json.h"
#include "bench/session.h"

namespace breakeven {

/// A measured repetition. Times are nanoseconds per call; `name` is the case's name and nothing
/// else.
Json measured_row(const Case& c, bool on_gpu, const CaseFacts& facts, const Sample& sample,
                  int repetition, int repetitions);

/// A case that failed: the reason, and no time of any kind.
Json error_row(const std::string& name, const Failure& failure);

}  // namespace breakeven
