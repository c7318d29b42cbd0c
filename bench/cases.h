// The cases of a module: every implementation with every workload, precision and option.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "bench/options.h"
#include "kernels/kernel.h"

namespace breakeven {

using Workloads = std::vector<std::unique_ptr<Workload>>;

/// What can be measured, and a line for every entry of a shape file that can't.
struct LoadedShapes {
  Workloads workloads;
  std::vector<std::string> refused;
};

/// CPU threads: of rows without a `threads` key, and the most that this process may use.
struct ThreadRange {
  int default_threads = 1;
  int max_threads = 1;
};

/// The thread counts of a sweep: 1, 2, 4 ... and `max_threads`, and the default, ascending.
std::vector<int> thread_sweep(const ThreadRange& range);

/// A row's name in parts. `keys` holds what differs from the default, sorted by key.
struct CaseName {
  std::string op, shape, device, implementation, precision;
  std::map<std::string, std::string> keys;

  bool operator==(const CaseName&) const = default;
  std::string text() const;  ///< op/shape/device/implementation/precision[/key:value...]
};

/// The parts of a name, or nothing where `text` isn't one (a missing, empty or unknown part).
std::optional<CaseName> parse_case_name(std::string_view text);

/// Built-in workloads and those of `shape_files`. An entry with the name of another shape is
/// refused. Throws UsageError, of one line or one for each bad entry, where parse_shapes() does and
/// where a network's name is taken.
LoadedShapes load_workloads(const std::vector<std::filesystem::path>& shape_files);

/// All cases of `registry` on a device of `kind` ("cpu" or "gpu"), unique, in the registry's order.
/// They point into `registry` and `workloads`. CPU rows sweep threads, and all come in every cache
/// and launch mode of their implementation.
std::vector<Case> expand_cases(const Registry& registry, const Workloads& workloads,
                               std::string_view kind, const ThreadRange& threads);

/// --benchmark_filter, as Google Benchmark reads it: found anywhere in a name; "all" is every name.
class Filter {
 public:
  /// Throws UsageError where `text` is no regular expression.
  explicit Filter(const std::string& text);
  bool operator()(const std::string& name) const {
    return std::regex_search(name, expression_) != negative_;
  }

 private:
  bool negative_;
  std::regex expression_;
};

/// The names in a --cases file, one a line. Throws UsageError where it has none, or one twice.
std::vector<std::string> read_case_names(const std::filesystem::path& path);

/// What `options` asks for: the file of names in its order, or the filter (shuffled where a seed
/// was given). Throws UsageError for a bad filter, an unknown name, or no match at all.
std::vector<Case> select_cases(const std::vector<Case>& cases, const BenchOptions& options);

}  // namespace breakeven
