// list, verify, peak and doctor, end to end on the fake worker.
#include <algorithm>
#include <sstream>

#include "tools/breakeven/lines.h"
#include "tools/breakeven/testing/sandbox.h"

namespace breakeven {
namespace {

using nlohmann::json;

class CommandsTest : public Sandbox {};

TEST_F(CommandsTest, ListSaysWhatIsHereAndWhyTheRestIsNot) {
  set("FAKE_SHAPES", "good_1 good_2 unsupported_1");
  const Finished finished = breakeven({"list"});
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
  for (const char* words :
       {"4 cases here, 1 that can't run here", "needs an ISA that is not here: 1 case",
        "absent: not built: no toolkit", "driverless: no CUDA driver",
        "crashing: worker ended by signal 9 (SIGKILL)"}) {
    EXPECT_NE(finished.output.find(words), std::string::npos) << words << "\n" << finished.output;
  }
  std::istringstream lines(finished.output);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(columns(line), kTerminalColumns);
}

TEST_F(CommandsTest, ListNamesAndJson) {
  set("FAKE_SHAPES", "good_1 unsupported_1");
  EXPECT_EQ(breakeven({"list", "--cases"}).output,
            "test/good_1/cpu/fake/f32\ntest/good_1/cpu/fake2/f32\n");
  const json listing = json::parse(breakeven({"list", "--json", "--filter", "/fake/"}).output);
  EXPECT_EQ(listing["cases"].size(), 2u);
  EXPECT_EQ(listing["cases"][1]["unsupported"], "needs an ISA that is not here");
  EXPECT_EQ(listing["modules"].size(), 5u);
  EXPECT_EQ(listing["modules"][3]["unavailable"], "not built: no toolkit");
  EXPECT_EQ(listing["modules"][0]["facts"]["fake.version"], "1");
}

TEST_F(CommandsTest, ListShowsOwnShapesAlone) {
  write("shapes.json", R"(["good_mine"])");
  EXPECT_EQ(breakeven({"list", "--cases", "--shapes", file("shapes.json").string()}).output,
            "test/good_mine/cpu/fake/f32\ntest/good_mine/cpu/fake2/f32\n");
}

// How often a text holds `part`.
int occurrences(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
  return count;
}

TEST_F(CommandsTest, RefusedShapesAreToldOnceAndTheRestGoesOn) {
  const std::string bad = "bad_" + std::string(40, 'x');
  write("shapes.json", R"(["good_mine", ")" + bad + R"(", "bad_2"])");
  const auto expect = [&](const std::vector<std::string>& arguments, const std::string& words) {
    std::vector<std::string> full = arguments;
    full.insert(full.end(), {"--shapes", file("shapes.json").string()});
    const Finished finished = breakeven(full);
    EXPECT_EQ(finished.ending.exit_code, 1) << finished.errors;
    EXPECT_NE(finished.output.find(words), std::string::npos) << words << finished.output;
    EXPECT_EQ(occurrences(finished.errors,
                          "refused: shapes.json: \"" + bad + "\": its output\n         has no"),
              1)
        << finished.errors;
    EXPECT_EQ(occurrences(finished.errors, "refused: "), 2) << finished.errors;
  };
  expect({"list"}, "2 cases here, 0 that can't run here, 2 shapes refused\n");
  expect({"list", "--cases"}, "test/good_mine/cpu/fake/f32\n");
  expect({"list", "--json"}, "\"shapes.json: \\\"bad_2\\\": its output has no rows at all\"");
  expect({"verify"}, "2 of 2 cases right, 0 failed, 0 skipped, 2 shapes refused\n");
  expect({"run", "--rounds", "2", "--out", out().string()},
         "2 cases measured, 0 failed, 0 skipped, 2 shapes refused\n");
  const json written = results();
  EXPECT_EQ(rows(written).size(), 2u);
  ASSERT_EQ(written["breakeven"]["refused"].size(), 2u);
  EXPECT_EQ(written["breakeven"]["refused"][1],
            "shapes.json: \"bad_2\": its output has no rows at all");
  // Taken up again, it says the same.
  const Finished resumed = breakeven({"run", "--resume", "--out", out().string()});
  EXPECT_EQ(resumed.ending.exit_code, 1);
  EXPECT_EQ(occurrences(resumed.errors, "refused: "), 2) << resumed.errors;
  const Finished report = breakeven({"report", out().string(), "-o", file("r.html").string(),
                                     "--markdown", file("r.md").string()});
  EXPECT_EQ(report.ending.exit_code, 0) << report.errors;
  for (const char* page : {"r.html", "r.md"}) {
    EXPECT_NE(text(file(page)).find("bad_2"), std::string::npos) << page;
  }
  write("prices.json", R"({"currency": "EUR", "prices": [{"device": "cpu", "per_hour": 2}]})");
  const auto priced = [&] {
    return breakeven({"report", out().string(), "-o", file("p.html").string(), "--prices",
                      file("prices.json").string()});
  };
  EXPECT_EQ(priced().ending.exit_code, 0);
  EXPECT_NE(text(file("p.html")).find("2.000 EUR an hour"), std::string::npos);
  write("prices.json", R"({"currency": "EUR", "prices": [{"device": "gpu", "per_hour": 2}]})");
  const Finished refused = priced();
  EXPECT_EQ(refused.ending.exit_code, 2);
  EXPECT_NE(refused.errors.find("matches no device"), std::string::npos) << refused.errors;
}

TEST_F(CommandsTest, VerifyPasses) {
  const Finished finished = breakeven({"verify"});
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.output;
  EXPECT_NE(finished.output.find("4 of 4 cases right, 0 failed, 0 skipped"), std::string::npos);
}

TEST_F(CommandsTest, VerifyIsolatesFailures) {
  set("FAKE_SHAPES", "good_1 wrong killed good_2 skip hang good_3");
  const Finished finished =
      breakeven({"verify", "--filter", "/fake/", "--case-timeout", "1.5", "--threads", "3"});
  EXPECT_EQ(finished.ending.exit_code, 1);
  for (const char* words :
       {"FAILED  test/wrong/cpu/fake/f32\n        wrong answer (error 0.5, limit 0.001)",
        "FAILED  test/killed/cpu/fake/f32\n        worker ended by signal 9 (SIGKILL)",
        "FAILED  test/hang/cpu/fake/f32\n        no result within 1.5 s",
        "3 of 7 cases right, 3 failed, 1 skipped"}) {
    EXPECT_NE(finished.output.find(words), std::string::npos) << words << "\n" << finished.output;
  }
  EXPECT_NE(text(file("log")).find("test/good_1/cpu/fake/f32 3\n"), std::string::npos);
}

TEST_F(CommandsTest, PeakWithoutPeakRowsSaysSo) {
  expect_refused(breakeven({"peak"}), {"peak matches none"});
}

TEST_F(CommandsTest, DoctorReportsWhatModulesWarnOf) {
  set("FAKE_FACTS", R"({"openmp.warning":"several OpenMP runtimes are loaded"})");
  const Finished finished = breakeven({"doctor", "--json"});
  EXPECT_EQ(finished.ending.exit_code, 1);
  const json findings = json::parse(finished.output)["findings"];
  EXPECT_TRUE(std::any_of(findings.begin(), findings.end(),
                          [](const json& finding) { return finding["id"] == "openmp"; }));
  const Finished plain = breakeven({"doctor"});
  EXPECT_NE(plain.output.find("! several OpenMP runtimes are loaded"), std::string::npos);
}

}  // namespace
}  // namespace breakeven
