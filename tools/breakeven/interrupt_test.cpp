// Ctrl-C, kill -9 of the worker and of breakeven itself, and what --resume makes of it.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <set>
#include <thread>

#include "tools/breakeven/testing/sandbox.h"

namespace breakeven {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
namespace fs = std::filesystem;

class InterruptTest : public Sandbox {
 protected:
  InterruptTest() {
    set("FAKE_SHAPES", "good_1 good_2 good_3 good_4 good_5 good_6 good_7 good_8");
    set("FAKE_DELAY_MS", "8");
  }

  /// Processes whose parent is `parent`.
  static std::vector<pid_t> children(pid_t parent) {
    std::vector<pid_t> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      const std::string stat = text(entry.path() / "stat");
      const std::size_t close = stat.rfind(')');
      if (close == std::string::npos) continue;
      if (std::atoi(stat.c_str() + close + 4) == parent) found.push_back(std::atoi(name.c_str()));
    }
    return found;
  }

  std::size_t finished_cases() const {
    const std::string content = text(journal());
    std::size_t count = 0;
    for (std::size_t at = 0; (at = content.find("\"rows\":", at)) != std::string::npos; ++at)
      ++count;
    return count;
  }

  /// Starts a run of 16 cases in 3 rounds and waits until `cases` of them are in the journal.
  std::unique_ptr<Process> start(std::size_t cases) const {
    auto process =
        std::make_unique<Process>(command(run_arguments({"--rounds", "3"})), Process::Output::keep);
    Process* const waited[] = {process.get()};
    while (!process->ending() && finished_cases() < cases) Process::wait(waited, milliseconds(5));
    EXPECT_FALSE(process->ending()) << process->errors();
    return process;
  }

  static void finish(Process& process) {
    Process* const waited[] = {&process};
    while (!process.ending()) Process::wait(waited, milliseconds(100));
  }

  /// 16 cases x 3 rounds x 3 repetitions, each once.
  void expect_complete() const {
    const auto found = rows(results());
    EXPECT_EQ(found.size(), 16u);
    for (const auto& [name, all] : found) {
      std::set<std::pair<int, int>> distinct;
      for (const auto& [round, process, repetition] : all) distinct.insert({round, repetition});
      EXPECT_EQ(all.size(), 9u) << name;
      EXPECT_EQ(distinct.size(), 9u) << name;
    }
  }

  int all_starts() const {
    int total = 0;
    for (const auto& [name, count] : starts()) total += count;
    return total;
  }

  /// Every case was started once per round; `more` of them once more.
  void expect_starts(int more) const {
    const int total = all_starts();
    EXPECT_LE(total, 48 + more);
    EXPECT_GE(total, 48);
  }
};

TEST_F(InterruptTest, CtrlCKeepsWhatIsDoneAndResumeGoesOn) {
  for (const int number : {SIGINT, SIGTERM}) {
    const auto process = start(5);
    kill(process->id(), number);
    finish(*process);
    EXPECT_EQ(process->ending()->exit_code, 130) << process->errors();
    EXPECT_NE(process->errors().find("run --resume --out " + out().string()), std::string::npos)
        << process->errors();
    EXPECT_FALSE(fs::exists(out()));
    EXPECT_GE(finished_cases(), 5u);
    const Finished resumed = breakeven({"run", "--resume", "--out", out().string()});
    EXPECT_EQ(resumed.ending.exit_code, 0) << resumed.errors;
    expect_complete();
    expect_starts(1);
    fs::remove(out());
    fs::remove(file("log"));
  }
}

// Cases that end while breakeven gets no processor, and is then interrupted, are not measured
// again.
TEST_F(InterruptTest, WhatEndedUnseenIsKept) {
  const auto process = start(1);
  kill(process->id(), SIGSTOP);
  const auto started = [this] {
    int total = 0;
    for (const auto& [name, count] : starts()) total += count;
    return total;
  };
  const int before = started();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (started() < before + 3 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  ASSERT_GE(started(), before + 3);
  kill(process->id(), SIGINT);
  kill(process->id(), SIGCONT);
  finish(*process);
  EXPECT_EQ(process->ending()->exit_code, 130) << process->errors();
  const Finished resumed = breakeven({"run", "--resume", "--out", out().string()});
  EXPECT_EQ(resumed.ending.exit_code, 0) << resumed.errors;
  expect_complete();
  expect_starts(1);
}

TEST_F(InterruptTest, KillOfBreakevenEndsItsWorkerAndLosesNothing) {
  const auto process = start(20);
  const std::vector<pid_t> workers = children(process->id());
  kill(process->id(), SIGKILL);
  finish(*process);
  EXPECT_EQ(process->ending()->signal, SIGKILL);
  const auto gone = [&](pid_t worker) {
    const std::string stat = text("/proc/" + std::to_string(worker) + "/stat");
    return stat.empty() || stat[stat.rfind(')') + 2] == 'Z';
  };
  for (int i = 0; i < 200 && !std::all_of(workers.begin(), workers.end(), gone); ++i) usleep(10000);
  EXPECT_TRUE(std::all_of(workers.begin(), workers.end(), gone));
  const std::size_t kept = finished_cases();
  EXPECT_GE(kept, 20u);
  // What the worker had told and breakeven not yet read is lost; a busy machine has more of it.
  const int lost = all_starts() - static_cast<int>(kept);
  std::ofstream(journal(), std::ios::app) << R"({"round":1,"process":3,"case":"test/tor)";

  const Finished resumed = breakeven({"run", "--resume", "--out", out().string()});
  EXPECT_EQ(resumed.ending.exit_code, 0) << resumed.errors;
  expect_complete();
  EXPECT_EQ(all_starts(), 48 + lost);
}

TEST_F(InterruptTest, KillOfAWorkerCostsItsCaseOnly) {
  set("FAKE_DELAY_MS", "25");
  const auto process = start(5);
  // In the middle of a case: the end of a worker between cases costs none.
  const auto in_a_case = [&] {
    std::size_t started = 0;
    for (const auto& [name, count] : starts()) started += static_cast<std::size_t>(count);
    return started > finished_cases();
  };
  while (!in_a_case() && !process->ending()) usleep(1000);
  const std::vector<pid_t> workers = children(process->id());
  ASSERT_FALSE(workers.empty());
  kill(workers.front(), SIGKILL);
  finish(*process);
  EXPECT_EQ(process->ending()->exit_code, 1) << process->errors();
  int failed = 0;
  for (const auto& [name, all] : rows(results())) {
    const bool hit =
        std::any_of(all.begin(), all.end(), [](const auto& row) { return row[2] < 0; });
    failed += hit ? 1 : 0;
    EXPECT_EQ(all.size() % 3, hit ? 1u : 0u) << name;
    if (!hit) {
      EXPECT_EQ(all.size(), 9u) << name;
    }
  }
  EXPECT_EQ(failed, 1);
  EXPECT_NE(text(out()).find("worker ended by signal 9 (SIGKILL)"), std::string::npos);
}

TEST_F(InterruptTest, BeforeTheFirstRoundNothingIsMoved) {
  set("FAKE_ANSWER_MS", "2000");
  write("results.json.journal.ndjson", "an unfinished run");
  Process process(command(run_arguments()), Process::Output::keep);
  while (children(process.id()).empty() && !process.ending()) usleep(1000);
  kill(process.id(), SIGINT);
  finish(process);
  EXPECT_EQ(process.ending()->exit_code, 130) << process.errors();
  EXPECT_EQ(text(journal()), "an unfinished run");
  EXPECT_FALSE(fs::exists(journal().string() + ".old"));
}

TEST_F(InterruptTest, CtrlCWhileTheModulesAreAskedIsNoMistake) {
  set("FAKE_ANSWER_MS", "500");
  for (const char* name : {"verify", "peak"}) {
    Process process(command({name}), Process::Output::keep);
    while (children(process.id()).empty() && !process.ending()) usleep(1000);
    kill(process.id(), SIGINT);
    finish(process);
    EXPECT_EQ(process.ending()->exit_code, 130) << name << ": " << process.errors();
    EXPECT_NE(process.errors().find("interrupted before it began"), std::string::npos)
        << process.errors();
  }
}

TEST_F(InterruptTest, ResumeWithOtherOptionsIsRefusedAndHarmsNothing) {
  const auto process = start(5);
  kill(process->id(), SIGINT);
  finish(*process);
  const std::string kept = text(journal());
  expect_refused(run({"--resume", "--filter", "good_1"}),
                 {"--resume", "filter: '.' then, 'good_1' now", "cases: 16 then, 2 now"});
  expect_refused(breakeven({"run", "--resume", "--threads", "2", "--out", out().string()}),
                 {"threads: none then, 2 now"});
  EXPECT_EQ(text(journal()), kept);
}

TEST_F(InterruptTest, TwoRunsDontShareAnOutput) {
  const auto process = start(2);
  for (const char* flag : {"--resume", "--rounds=3"}) {
    expect_refused(run({"--rounds", "3", flag}), {"another run is writing it"});
  }
  kill(process->id(), SIGINT);
  finish(*process);
}

}  // namespace
}  // namespace breakeven
