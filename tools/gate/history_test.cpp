#include "tools/gate/history.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tools/gate/testing/gate_sandbox.h"

namespace breakeven::gate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class HistoryTest : public GateSandbox {
 protected:
  HistoryEntry entry(int number, double seconds) const {
    return {fmt_commit(number),
            "2026-11-" + std::to_string(10 + number % 18) + "T00:00:00",
            "ab12",
            {{"row/1", seconds}, {"row/2", 2.0}}};
  }
  static std::string fmt_commit(int number) {
    std::string digits = std::to_string(number);
    return "c" + std::string(11 - digits.size(), '0') + digits;
  }
  std::filesystem::path directory() const { return file("history"); }
  std::filesystem::path month() const { return directory() / "ab12" / "2026-11.ndjson"; }
  void append(int number, double seconds) const {
    append_history(directory(), entry(number, seconds));
  }
};

TEST_F(HistoryTest, KeepsWhatIsAppended) {
  append(1, 0.5);
  append(2, 0.25);
  HistoryEntry other = entry(3, 0.125);
  other.date = "2026-12-01";
  other.seconds = {{"row/1", 0.125}};
  append_history(directory(), other);
  std::vector<std::string> torn;
  const std::vector<MachineHistory> machines = read_history(directory(), torn);
  ASSERT_EQ(machines.size(), 1u);
  EXPECT_TRUE(torn.empty());
  EXPECT_EQ(machines[0].fingerprint, "ab12");
  ASSERT_EQ(machines[0].measurements.size(), 3u);
  EXPECT_EQ(machines[0].measurements[2].commit, fmt_commit(3));
  EXPECT_THAT(machines[0].rows.at("row/1").seconds, ElementsAre(0.5, 0.25, 0.125));
  EXPECT_THAT(machines[0].rows.at("row/2").measurements, ElementsAre(0, 1));
}

TEST_F(HistoryTest, ATornLineCostsThatLineOnly) {
  append(1, 0.5);
  std::ofstream(month(), std::ios::app) << R"({"gate_history":1,"comm)";
  std::vector<std::string> torn;
  EXPECT_EQ(read_history(directory(), torn).front().measurements.size(), 1u);
  EXPECT_EQ(torn.size(), 1u);
  append(2, 0.25);
  torn.clear();
  EXPECT_EQ(read_history(directory(), torn).front().measurements.size(), 2u);
  EXPECT_EQ(torn.size(), 1u);
}

std::vector<std::string> torn_of(const std::string& text, MachineHistory& history) {
  std::vector<std::string> torn;
  parse_history(text, "f", history, torn);
  return torn;
}

std::string refusal_of(const std::string& text) {
  MachineHistory history;
  try {
    torn_of(text, history);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "no error";
}

std::string line_of(const std::string& rows) {
  return R"({"gate_history":1,"commit":"c","date":"2026-11-01","seconds":)" + rows + "}\n";
}

// Wherever a writer was stopped: in a word, an escape, a number, a code point.
TEST(ParseHistory, PassesOverALineThatIsTornAnywhere) {
  const std::string whole = line_of(R"({"a":1.25e-3,"Ä\ud83d\ude00\n":2.5})");
  for (std::size_t kept = 1; kept + 1 < whole.size(); ++kept) {
    MachineHistory last, inside;
    const std::string torn = whole.substr(0, kept);
    EXPECT_THAT(torn_of(whole + torn, last), ElementsAre("f:2")) << torn;
    EXPECT_EQ(last.measurements.size(), 1u);
    EXPECT_THAT(torn_of(whole + torn + "\n" + whole, inside), ElementsAre("f:2")) << torn;
    EXPECT_EQ(inside.measurements.size(), 2u);
  }
}

TEST(ParseHistory, NeedsTheEndOfALine) {
  const std::string whole = line_of(R"({"a":1})");
  MachineHistory history;
  EXPECT_THAT(torn_of(whole.substr(0, whole.size() - 1), history), ElementsAre("f:1"));
  EXPECT_TRUE(history.measurements.empty());
  EXPECT_TRUE(torn_of("\n\r\n" + whole + "\n  ", history).empty());
  EXPECT_EQ(history.measurements.size(), 1u);
}

TEST(ParseHistory, RefusesWhatIsMalformedByItsLine) {
  const std::string good = line_of(R"({"a":1})");
  for (const char* text : {"hello world", "{}}", "nonsense}", "\xff\xfe", "[1,2]x"}) {
    const std::string refusal = refusal_of(good + good + text + "\n");
    EXPECT_THAT(refusal, HasSubstr("f:3: column ")) << text;
    EXPECT_THAT(refusal, HasSubstr("mend the line, or delete it"));
  }
  EXPECT_THAT(refusal_of(good + "[]\n"), HasSubstr("f:2: is no line of a history: mend"));
  EXPECT_THAT(refusal_of("{\"gate_history\":2}\n"), HasSubstr("is a line of version 2"));
  EXPECT_THAT(refusal_of("{\"gate_history\":\"1\"}\n"), HasSubstr("is no line of a history"));
  const std::string nested(100000, '[');
  EXPECT_THAT(refusal_of(nested + std::string(100000, ']') + "\n"), HasSubstr("f:1: "));
}

TEST(ParseHistory, RefusesWhatIsNoTime) {
  for (const char* value : {"0", "-1", "-0.0", "true", "null", "\"1\"", "[1]", "{}", "1e-999"}) {
    EXPECT_THAT(refusal_of(line_of("{\"a\":" + std::string(value) + "}")),
                HasSubstr("f:1: a: is not a positive, finite number of seconds: mend"))
        << value;
  }
  EXPECT_THAT(refusal_of(line_of(R"({"a":1e999})")), HasSubstr("f:1: holds a number that is too"));
  for (const char* value : {"NaN", "nan", "Infinity", "-inf"}) {
    EXPECT_THAT(refusal_of(line_of("{\"a\":" + std::string(value) + "}")), HasSubstr("is not JSON"))
        << value;
  }
  EXPECT_THAT(refusal_of(line_of(R"({"a\u001b[2J":0})")), HasSubstr("f:1: a[U+001B][2J: is not"));
}

TEST(ParseHistory, RefusesALineWithoutCommitDateOrRows) {
  EXPECT_THAT(refusal_of(R"({"gate_history":1,"date":"d","seconds":{}})"
                         "\n"),
              HasSubstr("f:1: commit: is not a text: mend"));
  EXPECT_THAT(refusal_of(R"({"gate_history":1,"commit":"c","date":7,"seconds":{}})"
                         "\n"),
              HasSubstr("f:1: date: is not a text"));
  EXPECT_THAT(refusal_of(R"({"gate_history":1,"commit":"","date":"d","seconds":{}})"
                         "\n"),
              HasSubstr("f:1: commit: "));
  EXPECT_THAT(refusal_of(R"({"gate_history":1,"commit":"c","date":"d"})"
                         "\n"),
              HasSubstr("f:1: seconds: is not an object"));
}

TEST_F(HistoryTest, MonthsAreReadInOrderAndACommitTwiceIsTwoMeasurements) {
  const auto append_in = [&](const std::string& date, int number, double seconds) {
    HistoryEntry one = entry(number, seconds);
    one.date = date;
    append_history(directory(), one);
  };
  append_in("2027-01-05", 4, 4);
  append_in("2026-12-31", 3, 3);
  append_in("2026-11-20", 1, 1);
  append_in("2026-11-10", 1, 2);  // a commit again; the order is that of appending
  std::vector<std::string> torn;
  const MachineHistory machine = read_history(directory(), torn).front();
  EXPECT_THAT(machine.rows.at("row/1").seconds, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(machine.measurements[0].commit, machine.measurements[1].commit);
}

TEST_F(HistoryTest, LetsForeignFilesBe) {
  append(1, 0.5);
  const std::filesystem::path folder = month().parent_path();
  std::ofstream(folder / "notes.txt") << "not ours";
  std::ofstream(folder / "2026-11.ndjson~") << "not ours";
  std::ofstream(directory() / "README") << "not ours";
  std::filesystem::create_directories(folder / "2026-10.ndjson");
  std::filesystem::create_directories(directory() / "empty");
  std::filesystem::create_symlink("nowhere", folder / "2026-09.ndjson");
  ASSERT_EQ(mkfifo((folder / "2026-12.ndjson").c_str(), 0600), 0);  // reading it would never end
  std::vector<std::string> torn;
  const std::vector<MachineHistory> machines = read_history(directory(), torn);
  ASSERT_EQ(machines.size(), 1u);
  EXPECT_EQ(machines[0].measurements.size(), 1u);
}

TEST_F(HistoryTest, RefusesEntriesThatSayTooLittle) {
  const auto message = [&](HistoryEntry lacking) -> std::string {
    try {
      append_history(directory(), lacking);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "no error";
  };
  HistoryEntry without = entry(1, 1);
  without.commit.clear();
  EXPECT_THAT(message(without), HasSubstr("no commit"));
  without = entry(1, 1);
  without.date = "yesterday";
  EXPECT_THAT(message(without), HasSubstr("no date"));
  without = entry(1, 1);
  without.fingerprint.clear();
  EXPECT_THAT(message(without), HasSubstr("no machine"));
  without = entry(1, 1);
  without.seconds.clear();
  EXPECT_THAT(message(without), HasSubstr("no row"));
  EXPECT_FALSE(std::filesystem::exists(month()));
}

TEST_F(HistoryTest, AGateAppendsToIt) {
  fake("base", {{"FAKE_ROWS", "a b"}});
  fake("head", {{"FAKE_ROWS", "a b"}, {"FAKE_SLOW", "b=200"}});
  set("GIT_CEILING_DIRECTORIES", std::filesystem::current_path().parent_path().string());
  // Outside of a repository nobody knows the commit: said, and the verdict stands.
  const Finished unknown = gate({"--history", directory().string()});
  EXPECT_EQ(unknown.ending.exit_code, 2);
  EXPECT_THAT(unknown.errors, HasSubstr("no commit"));
}

}  // namespace
}  // namespace breakeven::gate
