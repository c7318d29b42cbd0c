#include "bench/google.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "bench/google_compat.h"
#include "bench/testing/fakes.h"

namespace breakeven {
namespace {

using testing::FakeCase;
using testing::FakeDevice;

struct Output {
  std::string console;
  std::string file;
  int errors = 0;
};

std::string read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

Output run(const std::vector<const FakeCase*>& fakes, BenchOptions options = {}) {
  FakeDevice device;
  Events events;
  Runner runner(device, Policy(), options.repetitions, events);
  options.out = ::testing::TempDir() + "google_out";
  std::filesystem::remove(*options.out);
  initialize_google_benchmark("bench_test", options);
  std::vector<Case> cases;
  for (const FakeCase* fake : fakes) cases.push_back(fake->what);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  run_google_benchmark(cases, runner, {{"seed", 5}}, options);
  ::testing::internal::GetCapturedStderr();
  return {::testing::internal::GetCapturedStdout(), read(*options.out), runner.errors()};
}

TEST(Google, ConsoleNamesHoldNoIterationCounts) {
  const FakeCase c(testing::right());
  const Output output = run({&c});
  EXPECT_NE(output.console.find("fake/four/cpu/fake_kernel/f64 "), std::string::npos);
  EXPECT_NE(output.console.find("fake/four/cpu/fake_kernel/f64_median"), std::string::npos);
  EXPECT_EQ(output.console.find("manual_time"), std::string::npos);
  EXPECT_EQ(output.console.find("iterations:"), std::string::npos);
}

TEST(Google, JsonHoldsOurRowsAndItsAggregates) {
  const FakeCase c(testing::right());
  const Json document = Json::parse(run({&c}).file);
  EXPECT_EQ(document["context"]["seed"], 5);
  const Json& rows = document["benchmarks"];
  ASSERT_EQ(rows.size(), 7u);  // three repetitions; mean, median, stddev, cv
  EXPECT_EQ(rows[0]["name"], c.what.name);
  EXPECT_EQ(rows[0]["iterations"], 20);
  EXPECT_EQ(rows[0]["verify_method"], "full fp64");
  for (const Json& row : rows) {
    EXPECT_EQ(row["run_name"], c.what.name);
    if (row["run_type"] == "aggregate" && row["aggregate_name"] == "median") {
      EXPECT_EQ(row["name"], c.what.name + "_median");
      EXPECT_NEAR(row["real_time"].get<double>(), 1e6, 1);
    }
  }
}

TEST(Google, ContextIsGoogleBenchmarksOwn) {
  initialize_google_benchmark("bench_test", {});
  const Json context = google_benchmark_context();
  for (const char* key : {"date", "host_name", "num_cpus", "caches", "library_build_type"}) {
    EXPECT_TRUE(context.contains(key)) << key;
  }
}

TEST(Google, AWrongAnswerIsOneErrorRowWithoutATime) {
  const FakeCase bad(testing::wrong(), "bad");
  const FakeCase good(testing::right(), "good");
  const Output output = run({&bad, &good});
  EXPECT_EQ(output.errors, 1);
  const Json rows = Json::parse(output.file)["benchmarks"];
  int bad_rows = 0;
  for (const Json& row : rows) {
    if (row["run_name"] != bad.what.name) continue;
    ++bad_rows;
    EXPECT_EQ(row["error_message"], "error 5.0e-01 exceeds limit 1.0e-09 (full fp64)");
    EXPECT_FALSE(row.contains("real_time"));
    EXPECT_FALSE(row.contains("cpu_time"));
  }
  EXPECT_EQ(bad_rows, 1);
  EXPECT_EQ(rows.size(), 8u);
  EXPECT_NE(output.console.find("error 5.0e-01 exceeds"), std::string::npos);
}

TEST(Google, ASkippedCaseHasNoRowAndIsNoError) {
  const FakeCase absent(testing::unsupporting());
  const Output output = run({&absent});
  EXPECT_EQ(output.errors, 0);
  EXPECT_TRUE(Json::parse(output.file)["benchmarks"].empty());
}

TEST(Google, AFailureInALaterRepetitionLeavesNoTime) {
  int runs = 0;
  const FakeCase c([&](std::vector<double>& output, int) {
    output = {1, 2, 3, 4};
    if (++runs > 50) throw std::runtime_error("broke late");
  });
  BenchOptions options;
  options.repetitions = 40;
  const Output output = run({&c}, options);
  EXPECT_EQ(output.errors, 1);
  const Json rows = Json::parse(output.file)["benchmarks"];
  int errors = 0;
  for (const Json& row : rows) {
    EXPECT_FALSE(row.contains("real_time")) << row.dump();
    errors += row.contains("error_occurred") ? 1 : 0;
  }
  EXPECT_EQ(errors, 1);
}

TEST(Google, WritesCsvOfCasesThatFailBeforeOthersSucceed) {
  const FakeCase bad(testing::wrong(), "bad");
  const FakeCase good(testing::right(), "good");
  BenchOptions options;
  options.out_format = "csv";
  const Output output = run({&bad, &good}, options);
  EXPECT_NE(output.file.find("\"fake/four/cpu/good/f64\",20,"), std::string::npos) << output.file;
}

TEST(Google, AFileThatCannotBeWrittenIsRefused) {
  FakeDevice device;
  Events events;
  Runner runner(device, Policy(), 1, events);
  BenchOptions options;
  options.out = "/nonexistent/out.json";
  EXPECT_THROW(run_google_benchmark({}, runner, {}, options), UsageError);
}

/// The differing parts of Google Benchmark up to 1.7, and from 1.8 on.
struct OldState {
  std::string error;
  void SkipWithError(const char* reason) { error = reason; }
};
struct NewState : OldState {
  std::string message;
  void SkipWithMessage(const std::string& reason) { message = reason; }
};
struct OldRun {
  bool error_occurred;
};
struct NewRun {
  enum { kNot, kWithMessage, kWithError } skipped;
};

TEST(Google, BothGenerationsOfItAreServed) {
  OldState old;
  skip(old, "no AMX");
  EXPECT_EQ(old.error, "skipped: no AMX");
  NewState fresh;
  skip(fresh, "no AMX");
  EXPECT_EQ(fresh.message, "no AMX");
  EXPECT_EQ(fresh.error, "");
  EXPECT_TRUE(has_no_time(OldRun{true}));
  EXPECT_FALSE(has_no_time(OldRun{false}));
  EXPECT_TRUE(has_no_time(NewRun{NewRun::kWithMessage}));
  EXPECT_FALSE(has_no_time(NewRun{NewRun::kNot}));
}

TEST(Google, UnknownFlagsAreRefused) {
  BenchOptions options;
  options.benchmark_flags = {"--benchmark_frobnicate=1"};
  EXPECT_THROW(initialize_google_benchmark("bench_test", options), UsageError);
}

}  // namespace
}  // namespace breakeven
