#include "kernels/cuda/timing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/cuda/tf32_override.h"

namespace breakeven {
namespace {

// A device that runs commands in order on a clock of its own. Enqueueing a command costs the host
// time; a blocker holds the commands back until the host has released it, or its time-out.
class FakeStream final : public TimedStream {
 public:
  double call_seconds = 10e-6;
  double launch_seconds = 2e-6;
  double flush_seconds = 1e-3;
  double time_out_seconds = 1;
  std::int64_t launches_per_call = 1;
  bool call_waits_inside = false;
  int stalls = 0;  // of the host, one behind each of the next blockers
  int throw_at_call = -1;
  std::vector<bool> throttle_readings;

  std::string
      log;  // B blocker, r release, f flush, ( ) events, c call, p probe, t throttle, s sync
  std::size_t most_held = 0;  // commands behind one blocker
  int calls = 0, blockers = 0;
  std::size_t highest_event = 0;

  void enqueue_call() override {
    if (calls++ == throw_at_call) throw std::runtime_error("launch failed");
    log += 'c';
    for (std::int64_t i = 1; i < launches_per_call; ++i) enqueue({});
    enqueue({call_seconds});
    if (!call_waits_inside) return;
    if (held_) {  // nobody comes to release it
      host_ = held_since_ + time_out_seconds;
      timed_out_ = true;
      let_go();
    }
    host_ = std::max(host_, device_);
  }
  void enqueue_flush() override {
    log += 'f';
    enqueue({flush_seconds});
  }
  void record(std::size_t event) override {
    log += event % 2 == 0 ? '(' : ')';
    highest_event = std::max(highest_event, event);
    enqueue({0, event});
  }
  void start_blocker() override {
    log += 'B';
    ++blockers;
    host_ += launch_seconds;
    held_ = true;
    timed_out_ = false;
    held_since_ = host_;
    if (stalls > 0) host_ += 2 * time_out_seconds;
    stalls = std::max(0, stalls - 1);
  }
  void release_blocker() noexcept override {
    log += 'r';
    if (held_ && host_ - held_since_ > time_out_seconds) timed_out_ = true;
    let_go();
  }
  bool blocker_timed_out() override { return timed_out_; }
  void enqueue_clock_probe() override {
    log += 'p';
    enqueue({});
  }
  std::optional<double> clock_mhz() override { return 1980; }
  std::optional<bool> throttled() override {
    log += 't';
    if (throttle_readings.empty()) return false;
    const bool reading = throttle_readings.front();
    throttle_readings.erase(throttle_readings.begin());
    return reading;
  }
  void synchronise() override {
    log += 's';
    if (held_) throw std::logic_error("waits for a stream that is held");
    host_ = std::max(host_, device_);
  }
  double event_seconds(std::size_t from, std::size_t to) override {
    return times_.at(to) - times_.at(from);
  }
  double wall_seconds() override { return host_; }

 private:
  struct Command {
    double seconds = 0;
    std::optional<std::size_t> event = std::nullopt;
    double enqueued = 0;
  };

  void enqueue(Command command) {
    command.enqueued = host_ += launch_seconds;
    held_commands_.push_back(command);
    most_held = std::max(most_held, held_ ? held_commands_.size() : 0);
    if (!held_) execute();
  }
  void let_go() {
    if (held_) device_ = std::max(device_, host_);
    held_ = false;
    execute();
  }
  void execute() {
    for (const Command& each : held_commands_) {
      device_ = std::max(device_, each.enqueued) + each.seconds;
      if (each.event) times_.at(*each.event) = device_;
    }
    held_commands_.clear();
  }

  double host_ = 0, device_ = 0, held_since_ = 0;
  bool held_ = false, timed_out_ = false;
  std::vector<Command> held_commands_;
  std::vector<double> times_ = std::vector<double>(kTimingEvents);
};

Batch timed(TimedStream& stream, TimingPlan plan) { return time_batch(stream, plan); }

TEST(TimeBatch, WarmOrder) {
  FakeStream stream;
  timed(stream, {.calls = 3});
  EXPECT_EQ(stream.log,
            "B(ccc)prts"
            "scccs");
}

TEST(TimeBatch, ColdOrderFlushesOutsideTheInterval) {
  FakeStream stream;
  const Batch batch = timed(stream, {.calls = 2, .cold = true});
  EXPECT_EQ(stream.log,
            "Bf(c)f(c)prts"
            "sfscsfscs");
  EXPECT_NEAR(batch.seconds, 2 * stream.call_seconds, 1e-12);
  EXPECT_LT(batch.host_seconds, stream.flush_seconds);
}

TEST(TimeBatch, LaunchGapsStayOutside) {
  FakeStream stream;
  stream.call_seconds = 1e-6;
  stream.launch_seconds = 3e-6;
  const Batch batch = timed(stream, {.calls = 100});
  EXPECT_NEAR(batch.seconds, 100e-6, 1e-12);
  EXPECT_GE(batch.host_seconds, 300e-6);  // the user waits for launches
}

TEST(TimeBatch, WithoutABlockerGapsAreInside) {
  FakeStream stream;
  stream.call_seconds = 1e-6;
  stream.launch_seconds = 3e-6;
  const Batch batch = timed(stream, {.calls = 100, .blockable = false});
  EXPECT_EQ(stream.blockers, 0);
  EXPECT_GE(batch.seconds, 300e-6);
}

TEST(TimeBatch, SplitsSoThatTheLaunchQueueNeverFills) {
  for (const bool cold : {false, true}) {
    for (const std::int64_t launches : {1, 3, 100, 500}) {
      FakeStream stream;
      stream.launches_per_call = launches;
      const Batch batch =
          timed(stream, {.calls = 700, .cold = cold, .launches_per_call = launches});
      EXPECT_NEAR(batch.seconds, 700 * stream.call_seconds, 1e-9) << launches;
      EXPECT_LE(stream.most_held + 1, static_cast<std::size_t>(kLaunchQueue)) << launches;
      EXPECT_LE(stream.blockers, 701) << launches;
      EXPECT_GE(stream.blockers, 2) << launches;
      EXPECT_LT(stream.highest_event, kTimingEvents);
      EXPECT_EQ(stream.calls, 1400) << launches;
    }
  }
}

TEST(TimeBatch, AChunkFitsTheQueue) {
  for (std::int64_t launches = 1; launches <= 600; ++launches) {
    const TimingPlan warm = {.calls = 1, .launches_per_call = launches};
    EXPECT_LE(blocked_chunk_calls(warm) * launches + 4, kLaunchQueue);
    const TimingPlan cold = {.calls = 1, .cold = true, .launches_per_call = launches};
    EXPECT_LE(blocked_chunk_calls(cold) * (launches + 3) + 2, kLaunchQueue);
    EXPECT_LE(static_cast<std::size_t>(blocked_chunk_calls(cold)) * 2, kTimingEvents);
  }
  EXPECT_EQ(blocked_chunk_calls({.launches_per_call = 509}), 0);
}

TEST(TimeBatch, ACallLargerThanTheQueueRunsWithoutABlocker) {
  FakeStream stream;
  stream.launches_per_call = 2000;
  const Batch batch = timed(stream, {.calls = 4, .launches_per_call = 2000});
  EXPECT_EQ(stream.blockers, 0);
  EXPECT_GT(batch.seconds, 0);
}

TEST(TimeBatch, ACallThatWaitsInsideEndsWithoutABlocker) {
  FakeStream stream;
  stream.call_waits_inside = true;
  const Batch batch = timed(stream, {.calls = 4});
  EXPECT_EQ(stream.blockers, 4);  // 4 calls, 2, 1, 1 once more, then none
  EXPECT_NE(stream.log.find("(cccc)pts"
                            "sccccs"),
            std::string::npos)
      << stream.log;
  EXPECT_GT(batch.seconds, 4 * stream.call_seconds - 1e-12);
  EXPECT_LT(batch.seconds, stream.time_out_seconds);  // no time of a blocker is ever counted
}

TEST(TimeBatch, ASlowHostGetsSmallerChunks) {
  FakeStream stream;
  stream.launch_seconds = 0.02;  // 100 launches take 2 s, the blocker gives up after 1 s
  const Batch batch = timed(stream, {.calls = 100});
  EXPECT_GT(stream.blockers, 2);
  EXPECT_NEAR(batch.seconds, 100 * stream.call_seconds, 1e-9);
}

TEST(TimeBatch, TheNextBatchKnowsTheChunkThatWorked) {
  FakeStream stream;
  stream.call_waits_inside = true;
  TimingPlan plan = {.calls = 4};
  time_batch(stream, plan);
  const int blockers = stream.blockers;
  time_batch(stream, plan);
  EXPECT_EQ(stream.blockers, blockers);
}

TEST(TimeBatch, SaysWhereLaunchGapsAreInside) {
  FakeStream stream;
  TimingPlan plan = {.calls = 4};
  EXPECT_FALSE(time_batch(stream, plan).launch_gaps);
  stream.call_waits_inside = true;
  EXPECT_TRUE(time_batch(stream, plan).launch_gaps);
  TimingPlan unblockable = {.calls = 4, .blockable = false};
  EXPECT_TRUE(time_batch(stream, unblockable).launch_gaps);
}

TEST(TimeBatch, AHostThatStoodStillOnceIsForgiven) {
  FakeStream stream;
  stream.stalls = 1;
  TimingPlan plan = {.calls = 1};
  EXPECT_FALSE(time_batch(stream, plan).launch_gaps);
  EXPECT_EQ(plan.most_blocked_calls, kLaunchQueue);
  stream.stalls = 2;
  EXPECT_TRUE(time_batch(stream, plan).launch_gaps);
}

TEST(TimeBatch, AFailedLaunchReleasesTheBlocker) {
  FakeStream stream;
  stream.throw_at_call = 2;
  EXPECT_THROW(timed(stream, {.calls = 5}), std::runtime_error);
  EXPECT_EQ(stream.log, "B(ccr");
}

TEST(TimeBatch, AnyThrottledChunkFlagsTheBatch) {
  FakeStream stream;
  stream.throttle_readings = {false, true, false};
  EXPECT_EQ(timed(stream, {.calls = 1200}).throttled, true);
  FakeStream cool;
  EXPECT_EQ(timed(cool, {.calls = 1200}).throttled, false);
  EXPECT_EQ(timed(cool, {.calls = 1}).clock_mhz, 1980);
}

std::string refusal(const CapturedCall& captured, Launch launch) {
  try {
    plan_of(captured, launch, Cache::warm);
    return "";
  } catch (const Unsupported& error) {
    return std::string("unsupported: ") + error.what();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

TEST(PlanOf, ACapturedCallIsHeldBackByWhatItEnqueues) {
  const TimingPlan stream = plan_of({.launches = 7}, Launch::stream, Cache::warm);
  EXPECT_EQ(stream.launches_per_call, 7);
  EXPECT_TRUE(stream.blockable);
  EXPECT_FALSE(stream.cold);
  const TimingPlan graph = plan_of({.launches = 7}, Launch::graph, Cache::cold);
  EXPECT_EQ(graph.launches_per_call, 1);
  EXPECT_TRUE(graph.blockable);
  EXPECT_TRUE(graph.cold);
}

TEST(PlanOf, WhatCannotBeCapturedIsTimedWithoutABlockerAndIsNoGraph) {
  const CapturedCall waits = {.launches = std::nullopt, .failure = "it waits for the device"};
  EXPECT_FALSE(plan_of(waits, Launch::stream, Cache::warm).blockable);
  EXPECT_EQ(refusal(waits, Launch::graph),
            "unsupported: can't be captured into a graph: it waits for the device");
}

TEST(PlanOf, ACallThatEnqueuesNothingIsAnError) {
  for (const Launch launch : {Launch::stream, Launch::graph}) {
    EXPECT_EQ(refusal({.launches = 0}, launch), "run() enqueues nothing on its device's stream");
  }
}

TEST(Clock, IsCyclesOverTime) {
  EXPECT_DOUBLE_EQ(clock_mhz({1000, 5000, 1000 + 198000, 5000 + 100000}).value_or(0), 1980);
  EXPECT_FALSE(clock_mhz({}).has_value());
  EXPECT_FALSE(clock_mhz({2000, 5000, 1000, 6000}).has_value());
}

TEST(Flush, ExceedsThreeTimesTheCache) {
  for (const std::size_t l2 : {std::size_t{0}, std::size_t{1} << 20, std::size_t{50} << 20,
                               (std::size_t{40} << 20) + 12345}) {
    EXPECT_GT(flush_bytes(l2), 3 * l2);
    EXPECT_EQ(flush_bytes(l2) % (std::size_t{1} << 20), 0u);
    EXPECT_LE(flush_bytes(l2), 3 * l2 + (std::size_t{1} << 20));
  }
}

TEST(Trial, LastsAboutAMillisecond) {
  EXPECT_EQ(trial_calls(0), 64);
  EXPECT_EQ(trial_calls(1e-6), 64);
  EXPECT_EQ(trial_calls(1e-4), 10);
  EXPECT_EQ(trial_calls(0.5), 1);
}

TEST(Trial, IsTheTimeOfOneCallAndShortForWhatCannotWin) {
  constexpr double kNoneYet = std::numeric_limits<double>::infinity();
  FakeStream stream;
  stream.call_seconds = 1e-4;
  EXPECT_NEAR(trial_seconds(stream, 1, kNoneYet), 1e-4, 1e-12);
  EXPECT_EQ(stream.calls, 2 + 3 * 2 * 10);  // each batch runs twice
  FakeStream close;
  close.call_seconds = 1e-4;
  EXPECT_NEAR(trial_seconds(close, 1, 0.5e-4), 1e-4, 1e-12);
  EXPECT_EQ(close.calls, stream.calls);
  FakeStream slow;
  slow.call_seconds = 1e-4;
  EXPECT_NEAR(trial_seconds(slow, 1, 0.3e-4), 1e-4, 1e-12);
  EXPECT_EQ(slow.calls, 2);
}

TEST(Environment, TheOverrideSpoilsOnlyWhatItChanges) {
  EXPECT_EQ(environment_conflict(Precision::f32, nullptr), "");
  EXPECT_EQ(environment_conflict(Precision::f32, "0"), "");
  EXPECT_NE(environment_conflict(Precision::f32, "1"), "");
  EXPECT_NE(environment_conflict(Precision::tf32, "0"), "");
  EXPECT_EQ(environment_conflict(Precision::tf32, "1"), "");
  EXPECT_EQ(environment_conflict(Precision::bf16, "1"), "");
}

}  // namespace
}  // namespace breakeven
