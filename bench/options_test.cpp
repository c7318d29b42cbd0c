#include "bench/options.h"

#include <gtest/gtest.h>

namespace breakeven {
namespace {

BenchOptions parse(std::vector<std::string> arguments) { return parse_options(arguments); }

std::string complaint(std::vector<std::string> arguments) {
  try {
    parse_options(arguments);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Options, Defaults) {
  const BenchOptions options = parse({});
  EXPECT_EQ(options.mode, Mode::run);
  EXPECT_EQ(options.repetitions, 3);
  EXPECT_DOUBLE_EQ(options.min_batch_seconds, 0.02);
  EXPECT_FALSE(options.threads);
  EXPECT_FALSE(options.energy);
}

TEST(Options, ReadsItsOwnFlags) {
  const BenchOptions options =
      parse({"--module=openblas", "--shapes=a.json", "--shapes=b.json", "--threads=2",
             "--cases=list", "--events=/dev/fd/3", "--seed=7", "--energy", "--verify"});
  EXPECT_EQ(options.module, "openblas");
  EXPECT_EQ(options.shapes.size(), 2u);
  EXPECT_EQ(options.threads, 2);
  EXPECT_EQ(options.cases, "list");
  EXPECT_EQ(options.events, "/dev/fd/3");
  EXPECT_EQ(options.seed, 7u);
  EXPECT_TRUE(options.energy);
  EXPECT_EQ(options.mode, Mode::verify);
}

TEST(Options, TakesMinTimeOfOldAndNewGoogleBenchmark) {
  EXPECT_DOUBLE_EQ(parse({"--benchmark_min_time=0.05"}).min_batch_seconds, 0.05);
  EXPECT_DOUBLE_EQ(parse({"--benchmark_min_time=0.05s"}).min_batch_seconds, 0.05);
  for (const char* bad : {"", "s", "0", "-1", "nan", "inf", "10x", "1e999"}) {
    EXPECT_NE(complaint({std::string("--benchmark_min_time=") + bad}).find("in seconds"),
              std::string::npos)
        << bad;
  }
}

TEST(Options, TuningTakesATimeOrNone) {
  EXPECT_EQ(parse({"--tune"}).mode, Mode::tune);
  EXPECT_FALSE(parse({"--tune"}).tune_seconds);
  EXPECT_EQ(parse({"--tune=90s"}).tune_seconds, 90);
  EXPECT_EQ(parse({"--tune=1h2m3s"}).tune_seconds, 3723);
  EXPECT_EQ(parse({"--tune=8m", "--tune_out=a"}).mode, Mode::tune);
  for (const char* bad : {"", "8", "m", "8x", "-1s", "0s", "nan", "1h-1s", "1e999s"}) {
    EXPECT_NE(complaint({std::string("--tune=") + bad}).find("1h30m"), std::string::npos) << bad;
  }
}

TEST(Options, PassesOtherGoogleBenchmarkFlagsOn) {
  const BenchOptions options = parse({"--benchmark_perf_counters=CYCLES", "--v=1"});
  EXPECT_EQ(options.benchmark_flags,
            (std::vector<std::string>{"--benchmark_perf_counters=CYCLES", "--v=1"}));
}

TEST(Options, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(complaint({"--frobnicate"}), "unknown flag --frobnicate; --help lists the flags");
  EXPECT_EQ(complaint({"--frobnicate=3"}), "unknown flag --frobnicate; --help lists the flags");
  EXPECT_NE(complaint({"matmul"}).find("unexpected argument 'matmul'"), std::string::npos);
  EXPECT_EQ(complaint({"--module"}), "--module: give a value, --module=VALUE");
  EXPECT_EQ(complaint({"--module="}), "--module: give a value, --module=VALUE");
  EXPECT_EQ(complaint({"--list=yes"}), "--list: takes no value");
}

TEST(Options, RefusesBadNumbers) {
  EXPECT_EQ(complaint({"--threads=two"}), "--threads=two: give a whole number");
  EXPECT_EQ(complaint({"--threads="}), "--threads=: give a whole number");
  EXPECT_EQ(complaint({"--threads=99999999999"}), "--threads=99999999999: give a whole number");
  EXPECT_EQ(complaint({"--benchmark_repetitions=0"}),
            "--benchmark_repetitions=0: give a whole number of 1 or more");
  EXPECT_EQ(complaint({"--seed=-1"}), "--seed=-1: give a whole number of 0 or more");
}

TEST(Options, RefusesFormatsThatEndGoogleBenchmark) {
  EXPECT_EQ(complaint({"--benchmark_format=xml"}),
            "--benchmark_format=xml: give console, json or csv");
  EXPECT_EQ(complaint({"--benchmark_out_format="}),
            "--benchmark_out_format=: give console, json or csv");
}

}  // namespace
}  // namespace breakeven
