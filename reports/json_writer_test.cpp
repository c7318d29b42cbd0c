#include "reports/json_writer.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace breakeven {
namespace {

std::string text_of(std::string_view text) {
  std::string out;
  append_json_text(out, text);
  return out;
}

std::string number_of(double value, int digits) {
  std::string out;
  append_json_number(out, value, digits);
  return out;
}

TEST(AppendJsonText, CannotCloseAScriptElement) {
  EXPECT_EQ(text_of("\"</script><!--&"), R"("\"\u003c/script\u003e\u003c!--\u0026")");
}

TEST(AppendJsonText, IsReadBackAsItWas) {
  const std::string hard("a\0\x01\x1f\x7f\"\\/\n\u0085\u202E\u2028µ日😀", 26);
  const std::string out = text_of(hard);
  EXPECT_EQ(nlohmann::json::parse(out).get<std::string>(), hard);
  for (const char c : out) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << out;
}

TEST(AppendJsonText, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(text_of("a\xff\xed\xa0\x80z"), R"("a\ufffd\ufffd\ufffd\ufffdz")");
}

TEST(AppendJsonNumber, KeepsWholeNumbersAndCutsOthers) {
  EXPECT_EQ(number_of(2147483648, 6), "2147483648");
  EXPECT_EQ(number_of(0, 6), "0");
  EXPECT_EQ(number_of(-3, 6), "-3");
  EXPECT_EQ(number_of(648420.123, 6), "648420");
  EXPECT_EQ(number_of(648420.123, 10), "648420.123");
  EXPECT_EQ(number_of(3.14159265e-7, 6), "3.14159e-07");
  EXPECT_EQ(nlohmann::json::parse(number_of(1e300, 6)), 1e300);
  EXPECT_EQ(number_of(std::numeric_limits<double>::infinity(), 6), "null");
  EXPECT_EQ(number_of(std::numeric_limits<double>::quiet_NaN(), 6), "null");
}

}  // namespace
}  // namespace breakeven
