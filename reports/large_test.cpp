// Reports of many cases: what they hold, and what they say they leave out.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "reports/html.h"
#include "reports/html_parts.h"
#include "reports/synthetic.h"
#include "reports/thinning.h"

namespace breakeven {
namespace {

Page page_of(const SyntheticRun& synthetic) {
  Page page;
  page.runs.push_back(make_run(parse_results(synthetic.text(), "synthetic.json"), ""));
  page.charts = make_charts(page.runs);
  return page;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) {
    ++count;
  }
  return count;
}

// `shapes` products in four ways that pair, in two precisions.
SyntheticRun many(int shapes) {
  SyntheticRun run = synthetic_cpu_run();
  run.cases.clear();
  run.skipped.clear();
  run.rounds = 1;
  run.repetitions = 1;
  for (int i = 0; i < shapes; ++i) {
    const std::string shape = fmt::format("layer_{}", i);
    const double n = 64 + i % 900;
    for (const char* way : {"cpu/openblas/f32", "cpu/openblas/f32/cache:cold", "cpu/mine/f32",
                            "gpu/cublas/f32", "cpu/onednn/bf16"}) {
      run.cases.push_back(synthetic_matmul(shape, n, n + i % 7, n, way, 100 + i % 13));
    }
  }
  for (int i = 0; i < shapes; ++i) {
    run.skipped.emplace_back(fmt::format("matmul/huge_{}/cpu/naive/f32", i), "too slow");
  }
  return run;
}

TEST(Large, FiveHundredCasesWithAllSamplesFitIntoAMegabyte) {
  SyntheticRun run = synthetic_cpu_run();
  run.rounds = 10;
  run.repetitions = 3;
  for (int i = 0; run.cases.size() < 500; ++i) {
    const double n = 64 + 8 * (i / 4);
    const char* way = i % 4 == 0   ? "gpu/cublas/f32"
                      : i % 4 == 1 ? "cpu/openblas/f32"
                      : i % 4 == 2 ? "cpu/onednn/f32"
                                   : "cpu/onednn/bf16";
    run.cases.push_back(
        synthetic_matmul(fmt::format("model_layer_{:.0f}", n), n, n, n, way, 100 + n / 10));
  }
  const Page page = page_of(run);
  const std::string html = render_html(page);
  EXPECT_LT(html.size(), 1000000u);
  EXPECT_TRUE(holds(html, "<p data-medians>"));
  EXPECT_EQ(count_of(html, "<details id=\"r-"), page.runs[0].cases.size());
  EXPECT_FALSE(holds(html, "are listed. What they rest on"));
}

TEST(Large, ManyCasesAreToldTogether) {
  const Page page = page_of(many(450));
  ASSERT_GT(case_count(page), kMostDetailedCases);
  const std::string table = table_html(page);
  EXPECT_TRUE(holds(table, "2,250 cases are too many to stand here one by one"));
  EXPECT_FALSE(holds(table, "id=\"all-rows\""));
  const std::size_t at = table.find("id=\"aggregates\"");
  ASSERT_NE(at, std::string::npos);
  const std::string body = table.substr(table.find("<tbody>", at), table.find("</tbody>", at));
  EXPECT_EQ(count_of(body.substr(0, body.find("</tbody>")), "<tr"), 3u);
  EXPECT_TRUE(holds(body, "<td>bf16<td>cpu<td class=\"n\">450<td class=\"n\">–"));
  EXPECT_TRUE(holds(body, "<td>f32<td>cpu<td class=\"n\">1,350"));
  EXPECT_TRUE(holds(body, "<td>f32<td>gpu<td class=\"n\">450"));
  EXPECT_TRUE(holds(rows_html(page), "2,250 cases are too many to unfold here"));
  const auto data = nlohmann::json::parse(raw_data_json(page));
  EXPECT_EQ(data["runs"][0]["cases"]["name"].size(), 2250u);
  EXPECT_EQ(data["runs"][0]["skipped"].size(), 450u);
}

TEST(Large, EveryListSaysWhatItLeavesOut) {
  const Page page = page_of(many(450));
  EXPECT_TRUE(holds(pairs_html(page), "The first 200 of 450 pairs are listed."));
  EXPECT_EQ(count_of(pairs_html(page), "<tr id=\"p-"), 200u);
  EXPECT_TRUE(holds(cache_html(page), "The first 200 of 450 cases are listed."));
  EXPECT_TRUE(holds(heat_map_html(page), "The first 200 of 450 shapes are listed."));
  EXPECT_TRUE(holds(ladder_html(page), "The first 200 of 450 rows are listed."));
  EXPECT_TRUE(holds(energy_html(page), "The first 200 of 450 rows are listed."));
  EXPECT_TRUE(holds(table_html(page), "The first 200 of 450 skipped cases are listed."));
  EXPECT_TRUE(holds(table_html(page), "450 skipped cases"));
}

TEST(Large, ChartsDrawSomeMarksAndSaySo) {
  SyntheticRun run = many(1);
  for (int i = 0; i < 5000; ++i) {
    run.cases.push_back(synthetic_matmul(fmt::format("s{}", i), 16 + i, 32 + i % 90, 8,
                                         "cpu/openblas/f32", 50 + i % 997));
  }
  const Page page = page_of(run);
  std::size_t charts = 0;
  for (const Chart& chart : page.charts) {
    if (chart.section != "throughput" || chart.precision != "f32") continue;
    ++charts;
    EXPECT_LE(count_of(chart.svg, "<path d="), kMostMarks + 20);
    EXPECT_TRUE(holds(chart.caption, " of 5004 marks drawn)")) << chart.caption;
  }
  EXPECT_GT(charts, 0u);
}

TEST(Large, AsManyKindsOfChartsAsAPageCanHold) {
  SyntheticRun run;
  run.rounds = 1;
  run.repetitions = 1;
  for (int i = 0; i < 130; ++i) {
    run.cases.push_back(synthetic_matmul("s", 8, 8, 8, "cpu/openblas/f32", 1));
    run.cases.back().name = fmt::format("op_{}/s/cpu/openblas/f32", i);
  }
  const Page page = page_of(run);
  EXPECT_EQ(page.charts.size(), kMostChartKinds);
  EXPECT_TRUE(holds(throughput_html(page),
                    "the first 100 operations and precisions of a file; 30 "
                    "more have none"));
}

TEST(Large, CountersOfFewCasesCostWhatTheyHold) {
  SyntheticRun run;
  run.rounds = 1;
  run.repetitions = 1;
  for (int i = 0; i < 100; ++i) {
    run.cases.push_back(synthetic_matmul(fmt::format("s{}", i), 8, 8, 8, "cpu/o/f32", 1));
    run.cases.back().counters[fmt::format("own_{}", i)] = i + 0.5;
  }
  const auto data = nlohmann::json::parse(raw_data_json(page_of(run)));
  const auto& cases = data["runs"][0]["cases"];
  EXPECT_FALSE(cases["counters"]["flops"].contains("cases"));
  EXPECT_EQ(cases["counters"]["flops"]["value"].size(), 100u);
  for (int i = 0; i < 100; ++i) {
    const auto& own = cases["counters"][fmt::format("own_{}", i)];
    const auto& list = cases["case_lists"].at(own["cases"].get<std::size_t>());
    ASSERT_EQ(list.size(), 1u);
    EXPECT_EQ(own["value"], nlohmann::json({i + 0.5}));
    const std::string name = cases["name"][list[0].get<std::size_t>()];
    EXPECT_TRUE(name.starts_with(fmt::format("matmul/s{}/", i)));
  }
}

TEST(MarksToDraw, KeepsAllOfAFewAndTheRangeOfMany) {
  std::vector<MarkPlace> marks;
  for (int i = 1; i <= 100; ++i) marks.push_back({1.0 * i, 2.0 * i});
  EXPECT_EQ(marks_to_draw(marks, 100).size(), 100u);
  const auto kept = marks_to_draw(marks, 10);
  EXPECT_LE(kept.size(), 10u);
  EXPECT_GE(kept.size(), 3u);
  EXPECT_EQ(kept.front(), 0u);
  EXPECT_GT(kept.back(), 50u);
  marks.assign(50, {1, 1});
  EXPECT_EQ(marks_to_draw(marks, 10), std::vector<std::size_t>{0});
  marks.assign(50, {0, -1});
  EXPECT_TRUE(marks_to_draw(marks, 10).empty());
}

}  // namespace
}  // namespace breakeven
