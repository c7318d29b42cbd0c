// The change page and its Markdown: a verdict, its forest plot, histories.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "reports/forest.h"
#include "reports/html.h"
#include "reports/html_parts.h"
#include "reports/markdown.h"
#include "reports/synthetic.h"
#include "reports/testing/verdicts.h"

namespace breakeven {
namespace {

using nlohmann::json;

Page page_of(const json& verdict) {
  Page page;
  page.verdict = parse_verdict(verdict.dump(), "verdict.json");
  page.charts = verdict_charts(*page.verdict);
  return page;
}

MachineHistory history_of(const std::string& text, const std::string& machine) {
  MachineHistory history;
  std::vector<std::string> torn;
  parse_history(text, "2026-01.ndjson", history, torn);
  history.fingerprint = machine;
  return history;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) {
    ++count;
  }
  return count;
}

TEST(ChangePage, OfAVerdictAloneHasNothingElse) {
  const std::string html = render_html(page_of(synthetic_verdict()));
  EXPECT_EQ(occurrences(html, "<section id="), 1u);
  EXPECT_TRUE(holds(html, "<section id=\"changes\">"));
  EXPECT_FALSE(holds(html, "<script"));
  EXPECT_TRUE(holds(html, "<h1>Verdict of the gate</h1>"));
}

TEST(ChangePage, StandsInItsPlaceBesideResults) {
  Page page = page_of(synthetic_verdict());
  page.runs.push_back(make_run(parse_results(synthetic_cpu_run().text(), "run.json"), ""));
  const std::string html = render_html(page);
  EXPECT_LT(html.find("<section id=\"claims\">"), html.find("2 of 5 rows are slower"));
  EXPECT_LT(html.find("2 of 5 rows are slower"), html.find("<section id=\"rows\">"));
}

TEST(ChangePage, SaysAllOfTheVerdict) {
  const std::string html = changes_html(page_of(synthetic_verdict()));
  for (const char* part :
       {"Refused.</b> 2 of 5 rows are slower", "Exit status 1 (a regression)",
        "+10.4 % [+8.7, +12.2]", "1.000 ms → 1.104 ms", "0.0001", "0.0003", "12 fresh", "3.10 %",
        "kernel_launches 3 → 5 <b class=\"bad\">worse</b>",
        "accepted: exact rounding, until 2027-01-31", "not in head", "registers 120 → 110",
        "Base and head were not measured in turns.", "0123456789abcdef", "Model 1",
        "median 1.25, most 1.90", "0.400 %", "1 EQUIVALENT row"}) {
    EXPECT_TRUE(holds(html, part)) << part << "\n" << html;
  }
}

TEST(ChangePage, WithoutConditionsSaysSo) {
  json verdict = synthetic_verdict();
  verdict.erase("conditions");
  EXPECT_TRUE(holds(changes_html(page_of(verdict)), "are not in this verdict"));
}

TEST(ChangePage, OfNothingSaysWhatToGive) {
  EXPECT_TRUE(holds(changes_html(Page()), "--verdict FILE"));
}

TEST(ChangePage, APassSaysSo) {
  json verdict = synthetic_verdict();
  verdict["exit_code"] = 0;
  verdict["rows"] = {synthetic_verdict_row("a", "EQUIVALENT", 1.0)};
  const std::string html = changes_html(page_of(verdict));
  EXPECT_TRUE(holds(html, "<b class=\"good\">Passed.</b>"));
  EXPECT_TRUE(holds(html, "Every row that was judged is EQUIVALENT"));
}

TEST(ForestPlot, HasALineForEachRowInWordsAndShapes) {
  const Page page = page_of(synthetic_verdict());
  ASSERT_EQ(page.charts.size(), 2u);
  const std::string& svg = page.charts[0].svg;
  EXPECT_EQ(page.charts[0].section, "changes");
  for (const char* part : {">REGRESSED</text>", ">REGRESSED, accepted</text>", ">MISSING</text>",
                           ">CHANGED</text>", ">INCONCLUSIVE</text>", ">not in head</text>",
                           ">+10.4 % [+8.7, +12.2]</text>", "the margin of 2 %", "<title id="}) {
    EXPECT_TRUE(holds(svg, part)) << part;
  }
  EXPECT_FALSE(holds(svg, ">EQUIVALENT</text>"));
  EXPECT_TRUE(holds(page.charts[1].svg, ">EQUIVALENT</text>"));
}

// Where the axis has `ratio`: the x of a marker that is drawn there.
double marker_x(double ratio, double other) {
  json verdict = synthetic_verdict();
  verdict["rows"] = {synthetic_verdict_row("a", "CHANGED", ratio),
                     synthetic_verdict_row("b", "IMPROVED", other),
                     synthetic_verdict_row("c", "REGRESSED", 1 / other)};
  const std::string svg = page_of(verdict).charts[0].svg;
  const std::size_t end = svg.find("h8v8h-8z");
  return std::stod(svg.substr(svg.rfind('M', end) + 1));
}

TEST(ForestPlot, IsLogarithmic) {
  const double same = marker_x(1.0, 0.5), half = marker_x(0.8, 0.5), twice = marker_x(1.25, 0.5);
  EXPECT_NEAR(same - half, twice - same, 0.2);
  EXPECT_GT(same - half, 20);
}

TEST(ForestPlot, AnIntervalFarBeyondAllEstimatesEndsInAnArrow) {
  json verdict = synthetic_verdict();
  json wide = synthetic_verdict_row("wide", "INCONCLUSIVE", 1.01);
  wide["decision"]["ratio"]["high"] = 50;
  verdict["rows"] = {wide};
  const std::string wide_svg = page_of(verdict).charts[0].svg;
  EXPECT_TRUE(holds(wide_svg, "l5 5l-5 5"));
  EXPECT_TRUE(holds(wide_svg, "+4900]"));
  wide["decision"]["ratio"]["high"] = 1.03;
  verdict["rows"] = {wide};
  EXPECT_FALSE(holds(page_of(verdict).charts[0].svg, "l5 5l-5 5"));
}

TEST(ForestPlot, TicksFollowTheMargins) {
  json verdict = synthetic_verdict();
  verdict["rows"] = {synthetic_verdict_row("a", "INCONCLUSIVE", 1.004)};
  verdict["margins"]["regression"] = 0.01;
  verdict["margins"]["equivalence"] = 0.005;
  const std::string fine = page_of(verdict).charts[0].svg;
  EXPECT_TRUE(holds(fine, ">+0.5 %</text>")) << fine;
  EXPECT_TRUE(holds(fine, ">−0.5 %</text>"));
}

TEST(ForestPlot, ALongFigureKeepsToItsColumn) {
  json verdict = synthetic_verdict();
  json slower = synthetic_verdict_row("slower", "REGRESSED", 9.9);
  slower["decision"]["ratio"]["low"] = 9.1;
  slower["decision"]["ratio"]["high"] = 10.7;
  verdict["rows"] = {slower, synthetic_verdict_row("short", "REGRESSED", 1.1)};
  const std::string svg = page_of(verdict).charts[0].svg;
  EXPECT_TRUE(holds(svg, "lengthAdjust=\"spacingAndGlyphs\">+890.0 % [+810.0, +970.0]<")) << svg;
  EXPECT_EQ(occurrences(svg, "lengthAdjust"), 1u);
}

TEST(ForestPlot, ARatioThatNoDoubleHeldIsNotDrawn) {
  json verdict = synthetic_verdict();
  json lost = synthetic_verdict_row("lost", "INCONCLUSIVE", 1);
  lost["decision"]["ratio"] = {{"coverage", 0.958}, {"samples", 12}};
  json zero = synthetic_verdict_row("zero", "INCONCLUSIVE", 1);
  zero["decision"]["ratio"]["low"] = 0;
  verdict["rows"] = {lost, zero};
  const std::string svg = page_of(verdict).charts[0].svg;
  EXPECT_TRUE(holds(svg, "no time to compare"));
  EXPECT_FALSE(holds(svg, "nan"));
  EXPECT_FALSE(holds(svg, "inf"));
  EXPECT_FALSE(holds(changes_html(page_of(verdict)), "-100.0 %"));
}

TEST(ChangePage, OfManyRowsShowsTheMostTellingAndCountsTheRest) {
  json verdict = synthetic_verdict();
  json rows = json::array();
  for (int i = 0; i < 10000; ++i) {
    rows.push_back(synthetic_verdict_row(fmt::format("row/{:05}", i),
                                         i % 10 == 0 ? "REGRESSED" : "EQUIVALENT",
                                         i % 10 == 0 ? 1.1 + 1e-5 * i : 1.0));
  }
  verdict["rows"] = rows;
  const Page page = page_of(verdict);
  EXPECT_TRUE(holds(page.charts[0].caption, "the 60 most telling of 1000"));
  EXPECT_EQ(occurrences(page.charts[0].svg, ">REGRESSED</text>"), kMostForestRows);
  EXPECT_TRUE(holds(page.charts[0].svg, "row/09990"));  // the largest
  const std::string html = render_html(page);
  EXPECT_TRUE(holds(html, "940 more: the plot shows the most telling rows"));
  EXPECT_TRUE(holds(html, "500 more: they are in verdict.json"));
  EXPECT_LT(html.size(), 1'000'000u);
}

TEST(ChangePage, EscapesEveryText) {
  const std::string evil = "</svg></td><script>alert(1)</script>\"'\n\u202E|`";
  json verdict = synthetic_verdict();
  verdict["headline"] = evil;
  verdict["remarks"] = {evil};
  for (const char* arm : {"base", "head"}) {
    verdict[arm] = {{"files", {evil}}, {"machine", evil + arm}, {"commit", evil}};
  }
  verdict["conditions"]["machine"] = {{evil, evil}};
  for (const char* list : {"rows", "budgets"}) {
    for (json& row : verdict[list]) {
      for (const char* key : {"name", "reason", "accepted", "accepted_until"}) row[key] = evil;
      if (!row.contains("changes")) continue;
      for (json& change : row["changes"]) change["name"] = evil;
    }
  }
  Page page = page_of(verdict);
  page.verdict->file = evil;
  json line = {{"gate_history", 1}, {"commit", evil}, {"date", evil}, {"seconds", {{evil, 1.0}}}};
  std::string text;
  for (int i = 0; i < 40; ++i) {
    line["seconds"][evil] = i < 20 ? 1.0 + 0.001 * (i % 3) : 2.0 + 0.001 * (i % 3);
    text += line.dump() + "\n";
  }
  page.histories.push_back(history_of(text, evil));
  page.torn = {evil};
  const std::string html = render_html(page);
  const std::string markdown = render_markdown(page);
  for (const std::string& out : {html, markdown}) {
    EXPECT_FALSE(holds(out, "<script"));
    EXPECT_FALSE(holds(out, "\u202E"));
    EXPECT_TRUE(holds(out, "alert(1)"));
  }
  EXPECT_FALSE(holds(html, "</svg></td>"));
  EXPECT_FALSE(holds(markdown, "'\n"));
}

TEST(HistoryPage, MarksWhereARowChanged) {
  Page page;
  page.histories.push_back(history_of(synthetic_history(90, 70), "0123456789abcdef"));
  const std::string html = render_html(page);
  for (const char* part : {"<h1>History of the gate</h1>", "90 measurements, 1 of 2 rows changed",
                           "▲ +10.0 %", "<code>0000000069..0000000070</code>", "2026-03-15",
                           "1 row without a change", "aria-label=\"60 values, "}) {
    EXPECT_TRUE(holds(html, part)) << part;
  }
  // One change: one triangle in one line.
  EXPECT_EQ(occurrences(html, "stroke-dasharray=\"3 2\""), 1u);
  const std::string markdown = render_markdown(page);
  EXPECT_TRUE(holds(markdown, "90 measurements of 2 rows, 1 change.")) << markdown;
  EXPECT_TRUE(holds(markdown, "| `step` | 0000000069..0000000070 | 2026-03-15 |")) << markdown;
}

TEST(HistoryPage, AChangeBeforeTheDrawnValuesIsToldAndNotDrawn) {
  Page page;
  page.histories.push_back(history_of(synthetic_history(150, 50), "m"));
  const std::string html = history_html(page);
  EXPECT_TRUE(holds(html, "<code>0000000049..0000000050</code>"));
  EXPECT_EQ(occurrences(html, "stroke-dasharray=\"3 2\""), 0u);
}

TEST(HistoryPage, OfOneValueOrNoNoiseIsDrawn) {
  Page page;
  page.histories.push_back(history_of(synthetic_history(1, 9), "m"));
  const std::string html = history_html(page);
  EXPECT_TRUE(holds(html, "1 values"));
  EXPECT_FALSE(holds(html, "nan"));
}

TEST(HistoryPage, TheVerdictsMachineComesFirst) {
  Page page = page_of(synthetic_verdict());
  page.histories.push_back(history_of(synthetic_history(5, 9), "aaaa"));
  page.histories.push_back(history_of(synthetic_history(5, 9), "0123456789abcdef"));
  const std::string html = history_html(page);
  EXPECT_LT(html.find("machine 0123456789abcdef:"),
            html.find("machine aaaa, another one than the verdict's"));
}

TEST(ChangesMarkdown, TheVerdictComesBeforeTheAnswerOfResults) {
  Page page = page_of(synthetic_verdict());
  page.runs.push_back(make_run(parse_results(synthetic_cpu_run().text(), "a.json"), ""));
  const std::string markdown = render_markdown(page);
  EXPECT_EQ(markdown.find("**Against the baseline: "), 0u);
  EXPECT_NE(markdown.find("\n**No speedup was measured here"), std::string::npos);
}

TEST(ChangesMarkdown, IsTheHeadlineAndTheChangedRows) {
  const std::string markdown = render_markdown(page_of(synthetic_verdict()));
  EXPECT_EQ(
      markdown.find("**Against the baseline: 2 of 5 rows are slower** (gate exit 1: a regression)"),
      0u);
  EXPECT_TRUE(holds(markdown, "| `matmul/b/cpu/naive/f32` | REGRESSED | +10.4 %"));
  EXPECT_TRUE(holds(markdown, "accepted: exact rounding, until 2027-01-31"));
  EXPECT_FALSE(holds(markdown, "INCONCLUSIVE"));
  EXPECT_FALSE(holds(markdown, "EQUIVALENT"));
}

}  // namespace
}  // namespace breakeven
