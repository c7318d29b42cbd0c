// breakeven report of what the real gate wrote.
#include <cmath>

#include "tools/breakeven/testing/sandbox.h"

namespace breakeven {
namespace {

using nlohmann::json;

class ReportChangesTest : public Sandbox {
 protected:
  /// Results of one arm: two rows of 12 rounds, of which "slow" takes `factor` times as long.
  json arm(double factor) const {
    json document = {{"context",
                      {{"date", "2026-11-22T10:00:00+00:00"},
                       {"cpu.model", "Model 1"},
                       {"git.commit", factor > 1 ? "bbbb" : "aaaa"}}},
                     {"benchmarks", json::array()}};
    for (int round = 0; round < 12; ++round) {
      const double noise = 1 + 0.002 * std::sin(5.0 * round + factor);
      for (const char* name : {"same", "slow"}) {
        document["benchmarks"].push_back(
            {{"name", name},
             {"run_type", "iteration"},
             {"iterations", 100},
             {"round", round},
             {"real_time", noise * (name == std::string("slow") ? factor : 1)},
             {"cpu_time", 1},
             {"time_unit", "ms"}});
      }
    }
    return document;
  }

  void judge() const {
    write("base.json", arm(1).dump());
    write("head.json", arm(1.2).dump());
    const Finished finished =
        breakeven({"gate", "judge", file("base.json"), "--head", file("head.json"), "--history",
                   file("history"), "-o", file("out")});
    ASSERT_EQ(finished.ending.exit_code, 1) << finished.output << finished.errors;
  }

  Finished report(std::vector<std::string> more) const {
    more.insert(more.begin(), "report");
    more.insert(more.end(), {"-o", file("r.html")});
    return breakeven(more);
  }
};

TEST_F(ReportChangesTest, TellsWhatTheGateWrote) {
  judge();
  const Finished finished =
      report({"--verdict", file("out") / "verdict.json", "--history", file("history"), "--markdown",
              file("r.md"), "--charts", file("charts")});
  ASSERT_EQ(finished.ending.exit_code, 0) << finished.errors;
  const json verdict = json::parse(text(file("out") / "verdict.json"));
  const std::string html = text(file("r.html"));
  for (const std::string& part :
       {verdict["headline"].get<std::string>(), std::string("+20.0 % ["), std::string("REGRESSED"),
        verdict["head"]["machine"].get<std::string>(), std::string("1 measurements")}) {
    EXPECT_NE(html.find(part), std::string::npos) << part;
  }
  EXPECT_NE(text(file("r.md")).find("`slow` | REGRESSED | +20.0 %"), std::string::npos);
  EXPECT_NE(text(file("charts") / "changes-forest.svg").find(">REGRESSED<"), std::string::npos);
}

TEST_F(ReportChangesTest, TakesAHistoryAsFolderFolderOfAMachineOrFile) {
  judge();
  for (const auto& machine : std::filesystem::directory_iterator(file("history"))) {
    for (const std::string& place : {file("history").string(), machine.path().string(),
                                     (machine.path() / "2026-11.ndjson").string()}) {
      const Finished finished = report({"--history", place});
      EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
      EXPECT_NE(text(file("r.html")).find(machine.path().filename().string()), std::string::npos);
    }
  }
}

TEST_F(ReportChangesTest, RefusesBadInputInOneLine) {
  judge();
  const std::filesystem::path verdict = file("out") / "verdict.json";
  expect_refused(report({}), {"no results file given"});
  expect_refused(report({"--verdict", file("none.json")}), {"none.json: no such file"});
  expect_refused(report({"--verdict", file("base.json")}), {"base.json: is no verdict"});
  expect_refused(report({verdict}), {"verdict.json", "is not a results file"});
  json newer = json::parse(text(verdict));
  newer["gate_verdict"] = 7;
  write("newer.json", newer.dump());
  expect_refused(report({"--verdict", file("newer.json")}),
                 {"newer.json: is a verdict of version 7", "use a newer breakeven"});
  expect_refused(report({"--history", file("nowhere")}), {"nowhere: no such file or directory"});
  std::filesystem::create_directory(file("empty"));
  expect_refused(report({"--history", file("empty")}), {"empty: holds no history"});
  expect_refused(report({"--history", file("base.json")}),
                 {"base.json: holds no whole line of a history"});
  expect_refused(report({"--history", file("history"), file("history")}), {"given twice"});
  expect_refused(breakeven({"report", "--verdict", verdict, "-o", verdict}),
                 {"is one of the files to read"});
  EXPECT_FALSE(std::filesystem::exists(file("r.html")));
}

}  // namespace
}  // namespace breakeven
