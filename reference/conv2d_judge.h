// What the checks of convolutions share: the error of one element and the verdict.
#pragma once

#include <cstdint>
#include <string>

#include "reference/compare.h"
#include "reference/conv2d.h"

namespace breakeven {

/// Adds the element at stored index `index`, whose sum (before a ReLU) is `exact` and whose squared
/// products add up to `squares`.
void conv2d_judge(const Conv2d& conv, Precision precision, std::int64_t index, double got,
                  double exact, double squares, ErrorMeasure& worst);

/// The verdict by conv2d_limit().
Check conv2d_verdict(const Conv2d& conv, Precision precision, ErrorMeasure worst,
                     const std::string& method);

}  // namespace breakeven
