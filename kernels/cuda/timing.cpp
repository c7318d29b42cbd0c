#include "kernels/cuda/timing.h"

#include <algorithm>
#include <stdexcept>

namespace breakeven {
namespace {

// Releases the blocker also where enqueueing throws: the stream would stand still until its
// time-out.
class Blocker {
 public:
  Blocker(TimedStream& stream, bool enabled) : stream_(stream), held_(enabled) {
    if (enabled) stream.start_blocker();
  }
  ~Blocker() { release(); }
  Blocker(const Blocker&) = delete;
  Blocker& operator=(const Blocker&) = delete;
  void release() noexcept {
    if (held_) stream_.release_blocker();
    held_ = false;
  }

 private:
  TimedStream& stream_;
  bool held_;
};

// Enqueues the calls with the events around them; returns how many event pairs were recorded.
std::size_t enqueue_timed(TimedStream& stream, bool cold, std::int64_t calls) {
  if (!cold) {
    stream.record(0);
    for (std::int64_t i = 0; i < calls; ++i) stream.enqueue_call();
    stream.record(1);
    return 1;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(calls); ++i) {
    stream.enqueue_flush();
    stream.record(2 * i);
    stream.enqueue_call();
    stream.record(2 * i + 1);
  }
  return static_cast<std::size_t>(calls);
}

// One chunk; its device seconds, or nothing if the blocker timed out.
std::optional<double> time_chunk(TimedStream& stream, bool cold, std::int64_t calls, bool blocked,
                                 Batch& batch) {
  Blocker blocker(stream, blocked);
  const std::size_t pairs = enqueue_timed(stream, cold, calls);
  stream.enqueue_clock_probe();
  blocker.release();
  const std::optional<bool> throttled = stream.throttled();
  batch.calls_run += calls;
  stream.synchronise();
  if (blocked && stream.blocker_timed_out()) return std::nullopt;
  if (throttled) batch.throttled = batch.throttled.value_or(false) || *throttled;
  if (const auto mhz = stream.clock_mhz()) batch.clock_mhz = mhz;
  double seconds = 0;
  for (std::size_t i = 0; i < pairs; ++i) seconds += stream.event_seconds(2 * i, 2 * i + 1);
  return seconds;
}

double host_seconds(TimedStream& stream, const TimingPlan& plan) {
  stream.synchronise();
  if (!plan.cold) {
    const double start = stream.wall_seconds();
    for (std::int64_t i = 0; i < plan.calls; ++i) stream.enqueue_call();
    stream.synchronise();
    return stream.wall_seconds() - start;
  }
  double seconds = 0;
  for (std::int64_t i = 0; i < plan.calls; ++i) {
    stream.enqueue_flush();
    stream.synchronise();
    const double start = stream.wall_seconds();
    stream.enqueue_call();
    stream.synchronise();
    seconds += stream.wall_seconds() - start;
  }
  return seconds;
}

}  // namespace

TimingPlan plan_of(const CapturedCall& captured, Launch launch, Cache cache) {
  if (!captured.launches && launch == Launch::graph) {
    throw Unsupported("can't be captured into a graph: " + captured.failure);
  }
  if (captured.launches == 0) {
    throw std::runtime_error("run() enqueues nothing on its device's stream");
  }
  TimingPlan plan;
  plan.cold = cache == Cache::cold;
  plan.blockable = captured.launches.has_value();
  // A graph counts as one command, however many kernels it holds; where a driver counts otherwise,
  // the blocker times out and the chunks shrink.
  plan.launches_per_call = launch == Launch::graph ? 1 : captured.launches.value_or(1);
  return plan;
}

std::int64_t blocked_chunk_calls(const TimingPlan& plan) {
  const std::int64_t launches = std::max<std::int64_t>(plan.launches_per_call, 1);
  // Beside the calls: the blocker and the clock probe; warm: two events; cold: a flush and two
  // events for each call.
  if (!plan.cold) return std::min((kLaunchQueue - 4) / launches, plan.most_blocked_calls);
  return std::min(
      {(kLaunchQueue - 2) / (launches + 3), free_chunk_calls(plan), plan.most_blocked_calls});
}

std::int64_t free_chunk_calls(const TimingPlan& plan) {
  return plan.cold ? static_cast<std::int64_t>(kTimingEvents / 2) : plan.calls;
}

std::optional<double> clock_mhz(const ClockSample& sample) {
  if (sample.end_nanoseconds <= sample.start_nanoseconds ||
      sample.end_cycles <= sample.start_cycles) {
    return std::nullopt;
  }
  return 1e3 * static_cast<double>(sample.end_cycles - sample.start_cycles) /
         static_cast<double>(sample.end_nanoseconds - sample.start_nanoseconds);
}

std::size_t flush_bytes(std::size_t l2_bytes) {
  constexpr std::size_t kMebibyte = std::size_t{1} << 20;
  return (3 * l2_bytes / kMebibyte + 1) * kMebibyte;
}

Batch time_batch(TimedStream& stream, TimingPlan& plan) {
  Batch batch;
  for (std::int64_t left = plan.calls; left > 0;) {
    const std::int64_t blocked_calls = plan.blockable ? blocked_chunk_calls(plan) : 0;
    const bool blocked = blocked_calls > 0;
    const std::int64_t calls = std::min(left, blocked ? blocked_calls : free_chunk_calls(plan));
    const auto seconds = time_chunk(stream, plan.cold, calls, blocked, batch);
    if (!seconds) {
      // A single call that timed out once may have met a host that stood still for a moment.
      if (calls > 1 || plan.one_call_timed_out) plan.most_blocked_calls = calls / 2;
      plan.one_call_timed_out = calls == 1;
      continue;
    }
    if (blocked) plan.one_call_timed_out = false;
    batch.launch_gaps = batch.launch_gaps || !blocked;
    batch.seconds += *seconds;
    left -= calls;
  }
  batch.host_seconds = host_seconds(stream, plan);
  batch.calls_run += plan.calls;
  return batch;
}

double trial_seconds(TimedStream& stream, std::int64_t launches_per_call, double best) {
  constexpr int kTrials = 3;
  TimingPlan plan;
  plan.launches_per_call = launches_per_call;
  double seconds = time_batch(stream, plan).seconds;
  if (seconds > 3 * best) return seconds;
  plan.calls = trial_calls(seconds);
  for (int trial = 0; trial < kTrials; ++trial) {
    // The first call was alone and perhaps cold: it only says how many to take.
    const double batch = time_batch(stream, plan).seconds / static_cast<double>(plan.calls);
    seconds = trial == 0 ? batch : std::min(seconds, batch);
  }
  return seconds;
}

std::int64_t trial_calls(double seconds) {
  constexpr double kBatchSeconds = 1e-3;
  constexpr double kMostCalls = 64;
  if (!(seconds > kBatchSeconds / kMostCalls)) return static_cast<std::int64_t>(kMostCalls);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(kBatchSeconds / seconds));
}

}  // namespace breakeven
