#include "bench/cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "bench/testing/fakes.h"

namespace breakeven {
namespace {

using testing::FakeWorkload;
using ::testing::TempDir;

/// A threaded competitor, a single-threaded one and one with graphs, of two precisions each.
struct Fixture {
  Fixture() {
    workloads.push_back(std::make_unique<FakeWorkload>("four"));
    workloads.push_back(std::make_unique<FakeWorkload>("foreign", "other_op"));
    for (const char* name : {"threaded", "single", "graphs"}) {
      Implementation implementation = testing::fake_implementation(name, testing::right());
      implementation.precisions = {Precision::f64, Precision::bf16};
      implementation.threaded = std::string(name) == "threaded";
      if (std::string(name) == "single") implementation.caches = {Cache::warm};
      if (std::string(name) == "graphs") implementation.launches = {Launch::stream, Launch::graph};
      registry.add(std::move(implementation));
    }
  }

  std::vector<std::string> names(std::string_view kind, const ThreadRange& threads) const {
    std::vector<std::string> result;
    for (const Case& c : expand_cases(registry, workloads, kind, threads)) result.push_back(c.name);
    return result;
  }

  Registry registry;
  Workloads workloads;
};

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

std::string complaint(const std::vector<Case>& cases, const BenchOptions& options) {
  try {
    select_cases(cases, options);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

std::string write_file(const std::string& name, const std::string& text) {
  const std::string path = TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

TEST(Cases, SweepIsPowersOfTwoAndAll) {
  EXPECT_EQ(thread_sweep({1, 1}), (std::vector{1}));
  EXPECT_EQ(thread_sweep({6, 6}), (std::vector{1, 2, 4, 6}));
  EXPECT_EQ(thread_sweep({3, 8}), (std::vector{1, 2, 3, 4, 8}));
}

TEST(Cases, CpuRowsSweepThreadsAndLeaveTheDefaultOut) {
  const std::vector<std::string> names = Fixture().names("cpu", {4, 4});
  EXPECT_TRUE(has(names, "fake/four/cpu/threaded/f64"));
  EXPECT_TRUE(has(names, "fake/four/cpu/threaded/f64/threads:1"));
  EXPECT_TRUE(has(names, "fake/four/cpu/threaded/f64/threads:2"));
  EXPECT_TRUE(has(names, "fake/four/cpu/threaded/bf16/cache:cold/threads:2"));
  EXPECT_TRUE(has(names, "fake/four/cpu/threaded/bf16/cache:cold"));
  EXPECT_FALSE(has(names, "fake/four/cpu/threaded/f64/threads:4"));
}

TEST(Cases, SingleThreadedImplementationsHaveNoThreadsKey) {
  const Fixture fixture;
  for (const Case& c : expand_cases(fixture.registry, fixture.workloads, "cpu", {4, 4})) {
    if (c.implementation->threaded) continue;
    EXPECT_EQ(c.name.find("threads:"), std::string::npos);
    EXPECT_EQ(c.options.threads, 1);
  }
}

TEST(Cases, GpuRowsHaveNoThreadsAndEveryLaunchMode) {
  const std::vector<std::string> names = Fixture().names("gpu", {4, 4});
  EXPECT_TRUE(has(names, "fake/four/gpu/graphs/f64"));
  EXPECT_TRUE(has(names, "fake/four/gpu/graphs/f64/launch:graph"));
  EXPECT_TRUE(has(names, "fake/four/gpu/graphs/f64/cache:cold/launch:graph"));
  EXPECT_FALSE(has(names, "fake/four/gpu/threaded/f64/launch:graph"));
  for (const std::string& name : names) EXPECT_EQ(name.find("threads:"), std::string::npos);
}

TEST(Cases, ColdRowsExistWhereTheImplementationHasThem) {
  const std::vector<std::string> names = Fixture().names("cpu", {2, 2});
  EXPECT_TRUE(has(names, "fake/four/cpu/threaded/f64/cache:cold"));
  EXPECT_TRUE(has(names, "fake/four/cpu/single/f64"));
  EXPECT_FALSE(has(names, "fake/four/cpu/single/f64/cache:cold"));
}

TEST(Cases, OtherOperationsAreLeftAlone) {
  for (const std::string& name : Fixture().names("cpu", {2, 2})) {
    EXPECT_EQ(name.find("foreign"), std::string::npos);
  }
}

TEST(Cases, NamesAreUniqueAndReadBack) {
  for (const char* kind : {"cpu", "gpu"}) {
    const std::vector<std::string> names = Fixture().names(kind, {3, 8});
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
    for (const std::string& name : names) {
      const auto parsed = parse_case_name(name);
      ASSERT_TRUE(parsed) << name;
      EXPECT_EQ(parsed->text(), name);
      EXPECT_EQ(parsed->device, kind);
    }
  }
}

TEST(Cases, TwiceTheSameNameIsAnError) {
  Fixture fixture;
  fixture.registry.add(testing::fake_implementation("single", testing::right()));
  EXPECT_THROW(fixture.names("cpu", {1, 1}), std::runtime_error);
}

TEST(Cases, ParsesKeysInOrder) {
  const auto name = parse_case_name("matmul/square_64/cpu/onednn/bf16/cache:cold/threads:2");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->shape, "square_64");
  EXPECT_EQ(name->keys.at("cache"), "cold");
  EXPECT_EQ(name->keys.at("threads"), "2");
}

TEST(Cases, RefusesWhatIsNoName) {
  for (const char* bad : {"", "matmul", "matmul/a/cpu/x", "matmul//cpu/x/f32", "matmul/a/cpu/x/f31",
                          "matmul/a/cpu/x/f32/", "matmul/a/cpu/x/f32/threads",
                          "matmul/a/cpu/x/f32/threads:", "matmul/a/cpu/x/f32/threads:2/cache:cold",
                          "matmul/a/cpu/x/f32/threads:1/threads:2", "matmul/A/cpu/x/f32",
                          "matmul/a/cpu/x/f32/iterations:1/manual_time"}) {
    EXPECT_FALSE(parse_case_name(bad)) << bad;
  }
}

TEST(Select, FiltersLikeGoogleBenchmark) {
  const Fixture fixture;
  const auto cases = expand_cases(fixture.registry, fixture.workloads, "cpu", {2, 2});
  BenchOptions options;
  options.filter = "single/f64$";
  EXPECT_EQ(select_cases(cases, options).size(), 1u);
  options.filter = "-single/f64$";
  EXPECT_EQ(select_cases(cases, options).size(), cases.size() - 1);
  for (const char* all : {"", "all", "."}) {
    options.filter = all;
    EXPECT_EQ(select_cases(cases, options).size(), cases.size());
  }
}

TEST(Select, RefusesABadExpressionAndNoMatch) {
  const Fixture fixture;
  const auto cases = expand_cases(fixture.registry, fixture.workloads, "cpu", {2, 2});
  BenchOptions options;
  options.filter = "fake(";
  EXPECT_NE(complaint(cases, options).find("--benchmark_filter=fake(: not a regular expression ("),
            std::string::npos);
  options.filter = "nothing_like_it";
  EXPECT_NE(complaint(cases, options).find("matches none of"), std::string::npos);
}

TEST(Select, ShufflesBySeedReproducibly) {
  const Fixture fixture;
  const auto cases = expand_cases(fixture.registry, fixture.workloads, "cpu", {2, 2});
  const auto order = [&](std::optional<std::uint64_t> seed) {
    BenchOptions options;
    options.seed = seed;
    std::vector<std::string> names;
    for (const Case& c : select_cases(cases, options)) names.push_back(c.name);
    return names;
  };
  EXPECT_EQ(order(1), order(1));
  EXPECT_NE(order(1), order(2));
  EXPECT_NE(order(1), order(std::nullopt));
  auto sorted = order(1);
  auto plain = order(std::nullopt);
  std::ranges::sort(sorted);
  std::ranges::sort(plain);
  EXPECT_EQ(sorted, plain);
}

TEST(Select, TakesNamesFromAFileInItsOrder) {
  const Fixture fixture;
  const auto cases = expand_cases(fixture.registry, fixture.workloads, "cpu", {2, 2});
  BenchOptions options;
  options.cases = write_file("order", "fake/four/cpu/single/f64\n\nfake/four/cpu/graphs/f64\n");
  options.seed = 3;  // does not shuffle what was put in order
  const auto selected = select_cases(cases, options);
  ASSERT_EQ(selected.size(), 2u);
  EXPECT_EQ(selected[0].name, "fake/four/cpu/single/f64");
  EXPECT_EQ(selected[1].name, "fake/four/cpu/graphs/f64");
}

TEST(Select, RefusesBadFilesOfNames) {
  const Fixture fixture;
  const auto cases = expand_cases(fixture.registry, fixture.workloads, "cpu", {2, 2});
  BenchOptions options;
  options.cases = write_file("unknown", "fake/five/cpu/single/f64\n");
  EXPECT_NE(complaint(cases, options).find("no case is called 'fake/five/cpu/single/f64'"),
            std::string::npos);
  options.cases = write_file("twice", "fake/four/cpu/single/f64\nfake/four/cpu/single/f64\n");
  EXPECT_NE(complaint(cases, options).find("stands there twice"), std::string::npos);
  options.cases = write_file("empty", "\n");
  EXPECT_NE(complaint(cases, options).find("names no case"), std::string::npos);
  options.cases = TempDir() + "is_not_there";
  EXPECT_NE(complaint(cases, options).find("can't be read"), std::string::npos);
}

TEST(Workloads, ShapesOfTwoFilesMustNotCollide) {
  const std::string text =
      R"({"operation": "matmul", "source": "test", "shapes": [{"name": "mine", "m": 8, "n": 8, "k": 8}]})";
  const std::string first = write_file("first.json", text);
  const std::string second = write_file("second.json", text);
  EXPECT_EQ(load_workloads({first}).workloads.size(), load_workloads({}).workloads.size() + 1);
  EXPECT_THROW(load_workloads({first, second}), UsageError);
  EXPECT_THROW(load_workloads({write_file("broken.json", "{")}), UsageError);
}

TEST(Workloads, RefusedEntriesOfAllFilesAreKept) {
  const std::string first = write_file(
      "first.json",
      R"({"operation": "matmul", "shapes": [{"name": "mine", "m": 8, "n": 8, "k": 8}, 7]})");
  const std::string second = write_file(
      "second.json", R"({"operation": "matmul", "shapes": [{"name": "mine", "m": 8, "n": 8, "k": 8},
                         {"name": "other", "m": 8, "n": 8, "k": 8}]})");
  const LoadedShapes loaded = load_workloads({first, second});
  EXPECT_EQ(loaded.workloads.size(), load_workloads({}).workloads.size() + 2);
  ASSERT_EQ(loaded.refused.size(), 2u);
  EXPECT_EQ(loaded.refused[0], first + ": shapes[1]: must be an object {...}, but is 7");
  EXPECT_EQ(loaded.refused[1], second +
                                   ": shapes[0] \"mine\": the name is that of a matmul shape in " +
                                   first + "; choose another");
}

}  // namespace
}  // namespace breakeven
