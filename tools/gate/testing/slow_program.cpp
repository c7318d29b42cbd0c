// A Google Benchmark program as a user of the gate may have it, knowing nothing of the gate, with
// faults that can be planted from outside:
//   SLOW_ROWS=N               rows, 1 to 64 (default 8)
//   SLOW_NAME=NAME[,NAME…]    rows that do more work; each a name or a regular expression of whole
//   ones SLOW_PCT=PCT[,PCT…]       how much more, one for all of them or one for each (default 10)
//   SLOW_CRASH=NAME           that row aborts
//   SLOW_SKIP=NAME            that row calls SkipWithError
//   SLOW_HANG=NAME            that row never ends
//   SLOW_COUNTER=NAME:VALUE   that row's counter kernel_launches
// A call does 1000 units of work, and PCT percent more of them where it is slowed: counted, not
// timed, so that the slowdown is the same on every machine. The counter `units` says how many they
// were.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <numeric>
#include <optional>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kKinds = 8, kLevels = 8;
constexpr double kUnits = 1000;

// Arithmetic: each step needs the one before, so latency and clock decide.
constexpr std::array<std::size_t, kLevels> kSteps = {4, 8, 16, 32, 64, 128, 192, 256};  // of a unit

struct Multiply {
  using Value = std::uint64_t;
  static constexpr const char* kName = "chain_multiply";
  static Value step(Value x) { return x * 6364136223846793005U + 1442695040888963407U; }
};

struct Shift {
  using Value = std::uint64_t;
  static constexpr const char* kName = "chain_shift";
  static Value step(Value x) {
    x ^= x << 13;
    x ^= x >> 7;
    return x ^ (x << 17);
  }
};

struct Polynomial {
  using Value = double;
  static constexpr const char* kName = "chain_polynomial";
  static Value step(Value x) { return x * 0.999 + 0.001; }
};

struct Divide {
  using Value = double;
  static constexpr const char* kName = "chain_divide";
  static Value step(Value x) { return 1 / (x + 1); }
};

template <class Step>
class Chain {
 public:
  explicit Chain(std::size_t level) : steps_(kSteps[level]) {}
  static std::string name(std::size_t level) {
    return std::string(Step::kName) + "/" + std::to_string(kSteps[level]);
  }
  void work(std::size_t units) {
    for (std::size_t i = 0; i < units * steps_; ++i) value_ = Step::step(value_);
    benchmark::DoNotOptimize(value_);
  }

 private:
  std::size_t steps_;
  typename Step::Value value_ = 1;
};

// Memory: passes over buffers of many sizes; a call goes on where the last one ended.
constexpr std::array<std::size_t, kLevels> kKibibytes = {16,   64,   256,  1024,
                                                         2048, 4096, 8192, 16384};
constexpr std::size_t kBlock = 256;  // words of a unit: 2 KiB

std::string memory_name(const char* kind, std::size_t level) {
  return std::string(kind) + "/" + std::to_string(kKibibytes[level]) + "KiB";
}

class Sum {
 public:
  explicit Sum(std::size_t level) : words_(kKibibytes[level] * 128, level) {}
  static std::string name(std::size_t level) { return memory_name("memory_sum", level); }
  void work(std::size_t units) {
    std::uint64_t sum = 0;
    for (std::size_t unit = 0; unit < units; ++unit) {
      for (std::size_t i = 0; i < kBlock; ++i) sum += words_[at_ + i];
      at_ = at_ + kBlock == words_.size() ? 0 : at_ + kBlock;
    }
    benchmark::DoNotOptimize(sum);
  }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t at_ = 0;
};

class Copy {
 public:
  explicit Copy(std::size_t level) : words_(kKibibytes[level] * 128, level) {}
  static std::string name(std::size_t level) { return memory_name("memory_copy", level); }
  void work(std::size_t units) {
    const std::size_t half = words_.size() / 2;
    for (std::size_t unit = 0; unit < units; ++unit) {
      for (std::size_t i = 0; i < kBlock; ++i) words_[half + at_ + i] = words_[at_ + i];
      benchmark::ClobberMemory();
      at_ = at_ + kBlock == half ? 0 : at_ + kBlock;
    }
  }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t at_ = 0;
};

/// Loads of which each gives the place of the next: one cycle over the whole buffer.
class Chase {
 public:
  explicit Chase(std::size_t level) : next_(kKibibytes[level] * 256) {
    std::iota(next_.begin(), next_.end(), 0U);
    std::uint64_t random = 1;
    for (std::size_t i = next_.size() - 1; i > 0; --i) {  // Sattolo's shuffle
      random = Multiply::step(random);
      std::swap(next_[i], next_[(random >> 33) % i]);
    }
  }
  static std::string name(std::size_t level) { return memory_name("memory_chase", level); }
  void work(std::size_t units) {
    for (std::size_t i = 0; i < 4 * units; ++i) at_ = next_[at_];
    benchmark::DoNotOptimize(at_);
  }

 private:
  std::vector<std::uint32_t> next_;
  std::uint32_t at_ = 0;
};

/// A small matrix product; a unit is one row of the result.
class Product {
 public:
  explicit Product(std::size_t level)
      : n_(kSizes[level]), a_(n_ * n_, 0.5F), b_(n_ * n_, 0.25F), c_(n_ * n_) {}
  static std::string name(std::size_t level) { return "product/" + std::to_string(kSizes[level]); }
  void work(std::size_t units) {
    for (std::size_t unit = 0; unit < units; ++unit) {
      float* const row = &c_[row_ * n_];
      std::fill(row, row + n_, 0.0F);
      for (std::size_t k = 0; k < n_; ++k) {
        for (std::size_t j = 0; j < n_; ++j) row[j] += a_[row_ * n_ + k] * b_[k * n_ + j];
      }
      benchmark::ClobberMemory();
      row_ = row_ + 1 == n_ ? 0 : row_ + 1;
    }
  }

 private:
  static constexpr std::array<std::size_t, kLevels> kSizes = {8, 12, 16, 24, 32, 40, 48, 64};
  std::size_t n_, row_ = 0;
  std::vector<float> a_, b_, c_;
};

std::string environment(const char* key) {
  const char* const value = std::getenv(key);
  return value ? value : "";
}

std::vector<std::string> parts(const std::string& text) {
  std::vector<std::string> result;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) result.push_back(part);
  return result;
}

double number(const char* key, const std::string& text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || !std::isfinite(value)) {
    throw std::runtime_error(std::string(key) + ": '" + text + "' is not a number");
  }
  return value;
}

/// What a row is to do, out of the environment.
struct Behaviour {
  std::size_t units = static_cast<std::size_t>(kUnits);
  bool crash = false, hang = false, skip = false;
  std::optional<double> launches;
};

class Faults {
 public:
  Faults() {
    const std::vector<std::string> percents = parts(environment("SLOW_PCT"));
    const std::vector<std::string> names = parts(environment("SLOW_NAME"));
    if (percents.size() > 1 && percents.size() != names.size()) {
      throw std::runtime_error("SLOW_PCT: give one figure, or one for each part of SLOW_NAME");
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string percent = percents.empty() ? "10" : percents[i % percents.size()];
      add("SLOW_NAME", names[i], [units = units_of(percent)](Behaviour& b) { b.units = units; });
    }
    add("SLOW_CRASH", environment("SLOW_CRASH"), [](Behaviour& b) { b.crash = true; });
    add("SLOW_HANG", environment("SLOW_HANG"), [](Behaviour& b) { b.hang = true; });
    add("SLOW_SKIP", environment("SLOW_SKIP"), [](Behaviour& b) { b.skip = true; });
    const std::string counter = environment("SLOW_COUNTER");
    if (counter.empty()) return;
    const std::size_t colon = counter.rfind(':');
    if (colon == std::string::npos) throw std::runtime_error("SLOW_COUNTER: give NAME:VALUE");
    const double launches = number("SLOW_COUNTER", counter.substr(colon + 1));
    add("SLOW_COUNTER", counter.substr(0, colon), [=](Behaviour& b) { b.launches = launches; });
  }

  Behaviour of(const std::string& row) {
    Behaviour behaviour;
    for (Fault& fault : faults_) {
      if (!std::regex_match(row, fault.rows)) continue;
      fault.planted = true;
      fault.plant(behaviour);
    }
    return behaviour;
  }

  /// A fault that was meant for a row that isn't there would look like one that nobody found.
  void require_all_planted() const {
    for (const Fault& fault : faults_) {
      if (fault.planted) continue;
      throw std::runtime_error(fault.key + ": '" + fault.text + "' matches no row");
    }
  }

 private:
  struct Fault {
    std::string key, text;
    std::regex rows;
    std::function<void(Behaviour&)> plant;
    bool planted = false;
  };

  static std::size_t units_of(const std::string& percent) {
    const double units = std::round(kUnits * (1 + number("SLOW_PCT", percent) / 100));
    if (!(units >= 1 && units <= 1e6)) throw std::runtime_error("SLOW_PCT: out of range");
    return static_cast<std::size_t>(units);
  }

  void add(const char* key, const std::string& rows, std::function<void(Behaviour&)> plant) {
    if (rows.empty()) return;
    try {
      faults_.push_back({key, rows, std::regex(rows), std::move(plant)});
    } catch (const std::regex_error& error) {
      throw std::runtime_error(std::string(key) + ": '" + rows + "': " + error.what());
    }
  }

  std::vector<Fault> faults_;
};

template <class Kernel>
void measure(benchmark::State& state, std::size_t level, const Behaviour& behaviour) {
  if (behaviour.crash) std::abort();
  while (behaviour.hang) pause();
  if (behaviour.skip) {
    state.SkipWithError("skipped since SLOW_SKIP says so");
    return;
  }
  Kernel kernel(level);
  for (auto _ : state) kernel.work(behaviour.units);
  state.counters["units"] = static_cast<double>(behaviour.units);
  if (behaviour.launches) state.counters["kernel_launches"] = *behaviour.launches;
}

template <class Kernel>
benchmark::internal::Benchmark* add_row(std::size_t level, Faults& faults) {
  const std::string name = Kernel::name(level);
  const Behaviour behaviour = faults.of(name);
  return benchmark::RegisterBenchmark(
      name.c_str(), [=](benchmark::State& state) { measure<Kernel>(state, level, behaviour); });
}

/// All kinds, then again with more work; suffixes and units of time as real programs have them.
void add_row(std::size_t row, Faults& faults) {
  const std::size_t level = row / kKinds;
  switch (row % kKinds) {
    case 0:
      add_row<Chain<Multiply>>(level, faults);
      break;
    case 1:
      add_row<Sum>(level, faults)->Unit(benchmark::kMicrosecond);
      break;
    case 2:
      add_row<Product>(level, faults)->UseRealTime();
      break;
    case 3:
      add_row<Chain<Divide>>(level, faults);
      break;
    case 4:
      add_row<Chase>(level, faults)->Unit(benchmark::kMillisecond);
      break;
    case 5:
      add_row<Chain<Shift>>(level, faults);
      break;
    case 6:
      add_row<Copy>(level, faults)->UseRealTime();
      break;
    default:
      add_row<Chain<Polynomial>>(level, faults);
  }
}

std::size_t row_count() {
  const std::string text = environment("SLOW_ROWS");
  const double rows = text.empty() ? 8 : number("SLOW_ROWS", text);
  if (!(rows >= 1 && rows <= kKinds * kLevels) || rows != std::floor(rows)) {
    throw std::runtime_error("SLOW_ROWS: '" + text + "' is not a whole number from 1 to 64");
  }
  return static_cast<std::size_t>(rows);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Faults faults;
    const std::size_t rows = row_count();
    for (std::size_t row = 0; row < rows; ++row) add_row(row, faults);
    faults.require_all_planted();
  } catch (const std::exception& error) {
    std::cerr << "slow_program: " << error.what() << "\n";
    return 2;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
