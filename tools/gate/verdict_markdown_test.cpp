#include <gtest/gtest.h>

#include <sstream>

#include "reports/markdown.h"
#include "tools/gate/judgement.h"
#include "tools/gate/testing/judgements.h"

namespace breakeven::gate {
namespace {

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::size_t times_there(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) {
    ++count;
  }
  return count;
}

/// Every row of a table has the cells of its heading, and stands on one line of its own.
void expect_whole_tables(const std::string& text) {
  std::istringstream in(text);
  std::size_t cells = 0;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("|")) {
      cells = 0;
      continue;
    }
    const std::size_t here = times_there(line, "|");
    if (cells == 0) cells = here;
    EXPECT_EQ(here, cells) << line;
    EXPECT_TRUE(line.ends_with("|")) << line;
  }
}

TEST(VerdictMarkdown, HeadlineThenChangedRowsThenTheRestFolded) {
  const std::string text = verdict_markdown(full_judgement(), "matmul");
  EXPECT_TRUE(text.starts_with(
      "<!-- breakeven-gate: matmul -->\n**matmul: 1 of 11 rows is missing: gone (not in head);"))
      << text;
  const auto in_order = [&](const std::string& a, const std::string& b) {
    ASSERT_TRUE(holds(text, a)) << a << text;
    ASSERT_TRUE(holds(text, b)) << b << text;
    EXPECT_LT(text.find(a), text.find(b)) << text;
  };
  in_order("| `gone` |", "| `matmul/s/cpu/tiled/f32` |");
  in_order("| `matmul/s/cpu/tiled/f32` |", "| `launches` |");
  in_order("| `launches` |", "| `known` |");
  in_order("| `known` |", "| `fresh` |");
  in_order("| `fresh` |", "120 → 140 (worse)");
  in_order("120 → 140 (worse)", "- Base and head were not");
  in_order("- Base and head were not", "<summary>4 rows without");
  in_order("<summary>4 rows without", "| `row/0` |");
  EXPECT_TRUE(holds(text, "4 rows without a change that was found: 3 equivalent, 1 undecided"));
  expect_whole_tables(text);
}

TEST(VerdictMarkdown, SaysWhatItsFiguresMean) {
  const std::string text = verdict_markdown(full_judgement(), "");
  EXPECT_TRUE(holds(text,
                    "| `matmul/s/cpu/tiled/f32` | +10.4 % &#91;+8.9, +12.0] | 1.000 ms → 1.104 ms "
                    "| **REGRESSED** | corrected p (q) = 0.0003, 12 fresh rounds |\n"))
      << text;
  EXPECT_TRUE(holds(text, "in brackets its exact 95 % interval"));
  EXPECT_TRUE(holds(text, "slower by more than 2 %")) << text;
  EXPECT_TRUE(holds(text, "REGRESSED, accepted: exact rounding"));
  EXPECT_TRUE(holds(text, "| 3.1 % |\n"));  // what an unchanged row could show
  EXPECT_TRUE(holds(text, "corrected p (q) = 3.1e-7, 12 rounds"));
}

TEST(VerdictMarkdown, OwnsUpToIntervalsOfFewRounds) {
  Judgement judgement = quiet_judgement(0);
  judgement.rows.push_back(timed_row("a", Verdict::improved, 0.5));
  judgement.rows[0].decision->ratio.interval.coverage = 0.9375;
  EXPECT_TRUE(holds(verdict_markdown(judgement, ""), "the interval is of 93.8 %"));
}

TEST(VerdictMarkdown, HostileNamesStayText) {
  Judgement judgement;
  for (const std::string& name : hostile_names()) {
    judgement.rows.push_back(timed_row(name, Verdict::regressed, 1.1));
    judgement.rows.back().reason = judgement.rows.back().accepted = name;
    judgement.rows.back().changes = {{name, 1, 2, true}};
    judgement.rows.push_back(timed_row(name, Verdict::inconclusive, 1.1));
    judgement.remarks.push_back(name);
  }
  judgement.budgets = judgement.rows;
  judgement.base_files = judgement.head_files = hostile_names();
  judgement.base_commit = judgement.head_commit = hostile_names()[0];
  judgement.base_machine = judgement.head_machine = hostile_names()[9];
  for (const std::string& title : hostile_names()) {
    const std::string text = verdict_markdown(judgement, title);
    EXPECT_LE(text.size(), kMarkdownLimit);
    EXPECT_FALSE(holds(text, "<script"));
    EXPECT_FALSE(holds(text, "\xff"));
    EXPECT_EQ(times_there(text, "<details>"), times_there(text, "</details>"));
    EXPECT_EQ(times_there(text, "<details>"), 2u);
    EXPECT_EQ(times_there(text, "<!--"), 1u);
    EXPECT_EQ(times_there(text, "-->"), 1u);
    EXPECT_FALSE(holds(text, "c`"));
    // A comment's own text must not hold "--".
    const std::string marker = text.substr(0, text.find('\n'));
    EXPECT_TRUE(marker.ends_with(" -->")) << marker;
    EXPECT_EQ(times_there(marker, "--"), 2u) << marker;
    expect_whole_tables(text);
  }
}

TEST(VerdictMarkdown, CutsAtARowAndCountsTheRest) {
  Judgement judgement = full_judgement();
  for (int i = 0; i < 3000; ++i) {
    judgement.rows.push_back(timed_row("slow/" + std::to_string(i), Verdict::regressed, 1.3));
    judgement.rows.push_back(timed_row("same/" + std::to_string(i), Verdict::equivalent, 1.0));
    judgement.budgets.push_back(judgement.budgets.front());
    judgement.remarks.push_back("remark " + std::string(300, '<'));
  }
  const std::string text = verdict_markdown(judgement, "t");
  EXPECT_LE(text.size(), kMarkdownLimit);
  EXPECT_GT(text.size(), kMarkdownLimit - 1000);  // what room there is gets used
  const std::size_t slow = times_there(text, "| `slow/"), same = times_there(text, "| `same/");
  EXPECT_GT(slow, 50u);
  EXPECT_GT(same, 50u);
  // The lost ones are shown first, the five behind the slow ones are left out with them.
  EXPECT_TRUE(holds(text, std::to_string(3005 - slow) + " rows more are left out here;"));
  EXPECT_TRUE(holds(text, std::to_string(3000 - same) + " rows more are left out here;"));
  EXPECT_EQ(times_there(text, " more are left out here; verdict.json has them all."), 4u);
  expect_whole_tables(text);
  EXPECT_TRUE(text.ends_with("</details>\n\n"));
}

TEST(VerdictMarkdown, OfNothingIsShort) {
  const std::string text = verdict_markdown(Judgement(), "a --> b--c");
  EXPECT_TRUE(text.starts_with("<!-- breakeven-gate: a -_ b-c -->\n")) << text;
  EXPECT_FALSE(holds(text, "|---"));
}

}  // namespace
}  // namespace breakeven::gate
