#include "tools/breakeven/plan.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>

#include "tools/breakeven/commands.h"

namespace breakeven {
namespace {

Plan plan() {
  Plan plan;
  plan.suite = "quick";
  plan.shapes = {{"/a/shapes.json", "1234"}};
  plan.seed = 18446744073709551615u;
  plan.rounds = plan.max_rounds = 6;
  plan.cases = 10;
  plan.cases_hash = "ff";
  return plan;
}

TEST(Plan, DiffersInNothingFromItself) {
  EXPECT_EQ(difference(to_json(plan()), to_json(plan())), "");
  // Also after a way through a file.
  EXPECT_EQ(difference(nlohmann::json::parse(to_json(plan()).dump()), to_json(plan())), "");
}

TEST(Plan, NamesEveryDifference) {
  Plan other = plan();
  other.filter = "f32";
  other.threads = 2;
  EXPECT_EQ(difference(to_json(plan()), to_json(other)),
            "filter: none then, 'f32' now; threads: none then, 2 now");
}

TEST(Plan, NoticesChangedShapesButNotAMovedFile) {
  Plan moved = plan(), changed = plan();
  moved.shapes[0].path = "/b/shapes.json";
  changed.shapes[0].hash = "5678";
  EXPECT_EQ(difference(to_json(plan()), to_json(moved)), "");
  EXPECT_EQ(difference(to_json(plan()), to_json(changed)),
            "shapes: the files or their text differ");
}

TEST(Plan, NoticesOtherCasesOfTheSameNumber) {
  Plan other = plan();
  other.cases_hash = "00";
  EXPECT_EQ(difference(to_json(plan()), to_json(other)), "cases: other names");
}

TEST(Plan, ShapesMustBeAFile) {
  EXPECT_THROW(describe_shapes("/nowhere/shapes.json"), std::runtime_error);
  EXPECT_THROW(describe_shapes("/"), std::runtime_error);
}

TEST(Duration, Forms) {
  EXPECT_DOUBLE_EQ(parse_duration("90"), 90);
  EXPECT_DOUBLE_EQ(parse_duration("90s"), 90);
  EXPECT_DOUBLE_EQ(parse_duration("1.5m"), 90);
  EXPECT_DOUBLE_EQ(parse_duration("1h30m"), 5400);
  for (const char* wrong : {"", "0", "-5", "5 m", "m", "5x", "1e5000", "nan", "inf", "99999h"}) {
    EXPECT_THROW(parse_duration(wrong), std::runtime_error) << wrong;
  }
}

}  // namespace
}  // namespace breakeven
