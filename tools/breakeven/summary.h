// What a run found, as a table for the terminal.
#pragma once

#include <string>
#include <vector>

#include "tools/breakeven/measure.h"

namespace breakeven {

/// Rows of at most 80 columns: per workload, device and precision the best implementation with its
/// median time, half its interval, its rate, and its share of the measured peak of that device and
/// precision where the run holds peak rows. Rows with options (threads, cache) are left to the
/// report. Where several implementations compete, the best of each round is picked by the other
/// rounds (best_by_other_rounds), so that luck is not reported as speed. A case that failed in any
/// round has no time here.
std::string summary_table(const std::vector<CaseState>& cases);

/// GFLOP/s of the fastest peak row of a device and precision that never failed; 0 where there is
/// none.
double measured_peak(const std::vector<CaseState>& cases, const std::string& device,
                     const std::string& precision);

/// The median over the rounds of a case, in seconds. Precondition: it has one.
double median_seconds(const CaseState& state);

}  // namespace breakeven
