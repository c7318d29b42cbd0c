#include "reports/text.h"

#include <gtest/gtest.h>

namespace breakeven {
namespace {

TEST(HashText, IsFnv1a) {
  EXPECT_EQ(hash_text(""), "cbf29ce484222325");
  EXPECT_EQ(hash_text("a"), "af63dc4c8601ec8c");  // the algorithm's published test value
}

TEST(VisibleText, NamesWhatCannotBeSeen) {
  EXPECT_EQ(visible_text("a\nb\x1b[31m"), "a[U+000A]b[U+001B][31m");
  EXPECT_EQ(visible_text("\u202Egpu\u2066\uFEFF"), "[U+202E]gpu[U+2066][U+FEFF]");
  EXPECT_EQ(visible_text("\uFFFE\uFFF9\U000E0041"), "[U+FFFE][U+FFF9][U+E0041]");
  EXPECT_EQ(visible_text("\x7f\u0085\u061C"), "[U+007F][U+0085][U+061C]");
  EXPECT_EQ(visible_text("µ ∛ 日本 😀"), "µ ∛ 日本 😀");
}

TEST(VisibleText, NamesMalformedBytes) {
  EXPECT_EQ(visible_text("\xff x"), "[byte FF] x");
  EXPECT_EQ(visible_text("\xc0\xaf"), "[byte C0][byte AF]");               // an overlong slash
  EXPECT_EQ(visible_text("\xed\xa0\x80"), "[byte ED][byte A0][byte 80]");  // a lone surrogate
  EXPECT_EQ(visible_text("\xe2\x82"), "[byte E2][byte 82]");               // torn
}

TEST(EscapeHtml, LeavesNoMarkup) {
  EXPECT_EQ(escape_html("<script a='1' b=\"2\">&"),
            "&lt;script a=&#39;1&#39; b=&quot;2&quot;&gt;&amp;");
}

TEST(Shortened, CutsWholeCodePoints) {
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(shortened("abcd", 3), "ab…");
  EXPECT_EQ(shortened("µµµµ", 3), "µµ…");
  EXPECT_EQ(shortened("a\nb", 4), "a[U…");
  EXPECT_EQ(shortened(std::string(1 << 20, '<'), 5), "<<<<…");
}

TEST(FormatNumber, KeepsSignificantDigits) {
  EXPECT_EQ(format_number(310.2567), "310.3");
  EXPECT_EQ(format_number(0.0123456), "0.01235");
  EXPECT_EQ(format_number(13856.4), "13856");
  EXPECT_EQ(format_number(0), "0");
  EXPECT_EQ(format_number(12.345, 3), "12.3");
}

TEST(FormatSeconds, ChoosesTheUnit) {
  EXPECT_EQ(format_seconds(812.4e-9), "812.4 ns");
  EXPECT_EQ(format_seconds(1.5e-6), "1.500 µs");
  EXPECT_EQ(format_seconds(0.00692), "6.920 ms");
  EXPECT_EQ(format_seconds(2.5), "2.500 s");
  EXPECT_EQ(format_seconds_interval(0.00999, 0.01001), "9.990–10.01 ms");
}

TEST(FormatOthers, ReadWell) {
  EXPECT_EQ(format_scientific(3.07e-7), "3.1e-7");
  EXPECT_EQ(format_scientific(0), "0");
  EXPECT_EQ(format_bytes(25769803776.0), "24.0 GiB");
  EXPECT_EQ(format_percent(0.694), "69.4 %");
}

TEST(Text, ShellWordsAreQuotedWhereTheyMustBe) {
  EXPECT_EQ(shell_word("a/b_c.json"), "a/b_c.json");
  EXPECT_EQ(shell_word("it's $x"), R"('it'\''s $x')");
  EXPECT_EQ(shell_word(""), "''");
}

}  // namespace
}  // namespace breakeven
