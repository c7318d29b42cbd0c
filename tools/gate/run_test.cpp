// `gate run` on fake programs, whose times and faults are known.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/file.h>

#include <set>
#include <thread>

#include "tools/gate/testing/gate_sandbox.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class GateRunTest : public GateSandbox {
 protected:
  GateRunTest() {
    fake("base", {{"FAKE_ROWS", "a b/8 c"}});
    fake("head", {{"FAKE_ROWS", "a b/8 c"}});
  }
};

TEST_F(GateRunTest, TheSameProgramPasses) {
  const Finished finished = gate();
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
  EXPECT_THAT(finished.output, HasSubstr("no regression in 3 rows"));
  EXPECT_THAT(finished.output, Not(HasSubstr("byte for byte")));  // their log files differ
  std::filesystem::copy_file(file("base"), file("head"),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(gate().output, HasSubstr("same program, byte for byte"));
  EXPECT_EQ(word("b/8"), "EQUIVALENT");
  for (const char* name : {"verdict.md", "junit.xml", "base.json", "head.json"}) {
    EXPECT_TRUE(std::filesystem::exists(out_directory() / name)) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(gate_journal()));
}

TEST_F(GateRunTest, ASlowerRowIsMeasuredAfreshAndRefused) {
  fake("head", {{"FAKE_ROWS", "a b/8 c"}, {"FAKE_SLOW", "b/8=110"}});
  const Finished finished = gate();
  EXPECT_EQ(finished.ending.exit_code, 1) << finished.errors;
  EXPECT_EQ(word("b/8"), "REGRESSED");
  EXPECT_EQ(word("a"), "EQUIVALENT");
  int screening = 0, confirmation = 0;
  const json benchmarks = arm("head")["benchmarks"];
  for (const json& row : benchmarks) {
    EXPECT_EQ(row["arm"], "head");
    const bool confirmed = row["stage"] == "confirmation";
    EXPECT_TRUE(!confirmed || row["name"] == "b/8") << row;
    (confirmed ? confirmation : screening) += 1;
  }
  EXPECT_EQ(screening, 3 * 12 * 3);  // rows, rounds, repetitions
  EXPECT_EQ(confirmation, 24 * 3);
  EXPECT_THAT(finished.output, HasSubstr("+10.0 %"));
}

TEST_F(GateRunTest, AFasterRowPasses) {
  fake("head", {{"FAKE_ROWS", "a b/8 c"}, {"FAKE_SLOW", "b/8=80"}});
  EXPECT_EQ(gate().ending.exit_code, 0);
  EXPECT_EQ(word("b/8"), "IMPROVED");
}

TEST_F(GateRunTest, ArmsTakeTurnsInRandomOrder) {
  EXPECT_EQ(gate({"--rounds", "40"}).ending.exit_code, 0);
  std::set<int> rounds;
  int base_first = 0;
  const json processes = arm("base")["processes"];
  for (const json& process : processes) {
    rounds.insert(process["round"].get<int>());
    base_first += process["first"].get<bool>() ? 1 : 0;
    EXPECT_TRUE(process.contains("load") && process.contains("steal_seconds")) << process;
  }
  EXPECT_EQ(rounds.size(), 40u);
  EXPECT_GT(base_first, 8);  // of 40; fewer in 1 of 10,000 seeds
  EXPECT_LT(base_first, 32);
}

TEST_F(GateRunTest, NewAndMissingRows) {
  fake("head", {{"FAKE_ROWS", "a d"}});
  const Finished finished = gate();
  EXPECT_EQ(finished.ending.exit_code, 3) << finished.output;
  EXPECT_EQ(word("d"), "NEW");
  EXPECT_EQ(word("c"), "MISSING");
  EXPECT_EQ(word("a"), "EQUIVALENT");
}

TEST_F(GateRunTest, AFilterThatOneProgramAloneMatches) {
  fake("head", {{"FAKE_ROWS", "a b/8 c new"}});
  EXPECT_EQ(gate({"--filter", "new"}).ending.exit_code, 3);  // nothing to compare it with
  EXPECT_EQ(word("new"), "NEW");
  fake("head", {{"FAKE_ROWS", "a b/8"}});
  EXPECT_EQ(gate({"--filter", "c"}).ending.exit_code, 3);
  EXPECT_EQ(word("c"), "MISSING");
}

// What a run measured of head is compared with a baseline by its first rounds alone.
TEST_F(GateRunTest, ARunsHeadAgainstAStoredBaseline) {
  const std::string store = file("baselines").string();
  const std::string results = (out_directory() / "head.json").string();
  EXPECT_EQ(gate().ending.exit_code, 0);
  EXPECT_EQ(breakeven({"gate", "judge", "--head", results, "--store", store}).ending.exit_code, 0);
  fake("base", {{"FAKE_ROWS", "a b/8 c"}, {"FAKE_SLOW", "b/8=120"}});
  fake("head", {{"FAKE_ROWS", "a b/8 c"}, {"FAKE_SLOW", "b/8=130 c=90"}});
  EXPECT_EQ(gate().ending.exit_code, 1);  // confirmed, so there are fresh rounds
  const Finished judged = breakeven({"gate", "judge", store, "--head", results});
  EXPECT_EQ(judged.ending.exit_code, 1) << judged.errors;
  EXPECT_THAT(judged.output, HasSubstr("b/8 +30.0 %"));
  EXPECT_THAT(judged.output, HasSubstr("not measured in turns"));
}

// A crash is a failure of the row that does it; the others are judged as ever.
TEST_F(GateRunTest, ACrashIsNoPass) {
  fake("head", {{"FAKE_ROWS", "a b/8 c"}, {"FAKE_CRASH", "b/8"}});
  const Finished finished = gate();
  EXPECT_EQ(finished.ending.exit_code, 3) << finished.output;
  EXPECT_EQ(word("b/8"), "ERROR");
  EXPECT_EQ(word("a"), "EQUIVALENT");
  EXPECT_EQ(word("c"), "EQUIVALENT");
  EXPECT_THAT(finished.output, HasSubstr("signal 6 (SIGABRT): b/8: out of luck"));
}

TEST_F(GateRunTest, WhatBaseAloneCantDoIsNew) {
  fake("base", {{"FAKE_ROWS", "a b/8 c"}, {"FAKE_CRASH", "b/8"}});
  EXPECT_EQ(gate().ending.exit_code, 0);
  EXPECT_EQ(word("b/8"), "NEW");
}

TEST_F(GateRunTest, ARowThatTheProgramHasTwice) {
  fake("base", {{"FAKE_ROWS", "a a/real_time b"}});
  fake("head", {{"FAKE_ROWS", "a a/real_time b"}, {"FAKE_SLOW", "a=130 a/real_time=130"}});
  EXPECT_EQ(gate().ending.exit_code, 1);
  EXPECT_EQ(word("a"), "REGRESSED");
}

// One row's crash, in both programs, is not taken for its neighbour's.
TEST_F(GateRunTest, ACrashOfBothCostsThatRowAlone) {
  fake("base", {{"FAKE_ROWS", "a b/8"}, {"FAKE_CRASH", "b/8"}});
  fake("head", {{"FAKE_ROWS", "a b/8"}, {"FAKE_CRASH", "b/8"}});
  EXPECT_EQ(gate().ending.exit_code, 0);
  EXPECT_EQ(word("a"), "EQUIVALENT");
  EXPECT_EQ(word("b/8"), "ERROR");
}

// Rows that crash a process together, but none alone, are no pass, whichever program it is.
TEST_F(GateRunTest, ACrashThatNoRowDoesAlone) {
  fake("base", {{"FAKE_ROWS", "a b/8 c"}, {"FAKE_CRASH_TOGETHER", "3"}});
  const Finished finished = gate();
  EXPECT_EQ(finished.ending.exit_code, 3) << finished.output;
  EXPECT_EQ(word("a"), "ERROR");
  EXPECT_THAT(finished.output, HasSubstr("base in one process with other rows"));
}

TEST_F(GateRunTest, AHangEndsByItsTimeout) {
  fake("head", {{"FAKE_ROWS", "a b/8"}, {"FAKE_HANG", "a"}});
  const Finished finished = gate({"--timeout", "1", "--rounds", "5"});
  EXPECT_EQ(finished.ending.exit_code, 3) << finished.output;
  EXPECT_EQ(word("a"), "ERROR");
  EXPECT_EQ(word("b/8"), "EQUIVALENT");
  EXPECT_THAT(finished.output, HasSubstr("no end within 1 s"));
}

TEST_F(GateRunTest, ErrorsSkipsAndSilence) {
  fake("base", {{"FAKE_ROWS", "a b/8 c d"}, {"FAKE_SKIP", "b/8"}});
  fake(
      "head",
      {{"FAKE_ROWS", "a b/8 c d"}, {"FAKE_SKIP", "b/8"}, {"FAKE_FAIL", "a"}, {"FAKE_SILENT", "c"}});
  const Finished finished = gate();
  EXPECT_EQ(finished.ending.exit_code, 3) << finished.output;
  EXPECT_EQ(word("a"), "ERROR");
  EXPECT_EQ(word("b/8"), "");  // both skip it
  EXPECT_EQ(word("c"), "ERROR");
  EXPECT_EQ(word("d"), "EQUIVALENT");
}

TEST_F(GateRunTest, WhatIsNoJsonIsAnError) {
  fake("head", {{"FAKE_ROWS", "a b/8 c"}, {"FAKE_NOT_JSON", "1"}});
  const Finished finished = gate();
  EXPECT_EQ(finished.ending.exit_code, 3) << finished.output;
  EXPECT_EQ(word("a"), "ERROR");
}

TEST_F(GateRunTest, BothSyntaxesOfMinTime) {
  fake("base", {{"FAKE_ROWS", "a"}, {"FAKE_MIN_TIME", "plain"}});
  fake("head", {{"FAKE_ROWS", "a"}, {"FAKE_MIN_TIME", "suffix"}});
  EXPECT_EQ(gate().ending.exit_code, 0);
  EXPECT_EQ(word("a"), "EQUIVALENT");
}

TEST_F(GateRunTest, MediansStandForRowsThatWriteAggregatesOnly) {
  fake("base", {{"FAKE_ROWS", "a"}, {"FAKE_AGGREGATES", "1"}});
  fake("head", {{"FAKE_ROWS", "a"}, {"FAKE_AGGREGATES", "1"}, {"FAKE_SLOW", "a=110"}});
  EXPECT_EQ(gate({"--repetitions", "1"}).ending.exit_code, 1);
  EXPECT_EQ(word("a"), "REGRESSED");
}

TEST_F(GateRunTest, PairsOfWhichOneArmWasThrottledAreMeasuredAgain) {
  fake("head", {{"FAKE_ROWS", "a"}, {"FAKE_THROTTLED", "2"}});
  fake("base", {{"FAKE_ROWS", "a"}});
  const Finished finished = gate({"--rounds", "20"});
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
  EXPECT_THAT(finished.output, HasSubstr("throttled"));
  // The first may be repeated at once, the second is more than a fifth of all by then.
  EXPECT_EQ(runs("head").size(), 21u);
  EXPECT_EQ(runs("base").size(), 21u);
}

TEST_F(GateRunTest, NamesAreTakenAsTheyAre) {
  fake("base", {{"FAKE_ROWS", "a(1|2)[x]+$ a.b axb"}});
  fake("head", {{"FAKE_ROWS", "a(1|2)[x]+$ a.b axb"}, {"FAKE_SLOW", "a.b=130"}});
  EXPECT_EQ(gate().ending.exit_code, 1);
  EXPECT_EQ(word("a.b"), "REGRESSED");
  EXPECT_EQ(word("axb"), "EQUIVALENT");
  EXPECT_EQ(word("a(1|2)[x]+$"), "EQUIVALENT");
}

// Interrupting and going on.

class GateResumeTest : public GateRunTest {
 protected:
  /// Starts a gate, sends `number` once a few rounds are done, and waits for its end.
  Ending interrupt(int number) {
    Process process(command(gate_arguments({"--rounds", "60"})), Process::Output::keep);
    Process* const only = &process;
    while (runs("head").size() < 6 && !process.ending()) {
      Process::wait({&only, 1}, std::chrono::milliseconds(5));
    }
    ::kill(process.id(), number);
    while (!process.ending()) Process::wait({&only, 1}, std::chrono::milliseconds(20));
    errors_ = process.errors();
    return *process.ending();
  }

  void expect_resumes() {
    const Finished finished =
        breakeven({"gate", "run", "--resume", "-o", out_directory().string()});
    EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
    EXPECT_EQ(verdict()["rows"].size(), 3u);
    std::map<std::string, std::set<int>> rounds;
    const json benchmarks = arm("head")["benchmarks"];
    for (const json& row : benchmarks) {
      rounds[row["name"]].insert(row["round"].get<int>());
    }
    for (const auto& [name, found] : rounds) EXPECT_EQ(found.size(), 60u) << name;
    // One run of each program was cut short, at the most.
    EXPECT_LE(runs("base").size(), 61u);
    EXPECT_LE(runs("head").size(), 61u);
    EXPECT_FALSE(std::filesystem::exists(gate_journal()));
  }

  std::string errors_;
};

TEST_F(GateResumeTest, CtrlCKeepsWhatIsDone) {
  EXPECT_EQ(interrupt(SIGINT).exit_code, 130);
  EXPECT_THAT(errors_, HasSubstr("go on with: "));
  EXPECT_THAT(errors_, HasSubstr("gate run --resume -o " + out_directory().string()));
  EXPECT_TRUE(std::filesystem::exists(gate_journal()));
  EXPECT_FALSE(std::filesystem::exists(out_directory() / "verdict.json"));
  expect_resumes();
}

TEST_F(GateResumeTest, KillLosesNothing) {
  EXPECT_EQ(interrupt(SIGKILL).signal, SIGKILL);
  expect_resumes();
}

TEST_F(GateResumeTest, OnlyTheSameProgramsAreTakenUp) {
  interrupt(SIGINT);
  fake("head", {{"FAKE_ROWS", "a b/8 c"}, {"FAKE_SLOW", "a=90"}});
  const std::vector<std::string> resume = {"gate", "run", "--resume", "-o",
                                           out_directory().string()};
  expect_refused(breakeven(resume), {"the programs are not those"});
}

TEST_F(GateResumeTest, AnotherRunIsNotTakenUp) {
  interrupt(SIGINT);
  expect_refused(gate({"--resume", "--rounds", "12"}),
                 {"is another one", "rounds: 60 then, 12 now"});
  const Finished anew = gate({"--rounds", "5"});
  EXPECT_EQ(anew.ending.exit_code, 0) << anew.errors;
  EXPECT_THAT(anew.errors, HasSubstr("its journal is now"));
  EXPECT_TRUE(std::filesystem::exists(gate_journal().string() + ".old"));
  // A verdict is not left to be read as the next run's, and a second journal not lost.
  std::filesystem::remove(log("head"));  // by which interrupt() knows how far it is
  interrupt(SIGINT);
  EXPECT_FALSE(std::filesystem::exists(out_directory() / "verdict.json"));
  expect_refused(gate({"--base", file("none").string()}), {"none"});
  EXPECT_TRUE(std::filesystem::exists(gate_journal()));
  EXPECT_EQ(gate({"--rounds", "5"}).ending.exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(gate_journal().string() + ".old2"));
}

TEST_F(GateResumeTest, OtherFlagsAreRefused) {
  interrupt(SIGINT);
  expect_refused(breakeven({"gate", "run", "--resume", "--strict", "-o", out_directory().string()}),
                 {"--resume", "is another one"});
}

TEST_F(GateResumeTest, TwoCantShareADirectory) {
  std::filesystem::create_directories(out_directory());
  const FileDescriptor held(open(out_directory().c_str(), O_RDONLY | O_DIRECTORY));
  ASSERT_EQ(flock(held.get(), LOCK_EX | LOCK_NB), 0);
  expect_refused(gate(), {"another `gate run` is at work there"});
}

// Mistakes: one line each, exit 2, nothing measured.

TEST_F(GateRunTest, BadInput) {
  const auto refused = [&](const std::vector<std::string>& arguments,
                           const std::vector<std::string>& words) {
    std::vector<std::string> full = {"gate", "run", "-o", out_directory().string()};
    full.insert(full.end(), arguments.begin(), arguments.end());
    expect_refused(breakeven(full), words);
  };
  const std::string base = file("base").string(), head = file("head").string();
  refused({}, {"--head: give"});
  refused({"--head", head}, {"--base: give"});
  refused({"--head", head, "--base", base, "--base-ref", "main", "--build", "make"}, {"--base"});
  refused({"--head", head, "--base-ref", "main"}, {"--base-ref and --build: give both"});
  refused({"--head", head, "--base", file("none").string()}, {"none", "can't be started"});
  refused({"--head", head, "--base", "/bin/true"}, {"/bin/true: lists no benchmarks"});
  refused({"--head", "/bin/echo", "--base", base}, {"/bin/echo", "no Google Benchmark program"});
  refused({"--head", head, "--base", "/bin/false"}, {"/bin/false", "failed"});
  refused({"--head", head, "--base", base, "--filter", "zzz"}, {"--filter 'zzz'", "no row"});
  refused({"--head", head, "--base", base, "--rounds", "0"}, {"--rounds 0"});
  refused({"--head", head, "--base", base, "--rounds", "3"}, {"--rounds 3", "4 are needed"});
  refused({"--head", head, "--base", base, "--delta", "0"}, {"--delta 0"});
  refused({"--head", head, "--base", base, "--delta", "nan"}, {"--delta nan"});
  refused({"--head", head, "--base", base, "--min-time", "soon"}, {"--min-time soon"});
  refused({"--head", head, "--base", base, "--exact", "x=2"}, {"--exact x=2"});
  refused({"--head", head, "--base", base, "--today", "tomorrow"}, {"--today tomorrow"});
  refused({"--head", head, "--base", base, "--accepted", file("none").string()}, {"none"});
  refused({"--head", head, "--base", base, "--base-budgets", "x"}, {"give both"});
  refused({"--resume"}, {"no unfinished run"});
  EXPECT_TRUE(runs("base").empty());
  expect_refused(breakeven({"gate", "run", "--head", head, "--base", base, "-o", "/proc/gate"}),
                 {"-o /proc/gate"});
  write("taken", "");
  expect_refused(
      breakeven({"gate", "run", "--head", head, "--base", base, "-o", file("taken").string()}),
      {"taken", "directory"});
}

}  // namespace
}  // namespace breakeven::gate
