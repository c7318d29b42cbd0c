#include "tools/gate/accepted.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/gate/testing/judgements.h"

namespace breakeven::gate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kWhy = R"("reason": "known", "expires": "2027-01-31")";

std::vector<Acceptance> entries(const std::string& text) {
  return parse_accepted(R"({"accepted": [)" + text + "]}", "accepted.json");
}

std::string entry(const std::string& keys) { return "{" + keys + ", " + kWhy + "}"; }

std::string message_of(const std::string& text) {
  try {
    parse_accepted(text, "accepted.json");
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "no error";
}

std::string entry_message(const std::string& text) {
  return message_of(R"({"accepted": [)" + entry(R"("row": "a", "up_to": 2)") + ", " + text + "]}");
}

TEST(Accepted, ReadsTheThreeForms) {
  const auto read = entries(entry(R"("row": "a/*", "up_to": 1.15)") + "," +
                            entry(R"("row": "b", "missing": true)") + "," +
                            entry(R"("row": "c", "counter": "kernel_launches", "up_to": 0)"));
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[0].row, "a/*");
  EXPECT_EQ(read[0].up_to, 1.15);
  EXPECT_EQ(read[0].reason, "known");
  EXPECT_EQ(read[0].expires, "2027-01-31");
  EXPECT_TRUE(read[1].missing);
  EXPECT_FALSE(read[1].up_to);
  EXPECT_EQ(read[2].counter, "kernel_launches");
  EXPECT_EQ(read[2].up_to, 0);
  EXPECT_EQ(read[2].place, "accepted.json: accepted[2]");
  EXPECT_TRUE(entries("").empty());
}

TEST(Accepted, NamesTheEntryAndWhatIsWrong) {
  const auto second = [](const std::string& what) {
    return HasSubstr("accepted.json: accepted[1]" + what);
  };
  EXPECT_THAT(entry_message("3"), second(": is not an object"));
  EXPECT_THAT(entry_message(entry(R"("row": "a", "upto": 2)")),
              second(": \"upto\" is no key of it"));
  EXPECT_THAT(entry_message(entry(R"("row": "a")")), second(": is none of the three forms"));
  EXPECT_THAT(entry_message(entry(R"("row": "a", "counter": "b")")), second(": is none of"));
  EXPECT_THAT(entry_message(entry(R"("row": "a", "missing": true, "up_to": 2)")),
              second(": is none of"));
  EXPECT_THAT(entry_message(entry(R"("row": "a", "missing": false)")), second(".missing: must be"));
  EXPECT_THAT(entry_message(entry(R"("row": "a", "up_to": 1)")), second(".up_to: must be above 1"));
  EXPECT_THAT(entry_message(entry(R"("row": "a", "up_to": "2")")),
              second(".up_to: is not a number"));
  EXPECT_THAT(entry_message(entry(R"("row": 7, "up_to": 2)")), second(".row: is not a string"));
  EXPECT_THAT(entry_message(entry(R"("row": "", "up_to": 2)")), second(".row: is empty"));
  EXPECT_THAT(entry_message(entry(R"("up_to": 2)")), second(": \"row\" is missing"));
  EXPECT_THAT(entry_message(R"({"row": "a", "up_to": 2, "expires": "2027-01-31"})"),
              second(": \"reason\" is missing"));
  EXPECT_THAT(entry_message(R"({"row": "a", "up_to": 2, "reason": " ", "expires": "2027-01-31"})"),
              second(".reason: is empty"));
  EXPECT_THAT(entry_message(R"({"row": "a", "up_to": 2, "reason": "r"})"),
              second(": \"expires\" is missing"));
  EXPECT_THAT(entry_message(R"({"row": "a", "up_to": 2, "reason": "r", "expires": "2027-02-29"})"),
              second(".expires: \"2027-02-29\" is no date; write it as 2027-01-31"));
}

TEST(Accepted, NamesAFileThatIsNone) {
  EXPECT_THAT(message_of("[]"), HasSubstr("accepted.json: is not an object"));
  EXPECT_THAT(message_of("{}"), HasSubstr("\"accepted\" is missing"));
  EXPECT_THAT(message_of(R"({"accepted": {}})"),
              HasSubstr("accepted.json: accepted: is not a list"));
  EXPECT_THAT(message_of(R"({"accepted": [], "acepted": []})"), HasSubstr("\"acepted\" is no key"));
  EXPECT_THAT(message_of("{\n  nonsense"), HasSubstr("accepted.json: line 2, column 4"));
  EXPECT_THROW(read_accepted("no/such/accepted.json"), std::runtime_error);
}

TEST(Accepted, DatesAreDaysOfTheCalendar) {
  for (const char* good : {"2027-01-31", "2028-02-29", "0000-02-29", "9999-12-31"}) {
    EXPECT_TRUE(valid_date(good)) << good;
  }
  for (const char* bad : {"", "2027-1-31", "2027-13-01", "2027-00-10", "2027-04-31", "2100-02-29",
                          "2027/01/31", "2027-01-31 ", "+027-01-01", "2027-01-3x", "-027-01-01"}) {
    EXPECT_FALSE(valid_date(bad)) << bad;
  }
}

TEST(Accepted, StarsStandForAnyText) {
  EXPECT_TRUE(matches("a*c", "ac"));
  EXPECT_TRUE(matches("a*c", "a/b/cc"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("*/cpu/*/f32", "matmul/cpu/cpu/x/f32"));
  EXPECT_TRUE(matches("a**", "a"));
  EXPECT_FALSE(matches("a*c", "acb"));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_FALSE(matches("a?", "ab"));
  EXPECT_FALSE(matches("a.c", "abc"));
  EXPECT_FALSE(matches("a*b*c", "a-c-b"));
}

TEST(Accepted, CoversUpToItsLimitAndItsLastDay) {
  const auto slow = entries(entry(R"("row": "a*", "up_to": 1.15)"));
  const auto covers = [&](const char* row, double ratio, const char* today) {
    return find_slowdown(slow, row, {ratio, {}, 12}, today) != nullptr;
  };
  EXPECT_TRUE(covers("ab", 1.15, "2027-01-31"));
  EXPECT_FALSE(covers("ab", 1.1500001, "2027-01-31"));
  EXPECT_FALSE(covers("ab", 1.1, "2027-02-01"));
  EXPECT_FALSE(covers("b", 1.1, "2027-01-01"));
  EXPECT_EQ(find_missing(slow, "ab", "2027-01-01"), nullptr);
  const auto counter = entries(entry(R"("row": "*", "counter": "n", "up_to": 12)"));
  EXPECT_NE(find_counter(counter, "a", {"n", 10, 12, true}, "2027-01-31"), nullptr);
  EXPECT_EQ(find_counter(counter, "a", {"n", 10, 13, true}, "2027-01-31"), nullptr);
  EXPECT_EQ(find_counter(counter, "a", {"m", 10, 12, true}, "2027-01-31"), nullptr);
  // Of what fell: no lower than that.
  EXPECT_NE(find_counter(counter, "a", {"n", 16, 12, true}, "2027-01-31"), nullptr);
  EXPECT_EQ(find_counter(counter, "a", {"n", 16, 11, true}, "2027-01-31"), nullptr);
  EXPECT_EQ(find_slowdown(counter, "a", {1.1, {}, 12}, "2027-01-31"), nullptr);
  const auto missing = entries(entry(R"("row": "m", "missing": true)"));
  EXPECT_NE(find_missing(missing, "m", "2027-01-31"), nullptr);
  EXPECT_EQ(find_missing(missing, "m", "2027-02-01"), nullptr);
}

TEST(Accept, TakesTheGateFromRowsThatAreCovered) {
  Judgement judgement = full_judgement();
  const auto all = entries(entry(R"("row": "matmul/*", "up_to": 1.2)") + "," +
                           entry(R"("row": "gone", "missing": true)") + "," +
                           entry(R"("row": "broken", "missing": true)") + "," +
                           entry(R"("row": "*", "counter": "kernel_launches", "up_to": 5)") + "," +
                           entry(R"("row": "sgemm*", "counter": "registers", "up_to": 140)"));
  judgement.remarks.clear();
  accept(judgement, all, "2027-01-31");
  for (const auto* list : {&judgement.rows, &judgement.budgets}) {
    for (const RowJudgement& row : *list) EXPECT_FALSE(row.gates) << row.name;
  }
  EXPECT_EQ(judgement.rows[3].accepted, "known");
  EXPECT_EQ(judgement.rows[10].accepted, "exact rounding");
  EXPECT_EQ(judgement.rows[0].accepted, "");
  EXPECT_THAT(judgement.remarks, ElementsAre());
}

TEST(Accept, NeedsEverythingOfARowCovered) {
  Judgement judgement;
  judgement.rows.push_back(timed_row("a", Verdict::regressed, 1.1));
  judgement.rows[0].changes = {{"n", 1, 2, true}, {"told", 1, 2, false}};
  const std::string slow = entry(R"("row": "a", "up_to": 1.2)");
  accept(judgement, entries(slow), "2027-01-31");
  EXPECT_TRUE(judgement.rows[0].gates);
  EXPECT_EQ(judgement.rows[0].accepted, "");
  EXPECT_THAT(judgement.remarks, ElementsAre());  // not unused: it does cover the time
  accept(judgement, entries(slow + R"(, {"row": "a", "counter": "n", "up_to": 2, "reason": "two",
                              "expires": "2027-01-31"})"),
         "2027-01-31");
  EXPECT_FALSE(judgement.rows[0].gates);
  EXPECT_EQ(judgement.rows[0].accepted, "known; two");
}

TEST(Accept, TellsOfEntriesThatCoverNothing) {
  Judgement judgement = quiet_judgement(1);
  judgement.rows.push_back(timed_row("slow", Verdict::regressed, 1.3));
  const auto all = entries(
      entry(R"("row": "slow", "up_to": 1.2)") + "," +
      R"({"row": "sl*", "up_to": 1.5, "reason": "r", "expires": "2026-12-31"},)" +
      entry(R"("row": "row/*", "up_to": 1.2)") + "," + entry(R"("row": "typo", "missing": true)"));
  accept(judgement, all, "2027-01-01");
  EXPECT_TRUE(judgement.rows[1].gates);
  EXPECT_THAT(judgement.remarks,
              ElementsAre("accepted.json: accepted[0] accepts slow up to 1.2, which is exceeded.",
                          "accepted.json: accepted[1] would accept slow, but expired after "
                          "2026-12-31.",
                          "accepted.json: accepted[2] (row/*) is unused: nothing that it accepts "
                          "refuses this change.",
                          "accepted.json: accepted[3] (typo) is unused: no row here has such a "
                          "name."));
  Judgement untimed = quiet_judgement(1);
  untimed.times_judged = false;
  accept(untimed, entries(entry(R"("row": "row/*", "up_to": 1.2)")), "2027-01-01");
  EXPECT_THAT(untimed.remarks, ElementsAre());
}

}  // namespace
}  // namespace breakeven::gate
