#include "reports/verdict.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tools/breakeven/lines.h"
#include "tools/gate/judgement.h"
#include "tools/gate/testing/judgements.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Judgement hostile_judgement() {
  Judgement judgement;
  for (const std::string& name : hostile_names()) {
    RowJudgement row = timed_row(name, Verdict::regressed, 1.1);
    row.reason = name;
    row.changes = {{name, 1, 2, true}};
    judgement.rows.push_back(row);
    judgement.rows.push_back(untimed_row(name + "2", Verdict::missing, name, false));
    judgement.rows.back().accepted = "x" + name;
    judgement.remarks.push_back(name);
  }
  judgement.budgets = judgement.rows;
  judgement.base_files = judgement.head_files = hostile_names();
  judgement.base_commit = judgement.head_machine = hostile_names()[9];
  judgement.exit_code = kRegression;
  return judgement;
}

TEST(ChangeText, HasASignAndAnInterval) {
  EXPECT_EQ(change_text({1.104, {1.089, 1.12, 0.96}, 12}), "+10.4 % [+8.9, +12.0]");
  EXPECT_EQ(change_text({0.99999, {0.5, 30, 0.96}, 12}), "+0.0 % [-50.0, +2900]");
  EXPECT_EQ(change_text({0.9, {0.9, 0.9, 0}, 1}), "-10.0 %");
  EXPECT_EQ(change_text({std::numeric_limits<double>::quiet_NaN(), {}, 1}), "? %");
}

TEST(RowText, TellsAllButTimes) {
  const Judgement judgement = full_judgement();
  EXPECT_EQ(row_text(judgement.rows[9]),
            "+0.0 % [-1.5, +1.6]; kernel_launches 3 → 5 (worse); allocations 4 → 2");
  EXPECT_EQ(row_text(judgement.rows[6]), "not in head");
  RowJudgement row;
  row.changes = {{"flops", 1e9, 1e9, true}, {"bytes", 12345678, 0.5, false}};
  EXPECT_EQ(row_text(row), "flops 1000000000, not in every round (worse); bytes 12345678 → 0.5");
}

TEST(Headline, NamesTheRowsThatRefuse) {
  Judgement judgement = quiet_judgement(59);
  judgement.rows.push_back(timed_row("matmul/s/cpu/tiled/f32", Verdict::regressed, 1.104));
  judgement.exit_code = kRegression;
  EXPECT_EQ(headline(judgement),
            "1 of 60 rows is slower: matmul/s/cpu/tiled/f32 +10.4 % [+8.9, +12.0]");
  judgement.rows.push_back(timed_row("worst", Verdict::regressed, 1.5));
  EXPECT_EQ(headline(judgement), "2 of 61 rows are slower, first worst +50.0 % [+48.5, +51.6]");
}

TEST(Headline, NamesEveryKindOfRefusal) {
  EXPECT_EQ(headline(full_judgement()),
            "1 of 11 rows is missing: gone (not in head); 1 of 11 rows failed: broken (wrong "
            "answer); 1 of 8 rows is slower: matmul/s/cpu/tiled/f32 +10.4 % [+8.9, +12.0]; 1 of 11 "
            "rows got worse in an exact counter: launches kernel_launches 3 → 5; 1 kernel exceeds "
            "its static budget: sgemm: multiply<4> @ sm_90a registers 120 → 140");
}

TEST(Headline, SaysWhatAQuietRunCouldSee) {
  Judgement judgement = quiet_judgement(60);
  for (std::size_t i = 0; i < 12; ++i) judgement.rows[i].decision->detectable = 0.08;
  for (std::size_t i = 0; i < 3; ++i) {
    judgement.rows[i].verdict = judgement.rows[i].decision->verdict = Verdict::inconclusive;
    judgement.rows[i].decision->detectable.reset();
  }
  EXPECT_EQ(headline(judgement),
            "no regression in 60 rows (3 undecided; the smallest slowdown this run could see: "
            "3.1 % in half of the rows, 8.0 % in nine of ten)");
  judgement.strict = true;
  judgement.exit_code = kInconclusive;
  EXPECT_EQ(headline(judgement),
            "3 of 60 rows undecided, which --strict refuses (the smallest slowdown this run could "
            "see: 3.1 % in half of the rows, 8.0 % in nine of ten)");
  for (RowJudgement& row : judgement.rows) row.decision->detectable.reset();
  EXPECT_TRUE(holds(headline(judgement), "(too few rounds to see any slowdown in half of"));
}

TEST(Headline, OfRunsWithoutTimes) {
  Judgement judgement;
  for (const char* name : {"a", "b"}) {
    judgement.rows.push_back(untimed_row(name, Verdict::inconclusive, "", false));
  }
  judgement.rows.push_back(untimed_row("c", Verdict::added, "not in base", false));
  judgement.times_judged = false;
  EXPECT_EQ(headline(judgement),
            "no exact figure is worse in 2 rows (1 new; times were not judged)");
  judgement.exit_code = kOtherMachine;
  EXPECT_EQ(headline(judgement),
            "base and head are of two machines, so their times mean nothing together; no exact "
            "figure is worse in 2 rows (1 new; times were not judged)");
  judgement.rows.erase(judgement.rows.begin(), judgement.rows.begin() + 2);
  judgement.exit_code = kCoverage;
  EXPECT_EQ(headline(judgement),
            "nothing could be compared: none of 1 row is in both arms with a figure");
}

TEST(Headline, IsOneShortLineWhateverNamesAre) {
  const std::string line = headline(hostile_judgement());
  EXPECT_FALSE(holds(line, "\n"));
  EXPECT_LT(line.size(), 4000u);
}

TEST(VerdictJson, HoldsEverything) {
  const json verdict = json::parse(verdict_json(full_judgement()));
  EXPECT_EQ(verdict["gate_verdict"], 1);
  EXPECT_EQ(verdict["exit_code"], 3);
  EXPECT_EQ(verdict["headline"], headline(full_judgement()));
  EXPECT_EQ(verdict["counts"]["REGRESSED"], 2);
  EXPECT_EQ(verdict["margins"]["equivalence"], 0.05);
  EXPECT_EQ(verdict["base"]["commit"], "aaaa");
  EXPECT_EQ(verdict["head"]["machine"], "0123456789abcdef");
  EXPECT_EQ(verdict["head"]["files"], json({"head.json"}));
  EXPECT_EQ(verdict["two_stages"], true);
  EXPECT_EQ(verdict["remarks"].size(), 1u);
  ASSERT_EQ(verdict["rows"].size(), 11u);
  const json& row = verdict["rows"][3];
  EXPECT_EQ(row["name"], "matmul/s/cpu/tiled/f32");
  EXPECT_EQ(row["verdict"], "REGRESSED");
  EXPECT_EQ(row["gates"], true);
  EXPECT_EQ(row["base_seconds"], 1e-3);
  EXPECT_EQ(row["decision"]["ratio"]["value"], 1.104);
  EXPECT_EQ(row["decision"]["ratio"]["coverage"], 0.958);
  EXPECT_EQ(row["decision"]["q_regressed"], 0.0003);
  EXPECT_EQ(row["decision"]["detectable"], 0.031);
  EXPECT_EQ(row["decision"]["confirmed"], true);
  EXPECT_EQ(row["decision"]["rounds"], 12);
  EXPECT_EQ(verdict["rows"][6]["reason"], "not in head");
  EXPECT_FALSE(verdict["rows"][6].contains("decision"));
  EXPECT_EQ(verdict["rows"][10]["accepted"], "exact rounding");
  EXPECT_EQ(verdict["budgets"][0]["changes"][0],
            json({{"name", "registers"}, {"base", 120.0}, {"head", 140.0}, {"worse", true}}));
}

TEST(VerdictJson, KeepsNamesThatAreUtf8AndNumbersThatAreFinite) {
  Judgement judgement = quiet_judgement(2);
  judgement.rows[0].name = "a\nb\u202E";
  judgement.rows[1].name = "\xff!";
  judgement.rows[0].head_seconds = std::numeric_limits<double>::infinity();
  judgement.rows[0].decision->ratio.value = std::numeric_limits<double>::quiet_NaN();
  const json verdict = json::parse(verdict_json(judgement));
  EXPECT_EQ(verdict["rows"][0]["name"], "a\nb\u202E");
  EXPECT_EQ(verdict["rows"][1]["name"], "[byte FF]!");
  EXPECT_FALSE(verdict["rows"][0].contains("head_seconds"));
  EXPECT_FALSE(verdict["rows"][0]["decision"]["ratio"].contains("value"));
  EXPECT_TRUE(json::accept(verdict_json(hostile_judgement())));
  EXPECT_TRUE(json::accept(verdict_json(Judgement())));
}

TEST(GithubLines, EscapeWhatTheRunnerWouldRead) {
  Judgement judgement = quiet_judgement(1);
  judgement.rows.push_back(timed_row("a\n::error::b%", Verdict::regressed, 1.1));
  judgement.exit_code = kRegression;
  EXPECT_EQ(github_lines(judgement, "gate: a, 5 %"),
            "::error title=gate%3A a%2C 5 %25::REGRESSED a[U+000A]::error::b%25: +10.0 %25 [+8.5, "
            "+11.6]\n");
}

TEST(GithubLines, AreAtMostTenOfEachKind) {
  Judgement judgement = hostile_judgement();
  std::size_t errors = 0, warnings = 0;
  for (const std::string& line : lines_of(github_lines(judgement, "t"))) {
    EXPECT_TRUE(line.starts_with("::error title=t::") || line.starts_with("::warning title=t::"));
    EXPECT_LT(line.size(), 2500u);
    (line.starts_with("::error") ? errors : warnings) += 1;
  }
  EXPECT_EQ(errors, 10u);
  EXPECT_EQ(warnings, 10u);
  // 24 rows and budgets refuse the change: 9 are named, 15 counted.
  EXPECT_TRUE(holds(github_lines(judgement, "t"), "::15 more rows;"));
}

TEST(GithubLines, SayWhatNoRowStandsFor) {
  Judgement judgement = quiet_judgement(2);
  EXPECT_EQ(github_lines(judgement, ""), "");
  judgement.exit_code = kOtherMachine;
  EXPECT_TRUE(
      github_lines(judgement, "").starts_with("::error title=gate::base and head are of two"));
  judgement.exit_code = kInconclusive;
  judgement.rows[0].verdict = Verdict::inconclusive;
  EXPECT_TRUE(github_lines(judgement, "").starts_with("::error title=gate::INCONCLUSIVE row/0: "));
}

TEST(VerdictText, TellsChangedRowsThenRemarksThenTheHeadline) {
  const std::string text = verdict_text(full_judgement());
  EXPECT_TRUE(
      holds(text, "matmul/s/cpu/tiled/f32\n  REGRESSED  +10.4 % [+8.9, +12.0]   1.000 ms →"))
      << text;
  EXPECT_TRUE(holds(text, "q 0.0003\n")) << text;
  EXPECT_TRUE(holds(text, "    kernel_launches 3 → 5 (worse); allocations 4 → 2\n")) << text;
  EXPECT_TRUE(holds(text, "    accepted: exact rounding\n")) << text;
  EXPECT_FALSE(holds(text, "row/0")) << text;
  EXPECT_LT(text.find("not measured in turns"), text.find("1 of 11 rows is missing")) << text;
  EXPECT_EQ(verdict_text(quiet_judgement(1)),
            "no regression in 1 row (the smallest slowdown this run could see: 3.1 %)\n");
}

TEST(VerdictText, FitsTheTerminal) {
  Judgement judgement = hostile_judgement();
  for (int i = 0; i < 100; ++i) {
    judgement.rows.push_back(timed_row("row" + std::to_string(i), Verdict::improved, 1e-9));
    judgement.rows.back().decision->ratio = {12345.6, {1234.5, 99999999, 0.95}, 12};
    judgement.rows.back().base_seconds = 123456789;
    judgement.remarks.push_back("µ" + std::string(500, 'y'));
  }
  for (const std::string& line : lines_of(verdict_text(judgement))) {
    EXPECT_LE(columns(line), kTerminalColumns) << line;
  }
  EXPECT_TRUE(holds(verdict_text(judgement), "76 more rows in verdict.md and verdict.json.\n"));
}

}  // namespace
}  // namespace breakeven::gate
