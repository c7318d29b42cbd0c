// Google Benchmark: registers cases, runs its loop, and makes its output say what was measured. The
// only file beside its .cpp and google_compat.h that knows the library.
#pragma once

#include <vector>

#include "bench/json.h"
#include "bench/options.h"
#include "bench/runner.h"

namespace breakeven {

/// Hands Google Benchmark its flags. `program` (argv[0]) must outlive it. Throws UsageError for
/// flags that it doesn't know.
void initialize_google_benchmark(const char* program, const BenchOptions& options);

/// Google Benchmark's own context: date, host_name, num_cpus, caches, library_build_type ...
Json google_benchmark_context();

/// Runs `cases` in their order: each is registered with one iteration per repetition (a calibrated
/// batch) and manual time. Rows go to the runner's events; to standard output in options.format;
/// and to options.out, which appears whole at the end or not at all. `context` heads JSON output.
/// Throws UsageError where options.out can't be written.
void run_google_benchmark(const std::vector<Case>& cases, Runner& runner, const Json& context,
                          const BenchOptions& options);

}  // namespace breakeven
