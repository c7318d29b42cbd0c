// Rules in use elsewhere, as negative controls: the assertions that the gate keeps must fail them.
#pragma once

#include <span>

#include "tools/gate/testing/simulation.h"

namespace breakeven::gate {

/// The two-sided p-value of the Mann-Whitney test by the normal approximation, corrected for
/// continuity and ties, as scipy's method='asymptotic'; 1 where all samples are equal.
double mann_whitney_p(std::span<const double> a, std::span<const double> b);

/// Google Benchmark's compare.py and benchstat: all repetitions of base in one process, then all of
/// head; regressed is p < .05 and a larger median.
Rule mann_whitney_rule(const Noise& noise);

/// asv's: p < .002 and at least 1.1 times the median.
Rule asv_rule(const Noise& noise);

/// A baseline stored on another machine of the same kind: the mean is more than 10 % larger.
Rule stored_baseline_rule(const Noise& noise);

}  // namespace breakeven::gate
