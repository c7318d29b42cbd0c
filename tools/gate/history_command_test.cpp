#include "tools/gate/history_command.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <limits>
#include <sstream>

#include "tools/breakeven/lines.h"
#include "tools/gate/history.h"
#include "tools/gate/testing/gate_sandbox.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

/// A history of 40 commits, in which what is asked for changes.
class HistoryCommandTest : public GateSandbox {
 protected:
  std::filesystem::path directory() const { return file("history"); }
  std::filesystem::path month() const { return directory() / "ab12" / "2026-11.ndjson"; }

  static std::string commit(int number) { return fmt::format("{:08x}{:032x}", number, 7); }

  /// Values of `name` scatter by 0.1 % and are multiplied by `factor` from commit `at` on.
  void append(const std::string& name, int at, double factor, const std::string& machine = "ab12") {
    steps_[machine][name] = {at, factor};
  }
  void keep() const {
    for (const auto& [machine, rows] : steps_) {
      for (int i = 0; i < 40; ++i) {
        HistoryEntry entry{
            commit(i), fmt::format("2026-11-{:02}T10:00:00+00:00", 1 + i / 2), machine, {}};
        for (const auto& [name, step] : rows) {
          entry.seconds[name] = (1 + 0.001 * (i % 3)) * (i < step.first ? 1 : step.second);
        }
        append_history(directory(), entry);
      }
    }
  }
  void write_month(const std::string& text) const {
    std::filesystem::create_directories(month().parent_path());
    std::ofstream(month()) << text;
  }
  Finished history(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"gate", "history", directory().string()});
    return breakeven(more);
  }

 private:
  std::map<std::string, std::map<std::string, std::pair<int, double>>> steps_;
};

TEST_F(HistoryCommandTest, ShowsTheCommitsBetweenWhichARowChanged) {
  append("row/1", 25, 1.2);
  append("row/2", 0, 1);
  append("row/3", 10, 0.5);
  keep();
  const Finished finished = history();
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
  EXPECT_THAT(finished.output, HasSubstr("machine ab12: 40 measurements of 3 rows, 2 changes\n"));
  const std::size_t newer = finished.output.find("0000001800..0000001900  2026-11-13  +20.0 %  p ");
  const std::size_t older = finished.output.find("0000000900..0000000a00  2026-11-06  -50.0 %  p ");
  ASSERT_NE(newer, std::string::npos) << finished.output;
  ASSERT_NE(older, std::string::npos) << finished.output;
  EXPECT_LT(newer, older);
  EXPECT_THAT(finished.output, Not(HasSubstr("row/2")));
  EXPECT_THAT(history({"--row", "row/2"}).output, HasSubstr("of 1 row, 0 changes"));
  EXPECT_THAT(history({"--row", "[13]$"}).output, HasSubstr("of 2 rows, 2 changes"));
  EXPECT_THAT(history({"--least", "0.19"}).output, HasSubstr("of 3 rows, 2 changes"));
  EXPECT_THAT(history({"--least", "0.21"}).output, HasSubstr("of 3 rows, 1 change\n"));
}

TEST_F(HistoryCommandTest, SaysAllAsJson) {
  append("row/1", 25, 1.2);
  append("other", 5, 3, "cd34");
  keep();
  const Finished finished = history({"--json"});
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
  const json document = json::parse(finished.output);
  ASSERT_EQ(document.size(), 2u);
  EXPECT_EQ(document[0]["fingerprint"], "ab12");
  EXPECT_EQ(document[0]["measurements"], 40);
  EXPECT_EQ(document[0]["rows"], 1);
  const json change = document[0]["changes"].at(0);
  EXPECT_EQ(change["row"], "row/1");
  EXPECT_EQ(change["after_commit"], commit(24));
  EXPECT_EQ(change["commit"], commit(25));
  EXPECT_EQ(change["date"], "2026-11-13T10:00:00+00:00");
  EXPECT_NEAR(change["before_seconds"].get<double>(), 1.001, 0.001);
  EXPECT_NEAR(change["after_seconds"].get<double>(), 1.201, 0.001);
  EXPECT_NEAR(change["ratio"].get<double>(), 1.2, 0.001);
  EXPECT_LT(change["p_value"].get<double>(), 0.001);
  EXPECT_EQ(document[1]["fingerprint"], "cd34");
}

// Times from 1e-300 to 1e300 s, names longer than a line, commits and dates of any length.
TEST_F(HistoryCommandTest, FitsTheTerminalWhateverItSays) {
  append("matmul/openblas/fp32/m:1024/n:1024/k:1024/threads:16/real_time", 25, 1.2);
  append("matmul/openblas/fp32/m:2048/n:1024/k:1024/threads:16/real_time", 25, 1e300);
  append("matmul/openblas/fp32/m:4096/n:1024/k:1024/threads:16/real_time", 20, 1e-300);
  append("matmul/" + std::string(5000, 'x') + "/real_time", 15, 12);
  keep();
  const Finished finished = history();
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
  std::istringstream lines(finished.output);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(columns(line), 80u) << line;
  EXPECT_THAT(finished.output, HasSubstr("4 changes"));
  EXPECT_THAT(finished.output, HasSubstr("> 9900 %"));
  EXPECT_THAT(finished.output, HasSubstr("2026-11-13  "));
}

TEST_F(HistoryCommandTest, ARatioThatNoDoubleHoldsIsTheLargest) {
  std::string text;
  for (int i = 0; i < 20; ++i) {
    text +=
        fmt::format(R"({{"gate_history":1,"commit":"c","date":"2026-11-01","seconds":{{"a":{}}}}})"
                    "\n",
                    i < 10 ? "1e-300" : "1e300");
  }
  write_month(text);
  EXPECT_THAT(history().output, HasSubstr("  > 9900 %  p 0  a\n"));
  const json change = json::parse(history({"--json"}).output).at(0).at("changes").at(0);
  EXPECT_EQ(change["ratio"].get<double>(), std::numeric_limits<double>::max());
}

TEST_F(HistoryCommandTest, RowsThatDifferInTheMiddleStayApart) {
  for (const int m : {1024, 2048}) {
    append(fmt::format("matmul/openblas/fp32/m:{}/n:1024/k:1024/threads:16/real_time", m), 20, 1.5);
  }
  keep();
  const std::string output = history().output;
  EXPECT_THAT(output, HasSubstr("  …m:1024…\n"));
  EXPECT_THAT(output, HasSubstr("  …m:2048…\n"));
  EXPECT_THAT(output,
              HasSubstr("rows: matmul/openblas/fp32/…/n:1024/k:1024/threads:16/real_time\n"));
}

TEST_F(HistoryCommandTest, ShowsControlCharactersByTheirCodePoints) {
  std::string text;
  for (int i = 0; i < 20; ++i) {
    text += json{{"gate_history", 1},
                 {"commit", fmt::format("\x1b[3{}m\u202e", i % 10)},
                 {"date", "\x1b[2J\n2026"},
                 {"seconds", {{"row\x1b]0;title\x07\u202e", i < 10 ? 1 : 2}}}}
                .dump() +
            "\n";
  }
  write_month(text);
  for (const Finished& finished : {history(), history({"--json"})}) {
    EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
    EXPECT_THAT(finished.output, Not(HasSubstr("\x1b")));
    EXPECT_THAT(finished.output, Not(HasSubstr("\x07")));
    EXPECT_THAT(finished.output, Not(HasSubstr("\u202e")));
    EXPECT_THAT(finished.output, HasSubstr("[U+001B]"));
    EXPECT_THAT(finished.output, Not(HasSubstr("\\u001b")));
  }
}

TEST_F(HistoryCommandTest, SaysWhichLineIsTorn) {
  append("row", 20, 1.5);
  keep();
  std::ofstream(month(), std::ios::app) << R"({"gate_history":1,"comm)";
  const Finished finished = history();
  EXPECT_EQ(finished.ending.exit_code, 0);
  EXPECT_THAT(finished.errors, HasSubstr("2026-11.ndjson:41: a torn line was passed over"));
}

// The matcher of libstdc++ overflows the stack by a name of some 10,000 bytes.
TEST_F(HistoryCommandTest, MatchesTheBeginningOfALongName) {
  append(std::string(400000, 'a') + "!", 20, 1.5);
  keep();
  EXPECT_THAT(history({"--row", "^(a|b)*$"}).output, HasSubstr("of 1 row, 1 change\n"));
}

TEST_F(HistoryCommandTest, BadInput) {
  const auto line = [&](const std::string& text, const std::vector<std::string>& words) {
    write_month(text + "\n");
    expect_refused(history(), words);
  };
  expect_refused(history(), {"history", "no such directory"});
  expect_refused(breakeven({"gate", "history"}), {"directory"});
  expect_refused(breakeven({"gate", "history", file("a\x1b[2J").string()}), {"a[U+001B][2J"});
  std::filesystem::create_directories(directory());
  expect_refused(history(), {"holds no history"});
  write("plain", "");
  expect_refused(breakeven({"gate", "history", file("plain").string()}), {"plain", "is a file"});
  const std::string begin = R"({"gate_history":1,"commit":"c","date":"2026-11-01","seconds":)";
  line("[]", {"2026-11.ndjson:1", "no line of a history"});
  line(R"({"gate_history":2})", {"version 1"});
  line(begin + "3}", {"2026-11.ndjson:1", "seconds"});
  line(begin + R"({"a":-1}})", {"2026-11.ndjson:1", "a: is not a positive"});
  line(begin + R"({"a":NaN}})", {"2026-11.ndjson:1", "not JSON"});
  line(begin + R"({"a":"x\ny"}})", {"a: is not a positive"});
  std::filesystem::remove(month());
  append("row", 20, 1.5);
  keep();
  expect_refused(breakeven({"gate", "history", month().parent_path().string()}),
                 {"is of one machine", "directory above"});
  expect_refused(history({"--row", "("}), {"--row '('", "regular expression"});
  expect_refused(history({"--row", "zzz"}), {"--row 'zzz' matches no row"});
}

}  // namespace
}  // namespace breakeven::gate
