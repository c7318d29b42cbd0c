// Is a GPU row's time right? It comes from events behind a blocking kernel (kernels/cuda/timing.h);
// here a profiler watches the same batch, by its own time stamps of every kernel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/session.h"

namespace breakeven {

/// A kernel as a profiler saw it.
struct TracedKernel {
  std::string name;  ///< mangled
  std::uint64_t start_nanoseconds;
  std::uint64_t end_nanoseconds;
};

/// Watches the kernels of this process.
class Tracer {
 public:
  virtual ~Tracer() = default;
  virtual void start() = 0;
  virtual void stop() noexcept = 0;

  /// All kernels that ended since the last call, in the order of their starts. The device must have
  /// been waited for. Throws std::runtime_error where some were lost.
  virtual std::vector<TracedKernel> take() = 0;
};

/// What was timed of a batch, as a tracer saw it.
struct HeldCalls {
  double seconds = 0;        ///< from the start of a chunk's first kernel to the end of its last
  std::int64_t kernels = 0;  ///< of all chunks
};

/// The chunks of one batch: all kernels between a blocking kernel and the clock probe behind it;
/// copies and memsets are not traced. Kernels of the batch's second pass, by the host's clock, have
/// no blocking kernel and don't count. Throws std::runtime_error where nothing was held back, or a
/// chunk has no kernel or no end.
HeldCalls held_calls(const std::vector<TracedKernel>& kernels);

/// Seconds of one call of a case, three times.
struct TimingCheck {
  double event_seconds = 0;     ///< as a row has it, while the tracer watched
  double traced_seconds = 0;    ///< of the same calls
  double untraced_seconds = 0;  ///< by events in a batch before, which nobody watched
  std::int64_t kernels_per_call = 0;

  /// What events say over what the tracer saw, less one.
  double apart() const { return event_seconds / traced_seconds - 1; }
};

/// Verifies a case, then times a batch of it under `tracer`. Throws what Session does, and
/// std::runtime_error where three batches running had to be repeated in part (a blocking kernel
/// that timed out), so that what was timed can't be told from what was discarded, or where calls
/// have unequal numbers of kernels: some were lost.
TimingCheck check_timing(Session& session, Tracer& tracer);

}  // namespace breakeven
