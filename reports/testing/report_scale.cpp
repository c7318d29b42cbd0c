// Writes a results file as large as any, of invented numbers: what `breakeven report` costs in time
// and memory.
//   report_scale cases N FILE         N cases of one sample each
//   report_scale repetitions N FILE   N rows: cases of 5 rounds with 5 repetitions each
// Then: /usr/bin/time -v breakeven report FILE -o report.html
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

struct Size {
  int cases = 0;
  int rounds = 1;
  int repetitions = 1;
};

/// Who runs every shape: two on each device that pair, and one more precision.
struct Way {
  const char* rest;
  double gflops;
  int threads;
};

constexpr Way kWays[] = {{"cpu/onednn/f32", 300, 2},
                         {"cpu/openblas/f32", 320, 2},
                         {"gpu/cublas/f32", 40000, 0},
                         {"gpu/tiled/f32", 9000, 0},
                         {"cpu/onednn/bf16", 2500, 2},
                         {"gpu/cublas/bf16", 700000, 0},
                         {"cpu/openblas/f32/cache:cold", 250, 2},
                         {"cpu/openblas/f32/threads:1", 165, 1}};
constexpr int kEveryShape = 6;  // the last two ways run every tenth shape only

/// In [-1, 1), the same on every machine (the finaliser of SplitMix64).
double noise_of(std::uint64_t counter) {
  std::uint64_t z = (counter + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return static_cast<double>((z ^ (z >> 31)) >> 11) / static_cast<double>(std::uint64_t{1} << 52) -
         1;
}

struct ScaleCase {
  std::string name;
  std::string sizes;  ///< the counters that say its shape
  double flops = 0;
  double bytes = 0;
  Way way;
};

/// As in a table of shapes: products with sizes of their own, every fourth shape a convolution.
ScaleCase scale_case(int shape, const Way& way) {
  const int m = 64 + 16 * (shape % 97), n = 64 + 16 * (shape / 97 % 89), k = 64 + 8 * (shape % 61);
  if (shape % 4 == 3) {
    const double flops = 2.0 * 16 * 28 * 28 * m * n * 9;
    return {fmt::format("conv2d_forward/layer_{}_c{}_k{}_n16/{}", shape, m, n, way.rest),
            fmt::format(R"("n": 16, "c": {}, "h": 28, "w": 28, "k": {}, "r": 3, "s": 3,
      "pad_h": 1, "pad_w": 1, )",
                        m, n),
            flops, 4.0 * 16 * 28 * 28 * (m + n), way};
  }
  return {fmt::format("matmul/layer_{}_m{}_n{}_k{}/{}", shape, m, n, k, way.rest),
          fmt::format(R"("m": {}, "n": {}, "k": {}, )", m, n, k), 2.0 * m * n * k,
          4.0 * (1.0 * m * k + 1.0 * k * n + 1.0 * m * n), way};
}

/// The keys that `breakeven run` writes.
std::string row_text(const ScaleCase& c, int index, int round, int repetition, const Size& size) {
  const auto sample = static_cast<std::uint64_t>((round * 100 + repetition) * 1'000'000LL + index);
  const double latency = c.way.threads == 0 ? 6e-6 : 0;
  const double seconds = (latency + c.flops / (c.way.gflops * 1e9)) * (1 + 0.02 * noise_of(sample));
  const std::string transfers =
      c.way.threads > 0 ? ""
                        : fmt::format(R"("upload_seconds": {}, "download_seconds": {},
      "host_seconds": {}, )",
                                      1e-5 + c.bytes / 25e9, 1e-5 + c.bytes / 50e9, seconds + 4e-6);
  return fmt::format(
      R"(    {{
      "name": "{0}", "run_name": "{0}", "run_type": "iteration",
      "repetitions": {1}, "repetition_index": {2}, "round": {3}, "process": {4},
      "threads": {5}, "iterations": {6}, "real_time": {7}, "cpu_time": {8}, "time_unit": "ns",
      {9}"flops": {10}, "bytes": {11}, {12}"error": {13}, "tolerance": 1e-05,
      "prepare_seconds": {14}, "clock_mhz": {15}, "verify_method": "fp64"
    }})",
      c.name, size.repetitions, repetition, round, 4000 + 7 * round, c.way.threads,
      100 + index % 977, seconds * 1e9, seconds * 0.99e9, c.sizes, c.flops, c.bytes, transfers,
      3e-7 * (1 + 0.5 * noise_of(static_cast<std::uint64_t>(index))), seconds * 11,
      2900 + index % 50);
}

void write_file(const std::string& path, const Size& size) {
  std::ofstream file(path, std::ios::binary);
  file << R"({
  "context": {
    "breakeven_schema": 1, "date": "2001-02-03T04:05:06", "suite": "full", "seed": "1",
    "cpu.model": "Synthetic CPU", "gpu.name": "Synthetic GPU", "cpu.cores": "2"
  },
  "benchmarks": [
)";
  const char* separator = "";
  for (int round = 0; round < size.rounds; ++round) {
    int index = 0;
    for (int shape = 0; index < size.cases; ++shape) {
      int ways = 0;
      for (const Way& way : kWays) {
        if (ways++ >= kEveryShape && shape % 10 > 0) break;
        if (index == size.cases) break;
        const ScaleCase c = scale_case(shape, way);
        for (int repetition = 0; repetition < size.repetitions; ++repetition) {
          file << separator << row_text(c, index, round, repetition, size);
          separator = ",\n";
        }
        ++index;
      }
    }
  }
  file << "\n  ],\n  \"breakeven\": {\"command\": \"breakeven run --suite full\"}\n}\n";
  file.close();
  if (!file) throw std::runtime_error(path + ": can't be written");
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view mode = count == 4 ? arguments[1] : "";
  const std::string_view number = count == 4 ? arguments[2] : "";
  int rows = 0;
  std::from_chars(number.data(), number.data() + number.size(), rows);
  if ((mode != "cases" && mode != "repetitions") || rows < 1) {
    fmt::print(stderr, "usage: report_scale cases|repetitions N FILE\n");
    return 2;
  }
  try {
    write_file(arguments[3], mode == "cases" ? Size{rows} : Size{(rows + 24) / 25, 5, 5});
  } catch (const std::exception& error) {
    fmt::print(stderr, "report_scale: {}\n", error.what());
    return 2;
  }
  return 0;
}
