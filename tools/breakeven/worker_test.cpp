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
