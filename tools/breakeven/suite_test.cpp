#include "tools/breakeven/suite.h"

#include <gtest/gtest.h>

#include <regex>
#include <stdexcept>

namespace breakeven {
namespace {

std::string message(const std::string& text) {
  try {
    parse_suite("test", text);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

std::string suite_text(const std::string& change, const std::string& rows = R"(["."])") {
  return R"({"rounds":6,"max_rounds":6,"repetitions":3,"min_batch_seconds":0.02,"half_width":0.02,)" +
         change + R"("rows":)" + rows + "}";
}

TEST(Suite, BuiltInOnesAreSound) {
  for (const char* name : {"quick", "standard", "full"}) {
    const Suite suite = find_suite(name);
    EXPECT_GE(suite.rounds, 6) << name;  // fewer give no interval of 95 %
    for (const std::string& row : suite.rows) EXPECT_NO_THROW(std::regex{row}) << row;
  }
}

TEST(Suite, UnknownNameListsThoseThereAre) {
  try {
    find_suite("fast");
    FAIL() << "found a suite that is not there";
  } catch (const std::runtime_error& error) {
    const std::string text = error.what();
    for (const char* name : {"fast", "quick", "standard", "full"}) {
      EXPECT_NE(text.find(name), std::string::npos) << text;
    }
  }
}

TEST(Suite, MalformedOnesAreNamed) {
  EXPECT_EQ(message(suite_text("")), "");
  EXPECT_NE(message("{").find("suite test:"), std::string::npos);
  EXPECT_NE(message(suite_text(R"("roundz":1,)")).find("roundz"), std::string::npos);
  EXPECT_NE(message(suite_text("", "[]")).find("rows"), std::string::npos);
  EXPECT_NE(message(R"({"rounds":2,"max_rounds":1,"repetitions":3,"min_batch_seconds":0.02,)"
                    R"("half_width":0.02,"rows":["."]})")
                .find("max_rounds"),
            std::string::npos);
}

}  // namespace
}  // namespace breakeven
