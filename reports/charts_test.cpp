#include "reports/charts.h"

#include <gtest/gtest.h>

#include <set>

#include "reports/scale.h"
#include "reports/synthetic.h"

namespace breakeven {
namespace {

std::vector<Run> runs_of(const SyntheticRun& synthetic) {
  std::vector<Run> runs;
  runs.push_back(make_run(parse_results(synthetic.text(), "synthetic.json"), ""));
  return runs;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) {
    ++found;
  }
  return found;
}

TEST(Scale, LogTicksAreLabelled) {
  const AxisScale scale({"", true, true}, 64, 4096, 0, 100);
  std::vector<std::string> labels;
  for (const Tick& tick : scale.ticks()) labels.push_back(tick.label);
  EXPECT_EQ(labels, (std::vector<std::string>{"64", "128", "256", "512", "1024", "2048", "4096"}));
  EXPECT_LT(scale.pixel(64), scale.pixel(128));
  EXPECT_NEAR(scale.pixel(512) * 2, scale.pixel(256) + scale.pixel(1024), 1e-9);
}

TEST(Scale, EveryRangeHasAtLeastTwoLabels) {
  const std::pair<double, double> ranges[] = {{1, 1},       {1e-9, 1e12}, {3.1, 3.2}, {100, 900},
                                              {5e-5, 6e-5}, {1, 1.0001},  {0.5, 40}};
  for (const auto& [low, high] : ranges) {
    for (const bool logarithmic : {true, false}) {
      const AxisScale scale({"", logarithmic, false}, low, high, 0, 100);
      std::size_t labels = 0;
      for (const Tick& tick : scale.ticks()) {
        EXPECT_TRUE(scale.shows(tick.value) || std::abs(scale.pixel(tick.value) - 50) < 51);
        labels += tick.label.empty() ? 0 : 1;
      }
      EXPECT_GE(labels, 2u) << low << " " << high << " " << logarithmic;
      EXPECT_LE(labels, 16u) << low << " " << high << " " << logarithmic;
    }
  }
}

TEST(Charts, EachIsTitledAndDescribed) {
  std::set<std::string> ids;
  for (const Chart& chart : make_charts(runs_of(synthetic_gpu_run()))) {
    EXPECT_TRUE(ids.insert(chart.id).second) << chart.id;
    EXPECT_NE(chart.svg.find("<title id=\"" + chart.id + "-t\">"), std::string::npos);
    EXPECT_NE(chart.svg.find("<desc id=\"" + chart.id + "-d\">"), std::string::npos);
    EXPECT_NE(chart.svg.find("aria-labelledby=\"" + chart.id + "-t " + chart.id + "-d\""),
              std::string::npos);
    EXPECT_EQ(chart.svg.find("nan"), std::string::npos) << chart.id;
    EXPECT_EQ(chart.svg.find("inf"), std::string::npos) << chart.id;
    EXPECT_EQ(count(chart.svg, "<g"), count(chart.svg, "</g>")) << chart.id;
    EXPECT_EQ(count(chart.svg, "<svg"), count(chart.svg, "</svg>")) << chart.id;
  }
  EXPECT_TRUE(ids.count("speedup--matmul-f32-"));
  EXPECT_TRUE(ids.count("throughput--matmul-f32"));
  EXPECT_TRUE(ids.count("throughput--share-matmul-f32"));
  EXPECT_TRUE(ids.count("roofline--cpu"));
  EXPECT_TRUE(ids.count("roofline--gpu"));
  EXPECT_TRUE(ids.count("threads--matmul-f32"));
}

TEST(Charts, WithoutAGpuThereIsNoSpeedup) {
  for (const Chart& chart : make_charts(runs_of(synthetic_cpu_run()))) {
    EXPECT_NE(chart.section, "speedup");
  }
}

TEST(Charts, EveryDefaultRowIsAMarkerOfTheThroughputChart) {
  const auto runs = runs_of(synthetic_cpu_run());
  const auto chart = throughput_chart(runs[0], Styles(runs), "matmul", "f32");
  ASSERT_TRUE(chart.has_value());
  std::size_t rows = 0;
  for (const Case& c : runs[0].cases) {
    const bool shown = c.segments.op == "matmul" && c.segments.precision == "f32" && c.seconds &&
                       !c.segments.options.count("threads");
    rows += shown ? 1 : 0;
  }
  EXPECT_EQ(count(chart->svg, " GFLOP/s</title>"), rows);
  EXPECT_NE(chart->svg.find("cpu peak 47"), std::string::npos);
}

TEST(Charts, FailedRowsAreNoMarkers) {
  for (const Chart& chart : make_charts(runs_of(synthetic_cpu_run()))) {
    EXPECT_EQ(chart.svg.find("wrong"), std::string::npos) << chart.id;
  }
}

TEST(Charts, NamesAreEscaped) {
  SyntheticRun synthetic;
  synthetic.cases = {
      synthetic_matmul("<script>", 64, 64, 64, "cpu/\"quo'ted\"/f32", 10),
      synthetic_matmul("b\u202E", 96, 96, 96, "cpu/\"quo'ted\"/f32", 10),
  };
  for (const Chart& chart : make_charts(runs_of(synthetic))) {
    EXPECT_EQ(chart.svg.find("<script>"), std::string::npos);
    EXPECT_EQ(chart.svg.find("\u202E"), std::string::npos);
    EXPECT_NE(chart.svg.find("&lt;script&gt;"), std::string::npos);
    EXPECT_NE(chart.svg.find("&quot;quo&#39;ted&quot;"), std::string::npos);
  }
}

TEST(StandaloneSvg, BringsItsStyle) {
  const std::string svg = standalone_svg("<svg a=\"b\"><title>t</title></svg>");
  EXPECT_EQ(svg.find("<svg a=\"b\"><style>"), 0u);
  EXPECT_NE(svg.find("prefers-color-scheme:dark"), std::string::npos);
}

}  // namespace
}  // namespace breakeven
