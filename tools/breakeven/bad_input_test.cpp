// Every mistake of a user gets one line that says what, where and what to do, and exit code 2.
#include <sys/resource.h>

#include <algorithm>
#include <csignal>

#include "tools/breakeven/testing/sandbox.h"

namespace breakeven {
namespace {

class BadInput : public Sandbox {
 protected:
  /// Refused, and nothing was measured or written.
  void expect_run_refused(const std::vector<std::string>& arguments,
                          const std::vector<std::string>& words) const {
    std::vector<std::string> full = {"run"};
    full.insert(full.end(), arguments.begin(), arguments.end());
    expect_refused(breakeven(full), words);
    EXPECT_TRUE(starts().empty());
    EXPECT_FALSE(std::filesystem::exists(out()));
    EXPECT_FALSE(std::filesystem::exists(journal()));
  }
};

TEST_F(BadInput, UnknownCommandsAndFlags) {
  expect_refused(breakeven({}), {"no command", "run", "report"});
  expect_refused(breakeven({"measure"}), {"measure", "no such command", "verify"});
  expect_refused(breakeven({"gate"}), {"gate: no command given", "judge"});
  expect_refused(breakeven({"gate", "guess"}), {"gate guess: no such command", "judge"});
  for (const char* command : {"run", "judge", "selftest", "history"}) {
    expect_refused(breakeven({"gate", command, "--bogus"}), {"--bogus", command, "--help"});
  }
  expect_refused(breakeven({"--fast"}), {"--fast"});
  for (const char* command : {"run", "verify", "list", "doctor", "peak", "report"}) {
    expect_refused(breakeven({command, "--bogus"}), {"--bogus", command, "--help"});
  }
  expect_refused(breakeven({"run", "--seed"}), {"--seed"});
  expect_refused(breakeven({"run", "stray"}), {"stray"});
}

TEST_F(BadInput, Values) {
  const std::string path = out().string();
  expect_run_refused({"--out", path, "--suite", "fast"}, {"fast", "quick", "standard", "full"});
  expect_run_refused({"--out", path, "--filter", "("}, {"--filter '('", "regular expression"});
  expect_run_refused({"--out", path, "--filter", "conv9d/"}, {"conv9d", "operations: test"});
  expect_run_refused({"--out", path, "--suite", "quick"}, {"--suite quick matches none"});
  expect_run_refused({"--out", path, "--threads", "0"}, {"--threads 0"});
  expect_run_refused({"--out", path, "--threads", "-2"}, {"--threads"});
  expect_run_refused({"--out", path, "--threads", "two"}, {"--threads"});
  expect_run_refused({"--out", path, "--filter", ".", "--threads", "9"}, {"9", "4 CPUs"});
  expect_run_refused({"--out", path, "--rounds", "0"}, {"--rounds 0"});
  expect_run_refused({"--out", path, "--budget", "soon"}, {"--budget soon", "1h30m"});
  expect_run_refused({"--out", path, "--case-timeout", "0"}, {"--case-timeout 0"});
  expect_run_refused({"--out", path, "--seed", "x"}, {"--seed"});
  expect_run_refused({"--out", path, "--seed", "-1"}, {"--seed"});
  expect_run_refused({"--out", path, "--seed=-1"}, {"--seed -1", "from 0 to"});
  expect_run_refused({"--out", path, "--threads", "99999999999999"},
                     {"--threads 99999999999999", "from 1 to 1000000"});
  expect_run_refused({"--out", path, "--filter", ""}, {"--filter '': an empty value"});
  expect_refused(breakeven({"verify", "--filter", ""}), {"--filter ''"});
  expect_refused(breakeven({"list", "--filter="}), {"--filter"});
  expect_refused(breakeven({"verify", "--filter", "["}), {"--filter '['"});
  expect_refused(breakeven({"list", "--filter", "conv9d"}), {"conv9d"});
}

TEST_F(BadInput, Shapes) {
  const std::string path = out().string();
  expect_run_refused({"--out", path, "--shapes", file("none").string()}, {"none", "exist"});
  expect_run_refused({"--out", path, "--shapes", file("").string()}, {"directory"});
  write("shapes.json", "not JSON");
  expect_run_refused({"--out", path, "--shapes", file("shapes.json").string()},
                     {"shapes.json: not JSON"});
  expect_refused(breakeven({"verify", "--shapes", file("shapes.json").string()}), {"not JSON"});
}

TEST_F(BadInput, OutputThatCantBeWritten) {
  expect_run_refused({"--filter", ".", "--out", file("no/where.json").string()},
                     {"no directory", "create it"});
  expect_run_refused({"--filter", ".", "--out", file("").string()}, {"--out"});
  expect_run_refused({"--filter", ".", "--out", "/proc/results.json"}, {"can't be written"});
  expect_run_refused({"--filter", ".", "--out", "/dev/full"}, {"/dev/full", "regular file"});
  write("file", "");
  expect_run_refused({"--filter", ".", "--out", file("file/results.json").string()}, {"--out"});
}

TEST_F(BadInput, WorkerThatIsNotThere) {
  set("BREAKEVEN_BENCH", file("none").string());
  expect_refused(breakeven({"list"}), {"BREAKEVEN_BENCH", "none"});
}

TEST_F(BadInput, WorkerThatIsNone) {
  set("BREAKEVEN_BENCH", "/bin/echo");  // answers "--modules" with "--modules"
  expect_refused(breakeven({"list"}), {"--modules", "not JSON"});
}

// A limit on file sizes stands in for a full disk: it stops a write in its middle just so.
TEST_F(BadInput, DiskFullWhileMeasuringLosesNothing) {
  set("FAKE_SHAPES", "good_1 good_2 good_3 good_4");
  const rlimit before = [] {
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    return limit;
  }();
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {6000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const Finished full = run({"--rounds", "2"});
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, previous);
  EXPECT_EQ(full.ending.exit_code, 2) << full.errors;
  EXPECT_NE(full.errors.find("File too large; what is finished is kept"), std::string::npos)
      << full.errors;
  EXPECT_FALSE(std::filesystem::exists(out()));

  const auto started = starts();
  EXPECT_FALSE(started.empty());
  const Finished resumed = run({"--resume", "--rounds", "2"});
  EXPECT_EQ(resumed.ending.exit_code, 0) << resumed.errors;
  int unfinished = 0;  // cases that ran when the disk was full, and ran again
  for (const auto& [name, count] : starts()) {
    EXPECT_LE(count, 3) << name;
    unfinished += count == 3 ? 1 : 0;
  }
  EXPECT_LE(unfinished, 8);
  for (const auto& [name, found] : rows(results())) EXPECT_EQ(found.size(), 6u) << name;
}

TEST_F(BadInput, StandardOutputThatIsFull) {
  const Finished finished =
      run_all({{"/bin/sh", "-c", std::string("exec ") + BREAKEVEN + " list >/dev/full"}},
              std::chrono::seconds(10))
          .front();
  expect_refused(finished, {"standard output", "No space left"});
}

}  // namespace
}  // namespace breakeven
