// `breakeven gate judge`: exit statuses, lines on standard error and files.
#include <gmock/gmock.h>

#include <algorithm>

#include "tools/gate/testing/arms.h"
#include "tools/gate/testing/gate_sandbox.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class JudgeCommandTest : public GateSandbox {
 protected:
  JudgeCommandTest() { set("GITHUB_ACTIONS", ""); }

  std::string put(const std::string& name, const json& document) const {
    write(name, document.dump());
    return file(name).string();
  }
  /// `gate judge base.json --head head.json` and more.
  Finished judge_arms(const ArmFiles& arms, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"gate", "judge", put("base.json", arms.base), "--head",
                                          put("head.json", arms.head)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return breakeven(arguments);
  }
  int status(const ArmFiles& arms, const std::vector<std::string>& more = {}) const {
    const Finished finished = judge_arms(arms, more);
    EXPECT_EQ(finished.errors, "");
    return finished.ending.exit_code;
  }
  std::string store() const { return file("baselines").string(); }
};

ArmFiles slower_arms() {
  return arms({{.name = "a"}, {.name = "slow", .ratio = 1.2}, {.name = "wild", .noise = 0.3}});
}

TEST_F(JudgeCommandTest, ExitStatuses) {
  const ArmFiles same = arms({{.name = "a"}});
  EXPECT_EQ(status(same), 0);
  EXPECT_EQ(status(slower_arms()), 1);
  EXPECT_EQ(status(slower_arms(), {"--delta", "0.3"}), 0);
  EXPECT_EQ(status(slower_arms(), {"--delta", "0.3", "--strict"}), 4);
  ArmFiles lost = same;
  fail_rows(lost.head, "a", "crashed");
  EXPECT_EQ(status(lost), 3);
  ArmFiles elsewhere = slower_arms();
  elsewhere.head["context"]["num_cpus"] = 3;
  EXPECT_EQ(status(elsewhere), 5);
  EXPECT_EQ(status(elsewhere, {"--allow-mismatch"}), 1);
  EXPECT_EQ(status(elsewhere, {"--counters-only"}), 3);  // there are none
}

TEST_F(JudgeCommandTest, FilesOfARoundEachPairInOrder) {
  const ArmFiles both = arms({{.name = "a", .ratio = 1.2, .noise = 0.1}}, {.rounds = 6});
  std::vector<std::string> arguments = {"gate", "judge"}, heads;
  for (int round = 0; round < 6; ++round) {
    ArmFiles one = both;
    for (json* arm : {&one.base, &one.head}) {
      erase_rows(*arm, [&](const json& row) { return row["round"] != round; });
      change_rows(*arm, "a", [](json& row) { row.erase("round"); });
    }
    arguments.push_back(put("base" + std::to_string(round), one.base));
    heads.push_back(put("head" + std::to_string(round), one.head));
  }
  const std::string one_too_many = heads.back();
  arguments.push_back("--head");
  arguments.insert(arguments.end(), heads.begin(), heads.end() - 1);
  expect_refused(breakeven(arguments), {"base has 6 round(s) and head 5", "as many of each"});
  arguments.push_back(one_too_many);
  const Finished finished = breakeven(arguments);
  EXPECT_EQ(finished.errors, "");
  EXPECT_EQ(finished.ending.exit_code, judged(both).exit_code);
  arguments.push_back(one_too_many);
  expect_refused(breakeven(arguments), {"head5: given twice as head"});
}

TEST_F(JudgeCommandTest, TooFewRounds) {
  const ArmFiles both = arms({{.name = "a"}}, {.rounds = 3});
  expect_refused(judge_arms(both), {"too few rounds: 3 rounds of 1 row", "5 are needed"});
  EXPECT_FALSE(std::filesystem::exists(out_directory()));
}

TEST_F(JudgeCommandTest, CountersOnly) {
  ArmFiles both = arms({{.name = "a", .ratio = 5, .counters = {{"flops", 3}}}}, {.rounds = 1});
  EXPECT_EQ(status(both, {"--counters-only"}), 0);
  change_rows(both.head, "a", [](json& row) { row["flops"] = 4; });
  EXPECT_EQ(status(both, {"--counters-only"}), 1);
  EXPECT_EQ(status(both, {"--counters-only", "--exact", "flops=0.5"}), 0);
}

TEST_F(JudgeCommandTest, ExactCountersOfOnesOwn) {
  ArmFiles both = arms({{.name = "a", .counters = {{"instructions", 1000}}}});
  change_rows(both.head, "a", [](json& row) { row["instructions"] = 1005; });
  EXPECT_EQ(status(both), 0);
  EXPECT_EQ(status(both, {"--exact", "instructions"}), 1);
  EXPECT_EQ(status(both, {"--exact", "instructions=0.01"}), 0);
  EXPECT_EQ(status(both, {"--exact", "instructions=0.001", "--exact", "other"}), 1);
  for (const char* bad : {"instructions=", "instructions=x", "=0.1", "instructions=1",
                          "instructions=-1", "instructions=nan"}) {
    expect_refused(judge_arms(both, {"--exact", bad}),
                   {"--exact " + std::string(bad), "TOLERANCE"});
  }
}

TEST_F(JudgeCommandTest, WhatDoesNotPair) {
  const ArmFiles staged = arms({{.name = "a"}}, {.staged = true}), plain = arms({{.name = "a"}});
  EXPECT_EQ(status(staged), 0);
  expect_refused(judge_arms({staged.head, staged.base}),
                 {".json: benchmarks[0] \"a\".arm: is \"", "exchange them"});
  expect_refused(judge_arms({plain.base, staged.head}),
                 {"head.json was written by `gate run` and ", "base.json was not"});
  expect_refused(judge_arms({staged.base, plain.head}),
                 {"base.json was written by `gate run` and "});
  ArmFiles two_runs = staged;
  two_runs.head["context"]["gate.run"] = "run 2";
  expect_refused(judge_arms(two_runs), {"two different `gate run`s", "head.json of one"});
  ArmFiles unknown = staged;
  unknown.head["benchmarks"][0]["stage"] = "warmup";
  expect_refused(judge_arms(unknown), {"head.json", "stage: is \"warmup\""});
}

TEST_F(JudgeCommandTest, BadCommandLines) {
  const std::string base = put("base.json", arms({{.name = "a"}}).base);
  const std::string head = put("head.json", arms({{.name = "a"}}).head);
  expect_refused(breakeven({"gate", "judge"}), {"--head: give the results to judge"});
  expect_refused(breakeven({"gate", "judge", base}), {"--head"});
  expect_refused(breakeven({"gate", "judge", "--head", base}), {"BASE... --head HEAD..."});
  expect_refused(breakeven({"gate", "judge", base, "--head", file("no.json").string()}),
                 {"no.json: no such file"});
  expect_refused(breakeven({"gate", "judge", base, "--head", head, "--today", "2026-02-30"}),
                 {"--today 2026-02-30"});
  expect_refused(breakeven({"gate", "judge", base, "--head", head, "--delta", "0"}), {"--delta 0"});
  expect_refused(breakeven({"gate", "judge", base, "--head", head, "--base-budgets", base}),
                 {"--base-budgets and --head-budgets: give both"});
  expect_refused(breakeven({"gate", "judge", base, "--base-budgets", base, "--head-budgets", base}),
                 {"--head: give the results to judge"});
  expect_refused(breakeven({"gate", "judge", base, "--head", file("./base.json").string()}),
                 {"base.json: given as base and as head"});
  expect_refused(
      breakeven({"gate", "judge", base, "--head", head, "--counters-only", "--store", store()}),
      {"--store", "--counters-only doesn't judge"});
  write("file", "");
  expect_refused(breakeven({"gate", "judge", base, "--head", head, "-o", file("file").string()}),
                 {"-o ", "file", "can't make that directory"});
}

TEST_F(JudgeCommandTest, VerdictFiles) {
  const Finished finished = judge_arms(slower_arms(), {"-o", out_directory().string()});
  EXPECT_EQ(finished.ending.exit_code, 1);
  EXPECT_EQ(word("slow"), "REGRESSED");
  EXPECT_EQ(word("wild"), "INCONCLUSIVE");
  EXPECT_EQ(verdict()["exit_code"], 1);
  for (const char* name : {"verdict.md", "junit.xml"}) {
    EXPECT_THAT(text(out_directory() / name), HasSubstr("slow")) << name;
  }
  EXPECT_THAT(finished.output, Not(HasSubstr("::error")));
  set("GITHUB_ACTIONS", "true");
  EXPECT_THAT(judge_arms(slower_arms()).output, HasSubstr("::error"));
}

TEST_F(JudgeCommandTest, AcceptedRegressions) {
  write("accepted.json",
        R"({"accepted":[{"row":"slow","up_to":1.3,"reason":"known","expires":"2026-12-01"}]})");
  const std::string accepted = file("accepted.json").string();
  EXPECT_EQ(status(slower_arms(), {"--accepted", accepted}), 0);  // by head's date
  EXPECT_EQ(status(slower_arms(), {"--accepted", accepted, "--today", "2026-12-02"}), 1);
  ArmFiles undated = slower_arms();
  undated.head["context"].erase("date");
  expect_refused(judge_arms(undated, {"--accepted", accepted}),
                 {"accepted.json", "--today YYYY-MM-DD"});
  EXPECT_EQ(status(undated, {"--accepted", accepted, "--today", "2026-12-01"}), 0);
}

TEST_F(JudgeCommandTest, RowsThatASelftestFoundTooNoisy) {
  write("selftest.json", R"({"gate_selftest":1,"program":"p","rounds":20,"false_positive_rate":0,
      "machine":{"cpu.model":"Model 1"},
      "rows":[{"name":"slow","noise":0.3,"gateable":false,"verdict":"INCONCLUSIVE"}]})");
  const std::string selftest = file("selftest.json").string();
  EXPECT_EQ(status(slower_arms(), {"--selftest", selftest}), 0);
  ArmFiles elsewhere = slower_arms();
  for (json* arm : {&elsewhere.base, &elsewhere.head}) (*arm)["context"]["cpu.model"] = "Model 2";
  const Finished finished = judge_arms(elsewhere, {"--selftest", selftest});
  std::string words = finished.output;
  std::replace(words.begin(), words.end(), '\n', ' ');
  EXPECT_THAT(words,
              HasSubstr("selftest.json is of another machine (cpu.model: Model 1 / Model 2)"));
}

TEST_F(JudgeCommandTest, BaselinesAreTakenByTheMachine) {
  const ArmFiles both = slower_arms();
  const std::string head = put("head.json", both.head), base = put("base.json", both.base);
  const Finished first = breakeven({"gate", "judge", "--head", base, "--store", store()});
  EXPECT_EQ(first.ending.exit_code, 0) << first.errors;
  EXPECT_THAT(first.output, HasSubstr("stored as the baseline of this machine: " + store()));
  // A variable that a script forgot to set must not replace a baseline by what was never judged.
  expect_refused(breakeven({"gate", "judge", "--head", head, "--store", store()}),
                 {"--store", "is a baseline of this machine already", "as BASE"});
  EXPECT_EQ(breakeven({"gate", "judge", store(), "--head", head}).ending.exit_code, 1);
  EXPECT_EQ(breakeven({"gate", "judge", store(), "--head", base}).ending.exit_code, 0);

  ArmFiles elsewhere = both;
  elsewhere.head["context"]["num_cpus"] = 3;
  const Finished other =
      breakeven({"gate", "judge", store(), "--head", put("other.json", elsewhere.head)});
  EXPECT_EQ(other.ending.exit_code, 5);
  EXPECT_EQ(std::count(other.errors.begin(), other.errors.end(), '\n'), 1) << other.errors;
  EXPECT_THAT(other.errors, HasSubstr("no stored baseline of head's machine"));
  const std::filesystem::path stored = std::filesystem::directory_iterator(store())->path();
  EXPECT_THAT(other.errors, HasSubstr("is one of another: " + stored.stem().string()));
}

TEST_F(JudgeCommandTest, WhatIsRefusedIsNoBaseline) {
  const ArmFiles both = slower_arms();
  const std::string head = put("head.json", both.head), base = put("base.json", both.base);
  const auto stored = [&](const std::string& a, const std::string& b) {
    return breakeven({"gate", "judge", a, "--head", b, "--store", store()}).output;
  };
  EXPECT_THAT(stored(base, head), HasSubstr("not stored as a baseline"));
  EXPECT_FALSE(std::filesystem::exists(store()));
  EXPECT_THAT(stored(head, base), HasSubstr("stored as the baseline of this machine"));
  EXPECT_TRUE(std::filesystem::exists(store()));
}

TEST_F(JudgeCommandTest, AFullDiskIsNoPass) {
  const ArmFiles both = arms({{.name = "a"}});
  const std::string line = std::string("exec ") + BREAKEVEN + " gate judge " +
                           put("base.json", both.base) + " --head " + put("head.json", both.head) +
                           " >/dev/full";
  expect_refused(run_all({{"/bin/sh", "-c", line}}, std::chrono::seconds(10)).front(),
                 {"standard output", "No space left"});
}

}  // namespace
}  // namespace breakeven::gate
