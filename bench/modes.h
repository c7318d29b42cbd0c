// What breakeven-bench does in each mode.
#pragma once

#include <iosfwd>

#include "bench/cases.h"
#include "bench/environment.h"
#include "bench/events.h"
#include "bench/json.h"
#include "bench/options.h"
#include "bench/runner.h"
#include "kernels/module.h"

namespace breakeven {

/// Threads that rows may have: affinity and quota of `machine`; by default one per physical core.
/// Throws UsageError where `wanted` is outside 1 ... the CPUs that this process may use.
ThreadRange thread_range(const Machine& machine, std::optional<int> wanted);

/// --modules: what is known without opening any.
Json modules_json(const std::vector<ModuleInfo>& modules);

/// --list, for a module that opened and for one that didn't.
Json list_json(const Module& module, const std::vector<Case>& cases, const ThreadRange& threads);
Json unavailable_json(const ModuleInfo& module, const std::string& reason,
                      const ThreadRange& threads);

/// The module called options.module, or the only one with rows that options choose; each is looked
/// into by a process of its own, because no process opens two. Throws UsageError.
ModuleInfo choose_module(const std::vector<ModuleInfo>& modules, const BenchOptions& options,
                         const Workloads& workloads, const ThreadRange& threads);

/// What networks the selected cases are layers of: under "network.resnet50" every layer with how
/// often it occurs, as "resnet50_conv1*1 resnet50_res2x_branch2c*4 …", be it selected or not.
Facts network_facts(const Workloads& workloads, const std::vector<Case>& selected);

/// The results' context: Google Benchmark's, and flat facts of machine, build, environment, module.
Json context_json(const Facts& facts, const BenchOptions& options);

/// --verify: each case once against the reference, a line each on `out`. Returns the exit status.
int verify_cases(const std::vector<Case>& cases, Runner& runner, std::ostream& out);

}  // namespace breakeven
