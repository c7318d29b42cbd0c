#include "bench/harness_cost/harness_cost.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <exception>
#include <map>
#include <new>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>

#include "kernels/host/device.h"
#include "reference/matmul.h"
#include "reports/atomic_file.h"
#include "reports/statistics.h"

namespace breakeven {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kAllowed = 0.015;

struct Settings {
  std::vector<std::string> workloads;
  int threads = 0;
  int least_pairs = 40;
  int most_pairs = 400;
  double width = 0.01;
  double batch_seconds = 0.05;
  double case_seconds = 180;
  std::uint64_t seed = 1;
  std::string out;
};

const Implementation& find(const Registry& registry, const std::string& op,
                           const std::string& name) {
  for (const Implementation& implementation : registry.implementations()) {
    if (implementation.op == op && implementation.name == name) return implementation;
  }
  throw std::runtime_error("the module has no implementation " + op + "/" + name);
}

// The harness' side of a pair, and both bare ones, in memory of their own.
struct Sides {
  std::unique_ptr<Kernel> kernel;
  BareLoop bare, plain;
};

struct Samples {
  std::vector<double> harness, bare, plain;  // seconds per call
  std::vector<double> over_bare, over_plain;
};

class Comparison {
 public:
  Comparison(Module& module, const Subject& subject, const Workload& workload,
             const Settings& settings)
      : module_(module),
        subject_(subject),
        workload_(workload),
        settings_(settings),
        random_(settings.seed) {}

  Json run() {
    const Options options{.threads = settings_.threads};
    const Implementation& implementation =
        find(module_.registry, workload_.op(), subject_.implementation);
    const std::string missing = implementation.unsupported(workload_, subject_.precision, options);
    if (!missing.empty()) return {{"name", name()}, {"skipped", missing}};
    module_.device->configure(options);
    const auto start = std::chrono::steady_clock::now();
    const auto spent = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    std::unique_ptr<Sides> sides;
    Ways ways;
    std::int64_t calls = 0;
    int pairs = 0;
    while (pairs < settings_.most_pairs && spent() < settings_.case_seconds) {
      // New memory every few pairs: which physical pages an operand gets is luck, and must not
      // favour one side throughout.
      if (pairs % kPairsPerMemory == 0) {
        sides.reset();
        sides = std::make_unique<Sides>(load(implementation, options));
        ways = follow(*sides);
        if (calls == 0) calls = calibrate(*sides);
      }
      add_pair(*sides, calls);
      if (!ways[1].empty()) ++pairs_of_ways_[ways];
      ++pairs;
      if (pairs >= settings_.least_pairs && narrow()) break;
    }
    return report(calls);
  }

 private:
  static constexpr int kPairsPerMemory = 5;
  using Ways = std::array<Facts, 3>;  // of the row and of both bare loops

  std::string name() const {
    return fmt::format("{}/{}/cpu/{}/{}", workload_.op(), workload_.shape(),
                       subject_.implementation, traits(subject_.precision).name);
  }

  // Loaded in random order, because the first to come gets the better pages.
  Sides load(const Implementation& implementation, const Options& options) {
    Sides sides;
    std::array order = {0, 1, 2};
    std::shuffle(order.begin(), order.end(), random_);
    for (const int side : order) {
      if (side == 0) {
        sides.kernel = implementation.load(workload_, subject_.precision, options);
        sides.kernel->prepare();
      } else if (side == 1) {
        sides.bare = subject_.make_loop(workload_, Memory::as_in_rows);
      } else {
        sides.plain = subject_.make_loop(workload_, Memory::plain);
      }
    }
    return sides;
  }

  // The row may have chosen otherwise than before; loops that went another way would put the
  // difference of two algorithms into the ratio.
  static Ways follow(const Sides& sides) {
    if (!sides.bare.follow) return {};
    const Facts row = sides.kernel->facts();
    return {row, sides.bare.follow(row), sides.plain.follow(row)};
  }

  double harness_seconds(Sides& sides, std::int64_t calls) {
    return module_.device->time(*sides.kernel, calls).seconds;
  }

  std::int64_t calibrate(Sides& sides) {
    double seconds = harness_seconds(sides, 1);
    for (int i = 0; i < 5; ++i) seconds = std::min(seconds, harness_seconds(sides, 1));
    return std::max<std::int64_t>(1, std::llround(settings_.batch_seconds / seconds));
  }

  // All three sides in random order, each after one call that brings its operands into the caches.
  void add_pair(Sides& sides, std::int64_t calls) {
    std::array order = {0, 1, 2};
    std::shuffle(order.begin(), order.end(), random_);
    std::array<double, 3> seconds{};
    for (const int side : order) {
      const auto time = [&](std::int64_t count) {
        if (side == 0) return harness_seconds(sides, count);
        return side == 1 ? sides.bare.seconds(count) : sides.plain.seconds(count);
      };
      time(1);
      seconds[static_cast<std::size_t>(side)] = time(calls) / static_cast<double>(calls);
    }
    samples_.harness.push_back(seconds[0]);
    samples_.bare.push_back(seconds[1]);
    samples_.plain.push_back(seconds[2]);
    samples_.over_bare.push_back(seconds[0] / seconds[1]);
    samples_.over_plain.push_back(seconds[0] / seconds[2]);
  }

  // The stopping rule looks at the width only: one that looked at the verdict would favour it.
  bool narrow() const {
    const Interval interval = median_estimate(samples_.over_bare).interval;
    return interval.high - interval.low <= settings_.width;
  }

  Json against(const std::vector<double>& ratios, const std::vector<double>& bare) const {
    const Estimate ratio = median_estimate(ratios);
    const double flops = workload_.cost(subject_.precision).flops;
    return {{"ratio", ratio.value},
            {"low", ratio.interval.low},
            {"high", ratio.interval.high},
            {"coverage", ratio.interval.coverage},
            {"within", ratio.interval.low >= 1 - kAllowed && ratio.interval.high <= 1 + kAllowed},
            {"bare_gflops", flops / median(bare) * 1e-9}};
  }

  Json report(std::int64_t calls) const {
    const double flops = workload_.cost(subject_.precision).flops;
    Json row = {{"name", name()},
                {"pairs", samples_.harness.size()},
                {"calls_per_batch", calls},
                {"harness_gflops", flops / median(samples_.harness) * 1e-9},
                {"same_memory", against(samples_.over_bare, samples_.bare)},
                {"plain_memory", against(samples_.over_plain, samples_.plain)}};
    for (const auto& [ways, pairs] : pairs_of_ways_) {
      row["ways"].push_back({{"pairs", pairs},
                             {"row", ways[0]},
                             {"same_memory", ways[1]},
                             {"plain_memory", ways[2]}});
    }
    return row;
  }

  Module& module_;
  const Subject& subject_;
  const Workload& workload_;
  const Settings& settings_;
  std::mt19937_64 random_;
  Samples samples_;
  std::map<Ways, int> pairs_of_ways_;
};

// Two lines a row: names alone may take most of a terminal's 80 columns.
void print(const Json& row) {
  const std::string name = row.at("name");
  if (row.contains("skipped")) {
    fmt::print("{}\n  skipped: {}\n", name, row.at("skipped").get<std::string>());
    std::fflush(stdout);
    return;
  }
  const auto part = [&](const char* key) {
    const Json& r = row.at(key);
    return fmt::format("{:.4f} [{:.4f}, {:.4f}]", r.at("ratio").get<double>(),
                       r.at("low").get<double>(), r.at("high").get<double>());
  };
  fmt::print("{}\n{:>7} {:>8.0f}  {:<25} {:<25}{}\n", name, row.at("pairs").get<int>(),
             row.at("harness_gflops").get<double>(), part("same_memory"), part("plain_memory"),
             row.at("same_memory").at("within").get<bool>() ? "" : "  > 1.5 %");
  std::fflush(stdout);
}

Module open(const std::string& name) {
  for (const ModuleInfo& info : known_modules()) {
    if (info.name == name) return open_module(info);
  }
  throw Unsupported("this build knows no module " + name);
}

int measure(const Study& study, Settings settings) {
  std::vector<std::unique_ptr<Workload>> workloads;
  for (const std::string& name : settings.workloads) workloads.push_back(study.find(name));
  Module module = open(study.module);
  if (settings.threads == 0) settings.threads = static_cast<int>(usable_cpus().size());
  Json facts = module.device->facts();
  facts.update(Json(module.facts));
  Json rows = Json::array();
  bool within = true;
  fmt::print(
      "time of a row / time of a bare loop, {} threads, 95 % intervals of the median\n"
      "{:>7} {:>8}  {:<25} {}\n",
      settings.threads, "pairs", "GFLOP/s", "bare, same memory", "bare, plain memory");
  for (const Subject& subject : study.subjects(module)) {
    for (const auto& workload : workloads) {
      rows.push_back(Comparison(module, subject, *workload, settings).run());
      print(rows.back());
      const Json& row = rows.back();
      within =
          within && (row.contains("skipped") || row.at("same_memory").at("within").get<bool>());
    }
  }
  if (!settings.out.empty()) {
    const Json all = {
        {"harness_cost", 1},     {"module", study.module}, {"threads", settings.threads},
        {"seed", settings.seed}, {"allowed", kAllowed},    {"facts", facts},
        {"rows", rows}};
    write_file_atomically(settings.out, all.dump(2) + "\n");
  }
  return within ? 0 : 1;
}

}  // namespace

BareArray::BareArray(std::size_t bytes, Memory memory) : bytes_(bytes) {
  if (memory == Memory::as_in_rows) {
    buffer_ = HostBuffer(bytes);
    return;
  }
  plain_.reset(std::aligned_alloc(
      kCacheLineBytes, (bytes + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes));
  if (!plain_) throw std::bad_alloc();
}

BareOperands::BareOperands(const Workload& workload, Precision precision, Memory memory)
    : output(workload.output(precision).bytes(), memory) {
  const std::vector<Operand> operands = workload.inputs(precision);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    inputs.emplace_back(operands[i].bytes(), memory);
    workload.fill_input(i, precision, inputs[i].span());
  }
  poison(output.span());
}

Study matmul_study(const std::string& module,
                   std::function<std::vector<Subject>(const Module&)> subjects) {
  const auto find = [](const std::string& text) -> std::unique_ptr<Workload> {
    int n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc() || end != text.data() + text.size() || n < 1 || n > 65536) {
      throw std::runtime_error(fmt::format("--sizes {}: give edges from 1 to 65536", text));
    }
    return std::make_unique<Matmul>("square_" + text, n, n, n);
  };
  return {module, "--sizes",          "Square sizes", {"512", "1024", "2048", "4096"},
          find,   std::move(subjects)};
}

int harness_cost_main(int argc, char** argv, const Study& study) {
  Settings settings;
  settings.workloads = study.workloads;
  CLI::App app("Time of a row over the time of a bare loop around the same " + study.module +
               " call, in interleaved pairs.\nExit 1 if an interval leaves 1 +- 1.5 %.");
  app.option_defaults()->always_capture_default();
  app.add_option(study.option, settings.workloads, study.help + ", with commas between")
      ->delimiter(',');
  app.add_option("--threads", settings.threads, "Default: all CPUs that this process may use")
      ->check(CLI::Range(1, 1 << 20))
      ->default_str("");
  CLI::Option* least =
      app.add_option("--least-pairs", settings.least_pairs, "Before the interval is looked at")
          ->check(CLI::Range(6, 100000));
  CLI::Option* most = app.add_option("--most-pairs", settings.most_pairs, "However wide it is")
                          ->check(CLI::Range(6, 100000));
  int pairs = 0;
  app.add_option("--pairs", pairs, "Exactly so many, unless the time limit comes first")
      ->check(CLI::Range(6, 100000))
      ->excludes(least)
      ->excludes(most)
      ->default_str("");
  app.add_option("--width", settings.width, "Stop when the interval is this narrow")
      ->check(CLI::PositiveNumber);
  app.add_option("--batch-seconds", settings.batch_seconds, "Of calls, on each side of a pair")
      ->check(CLI::PositiveNumber);
  app.add_option("--case-seconds", settings.case_seconds, "Time limit of one row")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", settings.seed, "Of the order inside pairs");
  app.add_option("--out", settings.out, "JSON file");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (pairs > 0) settings.least_pairs = settings.most_pairs = pairs;
  try {
    return measure(study, settings);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", argv[0], error.what());
    return 2;
  }
}

}  // namespace breakeven
