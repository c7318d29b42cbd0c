#include "bench/runner.h"

#include <gtest/gtest.h>

#include <fstream>

#include "bench/testing/fakes.h"

namespace breakeven {
namespace {

using testing::Behaviour;
using testing::FakeCase;
using testing::FakeDevice;

/// A runner whose events can be read back.
class RunnerTest : public ::testing::Test {
 protected:
  RunnerTest() {
    std::ofstream(path_, std::ios::trunc).close();
    events_ = Events(path_);
  }

  std::vector<Json> events() const {
    std::vector<Json> lines;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
    return lines;
  }

  std::vector<std::string> kinds() const {
    std::vector<std::string> result;
    for (const Json& event : events()) result.push_back(event["event"]);
    return result;
  }

  const Record& measure(const FakeCase& c, int repetitions = 3) {
    for (int i = 0; i + 1 < repetitions; ++i) runner_.next_batch(c.what);
    return runner_.next_batch(c.what);
  }

  using Kinds = std::vector<std::string>;
  const std::string path_ = ::testing::TempDir() + "events_of_runner";
  FakeDevice device_;
  Events events_;
  Runner runner_{device_, Policy(), 3, events_};
};

TEST_F(RunnerTest, EmitsAllRepetitionsOfACaseAtOnce) {
  const FakeCase c(testing::right());
  measure(c);
  EXPECT_EQ(kinds(), (Kinds{"start", "rows"}));
  const Json rows = events()[1]["rows"];
  ASSERT_EQ(rows.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(rows[i]["name"], c.what.name);
    EXPECT_EQ(rows[i]["repetition_index"], i);
    EXPECT_EQ(rows[i]["iterations"], 20);
    EXPECT_NEAR(rows[i]["real_time"].get<double>(), 1e6, 1e-3);
  }
  EXPECT_EQ(runner_.errors(), 0);
}

TEST_F(RunnerTest, AWrongAnswerHasAnErrorAndNoTimeAnywhere) {
  for (const Behaviour& behaviour : {testing::wrong(), testing::nan(), testing::stale(),
                                     testing::accumulating(), testing::throwing()}) {
    const FakeCase c(behaviour, "bad" + std::to_string(runner_.errors()));
    EXPECT_TRUE(measure(c).rows.empty());
  }
  EXPECT_EQ(runner_.errors(), 5);
  for (const Json& event : events()) {
    EXPECT_TRUE(event["event"] == "start" || event["event"] == "error");
    EXPECT_EQ(event.dump().find("time"), std::string::npos) << event.dump();
  }
  EXPECT_EQ(events()[1]["reason"], "error 5.0e-01 exceeds limit 1.0e-09 (full fp64)");
  EXPECT_EQ(events()[1]["error"], 0.5);
  EXPECT_EQ(events()[1]["tolerance"], 1e-9);
  EXPECT_FALSE(events()[3].contains("error"));  // NaN is not JSON
}

TEST_F(RunnerTest, AFailureIsReportedOnce) {
  const FakeCase c(testing::wrong());
  measure(c);
  EXPECT_EQ(kinds(), (Kinds{"start", "error"}));
}

TEST_F(RunnerTest, GoesOnAfterAFailure) {
  const FakeCase bad(testing::throwing(), "bad");
  const FakeCase good(testing::right(), "good");
  measure(bad);
  EXPECT_EQ(measure(good).rows.size(), 3u);
}

TEST_F(RunnerTest, AFailureAfterTheFirstBatchTakesTheTimesAway) {
  const FakeCase c(testing::right());
  runner_.next_batch(c.what);
  device_.distort = [](Batch) -> Batch { throw std::runtime_error("the device was lost"); };
  const Record& record = runner_.next_batch(c.what);
  EXPECT_TRUE(record.rows.empty());
  EXPECT_EQ(record.failure->reason, "the device was lost");
  EXPECT_EQ(kinds(), (Kinds{"start", "error"}));
}

TEST_F(RunnerTest, UnsupportedIsSkippedNotFailed) {
  const FakeCase at_run(testing::unsupporting(), "at_run");
  FakeCase known(testing::right(), "known");
  known.what.unsupported = "needs AMX";
  measure(at_run);
  measure(known);
  EXPECT_EQ(kinds(), (Kinds{"start", "skip", "start", "skip"}));
  EXPECT_EQ(events()[1]["reason"], "not on this machine");
  EXPECT_EQ(events()[3]["reason"], "needs AMX");
  EXPECT_EQ(runner_.errors(), 0);
}

TEST_F(RunnerTest, TooBigIsSkippedWithoutLoading) {
  FakeCase c(testing::right());
  c.implementation.load = [](const Workload&, Precision,
                             const Options&) -> std::unique_ptr<Kernel> {
    throw std::runtime_error("was loaded");
  };
  device_.available = 8;
  EXPECT_NE(measure(c).skipped.value().find("needs "), std::string::npos);
}

TEST_F(RunnerTest, OddExceptionsBecomeReasons) {
  const FakeCase memory([](std::vector<double>&, int) { throw std::bad_alloc(); }, "memory");
  const FakeCase odd([](std::vector<double>&, int) { throw 42; }, "odd");
  EXPECT_EQ(measure(memory).failure->reason, "out of memory");
  EXPECT_EQ(measure(odd).failure->reason, "threw something that is not a std::exception");
}

TEST_F(RunnerTest, OnlyOneCaseIsInMemory) {
  int alive = 0;
  int most = 0;
  class Counted : public testing::FakeKernel {
   public:
    Counted(int& alive, int& most) : FakeKernel(testing::right()), alive_(alive) {
      most = std::max(most, ++alive_);
    }
    ~Counted() override { --alive_; }

   private:
    int& alive_;
  };
  std::vector<std::unique_ptr<FakeCase>> cases;
  for (const char* name : {"a", "b"}) {
    cases.push_back(std::make_unique<FakeCase>(testing::right(), name));
    cases.back()->implementation.load = [&](const Workload&, Precision, const Options&) {
      return std::make_unique<Counted>(alive, most);
    };
  }
  // Interleaved, as --benchmark_enable_random_interleaving does.
  for (int repetition = 0; repetition < 3; ++repetition) {
    for (const auto& c : cases) runner_.next_batch(c->what);
  }
  EXPECT_EQ(most, 1);
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(runner_.find(cases[0]->what.name)->rows.size(), 3u);
  EXPECT_EQ(runner_.find(cases[1]->what.name)->rows.size(), 3u);
}

TEST_F(RunnerTest, ACaseIsTornDownBeforeItsRowsAreSent) {
  std::vector<std::string> sent{"not yet torn down"};
  class Watched : public testing::FakeKernel {
   public:
    explicit Watched(std::function<void()> at_end)
        : FakeKernel(testing::right()), at_end_(std::move(at_end)) {}
    ~Watched() override { at_end_(); }

   private:
    std::function<void()> at_end_;
  };
  FakeCase c(testing::right());
  c.implementation.load = [&](const Workload&, Precision, const Options&) {
    return std::make_unique<Watched>([&] { sent = kinds(); });
  };
  measure(c);
  EXPECT_EQ(sent, Kinds{"start"});
  EXPECT_EQ(kinds(), (Kinds{"start", "rows"}));
}

TEST_F(RunnerTest, VerifyJudgesWithoutTiming) {
  const FakeCase good(testing::right(), "good");
  const FakeCase bad(testing::wrong(), "bad");
  const FakeCase absent(testing::unsupporting(), "absent");
  for (const FakeCase* c : {&good, &bad, &absent}) runner_.verify(c->what);
  EXPECT_EQ(kinds(), (Kinds{"start", "verified", "start", "error", "start", "skip"}));
  EXPECT_EQ(events()[1]["error"], 0.0);
  EXPECT_EQ(events()[1]["method"], "full fp64");
  EXPECT_EQ(runner_.errors(), 1);
}

}  // namespace
}  // namespace breakeven
