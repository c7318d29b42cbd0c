// breakeven-bench as its users see it: exit status, standard output, one clear line for a mistake.
// The module is the one whose competitors misbehave (testing/fake_module.cpp).
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "bench/json.h"

namespace breakeven {
namespace {

struct Result {
  int status = -1;
  std::string out;
  std::string error;
};

std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string temporary(const std::string& name) {
  return ::testing::TempDir() + "bench_program_" + name;
}

Result bench(const std::string& flags) {
  const std::string out = temporary("out");
  const std::string error = temporary("error");
  const std::string command =
      std::string(std::getenv("BREAKEVEN_BENCH")) + " " + flags + " >" + out + " 2>" + error;
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(out), read(error)};
}

/// A mistake: exit 2, and one line that holds `part`.
void expect_usage(const std::string& flags, const std::string& part) {
  const Result result = bench(flags);
  EXPECT_EQ(result.status, 2) << flags << "\n" << result.error;
  EXPECT_NE(result.error.find(part), std::string::npos) << flags << "\n" << result.error;
  EXPECT_EQ(std::count(result.error.begin(), result.error.end(), '\n'), 1) << result.error;
  EXPECT_EQ(result.out, "") << flags;
}

const std::string kFake = "--module=fake --benchmark_min_time=0.0001 --benchmark_repetitions=2 ";
const std::string kRight = "matmul/ragged_1x1x1/cpu/right/f32";

std::vector<Json> events_of(const std::string& path) {
  std::vector<Json> events;
  std::istringstream lines(read(path));
  for (std::string line; std::getline(lines, line);) events.push_back(Json::parse(line));
  return events;
}

TEST(Program, SearchesTheLargestBatch) {
  const std::string flags = "--module=fake --largest_batch --benchmark_filter=";
  const std::string row = "training_step_lenet/b64/cpu/";
  // Nine tenths of the module's 1 GiB at 10 MiB a sample.
  const Result fits = bench(flags + row + "fits/");
  EXPECT_EQ(fits.status, 0) << fits.error;
  EXPECT_EQ(fits.out.rfind(row + "fits/f32: 92 (0.899 GiB of 1 GiB of memory; one call takes ", 0),
            0u)
      << fits.out;

  const Result dies = bench(flags + row + "dies/");
  EXPECT_EQ(dies.status, 0) << dies.error;
  const std::string start = row + "dies/f32: ";
  ASSERT_EQ(dies.out.rfind(start, 0), 0u) << dies.out;
  const int batch = std::stoi(dies.out.substr(start.size()));
  EXPECT_LE(batch, 300);
  EXPECT_GE(batch, 280);
  EXPECT_NE(dies.out.find("but a larger batch was killed"), std::string::npos) << dies.out;

  const Result huge = bench(flags + row + "huge/");
  EXPECT_EQ(huge.status, 1);
  EXPECT_EQ(huge.out, row + "huge/f32: none; a batch of 1 needs 2 GiB of 1 GiB of memory\n");
  for (const Result& result : {fits, dies, huge}) {
    EXPECT_EQ(result.error, "");
    EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1) << result.out;
  }
  expect_usage("--module=fake --largest_batch --benchmark_filter=" + kRight,
               "--largest_batch: " + kRight + " has no batch; choose rows of training steps");
  expect_usage("--module=fake --largest_batch --benchmark_filter=nothing_is_called_so",
               "matches none of");
}

TEST(Program, ABatchThatIsNoModelEndsNoSearch) {
  // The last stage normalises over one value a channel and image: there is no step of one image.
  const std::string shapes = temporary("models.json");
  std::ofstream(shapes) << R"({"operation": "training", "shapes": [
    {"name": "small_b", "model": "resnet18", "batch": [8], "side": 8, "width": 4}]})";
  const std::string flags = "--module=fake --largest_batch --shapes=" + shapes + " ";
  const std::string row = "training_step_resnet18/small_b8/cpu/";
  const Result all = bench(flags + "--benchmark_filter=" + row);
  EXPECT_EQ(all.error, "");
  EXPECT_EQ(all.status, 1);  // "huge" has no batch that runs
  EXPECT_NE(all.out.find(row + "fits/f32: 92 ("), std::string::npos) << all.out;
  EXPECT_NE(all.out.find(row + "huge/f32: none; a batch of 2 needs 4 GiB of 1 GiB of memory\n"),
            std::string::npos)
      << all.out;
}

TEST(Program, UnsupportedBatchesAreNoFailure) {
  const Result result =
      bench("--module=fake --largest_batch '--benchmark_filter=lenet/b64/cpu/(few|none)/'");
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.status, 0) << result.out;
  EXPECT_NE(result.out.find("/few/f32: 40 ("), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("/none/f32: none; no such batch\n"), std::string::npos) << result.out;
}

TEST(Program, MistakesGetOneLineAndExit2) {
  expect_usage("--frobnicate", "unknown flag --frobnicate");
  expect_usage("--benchmark_frobnicate=1", "unknown flag --benchmark_frobnicate=1");
  expect_usage(kFake + "--threads=0", "--threads=0: give 1 to ");
  expect_usage(kFake + "--threads=-3", "--threads=-3: give 1 to ");
  expect_usage(kFake + "--threads=100000", "--threads=100000: give 1 to ");
  expect_usage(kFake + "--threads=two", "--threads=two: give a whole number");
  expect_usage(kFake + "'--benchmark_filter=ma('", "not a regular expression");
  expect_usage(kFake + "--benchmark_filter=nothing_is_called_so", "matches none of");
  expect_usage("--module=nonsense", "there is no such module; there are ");
  expect_usage(kFake + "--cases=/nonexistent", "can't be read");
  expect_usage(kFake + "--events=/nonexistent/events", "can't be written");
  expect_usage(kFake + "--benchmark_filter=1x1x1/cpu/right --benchmark_out=/nonexistent/out",
               "can't be written");
  expect_usage(kFake + "--shapes=/nonexistent.json", "/nonexistent.json");
}

TEST(Program, AnUnknownCaseIsNamed) {
  std::ofstream(temporary("cases")) << kRight << "\nmatmul/no_such_shape/cpu/right/f32\n";
  expect_usage(kFake + "--cases=" + temporary("cases"), "matmul/no_such_shape/cpu/right/f32");
}

TEST(Program, ModulesAreListedWithoutBeingOpened) {
  const Result result = bench("--modules");
  EXPECT_EQ(result.status, 0);
  bool found = false;
  for (const Json& module : Json::parse(result.out)) {
    for (const char* key : {"name", "device", "path", "missing", "competitors"}) {
      EXPECT_TRUE(module.contains(key)) << key;
    }
    found = found || module["name"] == "fake";
  }
  EXPECT_TRUE(found);
}

TEST(Program, ListsCasesWithReasons) {
  const Result result = bench("--module=fake --list");
  EXPECT_EQ(result.status, 0) << result.error;
  const Json list = Json::parse(result.out);
  EXPECT_EQ(list["module"], "fake");
  EXPECT_EQ(list["facts"]["fake.version"], "1");
  EXPECT_GE(list["default_threads"], 1);
  int unsupported = 0;
  for (const Json& c : list["cases"]) unsupported += c.contains("unsupported") ? 1 : 0;
  EXPECT_GT(unsupported, 0);
  EXPECT_LT(unsupported, static_cast<int>(list["cases"].size()));
}

TEST(Program, FactsAreFlat) {
  const Result result = bench("--facts --seed=9");
  EXPECT_EQ(result.status, 0) << result.error;
  const Json facts = Json::parse(result.out);
  EXPECT_EQ(facts["seed"], 9);
  EXPECT_TRUE(facts["breakeven_schema"].is_number_integer());
  EXPECT_TRUE(facts["method_version"].is_number_integer());
  for (const char* key :
       {"git.commit", "compiler", "os.kernel", "memory.total_bytes", "num_cpus"}) {
    EXPECT_TRUE(facts.contains(key)) << key;
  }
}

TEST(Program, MeasuresWhatIsRight) {
  const std::string events = temporary("events");
  std::remove(events.c_str());
  const Result result = bench(kFake + "--benchmark_filter=^" + kRight + "$ --events=" + events +
                              " --benchmark_format=json");
  EXPECT_EQ(result.status, 0) << result.error;
  EXPECT_EQ(Json::parse(result.out)["benchmarks"][0]["name"], kRight);
  std::string order;
  for (const Json& event : events_of(events)) order += event["event"].get<std::string>() + " ";
  EXPECT_EQ(order, "context start rows end ");
  const Json rows = events_of(events)[2]["rows"];
  EXPECT_EQ(rows.size(), 2u);
  EXPECT_GT(rows[0]["real_time"], 0);
  EXPECT_EQ(rows[0]["m"], 1);
}

TEST(Program, RunsNamedCasesInTheirOrder) {
  std::ofstream(temporary("cases")) << "matmul/ragged_primes_7x11x13/cpu/right/f32\n"
                                    << kRight << "\n";
  const std::string events = temporary("ordered");
  std::remove(events.c_str());
  const Result result =
      bench(kFake + "--cases=" + temporary("cases") + " --seed=1 --events=" + events);
  EXPECT_EQ(result.status, 0) << result.error;
  EXPECT_EQ(events_of(events)[1]["case"], "matmul/ragged_primes_7x11x13/cpu/right/f32");
  EXPECT_EQ(events_of(events)[3]["case"], kRight);
}

TEST(Program, AWrongAnswerExits1WithoutATimeInAnyFile) {
  const std::string events = temporary("wrong");
  std::remove(events.c_str());
  const Result result = bench(kFake +
                              "'--benchmark_filter=primes_7x11x13/cpu/(wrong|nan|throws)/f32$' "
                              "--benchmark_out=" +
                              temporary("wrong.json") + " --events=" + events);
  EXPECT_EQ(result.status, 1) << result.error;
  const Json rows = Json::parse(read(temporary("wrong.json")))["benchmarks"];
  ASSERT_EQ(rows.size(), 3u);
  for (const Json& row : rows) EXPECT_FALSE(row.contains("real_time")) << row.dump();
  for (const Json& event : events_of(events)) {
    if (event["event"] == "context") continue;
    EXPECT_EQ(event.dump().find("_time"), std::string::npos) << event.dump();
  }
}

TEST(Program, WhatIsUnsupportedIsSkippedAndExits0) {
  const std::string events = temporary("skipped");
  std::remove(events.c_str());
  const Result result = bench(
      kFake +
      "'--benchmark_filter=1x1x1/cpu/(unavailable|unsupported_at_load)/f32$' --events=" + events);
  EXPECT_EQ(result.status, 0) << result.error;
  EXPECT_NE(result.error.find("never available"), std::string::npos);
  int skips = 0;
  for (const Json& event : events_of(events)) skips += event["event"] == "skip" ? 1 : 0;
  EXPECT_EQ(skips, 2);
}

TEST(Program, VerifiesWithoutTiming) {
  const Result right = bench(kFake + "--verify --benchmark_filter=^" + kRight + "$");
  EXPECT_EQ(right.status, 0) << right.error;
  EXPECT_EQ(right.out.find("right    " + kRight), 0u) << right.out;
  const Result wrong =
      bench(kFake + "'--verify' '--benchmark_filter=primes_7x11x13/cpu/wrong/f32$'");
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.out.find("exceeds limit"), std::string::npos) << wrong.out;
}

TEST(Program, TunesAndWritesTheTable) {
  const std::string table = ::testing::TempDir() + "fake_tuned.txt";
  std::remove(table.c_str());
  const Result result = bench(kFake + "--tune=10m --tune_out=" + ::testing::TempDir() +
                              " --benchmark_min_time=0.001");
  EXPECT_EQ(result.status, 1) << result.error;  // one of the ways is wrong
  EXPECT_EQ(read(table), "ragged_1x1x1 f32 right plain\nragged_primes_7x11x13 f32 right plain\n");
  EXPECT_NE(result.out.find("exceeds limit"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("2 of 2 cases tuned; written to"), std::string::npos) << result.out;
}

TEST(Program, WithoutTimeATableStaysAsItIs) {
  const std::string table = ::testing::TempDir() + "fake_tuned.txt";
  std::ofstream(table) << "as it was\n";
  const Result result = bench(kFake + "--tune=0.000001s --tune_out=" + ::testing::TempDir());
  EXPECT_EQ(result.status, 0) << result.error;
  EXPECT_EQ(read(table), "as it was\n");
}

TEST(Program, RefusedShapesAreToldOnceAndExit1) {
  const std::string shapes = temporary("shapes.json");
  std::ofstream(shapes) << R"({"operation": "matmul", "shapes": [
      {"name": "mine", "m": 2, "n": 3, "k": 4}, {"name": "bad", "m": 0, "n": 3, "k": 4}]})";
  const std::string line = shapes + ": shapes[1] \"bad\": m must be a whole number";
  const std::string flags = kFake + "--shapes=" + shapes + " ";
  for (const char* mode : {"--verify ", "--benchmark_list_tests ", ""}) {
    const Result result = bench(flags + mode + "--benchmark_filter=^matmul/mine/cpu/right/f32$");
    EXPECT_EQ(result.status, 1) << mode << result.error;
    EXPECT_EQ(result.error.rfind("breakeven-bench: " + line, 0), 0u) << mode << result.error;
    EXPECT_EQ(result.error.find("bad", result.error.find("bad") + 1), std::string::npos)
        << mode << result.error;
    EXPECT_NE(result.out.find("matmul/mine/cpu/right/f32"), std::string::npos) << mode;
  }
  const Result list = bench(flags + "--list");
  EXPECT_EQ(list.status, 0);
  EXPECT_EQ(list.error, "");
  const Json refused = Json::parse(list.out)["refused"];
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].get<std::string>().rfind(line, 0), 0u) << refused;
  // A driver has the list: its worker is quiet, and fails for rows alone.
  std::ofstream(temporary("cases")) << "matmul/mine/cpu/right/f32\n";
  const Result driven =
      bench(flags + "--verify --cases=" + temporary("cases") + " --events=" + temporary("driven"));
  EXPECT_EQ(driven.status, 0) << driven.error;
  EXPECT_EQ(driven.error, "");
}

TEST(Program, ANetworksBadEntriesGetALineEachAndExit2) {
  const std::string shapes = temporary("network.json");
  std::ofstream(shapes) << R"({"operation": "matmul", "network": "net", "shapes": [
      {"name": "a", "m": 2, "n": 3, "k": 4}, {"name": "b", "m": 0, "n": 3, "k": 4}, {}]})";
  const Result result =
      bench(kFake + "--verify --benchmark_filter=/a/cpu/right/ --shapes=" + shapes);
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.error, "breakeven-bench: " + shapes +
                              ": shapes[1] \"b\": m must be a whole number from 1 up, but is 0\n"
                              "breakeven-bench: " +
                              shapes + ": shapes[2]: name is missing\n");
}

TEST(Program, SaysWhyNothingCanBeTuned) {
  expect_usage("--module=nonesuch --tune", "there is no such module");
  expect_usage(kFake + "--tune --tune_out=/nonexistent/folder", "give --tune_out=FOLDER");
  expect_usage("--tune=soon", "1h30m");
}

TEST(Program, HelpAndNames) {
  const Result help = bench("--help");
  EXPECT_EQ(help.status, 0);
  EXPECT_NE(help.out.find("--module=NAME"), std::string::npos);
  const Result names = bench(kFake + "--benchmark_list_tests --benchmark_filter=^" + kRight + "$");
  EXPECT_EQ(names.status, 0);
  EXPECT_EQ(names.out, kRight + "\n");
}

TEST(Program, WithoutAModuleTheOnlyOneWithRowsIsTaken) {
  const Result result = bench("--benchmark_list_tests --benchmark_filter=^" + kRight + "$");
  EXPECT_EQ(result.status, 0) << result.error;
  EXPECT_EQ(result.out, kRight + "\n");
}

}  // namespace
}  // namespace breakeven
