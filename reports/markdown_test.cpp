#include "reports/markdown.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "reports/synthetic.h"

namespace breakeven {
namespace {

Page page_of(const SyntheticRun& synthetic) {
  Page page;
  page.runs.push_back(make_run(parse_results(synthetic.text(), "synthetic.json"), ""));
  return page;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(EscapeMarkdown, ShowsMarkupAsText) {
  EXPECT_EQ(escape_markdown("square_64"), "square_64");
  EXPECT_EQ(escape_markdown("_a_ *b* `c` [d](e)"),
            "&#95;a&#95; &#42;b&#42; &#96;c&#96; &#91;d](e)");
  EXPECT_EQ(escape_markdown("a|b<c>&@me #1"), "a&#124;b&#60;c&#62;&#38;&#64;me &#35;1");
  EXPECT_EQ(escape_markdown("a\n\n# b"), "a&#91;U+000A]&#91;U+000A]&#35; b");
}

TEST(Markdown, AnswerFirstRowsFolded) {
  const std::string text = render_markdown(page_of(synthetic_cpu_run()));
  EXPECT_EQ(text.find("**No speedup was measured here"), 0u);
  EXPECT_TRUE(holds(text, "| cpu matmul f32 |"));
  EXPECT_LT(text.find("| best of |"), text.find("<details>"));
  EXPECT_TRUE(holds(text, "`matmul/square_64/cpu/openblas/f32`"));
  EXPECT_TRUE(holds(text, "`matmul/square_512/cpu/wrong/f32` | failed: wrong answer"));
  EXPECT_FALSE(holds(text, "more rows are in the HTML report"));
}

TEST(Markdown, SpeedupsAreTheHeadline) {
  const std::string text = render_markdown(page_of(synthetic_gpu_run()));
  EXPECT_EQ(text.find("**Geometric-mean speedup"), 0u);
  EXPECT_TRUE(holds(text, "| matmul  | f32 |"));
}

TEST(Markdown, StaysBelowItsLimitAndCountsTheRest) {
  SyntheticRun synthetic = synthetic_cpu_run();
  synthetic.rounds = 1;
  synthetic.repetitions = 1;
  for (int i = 0; i < 1500; ++i) {
    synthetic.cases.push_back(
        synthetic_matmul(fmt::format("a_rather_long_name_{}", i), 64, 64, 64, "cpu/i/f32", 10));
  }
  for (int i = 0; i < 3000; ++i) {
    synthetic.facts[fmt::format("fact.{}", i)] = std::string(200, 'x');
    synthetic.skipped.emplace_back(fmt::format("case {}", i), fmt::format("reason {}", i));
  }
  synthetic.facts["compiler.flags"] = std::string(20000, '<');
  const std::string text = render_markdown(page_of(synthetic));
  const auto characters = std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
  EXPECT_LE(static_cast<std::size_t>(characters), kMarkdownLimit);
  EXPECT_TRUE(holds(text, "more rows are in the HTML report"));
  EXPECT_TRUE(holds(text, "The rest is in the HTML report."));
  std::size_t opened = 0;
  for (std::size_t at = 0; (at = text.find("<details>", at)) != std::string::npos; ++at) ++opened;
  std::size_t closed = 0;
  for (std::size_t at = 0; (at = text.find("</details>", at)) != std::string::npos; ++at) ++closed;
  EXPECT_EQ(opened, closed);
}

TEST(Markdown, HostileNamesStayText) {
  SyntheticRun synthetic;
  synthetic.cases = {synthetic_matmul("s", 64, 64, 64, "cpu/i/f32", 10)};
  synthetic.cases[0].name = "matmul/<img src=x>|`@all`/cpu/[a](b)/f32";
  const std::string text = render_markdown(page_of(synthetic));
  EXPECT_FALSE(holds(text, "<img"));
  EXPECT_FALSE(holds(text, "@all"));
  EXPECT_FALSE(holds(text, "[a](b)"));
}

}  // namespace
}  // namespace breakeven
