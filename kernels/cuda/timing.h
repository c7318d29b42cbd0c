// How a batch of GPU calls is timed: the method, free of CUDA, so that it is tested where there is
// no GPU. kernels/cuda/stream_timer.h implements TimedStream on a real one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "kernels/kernel.h"

namespace breakeven {

/// A stream of a device, as far as timing needs it. What is enqueued runs in order.
class TimedStream {
 public:
  virtual ~TimedStream() = default;

  virtual void enqueue_call() = 0;             ///< one call of what is timed
  virtual void enqueue_flush() = 0;            ///< throws everything else out of the L2 cache
  virtual void record(std::size_t event) = 0;  ///< enqueues event 0 .. kTimingEvents - 1

  /// Enqueues a kernel that holds back all that follows until release_blocker(), or until its
  /// time-out, so that a host that never comes to release it does not hang the device.
  virtual void start_blocker() = 0;
  virtual void release_blocker() noexcept = 0;
  virtual bool blocker_timed_out() = 0;  ///< of the last blocker; valid after synchronise()

  virtual void enqueue_clock_probe() = 0;
  virtual std::optional<double> clock_mhz() = 0;  ///< of the last probe; valid after synchronise()
  virtual std::optional<bool> throttled() = 0;    ///< whether the device is slowed down right now

  virtual void synchronise() = 0;
  virtual double event_seconds(std::size_t from, std::size_t to) = 0;  ///< after synchronise()
  virtual double wall_seconds() = 0;
};

/// Commands that may wait in a stream before a launch blocks the host: about 1000 on today's
/// drivers (undocumented); half of it is used.
inline constexpr std::int64_t kLaunchQueue = 512;

/// Events that a chunk may use: two per call of a cold batch.
inline constexpr std::size_t kTimingEvents = 512;

/// What is timed.
struct TimingPlan {
  std::int64_t calls = 1;
  bool cold = false;                               ///< flush the caches before each call
  std::int64_t launches_per_call = 1;              ///< commands that one call enqueues
  bool blockable = true;                           ///< false: a call waits for the device inside
  std::int64_t most_blocked_calls = kLaunchQueue;  ///< learnt where a blocker timed out
  bool one_call_timed_out = false;  ///< a single call did, the last time that one was held back
};

/// What became of one call when a graph was captured from it.
struct CapturedCall {
  std::optional<std::int64_t> launches;  ///< that it enqueues; nothing: it can't be captured
  std::string failure = {};              ///< why it can't
};

/// How a call is timed after that, by its own launches or as the captured graph. Throws Unsupported
/// where `launch` asks for a graph that there isn't, std::runtime_error where the call enqueues
/// nothing: it would be timed as doing nothing.
TimingPlan plan_of(const CapturedCall& captured, Launch launch, Cache cache);

/// Calls that fit the launch queue behind one blocker; 0 if not even one does.
std::int64_t blocked_chunk_calls(const TimingPlan& plan);

/// Calls between two synchronisations without a blocker: limited by events only.
std::int64_t free_chunk_calls(const TimingPlan& plan);

/// Two readings of an SM's cycle counter (clock64) and of the global timer.
struct ClockSample {
  std::uint64_t start_cycles;
  std::uint64_t start_nanoseconds;
  std::uint64_t end_cycles;
  std::uint64_t end_nanoseconds;
};

/// The SM clock between the readings; nothing if none were taken.
std::optional<double> clock_mhz(const ClockSample& sample);

/// Bytes to read before a cold call: more than 3 x L2 (see docs/method.md), in whole MiB.
std::size_t flush_bytes(std::size_t l2_bytes);

/// Times plan.calls calls twice: by events behind a blocking kernel, so that launch gaps stay
/// outside (batch.seconds), then by the host's clock without one, as a user sees them
/// (batch.host_seconds).
///
/// Calls go in chunks that fit the launch queue. A chunk whose blocker timed out (a loaded host, or
/// a call that waits inside) is discarded and repeated with half the calls; where a single call's
/// did twice running, without a blocker, and batch.launch_gaps says so. `plan` remembers what
/// worked for the next batch. Cold: caches are flushed before each call,
/// outside its interval. The SM clock is probed in the stream right behind the work, throttling is
/// read while the device is busy.
///
/// The stream must be warm: run one unblocked call before, since whatever a first call loads or
/// allocates would wait behind the blocker.
Batch time_batch(TimedStream& stream, TimingPlan& plan);

/// Seconds of one warm call, to choose among candidates and never reported: the least of three
/// batches of trial_calls(). A call that takes more than 3 x `best` at first sight is not looked at
/// twice. The stream must be warm, as for time_batch().
double trial_seconds(TimedStream& stream, std::int64_t launches_per_call, double best);

/// Calls per batch of a candidate whose call takes `seconds`: about 1 ms, 1 to 64 calls.
std::int64_t trial_calls(double seconds);

}  // namespace breakeven
