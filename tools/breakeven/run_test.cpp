// breakeven run, end to end on the fake worker.
#include <algorithm>
#include <set>

#include "tools/breakeven/testing/sandbox.h"

namespace breakeven {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

class RunTest : public Sandbox {
 protected:
  static std::string reason(const json& results, const std::string& name) {
    for (const json& row : results["benchmarks"]) {
      if (row["name"] == name && row.contains("error_message")) return row["error_message"];
    }
    return "";
  }
};

TEST_F(RunTest, WritesEveryRoundOfEveryCase) {
  const Finished finished = run({"--rounds", "2"});
  ASSERT_EQ(finished.ending.exit_code, 0) << finished.errors;
  EXPECT_FALSE(fs::exists(journal()));
  const json written = results();
  EXPECT_EQ(rows(written).size(), 4u);
  std::set<int> processes_of_round[2];
  for (const auto& [name, found] : rows(written)) {
    ASSERT_EQ(found.size(), 6u) << name;
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i][0], static_cast<int>(i / 3));
      EXPECT_EQ(found[i][2], static_cast<int>(i % 3));
      processes_of_round[found[i][0]].insert(found[i][1]);
    }
  }
  for (const int process : processes_of_round[0])
    EXPECT_FALSE(processes_of_round[1].contains(process));
  EXPECT_EQ(written["context"]["breakeven_schema"], 1);
  EXPECT_EQ(written["context"]["num_cpus"], 2);
  EXPECT_EQ(written["breakeven"]["command"], "breakeven run --filter . --rounds 2");
  EXPECT_EQ(written["breakeven"]["stopping"].size(), 4u);
  EXPECT_EQ(written["breakeven"]["stopping"][0]["reason"], "rounds");
  EXPECT_EQ(written["breakeven"]["unavailable"].size(), 3u);
  EXPECT_NE(finished.output.find("results: " + out().string()), std::string::npos);
  EXPECT_NE(finished.errors.find("round 2 of 2"), std::string::npos) << finished.errors;
}

TEST_F(RunTest, WorkersShareAFolderOfAnswersWhileTheRunLasts) {
  const fs::path told = out().string() + ".told";
  set("FAKE_TELL_ANSWERS", told.string());
  ASSERT_EQ(run({"--rounds", "1"}).ending.exit_code, 0);
  EXPECT_EQ(text(told), out().string() + ".answers");
  EXPECT_FALSE(fs::exists(out().string() + ".answers"));
}

TEST_F(RunTest, EveryWayToFailCostsThatCaseOnly) {
  set("FAKE_SHAPES",
      "good_1 wrong killed aborted silent garbage torn untimed hang skip unsupported good_2");
  const Finished finished = run({"--filter", "/fake/", "--rounds", "2", "--case-timeout", "1.5s"});
  EXPECT_EQ(finished.ending.exit_code, 1) << finished.errors;
  const json written = results();
  const auto expect_reason = [&](const char* shape, const char* words) {
    const std::string why = reason(written, "test/" + std::string(shape) + "/cpu/fake/f32");
    EXPECT_NE(why.find(words), std::string::npos) << shape << ": " << why;
  };
  expect_reason("wrong", "wrong answer (error 0.5, limit 0.001)");
  expect_reason("killed", "worker ended by signal 9 (SIGKILL)");
  expect_reason("aborted", "worker ended by signal 6 (SIGABRT): a last word");
  expect_reason("silent", "worker ended with exit code 0 and no result");
  expect_reason("garbage", "?? this is no event");
  expect_reason("torn", "worker ended by signal 9");
  expect_reason("untimed", "no positive real_time");
  expect_reason("hang", "no result within 1.5 s");
  for (const auto& [name, count] : starts()) {
    const bool good = name.find("good") != std::string::npos;
    EXPECT_EQ(count, good ? 2 : 1) << name;  // what failed is not tried again
  }
  EXPECT_EQ(rows(written).at("test/good_2/cpu/fake/f32").size(), 6u);
  EXPECT_EQ(written["breakeven"]["skipped"].size(), 2u);
}

TEST_F(RunTest, AWrongAnswerHasNoTimeAnywhere) {
  set("FAKE_SHAPES", "good_1 wrong");
  EXPECT_EQ(run({"--filter", "/fake/", "--rounds", "1"}).ending.exit_code, 1);
  const json written = results();
  for (const json& row : written["benchmarks"]) {
    if (row["name"] != "test/wrong/cpu/fake/f32") continue;
    EXPECT_TRUE(row["error_occurred"].get<bool>());
    EXPECT_EQ(row["error"], 0.5);
    EXPECT_EQ(row["tolerance"], 0.001);
    for (const auto& [key, value] : row.items()) {
      EXPECT_EQ(key.find("time"), std::string::npos) << key;
      EXPECT_EQ(key.find("seconds"), std::string::npos) << key;
    }
  }
}

TEST_F(RunTest, RightAndThenWrongHasNoTimeAnywhere) {
  set("FAKE_SHAPES", "good_1 turning");
  const Finished finished = run({"--filter", "/fake/", "--rounds", "2"});
  EXPECT_EQ(finished.ending.exit_code, 1);
  const auto found = rows(results());
  EXPECT_EQ(found.at("test/good_1/cpu/fake/f32").size(), 6u);
  const std::vector<std::array<int, 3>>& turned = found.at("test/turning/cpu/fake/f32");
  ASSERT_EQ(turned.size(), 1u);
  EXPECT_EQ(turned[0][0], 1);   // the round in which it was wrong
  EXPECT_EQ(turned[0][2], -1);  // its error row
  EXPECT_EQ(finished.output.find("turning  "), std::string::npos) << finished.output;
  EXPECT_NE(finished.output.find("1 cases measured, 1 failed"), std::string::npos);
}

TEST_F(RunTest, ACaseThatIsSkippedLaterIsSkippedEverywhere) {
  set("FAKE_SHAPES", "good_1 fading");
  const Finished finished = run({"--filter", "/fake/", "--rounds", "2"});
  EXPECT_EQ(finished.ending.exit_code, 0);
  const json written = results();
  EXPECT_FALSE(rows(written).contains("test/fading/cpu/fake/f32"));
  ASSERT_EQ(written["breakeven"]["skipped"].size(), 1u);
  EXPECT_EQ(written["breakeven"]["skipped"][0]["name"], "test/fading/cpu/fake/f32");
  EXPECT_NE(
      finished.output.find("skipped  test/fading/cpu/fake/f32\n         only a try could tell"),
      std::string::npos)
      << finished.output;
  EXPECT_NE(finished.output.find("1 cases measured, 0 failed, 1 skipped\n"), std::string::npos);
}

TEST_F(RunTest, AWorkerThatDiesBetweenCasesIsTold) {
  set("FAKE_SHAPES", "parting good_1");
  const Finished finished = run({"--filter", "/fake/", "--rounds", "1"});
  EXPECT_EQ(finished.ending.exit_code, 0);
  EXPECT_EQ(rows(results()).size(), 2u);
  EXPECT_NE(finished.errors.find("between two cases: worker ended by signal 9 (SIGKILL)"),
            std::string::npos)
      << finished.errors;
}

TEST_F(RunTest, AWorkerThatDiesBeforeItBeganIsTriedAgain) {
  set("FAKE_DIE_ONCE", file("died").string());
  const Finished finished = run({"--rounds", "1"});
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.output;
  EXPECT_TRUE(fs::exists(file("died")));
  EXPECT_EQ(rows(results()).size(), 4u);
}

TEST_F(RunTest, AWorkerThatNeverBeginsFailsEveryCaseSoon) {
  set("FAKE_SHAPES", "good_1 good_2 good_3 good_4 good_5 good_6");
  set("FAKE_NO_START", "the library refuses to start");
  EXPECT_EQ(run({"--rounds", "3"}).ending.exit_code, 1);
  const json written = results();
  EXPECT_EQ(written["benchmarks"].size(), 12u);
  EXPECT_NE(reason(written, "test/good_6/cpu/fake2/f32").find("the library refuses to start"),
            std::string::npos);
}

TEST_F(RunTest, StopsWhereTheIntervalIsNarrow) {
  // The suite whose rounds a bare filter takes asks for six; the fake's times never change.
  ASSERT_EQ(run().ending.exit_code, 0);
  const json written = results();
  for (const json& entry : written["breakeven"]["stopping"]) {
    EXPECT_EQ(entry["rounds"], 6);
    EXPECT_EQ(entry["half_width"], 0.0);
  }
}

TEST_F(RunTest, BudgetEndsTheRunAfterACaseAndSaysSo) {
  set("FAKE_SHAPES", "slow_1 slow_2 slow_3 slow_4");
  const Finished finished = run({"--filter", "/fake/", "--rounds", "6", "--budget", "1"});
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
  const json written = results();
  EXPECT_EQ(rows(written).size(), 2u);  // 0.7 s each
  std::multiset<std::string> reasons;
  for (const json& entry : written["breakeven"]["stopping"]) reasons.insert(entry["reason"]);
  EXPECT_EQ(reasons.count("budget"), 4u);
  EXPECT_NE(finished.output.find("2 cases measured, 0 failed, 0 skipped, 2 not reached"),
            std::string::npos)
      << finished.output;
  for (const char* shape : {"slow_1", "slow_2", "slow_3", "slow_4"}) {
    const std::string name = std::string("test/") + shape + "/cpu/fake/f32";
    EXPECT_EQ(finished.output.find("not reached: " + name) != std::string::npos,
              !rows(written).contains(name));
  }
}

TEST_F(RunTest, ResumeGoesOnWithWhatABudgetEnded) {
  set("FAKE_SHAPES", "slow_1 slow_2");
  const Finished ended =
      run({"--filter", "/fake/", "--rounds", "1", "--budget", "0.2", "--case-timeout", "77s"});
  EXPECT_EQ(ended.ending.exit_code, 0) << ended.errors;
  EXPECT_NE(ended.output.find(std::string("go on with: ") + BREAKEVEN + " run --resume --out " +
                              out().string()),
            std::string::npos)
      << ended.output;
  ASSERT_EQ(rows(results()).size(), 1u);
  const std::string first = rows(results()).begin()->first;
  EXPECT_TRUE(fs::exists(journal()));
  EXPECT_EQ(breakeven({"run", "--resume", "--out", out().string()}).ending.exit_code, 0);
  EXPECT_EQ(rows(results()).size(), 2u);
  EXPECT_FALSE(fs::exists(journal()));
  EXPECT_EQ(starts().at(first), 1);  // not measured again
  EXPECT_EQ(results()["breakeven"]["plan"]["case_timeout_seconds"], 77);
}

TEST_F(RunTest, ABudgetForNothingWritesNothing) {
  const Finished finished = run({"--budget", "0.0000001"});
  EXPECT_EQ(finished.ending.exit_code, 2);
  EXPECT_NE(finished.errors.find("--budget: over before a single case"), std::string::npos)
      << finished.errors;
  EXPECT_FALSE(fs::exists(out()));
  EXPECT_FALSE(fs::exists(journal()));
}

TEST_F(RunTest, TheCommandOfARunIsQuoted) {
  write("it's.json", R"(["good_mine"])");
  const std::string shapes = file("it's.json").string();
  ASSERT_EQ(breakeven({"run", "--shapes", shapes, "--rounds", "1", "--out", out().string()})
                .ending.exit_code,
            0);
  const std::string directory = shapes.substr(0, shapes.size() - 9);
  EXPECT_EQ(results()["breakeven"]["command"],
            "breakeven run --shapes '" + directory + R"(it'\''s.json' --rounds 1)");
}

TEST_F(RunTest, OwnShapesAreMeasuredAlone) {
  write("shapes.json", R"(["good_mine"])");
  const Finished finished = breakeven(
      {"run", "--shapes", file("shapes.json").string(), "--rounds", "1", "--out", out().string()});
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
  EXPECT_EQ(rows(results()).size(), 2u);
  EXPECT_EQ(starts().count("test/good_mine/cpu/fake/f32"), 1u);
}

TEST_F(RunTest, ResumeGoesOnBesideRefusedShapes) {
  write("shapes.json", R"(["slow_1", "slow_2", "bad"])");
  const Finished ended =
      breakeven({"run", "--shapes", file("shapes.json").string(), "--filter", "/fake/", "--rounds",
                 "1", "--budget", "0.2", "--out", out().string()});
  EXPECT_EQ(ended.ending.exit_code, 1) << ended.errors;
  ASSERT_EQ(rows(results()).size(), 1u);
  EXPECT_EQ(breakeven({"run", "--resume", "--out", out().string()}).ending.exit_code, 1);
  EXPECT_EQ(rows(results()).size(), 2u);
  EXPECT_EQ(results()["breakeven"]["refused"].size(), 1u);
}

TEST_F(RunTest, ThreadsReachTheWorkerAndThePlan) {
  ASSERT_EQ(run({"--threads", "3", "--rounds", "1", "--seed", "5"}).ending.exit_code, 0);
  EXPECT_NE(text(file("log")).find("test/good_1/cpu/fake/f32 3\n"), std::string::npos);
  EXPECT_EQ(results()["breakeven"]["command"],
            "breakeven run --filter . --threads 3 --rounds 1 --seed 5");
  EXPECT_EQ(results()["context"]["seed"], 5);
}

TEST_F(RunTest, AnUnfinishedRunIsKeptNotOverwritten) {
  write("results.json.journal.ndjson", "{\"journal\":1,\"plan\":{}}\n");
  EXPECT_EQ(run({"--rounds", "1"}).ending.exit_code, 0);
  EXPECT_EQ(text(journal().string() + ".old"), "{\"journal\":1,\"plan\":{}}\n");
  write("results.json.journal.ndjson", "second");
  EXPECT_EQ(run({"--rounds", "1"}).ending.exit_code, 0);
  EXPECT_EQ(text(journal().string() + ".old.2"), "second");
}

TEST_F(RunTest, ResumeOfACompleteRunMeasuresNothing) {
  ASSERT_EQ(run({"--rounds", "1"}).ending.exit_code, 0);
  const auto before = starts();
  const Finished finished = breakeven({"run", "--resume", "--out", out().string()});
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
  EXPECT_NE(finished.output.find("complete already"), std::string::npos);
  EXPECT_EQ(starts(), before);
  expect_refused(run({"--resume", "--filter", "good_1"}), {"another one", "filter: '.' then"});
}

TEST_F(RunTest, ResumeWithNothingToResumeBeginsARun) {
  const Finished finished = run({"--resume", "--rounds", "1"});
  EXPECT_EQ(finished.ending.exit_code, 0);
  EXPECT_NE(finished.errors.find("Nothing to resume"), std::string::npos);
  EXPECT_EQ(rows(results()).size(), 4u);
}

TEST_F(RunTest, ResumeRefusesAnotherBuild) {
  ASSERT_EQ(run({"--filter", "/fake/", "--rounds", "1"}).ending.exit_code, 0);
  set("FAKE_FACTS", R"({"cpu.model":"fake","git.commit":"another"})");
  expect_refused(breakeven({"run", "--resume", "--out", out().string()}),
                 {"build: 'c0ffee' then, 'another' now"});
}

TEST_F(RunTest, ResumeBesideAFileOfAnotherProgramIsRefused) {
  write("results.json", R"({"context":{},"benchmarks":[]})");
  expect_refused(run({"--resume"}), {"not written by `breakeven run`"});
}

}  // namespace
}  // namespace breakeven
