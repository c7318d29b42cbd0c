#include "bench/harness_cost/harness_cost.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <exception>
#include <new>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>

#include "kernels/host/device.h"
#include "reports/atomic_file.h"
#include "reports/statistics.h"

namespace breakeven {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kAllowed = 0.015;

struct Settings {
  std::vector<int> sizes = {512, 1024, 2048, 4096};
  int threads = 0;
  int least_pairs = 40;
  int most_pairs = 400;
  double width = 0.01;
  double batch_seconds = 0.05;
  double case_seconds = 180;
  std::uint64_t seed = 1;
  std::string out;
};

const Implementation& find(const Registry& registry, const std::string& name) {
  for (const Implementation& implementation : registry.implementations()) {
    if (implementation.op == "matmul" && implementation.name == name) return implementation;
  }
  throw std::runtime_error("the module has no implementation " + name);
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
  Comparison(Module& module, const Subject& subject, const Matmul& size, const Settings& settings)
      : module_(module),
        subject_(subject),
        size_(size),
        settings_(settings),
        random_(settings.seed) {}

  Json run() {
    const Options options{.threads = settings_.threads};
    const Implementation& implementation = find(module_.registry, subject_.implementation);
    const std::string missing = implementation.unsupported(size_, subject_.precision, options);
    if (!missing.empty()) return {{"name", name()}, {"skipped", missing}};
    module_.device->configure(options);
    const auto start = std::chrono::steady_clock::now();
    const auto spent = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    std::unique_ptr<Sides> sides;
    std::int64_t calls = 0;
    int pairs = 0;
    while (pairs < settings_.most_pairs && spent() < settings_.case_seconds) {
      // New memory every few pairs: which physical pages an operand gets is luck, and must not
      // favour one side throughout.
      if (pairs % kPairsPerMemory == 0) {
        sides.reset();
        sides = std::make_unique<Sides>(load(implementation, options));
        if (calls == 0) calls = calibrate(*sides);
      }
      add_pair(*sides, calls);
      ++pairs;
      if (pairs >= settings_.least_pairs && narrow()) break;
    }
    return report(calls);
  }

 private:
  static constexpr int kPairsPerMemory = 5;

  std::string name() const {
    return fmt::format("matmul/{}/cpu/{}/{}", size_.shape(), subject_.implementation,
                       traits(subject_.precision).name);
  }

  // Loaded in random order, because the first to come gets the better pages.
  Sides load(const Implementation& implementation, const Options& options) {
    Sides sides;
    std::array order = {0, 1, 2};
    std::shuffle(order.begin(), order.end(), random_);
    for (const int side : order) {
      if (side == 0) {
        sides.kernel = implementation.load(size_, subject_.precision, options);
        sides.kernel->prepare();
      } else if (side == 1) {
        sides.bare = subject_.make_loop(size_, Memory::as_in_rows);
      } else {
        sides.plain = subject_.make_loop(size_, Memory::plain);
      }
    }
    return sides;
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
        return side == 1 ? sides.bare(count) : sides.plain(count);
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
    const double flops = size_.cost(subject_.precision).flops;
    return {{"ratio", ratio.value},
            {"low", ratio.interval.low},
            {"high", ratio.interval.high},
            {"coverage", ratio.interval.coverage},
            {"within", ratio.interval.low >= 1 - kAllowed && ratio.interval.high <= 1 + kAllowed},
            {"bare_gflops", flops / median(bare) * 1e-9}};
  }

  Json report(std::int64_t calls) const {
    const double flops = size_.cost(subject_.precision).flops;
    return {{"name", name()},
            {"pairs", samples_.harness.size()},
            {"calls_per_batch", calls},
            {"harness_gflops", flops / median(samples_.harness) * 1e-9},
            {"same_memory", against(samples_.over_bare, samples_.bare)},
            {"plain_memory", against(samples_.over_plain, samples_.plain)}};
  }

  Module& module_;
  const Subject& subject_;
  const Matmul& size_;
  const Settings& settings_;
  std::mt19937_64 random_;
  Samples samples_;
};

void print(const Json& row) {
  const std::string name = row.at("name");
  if (row.contains("skipped")) {
    fmt::print("{:<44} skipped: {}\n", name, row.at("skipped").get<std::string>());
    return;
  }
  const auto part = [&](const char* key) {
    const Json& r = row.at(key);
    return fmt::format("{:.4f} [{:.4f}, {:.4f}] {:>6.0f}", r.at("ratio").get<double>(),
                       r.at("low").get<double>(), r.at("high").get<double>(),
                       r.at("bare_gflops").get<double>());
  };
  fmt::print("{:<44} {:>5} {:>7.0f}   {}   {}{}\n", name, row.at("pairs").get<int>(),
             row.at("harness_gflops").get<double>(), part("same_memory"), part("plain_memory"),
             row.at("same_memory").at("within").get<bool>() ? "" : "   beyond 1.5 %");
  std::fflush(stdout);
}

Module open(const std::string& name) {
  for (const ModuleInfo& info : known_modules()) {
    if (info.name == name) return open_module(info);
  }
  throw Unsupported("this build knows no module " + name);
}

int measure(const std::string& name, Settings settings,
            const std::function<std::vector<Subject>(const Module&)>& subjects) {
  Module module = open(name);
  if (settings.threads == 0) settings.threads = static_cast<int>(usable_cpus().size());
  Json facts = module.device->facts();
  facts.update(Json(module.facts));
  Json rows = Json::array();
  bool within = true;
  fmt::print(
      "time of a row / time of a bare loop, {} threads, 95 % intervals of the median\n"
      "{:<44} {:>5} {:>7}   {:<31}   {}\n",
      settings.threads, "", "pairs", "GFLOP/s", "bare, same memory        GFLOP/s",
      "bare, plain memory       GFLOP/s");
  for (const Subject& subject : subjects(module)) {
    for (const int n : settings.sizes) {
      const Matmul size("square_" + std::to_string(n), n, n, n);
      rows.push_back(Comparison(module, subject, size, settings).run());
      print(rows.back());
      const Json& row = rows.back();
      within =
          within && (row.contains("skipped") || row.at("same_memory").at("within").get<bool>());
    }
  }
  if (!settings.out.empty()) {
    const Json all = {{"harness_cost", 1},     {"module", name},      {"threads", settings.threads},
                      {"seed", settings.seed}, {"allowed", kAllowed}, {"facts", facts},
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

BareOperands::BareOperands(const Matmul& size, Precision precision, Memory memory)
    : a(size.inputs(precision)[0].bytes(), memory),
      b(size.inputs(precision)[1].bytes(), memory),
      c(size.output(precision).bytes(), memory) {
  size.fill_input(0, precision, a.span());
  size.fill_input(1, precision, b.span());
  poison(c.span());
}

int harness_cost_main(int argc, char** argv, const std::string& module,
                      const std::function<std::vector<Subject>(const Module&)>& subjects) {
  Settings settings;
  CLI::App app("Time of a matmul row over the time of a bare loop around the same " + module +
               " call, in interleaved pairs. Exit 1 if an interval leaves 1 +- 1.5 %.");
  app.add_option("--sizes", settings.sizes, "Square sizes")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536));
  app.add_option("--threads", settings.threads, "Default: all CPUs that this process may use")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--least-pairs", settings.least_pairs)->check(CLI::Range(6, 100000));
  app.add_option("--most-pairs", settings.most_pairs)->check(CLI::Range(6, 100000));
  app.add_option("--width", settings.width, "Stop when the interval is this narrow")
      ->check(CLI::PositiveNumber);
  app.add_option("--batch-seconds", settings.batch_seconds)->check(CLI::PositiveNumber);
  app.add_option("--case-seconds", settings.case_seconds, "Time limit of one row")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", settings.seed, "Of the order inside pairs");
  app.add_option("--out", settings.out, "JSON file");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return measure(module, settings, subjects);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", argv[0], error.what());
    return 2;
  }
}

}  // namespace breakeven
