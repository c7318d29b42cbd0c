#include "tools/breakeven/interrupt.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace breakeven {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

// A signal handler can reach only globals.
volatile sig_atomic_t received = 0;
int wake_pipe[2] = {-1, -1};

void remember(int number) {
  const int saved = errno;
  if (received != 0) {
    // Somebody insists: die of it. Workers follow, the journal holds every finished row.
    signal(number, SIG_DFL);
    raise(number);
  }
  received = 1;
  [[maybe_unused]] const ssize_t ignored = write(wake_pipe[1], "", 1);
  errno = saved;
}

}  // namespace

InterruptGuard::InterruptGuard() {
  received = 0;
  if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw std::runtime_error(std::string("can't make a pipe: ") + std::strerror(errno));
  }
  struct sigaction action {};
  action.sa_handler = remember;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_NODEFER;  // the handler must be able to raise its own signal
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &action, &previous_[i]);
  }
}

InterruptGuard::~InterruptGuard() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &previous_[i], nullptr);
  }
  for (int& end : wake_pipe) {
    close(end);
    end = -1;
  }
}

bool InterruptGuard::requested() const { return received != 0; }

int InterruptGuard::descriptor() const { return wake_pipe[0]; }

}  // namespace breakeven
