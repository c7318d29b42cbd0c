#include "reports/html.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "reports/html_parts.h"
#include "reports/synthetic.h"
#include "reports/text.h"

namespace breakeven {
namespace {

Page page_of(const std::vector<SyntheticRun>& synthetic) {
  Page page;
  for (std::size_t i = 0; i < synthetic.size(); ++i) {
    const std::string label =
        synthetic.size() == 1 ? "" : std::string(1, static_cast<char>('A' + i));
    page.runs.push_back(make_run(parse_results(synthetic[i].text(), "synthetic.json"), label));
  }
  page.charts = make_charts(page.runs);
  return page;
}

std::string section_of(const std::string& html, const std::string& id) {
  const std::size_t start = html.find("<section id=\"" + id + "\">");
  if (start == std::string::npos) throw std::runtime_error("no section " + id);
  return html.substr(start, html.find("</section>", start) - start);
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

constexpr const char* kOrder[] = {
    "answer", "speedup",  "networks",  "throughput", "roofline", "cache",   "threads", "heat-map",
    "ladder", "training", "precision", "energy",     "claims",   "changes", "rows",    "table"};

TEST(Html, SectionsStandInTheirOrder) {
  for (const auto& synthetic : {synthetic_cpu_run(), synthetic_gpu_run()}) {
    const std::string html = render_html(page_of({synthetic}));
    std::size_t last = 0;
    for (const char* id : kOrder) {
      const std::size_t at = html.find(fmt::format("<section id=\"{}\">", id));
      ASSERT_NE(at, std::string::npos) << id;
      EXPECT_GT(at, last) << id;
      last = at;
      EXPECT_TRUE(holds(html, fmt::format("<a href=\"#{}\">", id)));
    }
    // Limitations come before the numbers of any chart or table of rows.
    EXPECT_LT(html.find("id=\"limits\""), html.find("<section id=\"speedup\">"));
  }
}

TEST(Html, LoadsNothing) {
  const std::string html = render_html(page_of({synthetic_gpu_run()}));
  for (const char* part : {"src=", "@import", "url(", "https://", "<link", "<iframe"}) {
    EXPECT_FALSE(holds(html, part)) << part;
  }
  EXPECT_TRUE(holds(html, "Content-Security-Policy"));
  EXPECT_TRUE(holds(html, "prefers-color-scheme:dark"));
  EXPECT_TRUE(holds(html, "@media print"));
}

TEST(Html, EverySectionWithoutDataSaysWhy) {
  SyntheticRun synthetic;
  synthetic.cases = {synthetic_matmul("s", 8, 8, 8, "cpu/i/f32", 1)};
  const std::string html = render_html(page_of({synthetic}));
  for (const char* id : {"speedup", "networks", "roofline", "cache", "threads", "heat-map",
                         "ladder", "training", "precision", "energy", "changes"}) {
    EXPECT_TRUE(holds(section_of(html, id), "<p class=\"none\">")) << id;
  }
  EXPECT_TRUE(holds(section_of(html, "claims"), "15 were not measured here"));
}

TEST(Html, EveryRowIsInTheTableWithItsNumbers) {
  const Page page = page_of({synthetic_gpu_run()});
  const std::string html = render_html(page);
  const std::string table = section_of(html, "table");
  const std::string rows = section_of(html, "rows");
  for (const Case& c : page.runs[0].cases) {
    const std::string link = fmt::format("<a href=\"#{}\">", case_id(page.runs[0], c));
    const std::size_t at = table.find(link);
    ASSERT_NE(at, std::string::npos) << c.name;
    const std::string line = table.substr(at, table.find("</tr>", at) - at);
    EXPECT_TRUE(holds(rows, fmt::format("<details id=\"{}\">", case_id(page.runs[0], c))));
    EXPECT_TRUE(holds(rows, "<code>" + c.name + "</code>"));
    if (!c.seconds) continue;
    EXPECT_TRUE(holds(line, ">" + format_seconds(c.seconds->value) + "<")) << c.name;
    EXPECT_TRUE(
        holds(line, format_seconds_interval(c.seconds->interval.low, c.seconds->interval.high)));
    if (c.share_of_ceiling) {
      EXPECT_TRUE(holds(line, format_percent(*c.share_of_ceiling)));
    }
  }
}

TEST(Html, SamplesStandInTheOrderOfTheFile) {
  SyntheticRun synthetic;
  synthetic.rounds = 1;
  synthetic.repetitions = 1;
  synthetic.cases = {synthetic_matmul("s", 8, 8, 8, "cpu/i/f32", 1)};
  Results results = parse_results(synthetic.text(), "synthetic.json");
  const double milliseconds[] = {7, 5, 9, 6};
  results.rows.resize(1);
  for (int i = 0; i < 4; ++i) {
    Row row = results.rows[0];
    row.repetition = i;
    row.seconds = milliseconds[i] * 1e-3;
    results.rows.push_back(row);
  }
  results.rows.erase(results.rows.begin());
  Page page;
  page.runs.push_back(make_run(std::move(results), ""));
  EXPECT_TRUE(holds(rows_html(page), "7.000 5.000 9.000 6.000"));
}

// Of a counter or text in the raw data, null where the case has none.
nlohmann::json kind_value(const nlohmann::json& raw, const nlohmann::json& kind,
                          std::size_t index) {
  std::size_t place = index;
  if (kind.contains("cases")) {
    const auto& cases = raw["case_lists"].at(kind["cases"].get<std::size_t>());
    place = static_cast<std::size_t>(std::find(cases.begin(), cases.end(), index) - cases.begin());
    if (place == cases.size()) return nullptr;
  }
  const auto& value = kind["value"].at(place);
  return kind.contains("text") ? kind["text"].at(value.get<std::size_t>()) : value;
}

TEST(Html, SaysWherePackedWeightsWouldBeatTheCpuRowThatCounts) {
  const std::string packed = "Weights packed outside the time are another promise";
  const std::string answer = section_of(render_html(page_of({synthetic_gpu_run()})), "answer");
  EXPECT_TRUE(holds(answer, packed));
  EXPECT_TRUE(holds(answer, "strongest CPU row (packed weights aside)"));
  SyntheticRun without = synthetic_gpu_run();
  std::erase_if(without.cases, [](const auto& c) { return holds(c.name, "packed"); });
  EXPECT_FALSE(holds(render_html(page_of({without})), packed));
}

TEST(Html, RawDataHoldsEveryCounterAndText) {
  const Page page = page_of({synthetic_gpu_run()});
  const auto data = nlohmann::json::parse(raw_data_json(page));
  const auto& raw = data["runs"][0]["cases"];
  std::size_t sparse = 0;
  for (std::size_t i = 0; i < page.runs[0].cases.size(); ++i) {
    const Case& c = page.runs[0].cases[i];
    for (const auto& [key, kind] : raw["counters"].items()) {
      const auto value = kind_value(raw, kind, i);
      ASSERT_EQ(value.is_null(), !c.counter(key)) << c.name << " " << key;
      if (!value.is_null()) {
        EXPECT_NEAR(value.get<double>(), *c.counter(key), 1e-5 * std::abs(*c.counter(key)));
      }
      sparse += kind.contains("cases") ? 1 : 0;
    }
    for (const auto& [key, kind] : raw["texts"].items()) {
      const auto value = kind_value(raw, kind, i);
      EXPECT_EQ(value.is_null() ? "" : value.get<std::string>(), c.text(key)) << c.name << key;
    }
    EXPECT_EQ(raw["counters"].contains("error"), true);
  }
  EXPECT_GT(sparse, 0u);
}

TEST(Html, ErrorRowsShowReasonAndLimitButNoTime) {
  const Page page = page_of({synthetic_cpu_run()});
  const std::string html = render_html(page);
  const std::string table = section_of(html, "table");
  const std::size_t at = table.find("<td>wrong<td>");
  ASSERT_NE(at, std::string::npos);
  const std::string line = table.substr(at, table.find("</tr>", at) - at);
  EXPECT_TRUE(holds(line, "failed: wrong answer"));
  EXPECT_TRUE(holds(line, "3.7e-1 &gt; 1.0e-5"));
  const std::string rows = section_of(html, "rows");
  const std::size_t detail = rows.find("<code>matmul/square_512/cpu/wrong/f32</code>");
  ASSERT_NE(detail, std::string::npos);
  const std::string text = rows.substr(detail, rows.find("</details>", detail) - detail);
  for (const char* unit : {" ns", " µs", " ms", "GFLOP/s", "prepare"}) {
    EXPECT_FALSE(holds(line, unit)) << unit;
    EXPECT_FALSE(holds(text, unit)) << unit;
  }
  const auto data = nlohmann::json::parse(raw_data_json(page));
  const auto& cases = data["runs"][0]["cases"];
  for (std::size_t i = 0; i < cases["name"].size(); ++i) {
    EXPECT_EQ(cases["failure"][i].is_null(), !cases["samples"][i].empty());
    if (!cases["failure"][i].is_null()) {
      EXPECT_TRUE(kind_value(cases, cases["counters"]["prepare_seconds"], i).is_null());
      EXPECT_EQ(kind_value(cases, cases["counters"]["error"], i), 0.37);
    }
  }
}

TEST(Html, RawDataHoldsEverySample) {
  const Page page = page_of({synthetic_cpu_run()});
  const auto data = nlohmann::json::parse(raw_data_json(page));
  const auto& cases = data["runs"][0]["cases"];
  ASSERT_EQ(cases["name"].size(), page.runs[0].cases.size());
  for (std::size_t i = 0; i < cases["name"].size(); ++i) {
    const Case& c = page.runs[0].cases[i];
    EXPECT_EQ(cases["name"][i], c.name);
    for (std::size_t r = 0; r < c.rounds.size(); ++r) {
      for (std::size_t s = 0; s < c.rounds[r].seconds.size(); ++s) {
        const double unit = cases["unit_nanoseconds"][i];
        EXPECT_NEAR(cases["samples"][i][r][s].get<double>() * unit * 1e-9 / c.rounds[r].seconds[s],
                    1, 5.1e-5);
      }
    }
  }
  EXPECT_EQ(data["runs"][0]["skipped"].size(), 2u);
}

// The page's script takes ratios from these samples; six digits would show in the last digit.
TEST(Html, RawDataKeepsMediansAndRounds) {
  const Page page = page_of({synthetic_gpu_run()});
  const auto data = nlohmann::json::parse(raw_data_json(page));
  const auto& cases = data["runs"][0]["cases"];
  for (std::size_t i = 0; i < page.runs[0].cases.size(); ++i) {
    const Case& c = page.runs[0].cases[i];
    const auto& rounds = cases["schedules"][cases["schedule"][i].get<std::size_t>()];
    ASSERT_EQ(rounds.size(), c.rounds.size());
    EXPECT_EQ(cases["verified"][i], c.verified() ? 1 : 0) << c.name;
    for (std::size_t r = 0; r < c.rounds.size(); ++r) {
      EXPECT_EQ(rounds[r], c.rounds[r].number);
      const double unit = cases["unit_nanoseconds"][i];
      const double found = median(cases["samples"][i][r].get<std::vector<double>>()) * unit * 1e-9;
      EXPECT_NEAR(found / c.rounds[r].median_seconds, 1, 1e-9) << c.name;
    }
  }
}

TEST(Html, BlocksNameWhatTheyBelongTo) {
  SyntheticRun other = synthetic_cpu_run();
  for (SyntheticCase& c : other.cases) {
    if (c.name.starts_with("matmul/")) c.name.replace(0, 6, "mat\"mul");
  }
  const std::string html = render_html(page_of({synthetic_gpu_run(), other}));
  for (const char* block :
       {"<figure id=\"speedup-A-matmul-f32-\" data-run=\"A\" data-op=\"matmul\" "
        "data-precision=\"f32\">",
        "<figure id=\"roofline-A-gpu\" data-run=\"A\" data-device=\"gpu\">",
        "<div class=\"scroll\" data-run=\"A\" data-op=\"matmul\" data-precision=\"f32\"><table "
        "class=\"heat\"",
        "data-run=\"B\" data-op=\"mat&quot;mul\" data-precision=\"f32\" data-device=\"cpu\""}) {
    EXPECT_TRUE(holds(html, block)) << block;
  }
}

TEST(Html, HostileTextIsShownAndNotObeyed) {
  SyntheticRun synthetic;
  const std::string evil = "</script><script>alert('1')</script>\"\u202E\x01&";
  synthetic.cases = {synthetic_matmul(evil.substr(0, 8) + "x", 64, 64, 64, "cpu/i/f32", 10)};
  synthetic.cases[0].name = "matmul/<script>alert(1)\u202E\"'\x01/cpu/<b>/f32";
  synthetic.cases.push_back(synthetic_matmul("s", 8, 8, 8, "cpu/<i>/f32", 1));
  synthetic.cases.back().failure = evil;
  synthetic.facts["cpu.model"] = evil;
  synthetic.facts[evil] = evil;
  synthetic.skipped = {{evil, evil}};
  synthetic.unavailable = {{evil, evil}};
  const std::string html = render_html(page_of({synthetic}));
  EXPECT_FALSE(holds(html, "<script>alert"));
  EXPECT_FALSE(holds(html, "<b>"));
  EXPECT_FALSE(holds(html, "\u202E"));
  EXPECT_FALSE(holds(html, "\x01"));
  EXPECT_TRUE(holds(html, "&lt;script&gt;alert(1)[U+202E]&quot;&#39;[U+0001]"));
  // The two scripts of the page itself, and no more ends of scripts than those.
  std::size_t ends = 0;
  for (std::size_t at = 0; (at = html.find("</script", at)) != std::string::npos; ++at) ++ends;
  EXPECT_EQ(ends, 2u);
}

TEST(Html, SeveralRunsKeepApart) {
  const Page page = page_of({synthetic_cpu_run(), synthetic_gpu_run()});
  const std::string html = render_html(page);
  EXPECT_TRUE(holds(html, "Run A: Synthetic CPU "));
  EXPECT_TRUE(holds(html, "Run B: Synthetic CPU + Synthetic GPU"));
  EXPECT_TRUE(holds(html, "id=\"rA-0\""));
  EXPECT_TRUE(holds(html, "id=\"rB-0\""));
  EXPECT_TRUE(page.runs[0].pairs.empty());  // no CPU row of A meets a GPU row of B
  EXPECT_TRUE(holds(section_of(html, "answer"), "Run A: No speedup was measured here"));
}

}  // namespace
}  // namespace breakeven
