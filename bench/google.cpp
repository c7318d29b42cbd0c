#include "bench/google.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "bench/google_compat.h"
#include "bench/rows.h"

namespace breakeven {
namespace {

using Run = benchmark::BenchmarkReporter::Run;
using Context = benchmark::BenchmarkReporter::Context;

/// A name without what Google Benchmark appends: the iteration count is no part of a row's
/// identity.
void strip_suffixes(Run& run) {
  run.run_name.iterations.clear();
  run.run_name.repetitions.clear();
  run.run_name.time_type.clear();
}

/// One iteration is a whole batch: its time is given per call already, while the CPU time that
/// Google Benchmark takes is the batch's.
void correct_times(Run& run, const Record& record) {
  if (run.run_type == Run::RT_Iteration) {
    const Sample& sample = record.samples.at(static_cast<std::size_t>(run.repetition_index));
    run.iterations = sample.calls;
    run.real_accumulated_time = sample.batch.seconds;
    run.cpu_accumulated_time = sample.cpu_seconds;
  } else if (run.aggregate_unit == benchmark::StatisticUnit::kTime) {
    run.cpu_accumulated_time /= static_cast<double>(record.calls_per_batch);
  }
}

/// The runs of one case as they are to be shown. A case that failed or was skipped shows that once,
/// whatever its earlier repetitions took: Google Benchmark goes on repeating it, and sums up the
/// rest.
std::vector<Run> corrected(const std::vector<Run>& runs, const Runner& runner) {
  std::vector<Run> result;
  bool ended = false;
  for (Run run : runs) {
    strip_suffixes(run);
    const Record* record = runner.find(run.run_name.function_name);
    if (record != nullptr && record->finished()) {
      if (ended || !has_no_time(run)) continue;
      ended = true;
    } else if (record != nullptr) {
      correct_times(run, *record);
    }
    result.push_back(std::move(run));
  }
  return result;
}

/// Google Benchmark's console table, with the names of the cases and the calls of each batch.
class Console : public benchmark::ConsoleReporter {
 public:
  Console(const Runner& runner, OutputOptions options)
      : ConsoleReporter(options), runner_(runner) {}
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(corrected(runs, runner_));
  }

 private:
  const Runner& runner_;
};

/// Google Benchmark's CSV, without counters: it ends the program when a row lacks one of them.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
class Csv : public benchmark::CSVReporter {
 public:
  explicit Csv(const Runner& runner) : runner_(runner) {}
  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> plain = corrected(runs, runner_);
    for (Run& run : plain) run.counters.clear();
    CSVReporter::ReportRuns(plain);
  }

 private:
  const Runner& runner_;
};
#pragma GCC diagnostic pop

Json aggregate_row(const Run& run) {
  Json row = {{"name", run.benchmark_name()},
              {"run_name", run.run_name.str()},
              {"run_type", "aggregate"},
              {"repetitions", run.repetitions},
              {"aggregate_name", run.aggregate_name},
              {"iterations", run.iterations}};
  const bool is_time = run.aggregate_unit == benchmark::StatisticUnit::kTime;
  row["aggregate_unit"] = is_time ? "time" : "percentage";
  // Accumulated times are seconds; a percentage (cv) has no unit.
  const double scale = is_time ? 1e9 / static_cast<double>(run.iterations) : 1;
  add_finite(row, "real_time", scale * run.real_accumulated_time);
  add_finite(row, "cpu_time", scale * run.cpu_accumulated_time);
  row["time_unit"] = "ns";
  return row;
}

/// Google Benchmark's JSON from our rows. Its own writer puts bare NaN, which is not JSON, and
/// gives failed rows a time of 0, which nobody measured.
class JsonWriter : public benchmark::BenchmarkReporter {
 public:
  JsonWriter(const Runner& runner, Json context) : runner_(runner), context_(std::move(context)) {}

  bool ReportContext(const Context&) override {
    GetOutputStream() << "{\n\"context\": " << dump(context_, 2) << ",\n\"benchmarks\": [";
    return true;
  }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : corrected(runs, runner_)) {
      if (run.run_type == Run::RT_Aggregate) {
        write(aggregate_row(run));
      } else if (const Record* record = runner_.find(run.run_name.function_name)) {
        write_iteration(run, *record);
      }
    }
  }

  void Finalize() override { GetOutputStream() << "\n]\n}\n"; }

 private:
  void write_iteration(const Run& run, const Record& record) {
    if (record.failure) {
      write(error_row(run.run_name.str(), *record.failure));
    } else if (!record.skipped) {
      write(record.rows.at(static_cast<std::size_t>(run.repetition_index)));
    }
  }

  static std::string dump(const Json& json, int indent) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace);
  }

  void write(const Json& row) {
    GetOutputStream() << (first_ ? "\n  " : ",\n  ") << dump(row, -1) << std::flush;
    first_ = false;
  }

  const Runner& runner_;
  Json context_;
  bool first_ = true;
};

using Reporter = std::unique_ptr<benchmark::BenchmarkReporter>;

Reporter make_reporter(const std::string& format, const Runner& runner, const Json& context,
                       benchmark::ConsoleReporter::OutputOptions look) {
  if (format == "json") return std::make_unique<JsonWriter>(runner, context);
  if (format == "csv") return std::make_unique<Csv>(runner);
  return std::make_unique<Console>(runner, look);
}

benchmark::ConsoleReporter::OutputOptions console_look(const BenchOptions& options) {
  int look = Console::OO_None;
  if (options.color.value_or(isatty(STDOUT_FILENO) != 0)) look |= Console::OO_Color;
  if (options.tabular) look |= Console::OO_Tabular;
  return static_cast<Console::OutputOptions>(look);
}

/// True where the benchmark ended without a time, and was told so.
bool ended(const Record& record, benchmark::State& state) {
  if (record.skipped) skip(state, *record.skipped);
  if (record.failure) state.SkipWithError(record.failure->reason.c_str());
  return record.finished();
}

/// One repetition of one case. Failures are told from inside the loop: outside of it the repetition
/// would count no iteration, and Google Benchmark aborts where repetitions differ in that.
void run_case(const Case& c, Runner& runner, benchmark::State& state) {
  runner.open(c);  // before the loop, so that its CPU time is the batch's
  for (auto _ : state) {
    const Record& record = runner.next_batch(c);
    if (ended(record, state)) break;
    const Sample& sample = record.samples.back();
    state.SetIterationTime(sample.batch.seconds / static_cast<double>(sample.calls));
  }
  using benchmark::Counter;
  const Cost cost = c.workload->cost(c.precision);
  state.counters["flop"] = Counter(cost.flops, Counter::kIsRate);
  state.counters["byte"] = Counter(cost.bytes, Counter::kIsRate);
  // As a label, not a counter: of an error of 0 Google Benchmark would show a spread of NaN.
  state.SetLabel(fmt::format("error={:.1e}", runner.find(c.name)->facts.check.error));
}

std::filesystem::path partial(const std::filesystem::path& out) {
  return out.string() + ".partial";
}

/// Gives the finished file its name. Google Benchmark doesn't notice a full disk.
void publish(const BenchOptions& options) {
  const std::filesystem::path written = partial(*options.out);
  if (options.out_format == "json") {
    std::ifstream file(written);
    if (!Json::accept(file)) {
      throw std::runtime_error(
          fmt::format("{}: could not be written whole; is the disk full?", written.string()));
    }
  }
  std::filesystem::rename(written, *options.out);
}

}  // namespace

void initialize_google_benchmark(const char* program, const BenchOptions& options) {
  std::vector<std::string> arguments = {"--benchmark_filter=."};
  arguments.push_back(fmt::format("--benchmark_repetitions={}", options.repetitions));
  if (options.out) {
    arguments.push_back("--benchmark_out=" + partial(*options.out).string());
  }
  arguments.insert(arguments.end(), options.benchmark_flags.begin(), options.benchmark_flags.end());
  // The program's name is kept by Google Benchmark as it is, so it must not be a copy.
  std::vector<char*> argv = {const_cast<char*>(program)};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  int argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  benchmark::Initialize(&argc, argv.data());
  if (argc > 1) {
    throw UsageError(fmt::format(
        "unknown flag {}, or its value is not allowed; --help lists the flags", argv[1]));
  }
}

Json google_benchmark_context() {
  // Its JSON reporter is the only one that knows all of it, e.g. the library's build type.
  std::ostringstream text;
  benchmark::JSONReporter reporter;
  reporter.SetOutputStream(&text);
  reporter.SetErrorStream(&text);
  reporter.ReportContext(Context());
  const Json document = Json::parse(text.str() + "]}", nullptr, false);
  if (document.is_discarded() || !document.contains("context")) return Json::object();
  return document["context"];
}

void run_google_benchmark(const std::vector<Case>& cases, Runner& runner, const Json& context,
                          const BenchOptions& options) {
  if (options.out && !std::ofstream(partial(*options.out))) {
    throw UsageError(fmt::format("--benchmark_out={}: can't be written ({})", options.out->string(),
                                 std::strerror(errno)));
  }
  for (const Case& c : cases) {
    benchmark::RegisterBenchmark(
        c.name.c_str(), [&c, &runner](benchmark::State& state) { run_case(c, runner, state); })
        ->Iterations(1)
        ->UseManualTime()
        ->MeasureProcessCPUTime()
        ->Unit(benchmark::kMicrosecond);
  }
  const Reporter display = make_reporter(options.format, runner, context, console_look(options));
  Reporter file;
  if (options.out) {
    file = make_reporter(options.out_format, runner, context, benchmark::ConsoleReporter::OO_None);
  }
  benchmark::RunSpecifiedBenchmarks(display.get(), file.get());
  benchmark::ClearRegisteredBenchmarks();
  if (options.out) publish(options);
}

}  // namespace breakeven
