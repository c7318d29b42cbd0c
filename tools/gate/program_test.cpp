#include "tools/gate/program.h"

#include <gmock/gmock.h>

#include <map>
#include <regex>
#include <set>

#include "tools/gate/testing/gate_sandbox.h"

namespace breakeven::gate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ProgramTest : public GateSandbox {
 protected:
  Program program(const std::string& filter = "") const {
    return {file("bench").string(), {}, filter, {.repetitions = 2}};
  }
  InterruptGuard interrupt_;
};

TEST_F(ProgramTest, ListsItsRowsOnce) {
  fake("bench", {{"FAKE_ROWS", "a b/iterations:5/manual_time b c/8/real_time"}});
  EXPECT_THAT(program().rows(), ElementsAre("a", "b", "c/8"));
  EXPECT_THAT(program("c").rows(), ElementsAre("c/8"));
  EXPECT_TRUE(program("zzz").rows().empty());
}

TEST_F(ProgramTest, RunsTheRowsThatWereAskedFor) {
  fake("bench", {{"FAKE_ROWS", "a b/iterations:5 c"}});
  const ProgramRun run = program().run({"c", "b", "not its own"}, interrupt_);
  EXPECT_EQ(run.trouble, "");
  EXPECT_EQ(run.rows.size(), 4u);
  EXPECT_THAT(runs("bench"), ElementsAre("b/iterations:5 c"));
  EXPECT_EQ(run.context["num_cpus"], 2);
}

TEST_F(ProgramTest, SaysWhatWentWrong) {
  fake("bench", {{"FAKE_ROWS", "a"}, {"FAKE_CRASH", "a"}});
  EXPECT_EQ(program().run({"a"}, interrupt_).trouble,
            "the process ended by signal 6 (SIGABRT): a: out of luck");
  fake("bench", {{"FAKE_ROWS", "a"}, {"FAKE_NOT_JSON", "1"}});
  EXPECT_THAT(program().run({"a"}, interrupt_).trouble, HasSubstr("ends in the middle"));
}

// `->Range(1, 8)->Arg(8)`, or a row in wall time and another in CPU time: one row here.
TEST_F(ProgramTest, ARowThatIsThereTwiceHasMoreRepetitions) {
  fake("bench", {{"FAKE_ROWS", "a a/real_time b"}});
  const ProgramRun run = program().run({"a", "b"}, interrupt_);
  std::map<std::string, std::set<int>> repetitions;
  for (const auto& row : run.rows) {
    repetitions[row["name"] == "b" ? "b" : "a"].insert(row["repetition_index"].get<int>());
  }
  EXPECT_THAT(repetitions["a"], ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(repetitions["b"], ElementsAre(0, 1));
}

TEST(ParseProgramOutput, BareWordsAreNoValues) {
  const ProgramRun run = parse_program_output(R"({"benchmarks":[
    {"name":"a","label":"x: NaN, \": inf","real_time":1,"one":NaN,"two": -Infinity, "three":2},
    {"name":"b","real_time":nan,"one":3}]})",
                                              "bench");
  ASSERT_EQ(run.rows.size(), 2u);
  EXPECT_FALSE(run.rows[0].contains("one"));
  EXPECT_FALSE(run.rows[0].contains("two"));
  EXPECT_EQ(run.rows[0]["three"], 2);
  EXPECT_EQ(run.rows[0]["label"], "x: NaN, \": inf");
  EXPECT_FALSE(run.rows[0].contains("error_occurred"));
  EXPECT_EQ(run.rows[1]["error_occurred"], true);
}

TEST(ExactFilter, MatchesTheseNamesAlone) {
  const std::vector<std::string> names = {"a.b", "x(1|2)*", "m/s/cpu/i/f32/threads:2", "q\\d^$"};
  const std::regex filter(exact_filter(names));
  for (const std::string& name : names) EXPECT_TRUE(std::regex_search(name, filter)) << name;
  for (const char* other : {"axb", "a.bc", "x1", "x2", "", "q1"}) {
    EXPECT_FALSE(std::regex_search(other, filter)) << other;
  }
}

TEST(ParseProgramOutput, AggregatesStandOnlyForRowsWithoutRepetitions) {
  const ProgramRun run = parse_program_output(R"({"benchmarks":[
    {"name":"a","run_name":"a","run_type":"iteration","real_time":1},
    {"name":"a_median","run_name":"a","run_type":"aggregate","aggregate_name":"median","real_time":2},
    {"name":"b_mean","run_name":"b","run_type":"aggregate","aggregate_name":"mean","real_time":3},
    {"name":"b_median","run_name":"b","run_type":"aggregate","aggregate_name":"median",
     "iterations":9,"real_time":4}]})",
                                              "bench");
  ASSERT_EQ(run.rows.size(), 2u);
  EXPECT_EQ(run.rows[1]["real_time"], 4);
  EXPECT_EQ(run.rows[1]["run_type"], "iteration");
  EXPECT_FALSE(run.rows[1].contains("iterations"));
}

TEST(ParseProgramOutput, RefusesWhatIsNone) {
  for (const char* text : {"", "[]", "{}", R"({"benchmarks":3})", R"({"benchmarks":[3]})", "{"}) {
    EXPECT_THROW(parse_program_output(text, "bench"), std::runtime_error) << text;
  }
}

}  // namespace
}  // namespace breakeven::gate
