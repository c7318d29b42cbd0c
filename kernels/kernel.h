// Kernel, Device, Case, Registry: all that the benchmark harness may see of an implementation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "reference/workload.h"

namespace breakeven {

using Facts = std::map<std::string, std::string>;

/// Thrown where this machine, library or size can't do a case: the row is skipped with its reason,
/// which is not a failure. Anything else that is thrown is.
class Unsupported : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Cache { warm, cold };      ///< cold: operands are out of every cache before each call
enum class Launch { stream, graph };  ///< graph: captured once, replayed (GPU only)

/// How a case is run, beside its workload, implementation and precision.
struct Options {
  int threads = 0;  ///< CPU threads; 0 on GPU rows
  Cache cache = Cache::warm;
  Launch launch = Launch::stream;
  std::string way = {};  ///< one of Implementation::ways; "": the implementation chooses
};

/// Seconds to move a case's operands, measured apart; absent where nothing moves.
struct Transfers {
  std::optional<double> upload_seconds;             ///< all inputs, pinned host memory
  std::optional<double> download_seconds;           ///< the output, pinned
  std::optional<double> upload_pageable_seconds;    ///< all inputs, pageable host memory
  std::optional<double> download_pageable_seconds;  ///< the output, pageable
};

/// One implementation holding one workload's data. Constructor or prepare() allocate and fill.
class Kernel {
 public:
  virtual ~Kernel() = default;

  /// Everything that is done once: primitives, plans, packing of weights. Timed apart.
  virtual void prepare() {}

  /// Computes. Allocates nothing, prints nothing, costs the same however often it ran. GPU kernels
  /// only enqueue on their device's stream.
  virtual void run() = 0;

  /// Fills the output with bytes 0xFF (NaN, or -1), so that a stale answer can't pass for a new
  /// one.
  virtual void poison_output() = 0;

  /// The answer of the last run() in host memory, in the workload's plain layout. Waits for it.
  virtual std::span<const std::byte> output() = 0;

  virtual Transfers time_transfers() { return {}; }

  /// What was really dispatched, e.g. {"implementation": "brg:avx512_core_bf16"}.
  virtual Facts facts() const { return {}; }
};

/// One timed batch of calls. What could not be read is absent.
struct Batch {
  double seconds = 0;       ///< device time of all calls (events on a GPU, wall clock on a CPU)
  double host_seconds = 0;  ///< wall time of the same calls, as the caller saw it
  std::optional<double> clock_mhz;
  std::optional<bool> throttled;  ///< whether the clock was lowered by heat or a power brake
  bool launch_gaps = false;       ///< a GPU batch that could not be held back: gaps are inside
  std::int64_t calls_run = 0;     ///< calls that the device made for it, repeated passes included
};

/// Where a kernel runs, and by which clock. One per process and module.
class Device {
 public:
  virtual ~Device() = default;
  virtual std::string kind() const = 0;  ///< "cpu" or "gpu"; segment 3 of a row's name
  virtual Facts facts() const = 0;

  /// Called before a case is loaded: thread count and pinning, or nothing.
  virtual void configure(const Options& options) = 0;

  /// Times `calls` calls of run() under the cache and launch mode of the last configure(); what
  /// evicts the caches lies outside the interval.
  virtual Batch time(Kernel& kernel, std::int64_t calls) = 0;

  /// Smallest interval that this device's clock tells apart, in seconds.
  virtual double resolution_seconds() const = 0;

  /// Bytes that a new case may use, and the most that this process has used so far.
  virtual std::size_t available_bytes() const = 0;
  virtual std::optional<std::size_t> peak_bytes() const { return std::nullopt; }

  /// A counter of joules that only grows (RAPL package, NVML board), where it can be read.
  virtual std::optional<double> energy_joules() { return std::nullopt; }
};

/// One competitor: an implementation of one operation.
struct Implementation {
  std::string op;    ///< the Workload::op() that it takes; load() may static_cast to that class
  std::string name;  ///< segment 4 of a row's name, [a-z0-9_]+
  std::vector<Precision> precisions;
  std::vector<Launch> launches = {Launch::stream};
  std::vector<Cache> caches = {Cache::warm, Cache::cold};  ///< warm alone: no operands to evict
  bool threaded = true;  ///< CPU: has rows at several thread counts; false: one thread, always

  /// Why a case can't run here (ISA, size, library), or "". Cheap: called for every listed row.
  std::function<std::string(const Workload&, Precision, const Options&)> unsupported =
      [](const Workload&, Precision, const Options&) { return std::string(); };

  /// Host or device bytes that load() will take for this case.
  std::function<std::size_t(const Workload&, Precision, const Options&)> footprint_bytes;

  /// Allocates and fills. Throws Unsupported where only a try can tell.
  std::function<std::unique_ptr<Kernel>(const Workload&, Precision, const Options&)> load;

  /// The ways of doing a case among which a tuner may look for the fastest, as Options::way names
  /// them; {}: not for tuning. They make no rows of their own.
  std::function<std::vector<std::string>(const Workload&, Precision)> ways = {};
};

/// The fastest way that a tuner found for a case.
struct Tuned {
  const Workload* workload = nullptr;
  Precision precision = Precision::f32;
  std::string implementation;
  std::string way;
};

/// A source file that a tuner writes: how the implementations of `op` with ways are chosen from.
struct TuningTable {
  std::string op;
  std::filesystem::path file;       ///< from the project's root
  std::vector<std::string> shapes;  ///< workloads worth tuning, the most valuable first
  std::vector<Precision> precisions;

  /// The file's new text: what it held, with `found` in place of older entries of this device.
  std::function<std::string(const std::vector<Tuned>& found)> text;
};

/// The sum of a workload's operands: the footprint of an implementation without scratch.
inline std::size_t operand_bytes(const Workload& workload, Precision precision) {
  std::size_t bytes = workload.output(precision).bytes();
  for (const Operand& input : workload.inputs(precision)) bytes += input.bytes();
  return bytes;
}

/// The competitors of one module. Each implementation file exports a function named after its stem
/// that adds what it offers; the build writes the list of calls.
class Registry {
 public:
  void add(Implementation implementation) {
    if (!implementation.footprint_bytes) {
      implementation.footprint_bytes = [](const Workload& workload, Precision precision,
                                          const Options&) {
        return operand_bytes(workload, precision);
      };
    }
    implementations_.push_back(std::move(implementation));
  }
  const std::vector<Implementation>& implementations() const { return implementations_; }

  void add(TuningTable table) { tuning_tables_.push_back(std::move(table)); }
  const std::vector<TuningTable>& tuning_tables() const { return tuning_tables_; }

 private:
  std::vector<Implementation> implementations_;
  std::vector<TuningTable> tuning_tables_;
};

/// Workload x implementation x precision x options: one line of results.
struct Case {
  std::string name;  ///< op/shape/device/implementation/precision[/key:value...]
  const Workload* workload = nullptr;
  const Implementation* implementation = nullptr;
  Precision precision = Precision::f32;
  Options options;
  std::string unsupported;  ///< why it can't run here, or ""
};

}  // namespace breakeven
