// breakeven-bench --largest_batch: the largest batch of a model that fits into a device's memory.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

#include "bench/cases.h"
#include "bench/options.h"
#include "kernels/module.h"

namespace breakeven {

/// What a search found.
struct LargestBatch {
  std::int64_t batch = 0;      ///< 0: not even the least
  std::int64_t estimated = 0;  ///< by footprint; 0: not even the least
  std::string reason;          ///< why the smallest batch that was tried in vain failed; may be ""
};

/// The largest batch of least ... most that fits() says yes to, confirmed by attempt(), which gives
/// "" or why it failed. fits() must not become true again as the batch grows. After a failure
/// smaller batches are tried, halving the distance to the largest that did, until that is within a
/// sixteenth.
LargestBatch largest_batch(const std::function<bool(std::int64_t)>& fits, std::int64_t most,
                           const std::function<std::string(std::int64_t)>& attempt,
                           std::int64_t least = 1);

/// Searches for each selected row of a training step, a phase of it or inference, and writes a line
/// about it. First the footprint, which must stay within nine tenths of the available memory; then
/// a real run, in a process of its own, so that nothing that happens to it ends the search. Opens
/// no module in this process. A model that a batch of 1 can't train, as normalisation over a single
/// value can't, starts at 2 or at the row's own batch. Returns the exit status: 1 where a row that
/// the module supports has no batch that runs. Throws UsageError for rows of anything else, and
/// where the module is unavailable.
int search_largest_batches(const ModuleInfo& module, const Workloads& workloads,
                           const BenchOptions& options, const ThreadRange& threads,
                           std::ostream& out);

}  // namespace breakeven
