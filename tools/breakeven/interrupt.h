// Ctrl-C and its relatives, turned into something that a loop can ask about and wait for.
#pragma once

#include <signal.h>

#include <array>
#include <stdexcept>

namespace breakeven {

/// While it lives, SIGINT, SIGTERM and SIGHUP no longer end this process but are remembered; a
/// second one of them ends it at once. At most one may live.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  bool requested() const;
  /// Becomes readable with the first signal.
  int descriptor() const;

 private:
  std::array<struct sigaction, 3> previous_{};
};

/// Thrown where a signal ended a command before it had anything to keep.
class Interrupted : public std::runtime_error {
 public:
  Interrupted() : std::runtime_error("interrupted before it began; nothing was changed") {}
};

/// What `prepare` returns, unless a signal came meanwhile: then Interrupted. Ctrl-C reaches the
/// workers that were asked too, so what `prepare` threw is then no mistake.
template <class Prepare>
auto interruptible(const InterruptGuard& interrupt, Prepare prepare) {
  try {
    auto prepared = prepare();
    if (!interrupt.requested()) return prepared;
  } catch (const std::runtime_error&) {
    if (!interrupt.requested()) throw;
  }
  throw Interrupted();
}

}  // namespace breakeven
