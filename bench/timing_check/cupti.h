// CUPTI's activity records as a Tracer. Its library comes with the CUDA toolkit, not with the
// driver: it is looked for at run time.
#pragma once

#include <memory>

#include "bench/timing_check/timing_check.h"

namespace breakeven {

/// The only tracer of a process at a time. Kernels keep running side by side while they are traced.
/// Throws Unsupported where there is no CUPTI or it refuses; its functions throw std::runtime_error
/// with CUPTI's own words.
std::unique_ptr<Tracer> make_cupti_tracer();

}  // namespace breakeven
