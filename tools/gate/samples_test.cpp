// What is read of one arm's files, and what is refused.
#include "tools/gate/samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tools/gate/testing/arms.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// Files in a directory of the test's own.
class SamplesTest : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const json& document) const {
    const std::filesystem::path path = std::filesystem::path(::testing::TempDir()) / (id() + name);
    std::ofstream(path) << document.dump();
    return path;
  }

 private:
  static std::string id() {
    return std::string("samples_") +
           ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_";
  }
};

/// A file as any Google Benchmark program writes it: no rounds, three repetitions and aggregates.
json plain_file(const std::vector<double>& seconds) {
  json document = arms({}).base;
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    json row = timed_json({.name = "row"}, 0, seconds[i]);
    row["name"] = "row/repeats:3";
    row["run_name"] = "row/repeats:3";
    row["repetition_index"] = i;
    row.erase("round");
    document["benchmarks"].push_back(row);
  }
  json mean = timed_json({.name = "row/repeats:3_mean"}, 0, 99);
  mean["run_name"] = "row/repeats:3";
  mean["run_type"] = "aggregate";
  document["benchmarks"].push_back(mean);
  return document;
}

TEST_F(SamplesTest, AFileIsARoundAndItsTimeTheMedian) {
  const Samples samples =
      read_samples({write("a.json", plain_file({3, 1, 2})), write("b.json", plain_file({6, 9, 5}))},
                   Arm::base, {});
  EXPECT_FALSE(samples.staged);
  EXPECT_EQ(samples.rounds, 2u);
  ASSERT_EQ(samples.rows.size(), 1u);
  const ArmRow& row = samples.rows.at("row");  // its suffixes are stripped
  ASSERT_EQ(row.rounds.size(), 2u);
  EXPECT_DOUBLE_EQ(row.rounds[0].second, 2);
  EXPECT_DOUBLE_EQ(row.rounds[1].second, 6);
  EXPECT_EQ(row.calls, 100);
}

TEST_F(SamplesTest, FilesOfManyRoundsPairWithFilesOfOne) {
  const json many_rounds = arms({{.name = "row", .noise = 0.1}}, {.rounds = 4}).base;
  std::vector<std::filesystem::path> single;
  for (int round = 0; round < 4; ++round) {
    json one = many_rounds;
    erase_rows(one, [&](const json& row) { return row["round"] != round; });
    change_rows(one, "row", [](json& row) { row.erase("round"); });
    single.push_back(write(std::to_string(round), one));
  }
  const Samples a = samples_of(many_rounds, Arm::base), b = read_samples(single, Arm::base, {});
  EXPECT_EQ(a.rounds, 4u);
  EXPECT_EQ(b.rounds, 4u);
  EXPECT_EQ(a.rows.at("row").rounds, b.rows.at("row").rounds);
  EXPECT_EQ(pair_rounds(a.rows.at("row"), b.rows.at("row")).screening, std::vector<double>(4, 0.0));
}

TEST_F(SamplesTest, RoundsInWhichAllFailedCount) {
  json failed = plain_file({1});
  fail_rows(failed, "row/repeats:3", "crashed");
  const Samples samples =
      read_samples({write("a.json", failed), write("b.json", plain_file({2}))}, Arm::base, {});
  EXPECT_EQ(samples.rounds, 2u);
  ASSERT_EQ(samples.rows.at("row").rounds.size(), 1u);
  EXPECT_EQ(samples.rows.at("row").rounds[0].first.round, 1);  // pairs with the other's second
}

TEST_F(SamplesTest, StagesAreReadAndPairApart) {
  const ArmFiles both = arms({{.name = "a", .ratio = 2, .noise = 0, .confirmation = 3}},
                             {.rounds = 5, .staged = true});
  const Samples base = samples_of(both.base, Arm::base), head = samples_of(both.head, Arm::head);
  EXPECT_TRUE(base.staged);
  EXPECT_EQ(base.run, "run 1");
  const PairedRounds pairs = pair_rounds(base.rows.at("a"), head.rows.at("a"));
  EXPECT_EQ(pairs.screening.size(), 5u);
  EXPECT_EQ(pairs.confirmation.size(), 3u);
  EXPECT_NEAR(pairs.confirmation[0], std::log(2), 1e-12);
}

TEST_F(SamplesTest, OnlyCommonMomentsPair) {
  const ArmFiles both = arms({{.name = "a"}}, {.rounds = 6, .staged = true});
  json base = both.base, head = both.head;
  erase_rows(base, [](const json& row) { return row["round"] == 2; });
  erase_rows(head, [](const json& row) { return row["round"] > 4; });
  const Samples b = samples_of(base, Arm::base), h = samples_of(head, Arm::head);
  EXPECT_EQ(pair_rounds(b.rows.at("a"), h.rows.at("a")).screening.size(), 4u);
}

TEST_F(SamplesTest, CountersAreThoseAskedFor) {
  json document = plain_file({1, 2});
  document["benchmarks"][0]["flops"] = 5;
  document["benchmarks"][1]["flops"] = 7;
  document["benchmarks"][0]["other"] = 5;
  const Samples samples = samples_of(document, Arm::base, {{"flops", 0}});
  ASSERT_EQ(samples.rows.at("row").exact.size(), 1u);
  const ExactValue& flops = samples.rows.at("row").exact.at("flops");
  EXPECT_EQ(flops.least, 5);
  EXPECT_EQ(flops.most, 7);
  EXPECT_FALSE(flops.steady());
}

TEST_F(SamplesTest, RunsOfAllFilesAreKept) {
  json a = arms({{.name = "a"}}, {.staged = true}).base, b = a;
  b["context"]["gate.run"] = "run 2";
  EXPECT_EQ(read_samples({write("a", a), write("b", b)}, Arm::base, {}).run, "run 1 run 2");
}

/// Refused with one line that holds all of `words`.
template <class Call>
void expect_refused(Call call, const std::vector<std::string>& words) {
  const std::string line = refusal(call);
  EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  for (const std::string& word : words) EXPECT_THAT(line, HasSubstr(word));
}

TEST_F(SamplesTest, ExchangedArms) {
  const ArmFiles both = arms({{.name = "a"}}, {.staged = true});
  expect_refused([&] { samples_of(both.head, Arm::base); },
                 {"base.json: benchmarks[0] \"a\".arm: is \"head\"", "given as base", "exchange"});
}

TEST_F(SamplesTest, UnknownStages) {
  json document = arms({{.name = "a"}}, {.staged = true}).base;
  document["benchmarks"][3]["stage"] = "warmup";
  expect_refused([&] { samples_of(document, Arm::base); },
                 {"benchmarks[3] \"a\".stage: is \"warmup\"", "screening and confirmation"});
}

TEST_F(SamplesTest, ARowTwice) {
  json document = arms({{.name = "a"}, {.name = "b"}}).base;
  document["benchmarks"].push_back(document["benchmarks"].back());
  expect_refused([&] { samples_of(document, Arm::base); },
                 {"base.json: \"b\" is there twice (round 11, repetition 0)"});
  // Google Benchmark before 1.6 numbers none.
  for (json& row : document["benchmarks"]) row.erase("repetition_index");
  EXPECT_EQ(samples_of(document, Arm::base).rows.at("b").rounds.size(), 12u);
}

TEST_F(SamplesTest, AFileTwice) {
  const std::filesystem::path path = write("a.json", plain_file({1}));
  const std::filesystem::path again = path.parent_path() / "." / path.filename();
  expect_refused([&] { read_samples({path, again}, Arm::head, {}); },
                 {"a.json: given twice as head"});
}

TEST_F(SamplesTest, FilesOfTwoMachines) {
  json other = plain_file({1});
  other["context"]["num_cpus"] = 64;
  expect_refused(
      [&] {
        read_samples({write("a.json", plain_file({1})), write("b.json", other)}, Arm::head, {});
      },
      {"b.json: of another machine than ", "a.json (num_cpus: 2 / 64)"});
}

TEST_F(SamplesTest, WhatIsNoResultsFile) {
  expect_refused([&] { read_samples({"nowhere.json"}, Arm::base, {}); },
                 {"nowhere.json: no such file"});
  expect_refused([&] { parse_samples("{", "f.json", Arm::base, {}); }, {"f.json", "truncated"});
  expect_refused([&] { samples_of(arms({}).base, Arm::base); }, {"base.json: an empty run"});
  json of_gate_run = arms({}, {.staged = true}).base;  // every row may be new
  EXPECT_TRUE(samples_of(of_gate_run, Arm::base).rows.empty());
}

TEST_F(SamplesTest, KeysThatAreNotReadMayBeAnything) {
  json document = plain_file({1});
  document["benchmarks"][0]["nested"] = {{"a", {1, 2, {{"b", nullptr}}}}};
  document["benchmarks"][0]["list"] = json::array({1, json::object()});
  document["benchmarks"][0]["null"] = nullptr;
  EXPECT_EQ(samples_of(document, Arm::base).rows.size(), 1u);
  document["benchmarks"][0]["flops"] = nullptr;
  expect_refused([&] { samples_of(document, Arm::base); }, {".flops: is null"});
}

}  // namespace
}  // namespace breakeven::gate
