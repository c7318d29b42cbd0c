#include "tools/breakeven/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <stdexcept>

#include "tools/breakeven/lines.h"

namespace breakeven {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<std::string> shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

Finished finish(const std::string& script) { return run_all({shell(script)}, seconds(10)).front(); }

/// True while a process of that id exists and is no zombie.
bool alive(pid_t id) {
  std::ifstream file("/proc/" + std::to_string(id) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return false;
  return line[line.rfind(')') + 2] != 'Z';
}

TEST(Process, ReturnsOutputErrorsAndExitCode) {
  const Finished finished = finish("echo out; echo err >&2; exit 3");
  EXPECT_EQ(finished.output, "out\n");
  EXPECT_EQ(finished.errors, "err\n");
  EXPECT_EQ(finished.ending.exit_code, 3);
  EXPECT_EQ(describe(finished.ending), "worker ended with exit code 3");
}

TEST(Process, NamesTheSignal) {
  const Finished finished = finish("kill -9 $$");
  EXPECT_EQ(finished.ending.signal, SIGKILL);
  EXPECT_EQ(describe(finished.ending), "worker ended by signal 9 (SIGKILL)");
}

TEST(Process, ReadsMoreThanAPipeHolds) {
  EXPECT_EQ(finish("head -c 3000000 /dev/zero").output.size(), 3000000u);
}

TEST(Process, HasEmptyInputAndDefaultSignals) {
  signal(SIGPIPE, SIG_IGN);
  const Finished finished = finish("cat; grep SigIgn /proc/self/status");
  signal(SIGPIPE, SIG_DFL);
  EXPECT_NE(finished.output.find("0000000000000000"), std::string::npos) << finished.output;
}

TEST(Process, GivesTextAndTakesEvents) {
  Process process(shell("while read line; do echo got $line >>/dev/fd/3; done </dev/fd/4; "
                        "printf torn >>/dev/fd/3"),
                  Process::Output::discard, "one\ntwo\n");
  Process* const waited[] = {&process};
  while (!process.ending()) Process::wait(waited, milliseconds(100));
  EXPECT_EQ(process.take_events(), (std::vector<std::string>{"got one", "got two"}));
  EXPECT_TRUE(process.take_events().empty());
}

TEST(Process, AProgramThatIsNotThereThrows) {
  try {
    run_all({{"/nowhere/at-all"}}, seconds(1));
    FAIL() << "started what is not there";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("/nowhere/at-all"), std::string::npos);
  }
}

TEST(Process, TimeOutEndsTheWholeGroup) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Finished> finished =
      run_all({shell("sleep 60 & echo $!; wait"), shell("echo quick")}, milliseconds(300));
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(5));
  EXPECT_TRUE(finished[0].timed_out);
  EXPECT_EQ(finished[1].output, "quick\n");
  const pid_t grandchild = std::stoi(finished[0].output);
  for (int i = 0; i < 100 && alive(grandchild); ++i) usleep(10000);
  EXPECT_FALSE(alive(grandchild));
}

TEST(Process, DestructorEndsTheGroup) {
  pid_t id = 0;
  {
    const Process process(shell("sleep 60"), Process::Output::discard);
    id = process.id();
    EXPECT_TRUE(alive(id));
  }
  EXPECT_FALSE(alive(id));
}

TEST(Lines, LastLine) {
  EXPECT_EQ(last_line("one\ntwo\n\n  \n"), "two");
  EXPECT_EQ(last_line(""), "");
  EXPECT_EQ(last_line("a\x1b[31mb"), "a [31mb");
  EXPECT_EQ(last_line(std::string(1000, 'x')).size(), 300u);
}

TEST(Lines, WrapsAtEightyColumns) {
  std::string words;
  for (int i = 0; i < 60; ++i) words += "word ";
  const std::string text = wrapped(words, 4, 10);
  std::size_t begin = 0, count = 0;
  for (std::size_t end; begin < text.size(); begin = end + 1) {
    end = std::min(text.find('\n', begin), text.size());
    EXPECT_LE(end - begin, count == 0 ? kTerminalColumns - 10 : kTerminalColumns);
    if (count > 0) {
      EXPECT_EQ(text.substr(begin, 5), "    w");
    }
    ++count;
  }
  EXPECT_EQ(count, 5u);
}

TEST(Lines, TableAlignsByColumnsNotBytes) {
  EXPECT_EQ(table({{"a", "±", "1"}, {"long", "x", "22"}}, 1), "a     ±   1\nlong  x  22\n");
}

}  // namespace
}  // namespace breakeven
