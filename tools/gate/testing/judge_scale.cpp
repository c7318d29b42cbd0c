// Writes two results files as large as any: what `breakeven gate judge` costs in time and memory.
//   judge_scale rows DIR    1,000,000 rows in all: 12 rounds of 41,667 names, as `gate run` writes
//   judge_scale names DIR   500,000 names, one round of each, for --counters-only
// Then: /usr/bin/time -v breakeven gate judge DIR/base.json --head DIR/head.json
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tools/gate/testing/simulation.h"

namespace {

struct Size {
  int names = 0;
  int rounds = 0;
};

/// As nested loops register them.
std::string row_name(int index) {
  const int threads = 1 + index % 2, k = index / 2 % 89, n = index / 178 % 97, m = index / 178 / 97;
  return fmt::format("matmul/m{}_n{}_k{}/cpu/openblas/f32/threads:{}", 16 + m, 16 + n, 16 + k,
                     threads);
}

/// The keys of Google Benchmark 1.8 in its order, three counters, and what `gate run` adds.
std::string row_text(int index, int round, std::string_view arm, double seconds) {
  const std::string name = row_name(index);
  const double flops = 2.0 * (index + 1) * 4096;
  return fmt::format(
      R"(    {{
      "name": "{0}/real_time",
      "family_index": {1},
      "per_family_instance_index": 0,
      "run_name": "{0}/real_time",
      "run_type": "iteration",
      "repetitions": 1,
      "repetition_index": 0,
      "threads": 1,
      "iterations": {2},
      "real_time": {3:.16e},
      "cpu_time": {4:.16e},
      "time_unit": "ns",
      "bytes": {5:.16e},
      "flops": {6:.16e},
      "items_per_second": {7:.16e},
      "round": {8},
      "arm": "{9}",
      "stage": "screening"
    }})",
      name, index, 1000 + index % 977, seconds * 1e9, seconds * 0.99e9, 3.0 * (index + 1) * 64,
      flops, flops / seconds, round, arm);
}

void write_arm(const std::filesystem::path& path, std::string_view arm, const Size& size,
               std::uint64_t seed) {
  std::ofstream file(path, std::ios::binary);
  file << R"({
  "context": {
    "date": "2026-11-22T10:00:00+00:00",
    "num_cpus": 8,
    "cpu.model": "Model 1",
    "gate.run": "5ca1e"
  },
  "benchmarks": [
)";
  breakeven::gate::NoiseSource random(seed);
  for (int round = 0; round < size.rounds; ++round) {
    for (int index = 0; index < size.names; ++index) {
      const double seconds = (1 + index % 1000) * 1e-6 * (1 + 0.02 * random.normal());
      file << (round + index > 0 ? ",\n" : "") << row_text(index, round, arm, seconds);
    }
  }
  file << "\n  ]\n}\n";
  file.close();
  if (!file) throw std::runtime_error(path.string() + ": can't be written");
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view mode = count == 3 ? arguments[1] : "";
  if (mode != "rows" && mode != "names") {
    fmt::print(stderr, "usage: judge_scale rows|names DIRECTORY\n");
    return 2;
  }
  const Size size = mode == "rows" ? Size{41'667, 12} : Size{500'000, 1};
  const std::filesystem::path directory = arguments[2];
  try {
    std::filesystem::create_directories(directory);
    write_arm(directory / "base.json", "base", size, 1);
    write_arm(directory / "head.json", "head", size, 2);
  } catch (const std::exception& error) {
    fmt::print(stderr, "judge_scale: {}\n", error.what());
    return 2;
  }
  return 0;
}
