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

TEST(Markdown, RatesOfIntegersAreNotOfFloatingPoint) {
  const auto rates = [](const std::string& precision) {
    SyntheticRun synthetic;
    synthetic.cases = {
        synthetic_matmul("square_512", 512, 512, 512, "cpu/onednn/" + precision, 250)};
    return render_markdown(page_of(synthetic));
  };
  EXPECT_TRUE(holds(rates("f32"), " GFLOP/s |"));
  EXPECT_FALSE(holds(rates("f32"), " GOP/s |"));
  EXPECT_TRUE(holds(rates("int8"), " GOP/s |"));
  EXPECT_FALSE(holds(rates("int8"), "FLOP/s"));
}

TEST(Markdown, SpeedupsAreTheHeadline) {
  const std::string text = render_markdown(page_of(synthetic_gpu_run()));
  EXPECT_EQ(text.find("**Geometric-mean speedup"), 0u);
  EXPECT_TRUE(holds(text, "| matmul | f32 |"));
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

TEST(Markdown, TrainingStandsBetweenTheHeadlineAndTheFoldedParts) {
  SyntheticRun synthetic = synthetic_training_run();
  add_synthetic_step(synthetic, "cpu/slowest/f32", 9);  // the fourth way of b128
  add_synthetic_step(synthetic, "cpu/onednn/f32/threads:1", 0.1);
  add_synthetic_step(synthetic, "cpu/pytorch_eager/f32", 0.5);
  const std::string text = render_markdown(page_of(synthetic));
  for (const char* line :
       {"\n| mlp `b128` | onednn, f32, cpu | 8.000 ms | 2.000 ms | 5.000 ms | 1.000 ms | 16000 "
        "samples/s | 50.0 % | 8.00x (8.00–8.00) |\n",
        "\n| mlp `b128` | onednn, bf16, cpu | 4.000 ms | 1.000 ms | 2.500 ms | 500.0 µs | 32000 "
        "samples/s | – | 8.00x (8.00–8.00) |\n",
        "\n| mlp `b128` | f32 | cpu | 8.000 ms | onednn, 2 threads | 4.000 ms | pytorch_eager, "
        "2 "
        "threads | 0.500x (0.500–0.500) |\n",
        "\n| mlp `b128` | onednn, cpu | unfused | 16.00 ms | – | – |\n",
        "\n| mlp `b128` | onednn, cpu | bf16 | 4.000 ms | 4.00x (4.00–4.00) | 2.00x (2.00–2.00) "
        "|\n",
        "\n| mlp `digits` | onednn, f32, cpu | 1.500 s | 210 | accuracy 0.97 | accuracy 0.975 | "
        "1.500 after 3 |\n",
        "\n| mlp `digits` | openblas, f32, cpu | – | – | – | &#60;b&#62; | – |\n",
        "\n| mlp `digits` | onednn, bf16, cpu | failed: accuracy 0.9 after 420 steps &#124; "
        "&#60;i&#62; |",
        "Each phase is measured by itself", "the fastest three"}) {
    EXPECT_TRUE(holds(text, line)) << line << "\n" << text;
  }
  EXPECT_FALSE(holds(text, "| slowest, f32, cpu |"));
  EXPECT_FALSE(holds(text, "| pytorch_eager, f32, cpu |"));
  EXPECT_FALSE(holds(text, "| onednn, f32, cpu, threads:1 |"));
  EXPECT_LT(text.find("| best of |"), text.find("| training |"));
  EXPECT_LT(text.find("| beside a framework |"), text.find("<details>"));
  EXPECT_GT(text.find("| of unfused |"), text.find("<details>"));
  const std::string none = render_markdown(page_of(synthetic_cpu_run()));
  for (const char* part : {"| training |", "beside a framework", "of unfused", "last loss"}) {
    EXPECT_FALSE(holds(none, part)) << part;
  }
}

TEST(Markdown, FullPartsStayBelowTheLimit) {
  SyntheticRun synthetic = synthetic_training_run();
  synthetic.rounds = 1;
  synthetic.repetitions = 1;
  for (int i = 0; i < 150; ++i) {
    const std::string sweep = fmt::format("<{}>_{}_b", std::string(100, '<'), i);
    for (const char* rest : {"cpu/onednn/f32", "cpu/onednn_unfused/f32", "cpu/pytorch_eager/f32"}) {
      add_synthetic_step(synthetic, rest, 1, 8, sweep);
    }
    SyntheticCase converged = synthetic.cases.at(synthetic.cases.size() - 1);
    converged.name = fmt::format("convergence_mlp/{}{}/cpu/i/f32", std::string(100, '>'), i);
    synthetic.cases.push_back(converged);
    for (const char side : {'a', 'b'}) {
      const std::string layer = fmt::format("{}{}", side, i);
      synthetic.cases.push_back(synthetic_layer(fmt::format("{}net{}", std::string(90, '&'), i),
                                                layer, 1, 1, "cpu/onednn/f32", 1));
    }
    synthetic.facts[fmt::format("fact.{}", i)] = std::string(200, '<');
    synthetic.skipped.emplace_back(fmt::format("case {}", i), std::string(100, '<'));
  }
  synthetic.facts["compiler.flags"] = std::string(20000, '<');
  const std::string text = render_markdown(page_of(synthetic));
  const auto characters = std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
  EXPECT_LE(static_cast<std::size_t>(characters), kMarkdownLimit);
  EXPECT_TRUE(holds(text, "more rows are in the HTML report"));
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
