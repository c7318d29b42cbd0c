#include "kernels/host/slow_rows.h"

#include <gtest/gtest.h>

namespace breakeven {
namespace {

/// Works until its thread has used that much processor time.
void use(double seconds) {
  const double end = thread_seconds() + seconds;
  while (thread_seconds() < end) {
  }
}

TEST(RefuseIfSlow, LeavesOutWhatItsFirstRowsShowToBeSlow) {
  int done = 0;
  const auto row = [&](std::int64_t) {
    ++done;
    use(0.06);
  };
  EXPECT_THROW(refuse_if_slow(1000, row), Unsupported);
  EXPECT_EQ(done, 1);  // a row of over 0.05 s is enough
}

TEST(RefuseIfSlow, TakesWhatIsFast) {
  int done = 0;
  refuse_if_slow(10, [&](std::int64_t row) { EXPECT_EQ(row, done++); });
  EXPECT_EQ(done, 10);
  EXPECT_NO_THROW(refuse_if_slow(2, [](std::int64_t) { use(0.06); }));
}

}  // namespace
}  // namespace breakeven
