#include "tools/gate/history.h"

#include <gmock/gmock.h>

#include "tools/gate/testing/gate_sandbox.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;
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
  Finished history(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"gate", "history", directory().string()});
    return breakeven(more);
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

TEST_F(HistoryTest, ShowsTheCommitsBetweenWhichARowChanged) {
  for (int i = 0; i < 40; ++i) append(i, i < 25 ? 1.0 + 0.001 * (i % 3) : 1.2 + 0.001 * (i % 4));
  const Finished finished = history();
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
  EXPECT_THAT(finished.output, HasSubstr("40 measurements of 2 rows, 1 changes"));
  EXPECT_THAT(finished.output, HasSubstr(fmt_commit(24).substr(0, 10) + ".."));
  EXPECT_THAT(finished.output, HasSubstr("row/1"));
  const json document = json::parse(history({"--json"}).output);
  const json change = document.at(0).at("changes").at(0);
  EXPECT_EQ(change["after_commit"], fmt_commit(24));
  EXPECT_EQ(change["commit"], fmt_commit(25));
  EXPECT_NEAR(change["ratio"].get<double>(), 1.2, 0.01);
  EXPECT_THAT(history({"--row", "row/2"}).output, HasSubstr("of 1 rows, 0 changes"));
}

TEST_F(HistoryTest, AGateAppendsToIt) {
  fake("base", {{"FAKE_ROWS", "a b"}});
  fake("head", {{"FAKE_ROWS", "a b"}, {"FAKE_SLOW", "b=200"}});
  set("GIT_DIR", file("no repository").string());
  // Outside of a repository nobody knows the commit: said, and the verdict stands.
  const Finished unknown = gate({"--history", directory().string()});
  EXPECT_EQ(unknown.ending.exit_code, 2);
  EXPECT_THAT(unknown.errors, HasSubstr("no commit"));
}

TEST_F(HistoryTest, BadInput) {
  const auto line = [&](const std::string& text, const std::vector<std::string>& words) {
    std::filesystem::create_directories(month().parent_path());
    std::ofstream(month()) << text << "\n";
    expect_refused(history(), words);
  };
  expect_refused(history(), {"history", "no such directory"});
  expect_refused(breakeven({"gate", "history"}), {"directory"});
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
  append(1, 1);
  std::filesystem::remove(month());
  append(1, 1);
  expect_refused(history({"--row", "("}), {"--row '('", "regular expression"});
  expect_refused(history({"--row", "zzz"}), {"--row 'zzz' matches no row"});
  std::ofstream(directory() / "ab12" / "notes.txt") << "not ours";
  std::ofstream(directory() / "README") << "not ours";
  EXPECT_EQ(history().ending.exit_code, 0);
}

}  // namespace
}  // namespace breakeven::gate
