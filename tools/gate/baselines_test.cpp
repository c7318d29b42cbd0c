#include "tools/gate/baselines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tools/gate/testing/arms.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class BaselinesTest : public ::testing::Test {
 protected:
  BaselinesTest() { std::filesystem::remove_all(directory()); }
  ~BaselinesTest() override { std::filesystem::remove_all(directory()); }

  static std::filesystem::path directory() {
    return std::filesystem::path(::testing::TempDir()) /
           (std::string("baselines_") +
            ::testing::UnitTest::GetInstance()->current_test_info()->name());
  }

  /// What is read again after it was stored.
  static Samples stored(const Samples& samples,
                        const std::vector<ExactCounter>& exact = default_exact_counters()) {
    store_baseline(directory(), samples);
    return read_samples({baseline_path(directory(), samples)}, Arm::base, exact);
  }
};

TEST_F(BaselinesTest, WhatIsStoredIsReadAgain) {
  ArmFiles both = arms({{.name = "a", .noise = 0.1, .counters = {{"flops", 7}, {"other", 1}}},
                        {.name = "failed"},
                        {.name = "skipped"}});
  fail_rows(both.head, "failed", "wrong \"answer\"");
  skip_rows(both.head, "skipped", "no AMX");
  const Samples before = samples_of(both.head, Arm::head), after = stored(before);
  EXPECT_EQ(after.rounds, 12u);
  ASSERT_EQ(after.rows.size(), 3u);
  const ArmRow &a = before.rows.at("a"), &b = after.rows.at("a");
  ASSERT_EQ(a.rounds.size(), b.rounds.size());
  for (std::size_t i = 0; i < a.rounds.size(); ++i) {
    EXPECT_EQ(a.rounds[i].first, b.rounds[i].first);
    EXPECT_NEAR(a.rounds[i].second / b.rounds[i].second, 1, 1e-15);
  }
  EXPECT_EQ(b.calls, 100);
  EXPECT_EQ(b.exact.at("flops").least, 7);
  EXPECT_EQ(after.rows.at("failed").failure, "wrong \"answer\"");
  EXPECT_FALSE(after.rows.at("failed").skipped);
  EXPECT_TRUE(after.rows.at("skipped").skipped);
  EXPECT_EQ(after.context.at("cpu.model"), "Model 1");
  EXPECT_EQ(machine_facts(after.context), machine_facts(before.context));
}

TEST_F(BaselinesTest, FreshRoundsAreNotStored) {
  const ArmFiles both = arms({{.name = "a", .confirmation = 24}}, {.staged = true});
  const Samples after = stored(samples_of(both.head, Arm::head));
  EXPECT_FALSE(after.staged);
  EXPECT_EQ(after.run, "");
  EXPECT_EQ(after.rounds, 12u);
  EXPECT_EQ(after.rows.at("a").rounds.size(), 12u);
}

TEST_F(BaselinesTest, RoundsOfSeveralRunsAreNumberedThrough) {
  Samples samples = samples_of(arms({{.name = "a"}}, {.staged = true}).head, Arm::head);
  auto& rounds = samples.rows.at("a").rounds;
  for (int i = 0; i < 12; ++i) {
    Moment moment = rounds[static_cast<std::size_t>(i)].first;
    moment.file = 1;
    rounds.emplace_back(moment, 1e-3);
  }
  EXPECT_EQ(stored(samples).rows.at("a").rounds.size(), 24u);
}

TEST_F(BaselinesTest, CountersThatVariedStillDo) {
  ArmFiles both = arms({{.name = "a", .counters = {{"allocations", 3}, {"flops", 5}}}});
  both.head["benchmarks"][4]["allocations"] = 9;
  const Samples after = stored(samples_of(both.head, Arm::head));
  EXPECT_EQ(after.rows.at("a").exact.at("allocations").least, 3);
  EXPECT_EQ(after.rows.at("a").exact.at("allocations").most, 9);
  EXPECT_TRUE(after.rows.at("a").exact.at("flops").steady());
  EXPECT_EQ(after.rows.at("a").rounds.size(), 12u);
}

TEST_F(BaselinesTest, AnEarlierOneIsReplaced) {
  stored(samples_of(arms({{.name = "a"}}).head, Arm::head));
  const Samples after = stored(samples_of(arms({{.name = "b"}}, {.rounds = 2}).head, Arm::head));
  EXPECT_FALSE(after.rows.contains("a"));
  EXPECT_EQ(after.rows.at("b").rounds.size(), 2u);
}

TEST_F(BaselinesTest, MachinesHaveFilesOfTheirOwn) {
  ArmFiles both = arms({{.name = "a"}});
  both.head["context"]["num_cpus"] = 64;
  const Samples base = samples_of(both.base, Arm::base), head = samples_of(both.head, Arm::head);
  EXPECT_NE(baseline_path("d", base), baseline_path("d", head));
  both.head["context"] = both.base["context"];
  both.head["context"]["host_name"] = "another";
  EXPECT_EQ(baseline_path("d", base), baseline_path("d", samples_of(both.head, Arm::head)));
}

TEST_F(BaselinesTest, AFileOfNoMachineHasNone) {
  ArmFiles both = arms({{.name = "a"}});
  both.head["context"] = json::object();
  const Samples head = samples_of(both.head, Arm::head);
  EXPECT_THAT(refusal([&] { baseline_path("d", head); }),
              HasSubstr("head.json: doesn't say which machine"));
  EXPECT_NE(refusal([&] { store_baseline(directory(), head); }), "");
}

TEST_F(BaselinesTest, ADirectoryThatCantBeWritten) {
  std::ofstream(directory()) << "a file";
  const Samples head = samples_of(arms({{.name = "a"}}).head, Arm::head);
  EXPECT_NE(refusal([&] { store_baseline(directory(), head); }), "");
}

TEST_F(BaselinesTest, WhatIsThereIsListed) {
  ArmFiles both = arms({{.name = "a"}});
  const Samples head = samples_of(both.head, Arm::head);
  const std::string machine = baseline_path("", head).stem().string();
  EXPECT_THAT(missing_baseline(directory(), head),
              AllOf(HasSubstr("head's machine (" + machine + ")"), HasSubstr("is none at all")));
  both.base["context"]["num_cpus"] = 3;
  const Samples other = samples_of(both.base, Arm::base);
  store_baseline(directory(), other);
  const std::string line = missing_baseline(directory(), head);
  EXPECT_THAT(
      line,
      HasSubstr("there is one of another: " + baseline_path("", other).stem().string() + ";"));
  EXPECT_THAT(line, HasSubstr("`gate judge --head FILE --store " + directory().string() + "`"));
  for (int cpus = 4; cpus < 12; ++cpus) {
    both.base["context"]["num_cpus"] = cpus;
    store_baseline(directory(), samples_of(both.base, Arm::base));
  }
  EXPECT_THAT(missing_baseline(directory(), head),
              AllOf(HasSubstr("there are 9 of others: "), HasSubstr(", …;"), Not(HasSubstr("\n"))));
}

TEST(Fingerprint, IsOfTheMachineAlone) {
  const Facts machine = {{"cpu.model", "M"}, {"num_cpus", "2"}};
  Facts context = machine;
  context["host_name"] = "h";
  context["mhz_per_cpu"] = "3000";
  context["cpu.cores"] = "";
  EXPECT_EQ(machine_facts(context), machine);
  EXPECT_EQ(fingerprint(machine).size(), 16u);
  EXPECT_EQ(fingerprint({}), "");
  EXPECT_NE(fingerprint(machine), fingerprint({{"cpu.model", "M"}, {"num_cpus", "3"}}));
  EXPECT_EQ(machine_difference(machine, {{"cpu.model", "N"}, {"num_cpus", "4"}}),
            "cpu.model: M / N; num_cpus: 2 / 4");
  EXPECT_EQ(machine_difference(machine, {{"gpu.name", "G"}}), "");
}

}  // namespace
}  // namespace breakeven::gate
