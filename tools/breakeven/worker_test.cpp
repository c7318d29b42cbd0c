// The whole way, with the real worker: a module whose competitors misbehave, user shapes, reports.
#include <algorithm>

#include "reports/results.h"
#include "tools/breakeven/testing/sandbox.h"

namespace breakeven {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

class WorkerTest : public Sandbox {
 protected:
  WorkerTest() {
    set("BREAKEVEN_BENCH", REAL_WORKER);
    set("BREAKEVEN_MODULE_PATH", FAKE_MODULES);
  }
  std::string shapes(const std::string& content) const {
    write("shapes.json", content);
    return file("shapes.json").string();
  }
  /// A shape file of one matmul with these members.
  std::string matmul(const std::string& members) const {
    return shapes(R"({"operation":"matmul","shapes":[{"name":"mine",)" + members + "}]}");
  }
};

TEST_F(WorkerTest, MisbehavingCompetitorsBecomeErrorRowsWithoutTimes) {
  const std::string filter =
      "^matmul/square_64/cpu/(right|wrong|nan|throws|unsupported_at_load|hangs|crashes|eats_memory|"
      "unavailable)/f32$";
  const Finished finished = breakeven({"run", "--filter", filter, "--rounds", "2", "--case-timeout",
                                       "2s", "--out", out().string()});
  ASSERT_EQ(finished.ending.exit_code, 1) << finished.errors;
  const Results results = read_results(out());
  std::map<std::string, std::string> failures;
  int right = 0;
  for (const Row& row : results.rows) {
    if (row.failure) {
      failures[row.segments.implementation] = *row.failure;
      EXPECT_FALSE(row.seconds);
    } else {
      EXPECT_EQ(row.segments.implementation, "right");
      ++right;
    }
  }
  EXPECT_EQ(right, 6);
  EXPECT_EQ(failures.size(), 6u);
  EXPECT_NE(failures["wrong"].find("limit"), std::string::npos) << failures["wrong"];
  EXPECT_NE(failures["throws"].find("the kernel broke"), std::string::npos);
  EXPECT_NE(failures["crashes"].find("SIGSEGV"), std::string::npos) << failures["crashes"];
  EXPECT_NE(failures["eats_memory"].find("SIGKILL"), std::string::npos) << failures["eats_memory"];
  EXPECT_NE(failures["hangs"].find("no result within 2 s"), std::string::npos);
  EXPECT_EQ(results.skipped.size(), 2u);

  // No key of a failed row could be taken for a time, and its time is nowhere in the report.
  const json written = json::parse(text(out()));
  for (const json& row : written["benchmarks"]) {
    if (!row.value("error_occurred", false)) continue;
    for (const auto& [key, value] : row.items()) {
      EXPECT_EQ(key.find("time"), std::string::npos) << key;
      EXPECT_EQ(key.find("seconds"), std::string::npos) << key;
    }
  }
  const std::string html = file("report.html").string();
  const Finished report = breakeven({"report", out().string(), "-o", html});
  EXPECT_EQ(report.ending.exit_code, 0) << report.errors;
  EXPECT_NE(text(html).find("the kernel broke"), std::string::npos);
}

TEST_F(WorkerTest, OwnShapes) {
  const std::string file_name = matmul(R"("m":3,"n":5,"k":7)");
  const Finished finished = breakeven({"verify", "--filter", "/right/", "--shapes", file_name});
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
  EXPECT_NE(finished.output.find("2 of 2 cases right"), std::string::npos) << finished.output;
}

TEST_F(WorkerTest, ShapesThatAreNone) {
  const auto expect = [&](const std::string& file_name, const std::vector<std::string>& words) {
    expect_refused(breakeven({"run", "--shapes", file_name, "--out", out().string()}), words);
    EXPECT_FALSE(fs::exists(out()));
  };
  expect(file("none.json").string(), {"none.json"});
  expect(shapes(""), {"shapes.json"});
  expect(shapes("{"), {"shapes.json"});
  expect(shapes(R"({"operation":"matmul","shapes":[]})"), {"shapes.json", "shapes"});
  expect(shapes(R"({"operation":"fft","shapes":[{"name":"a"}]})"), {"shapes.json", "fft"});
  expect(matmul(R"("m":3,"n":5,"k":7,"colour":1)"), {"shapes.json", "mine", "colour"});
  expect(matmul(R"("m":0,"n":5,"k":7)"), {"shapes.json", "mine", "m"});
  expect(matmul(R"("m":-3,"n":5,"k":7)"), {"shapes.json", "mine", "m"});
  expect(matmul(R"("m":9223372036854775807,"n":9223372036854775807,"k":2)"), {"mine"});
  expect(matmul(R"("m":5000000,"n":5000000,"k":5)"), {"mine"});  // 100 TB
}

// One line each that names the file, the entry and what is wrong with it.
TEST_F(WorkerTest, ConvolutionsThatAreNone) {
  const auto expect = [&](const std::string& members, const std::vector<std::string>& words) {
    const std::string file_name =
        shapes(R"({"operation":"conv2d","shapes":[{"name":"mine","n":2,)" + members + "}]}");
    for (const char* command : {"run", "verify", "list"}) {
      std::vector<std::string> arguments = {command, "--shapes", file_name};
      if (command == std::string("run")) {
        arguments.insert(arguments.end(), {"--out", out().string()});
      }
      std::vector<std::string> all = {"shapes.json", "shapes[0]", "mine"};
      all.insert(all.end(), words.begin(), words.end());
      expect_refused(breakeven(arguments), all);
    }
    EXPECT_FALSE(fs::exists(out()));
  };
  expect(R"("c":3,"h":4,"w":4,"k":8,"r":5,"s":3)", {"h=4", "r=5"});  // no row of output
  expect(R"("c":3,"h":9,"w":2,"k":8,"r":3,"s":3,"pad_h":1)", {"w=2", "s=3"});
  expect(R"("c":3,"h":9,"w":9,"k":8,"r":3,"s":3,"dilation_h":5)", {"h=9", "dilation"});
  expect(R"("c":6,"h":9,"w":9,"k":8,"r":3,"s":3,"groups":4)", {"groups=4", "c=6"});
  expect(R"("c":8,"h":9,"w":9,"k":6,"r":3,"s":3,"groups":4)", {"groups=4", "k=6"});
  expect(R"("c":8,"h":9,"w":9,"k":6,"r":3,"s":3,"groups":0)", {"groups", "0"});
  expect(R"("c":8,"h":9,"w":9,"k":6,"r":3,"s":3,"stride_h":0)", {"stride_h", "0"});
  expect(R"("c":8,"h":9,"w":9,"k":6,"r":3,"s":3,"pad_w":-1)", {"pad_w", "-1"});
  expect(R"("c":1000000,"h":1000000,"w":1000000,"k":1,"r":1,"s":1)", {"smaller"});  // 2^61 elements
  expect(R"("c":9223372036854775807,"h":3,"w":3,"k":3,"r":3,"s":3)", {"c"});
  expect(R"("c":99999999999999999999,"h":3,"w":3,"k":3,"r":3,"s":3)", {"c", "too large"});
  expect(R"("c":3,"h":3,"w":3,"k":3,"r":3,"s":3,"layout":"hwcn")", {"layout", "nhwc"});
  expect(R"("c":3,"h":3,"w":3,"k":3,"r":3)", {"s is missing"});
}

TEST_F(WorkerTest, BadEntriesCostThemselvesOnly) {
  const std::string file_name = shapes(
      R"({"operation":"conv2d","shapes":[
          {"name":"no_output","n":2,"c":3,"h":4,"w":4,"k":8,"r":5,"s":3},
          {"name":"no_divisor","n":2,"c":6,"h":9,"w":9,"k":8,"r":3,"s":3,"groups":4},
          {"name":"too_large","n":9223372036854775807,"c":1,"h":9,"w":9,"k":8,"r":3,"s":3}]})");
  const Finished alone = breakeven({"verify", "--shapes", file_name});
  EXPECT_EQ(alone.ending.exit_code, 2);
  EXPECT_EQ(std::count(alone.errors.begin(), alone.errors.end(), '\n'), 3) << alone.errors;
  EXPECT_EQ(alone.errors.rfind("breakeven: " + file_name + ": shapes[0] \"no_output\": ", 0), 0u)
      << alone.errors;

  const std::string mixed = shapes(
      R"({"operation":"matmul","shapes":[{"name":"empty","m":0,"n":5,"k":7},
          {"name":"mine","m":3,"n":5,"k":7},
          {"name":"too_large","m":9223372036854775807,"n":5,"k":7}]})");
  const Finished finished = breakeven({"run", "--filter", "/right/f32$", "--shapes", mixed,
                                       "--rounds", "2", "--out", out().string()});
  EXPECT_EQ(finished.ending.exit_code, 1) << finished.errors;
  EXPECT_EQ(read_results(out()).rows.size(), 6u);
  EXPECT_EQ(read_results(out()).refused.size(), 2u);
  for (const char* name : {"\"empty\"", "\"too_large\""}) {
    const std::size_t first = finished.errors.find(name);
    ASSERT_NE(first, std::string::npos) << finished.errors;
    EXPECT_EQ(finished.errors.find(name, first + 1), std::string::npos) << finished.errors;
  }
}

// Two files' layers under one name would be summed up as one network.
TEST_F(WorkerTest, ANetworksNameIsTakenOnce) {
  const auto file_of = [&](const std::string& name, const std::string& network) {
    write(name, R"({"operation":"matmul","network":")" + network + R"(","shapes":[{"name":"in_)" +
                    name.substr(0, 1) + R"(","m":3,"n":5,"k":7}]})");
    return file(name).string();
  };
  expect_refused(breakeven({"list", "--shapes", file_of("a.json", "resnet50")}),
                 {"a.json", "resnet50", "another name"});
  const std::string first = file_of("b.json", "mine");
  expect_refused(breakeven({"list", "--shapes", first, "--shapes", file_of("c.json", "mine")}),
                 {"c.json", "mine", "another name"});
}

TEST_F(WorkerTest, MoreThreadsThanThereAre) {
  expect_refused(breakeven({"run", "--threads", "100000", "--out", out().string()}),
                 {"--threads", "100000"});
}

TEST_F(WorkerTest, ReportsOfWhatIsNoResult) {
  const std::string html = file("report.html").string();
  const auto expect = [&](const std::string& input, const std::string& word) {
    expect_refused(breakeven({"report", input, "-o", html}), {word});
    EXPECT_FALSE(fs::exists(html));
  };
  expect(file("").string(), "directory");
  expect(file("none.json").string(), "none.json");
  write("results.json", R"({"context":{"breakeven_schema":1},"benchmarks":[)");
  expect(out().string(), "results.json");
  write("results.json", R"({"context":{"breakeven_schema":99},"benchmarks":[]})");
  expect(out().string(), "99");
  expect_refused(breakeven({"report", "-o", html}), {"no results file"});
}

}  // namespace
}  // namespace breakeven
