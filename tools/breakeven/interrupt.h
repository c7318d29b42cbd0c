// Ctrl-C and its relatives, turned into something that a loop can ask about and wait for.
#pragma once

#include <signal.h>

#include <array>

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

}  // namespace breakeven
