// breakeven-bench --tune: from the module to the files that it writes.
#pragma once

#include <iosfwd>
#include <vector>

#include "bench/cases.h"
#include "bench/options.h"
#include "kernels/module.h"

namespace breakeven {

/// Tunes the module that is asked for, or the first GPU module that has something to tune, and
/// writes its tables. Returns the exit status: 1 where a way was wrong or failed. Throws UsageError
/// where nothing can be tuned here or a file could not be written, before anything is measured.
int tune(const std::vector<ModuleInfo>& modules, const Workloads& workloads,
         const BenchOptions& options, std::ostream& log);

}  // namespace breakeven
