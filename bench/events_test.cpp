#include "bench/events.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "bench/options.h"

namespace breakeven {
namespace {

std::vector<Json> read(const std::string& path) {
  std::vector<Json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
  return lines;
}

TEST(Events, EveryLineIsCompleteJsonAsSoonAsItIsWritten) {
  const std::string path = ::testing::TempDir() + "events_lines";
  std::filesystem::remove(path);
  Events events(path);
  events.context({{"seed", 3}});
  EXPECT_EQ(read(path).size(), 1u);
  events.start("a/b/cpu/c/f32");
  events.verified("a/b/cpu/c/f32", {1e-7, 1e-6, "full fp64"});
  events.skip("a/b/cpu/c/f32", "a reason with \"quotes\"\nand a line break");
  events.error("a/b/cpu/c/f32", {"not UTF-8: \xff", std::nullopt});
  events.end();
  const std::vector<Json> lines = read(path);
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_EQ(lines[0]["context"]["seed"], 3);
  EXPECT_EQ(lines[2]["tolerance"], 1e-6);
  EXPECT_EQ(lines[5]["event"], "end");
}

TEST(Events, NumbersThatAreNotFiniteAreLeftOut) {
  Json object;
  add_check(object, {std::numeric_limits<double>::infinity(), 1e-6, ""});
  EXPECT_FALSE(object.contains("error"));
  EXPECT_TRUE(object.contains("tolerance"));
}

TEST(Events, AppendsToWhatIsThere) {
  const std::string path = ::testing::TempDir() + "events_append";
  std::filesystem::remove(path);
  Events(path).end();
  Events(path).end();
  EXPECT_EQ(read(path).size(), 2u);
}

TEST(Events, RefusesAPathThatCannotBeWritten) {
  EXPECT_THROW(Events("/nonexistent/events"), UsageError);
}

TEST(Events, NoticesAFullDisk) {
  Events events("/dev/full");
  EXPECT_THROW(events.end(), std::runtime_error);
}

TEST(Events, ADefaultStreamGoesNowhere) { EXPECT_NO_THROW(Events().end()); }

}  // namespace
}  // namespace breakeven
