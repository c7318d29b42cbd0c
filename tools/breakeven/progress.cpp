#include "tools/breakeven/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "tools/breakeven/lines.h"

namespace breakeven {

Progress::Progress(std::FILE* stream) : Progress(stream, isatty(fileno(stream)) == 1) {}

void Progress::update(const Position& position) {
  const auto now = Clock::now();
  const auto since = now - last_;
  if (terminal_) {
    if (since < std::chrono::milliseconds(100)) return;
    fmt::print(stream_, "\r\x1b[K{}", progress_bar(position));
    drawn_ = true;
  } else {
    // A short line as each round begins, then a sign of life where rounds are long.
    if (position.round == last_round_ && since < std::chrono::seconds(10)) return;
    fmt::print(stream_, "{}\n", progress_line(position));
  }
  std::fflush(stream_);
  last_round_ = position.round;
  last_ = now;
}

void Progress::note(const std::string& line) {
  clear();
  fmt::print(stream_, "{}\n", line);
  std::fflush(stream_);
}

void Progress::clear() {
  if (!drawn_) return;
  fmt::print(stream_, "\r\x1b[K");
  std::fflush(stream_);
  drawn_ = false;
}

std::string format_clock(double seconds) {
  const auto whole = static_cast<long long>(std::llround(std::max(0.0, seconds)));
  const long long hours = whole / 3600, minutes = whole / 60 % 60, rest = whole % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, rest)
                   : fmt::format("{}:{:02}", minutes, rest);
}

std::string progress_bar(const Position& position) {
  const std::string head =
      fmt::format("{}round {} of {} [", position.stage, position.round + 1, position.rounds);
  const double fraction = std::clamp(position.fraction, 0.0, 1.0);
  std::string tail = fmt::format("] {:3.0f} %", std::floor(100 * fraction));
  tail += position.seconds_left ? fmt::format("  {} left", format_clock(*position.seconds_left))
                                : std::string("  starting");
  const std::size_t used = head.size() + tail.size();
  const std::size_t width = used + 10 < kTerminalColumns ? kTerminalColumns - 1 - used : 10;
  const auto filled = static_cast<std::size_t>(std::floor(fraction * static_cast<double>(width)));
  return head + std::string(filled, '#') + std::string(width - filled, '-') + tail;
}

std::string progress_line(const Position& position) {
  std::string line =
      fmt::format("{}round {} of {}: {} of {} cases", position.stage, position.round + 1,
                  position.rounds, position.done, position.cases);
  if (position.seconds_left) {
    line += fmt::format(", about {} left", format_clock(*position.seconds_left));
  }
  return line;
}

}  // namespace breakeven
