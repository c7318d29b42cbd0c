// When a loop is worth OpenMP threads.
#pragma once

namespace breakeven {

/// For `#pragma omp parallel if (...)`: whether `operations` take longer than waking the threads,
/// which costs microseconds on an idle machine and whole time slices on a busy one.
inline bool worth_threads(double operations) { return operations >= 200e3; }

}  // namespace breakeven
