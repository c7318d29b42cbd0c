#include "tools/breakeven/progress.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tools/breakeven/lines.h"

namespace breakeven {
namespace {

Position position() {
  return {.round = 1, .rounds = 6, .done = 34, .cases = 110, .fraction = 0.5, .seconds_left = 80};
}

/// What `draw` writes to a stream that is, or is not, a terminal.
std::string drawn(bool terminal, const std::function<void(Progress&)>& draw) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* stream = open_memstream(&text, &size);
  {
    Progress progress(stream, terminal);
    draw(progress);
  }
  std::fclose(stream);
  std::string result(text, size);
  std::free(text);
  return result;
}

TEST(Progress, BarFitsATerminal) {
  const std::string bar = progress_bar(position());
  EXPECT_LT(columns(bar), kTerminalColumns);
  EXPECT_NE(bar.find("round 2 of 6 [##"), std::string::npos);
  EXPECT_NE(bar.find("50 %  1:20 left"), std::string::npos);
  Position extreme{.round = 99999, .rounds = 100000, .fraction = 7, .seconds_left = 3e7};
  EXPECT_LT(columns(progress_bar(extreme)), kTerminalColumns);
  extreme.fraction = -1;
  EXPECT_NE(progress_bar(extreme).find("  0 %"), std::string::npos);
}

TEST(Progress, TerminalIsRedrawnAndCleared) {
  const std::string text = drawn(true, [](Progress& progress) {
    progress.update(position());
    progress.update(position());  // at once: not drawn again
    progress.note("a note");
  });
  EXPECT_EQ(text, "\r\x1b[K" + progress_bar(position()) + "\r\x1b[Ka note\n");
}

TEST(Progress, PlainLinesOncePerRound) {
  const std::string text = drawn(false, [](Progress& progress) {
    Position next = position();
    progress.update(next);
    next.done = 35;
    progress.update(next);
    next.round = 2;
    next.seconds_left.reset();
    progress.update(next);
  });
  EXPECT_EQ(text,
            "round 2 of 6: 34 of 110 cases, about 1:20 left\n"
            "round 3 of 6: 35 of 110 cases\n");
}

TEST(Progress, Clock) {
  EXPECT_EQ(format_clock(7.4), "0:07");
  EXPECT_EQ(format_clock(760), "12:40");
  EXPECT_EQ(format_clock(3723), "1:02:03");
  EXPECT_EQ(format_clock(-3), "0:00");
}

}  // namespace
}  // namespace breakeven
