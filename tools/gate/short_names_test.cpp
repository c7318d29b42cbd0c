#include "tools/gate/short_names.h"

#include <gmock/gmock.h>

#include "tools/breakeven/lines.h"

namespace breakeven::gate {
namespace {

using ::testing::ElementsAre;

TEST(ShortNames, LeavesWhatFits) {
  const ShortNames names = short_names({"a/b/1", "a/b/2"}, 5);
  EXPECT_THAT(names.names, ElementsAre("a/b/1", "a/b/2"));
  EXPECT_EQ(names.common, "");
  EXPECT_TRUE(short_names({}, 5).names.empty());
}

TEST(ShortNames, LeavesOutWhatAllShare) {
  const ShortNames names =
      short_names({"matmul/fp32/m:10/n:1024/time", "matmul/fp32/m:1200/n:1024/time"}, 20);
  EXPECT_THAT(names.names, ElementsAre("…m:10…", "…m:1200…"));
  EXPECT_EQ(names.common, "matmul/fp32/…/n:1024/time");
}

TEST(ShortNames, OfOneEnd) {
  EXPECT_THAT(short_names({"one/two/three/a", "one/two/four/b"}, 10).names,
              ElementsAre("…three/a", "…four/b"));
  EXPECT_THAT(short_names({"one/real_time", "two/real_time"}, 8).names,
              ElementsAre("one…", "two…"));
}

// Nothing is left between the ends of the first.
TEST(ShortNames, KeepThatWhichOverlaps) {
  EXPECT_THAT(short_names({"aaaa/bbbb", "aaaa/aaaa/bbbb"}, 9).names,
              ElementsAre("…bbbb", "…aa…/bbbb"));
}

TEST(ShortNames, OneRowKeepsItsEnds) {
  const ShortNames names = short_names({"matmul/fp32/m:10", "matmul/fp32/m:10"}, 10);
  EXPECT_THAT(names.names, ElementsAre("mat…2/m:10", "mat…2/m:10"));
  EXPECT_EQ(names.common, "");
}

TEST(ShortNames, NeverSplitACodePointNorShowControls) {
  for (std::size_t width = 3; width < 12; ++width) {
    const std::string name = without_middle("ÄÖÜäöüßÄÖÜäöüß", width);
    EXPECT_EQ(columns(name), width) << name;
    EXPECT_EQ(name.find("[U+"), std::string::npos) << name;
  }
  EXPECT_EQ(without_middle("a\x1b[2J", 80), "a[U+001B][2J");
}

}  // namespace
}  // namespace breakeven::gate
