// How far a run has come: a bar with the time left on a terminal, now and then a line elsewhere.
#pragma once

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace breakeven {

/// Where a run stands.
struct Position {
  int round = 0;          ///< 0-based
  int rounds = 1;         ///< expected in all
  std::size_t done = 0;   ///< cases of this round
  std::size_t cases = 0;  ///< cases that this round has
  double fraction = 0;    ///< of the whole run, 0 ... 1
  std::optional<double> seconds_left = {};
  std::string_view stage = {};  ///< put before the round: "confirmation, "
};

class Progress {
 public:
  /// Writes to `stream`, a bar if it is a terminal.
  explicit Progress(std::FILE* stream);
  Progress(std::FILE* stream, bool terminal) : stream_(stream), terminal_(terminal) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Draws at most ten times a second on a terminal; elsewhere a line at the end of a round and
  /// every ten seconds.
  void update(const Position& position);

  /// A line of its own that stays, above the bar.
  void note(const std::string& line);

  /// Takes the bar away.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  std::FILE* stream_;
  bool terminal_;
  bool drawn_ = false;
  int last_round_ = -1;
  Clock::time_point last_ = Clock::now() - std::chrono::hours(1);
};

/// One line of exactly at most 79 columns: "round 2 of 6 [#####-----]  42 %  1:20 left".
std::string progress_bar(const Position& position);

/// "round 2 of 6: 34 of 110 cases, about 1:20 left".
std::string progress_line(const Position& position);

/// "0:07", "12:40", "1:02:03".
std::string format_clock(double seconds);

}  // namespace breakeven
