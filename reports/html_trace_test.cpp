// From figures to rows, in the HTML that the page is made of.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "reports/html.h"
#include "reports/html_parts.h"
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

const Case& case_of(const Run& run, const std::string& name) {
  return *std::find_if(run.cases.begin(), run.cases.end(),
                       [&](const Case& c) { return c.name == name; });
}

SyntheticCase square(double n, const std::string& rest, double gflops, int threads) {
  SyntheticCase c = synthetic_matmul(fmt::format("square_{:.0f}", n), n, n, n, rest, gflops);
  c.threads = threads;
  return c;
}

// 512 has every baseline, 1024 lacks the loop.
SyntheticRun three_baselines() {
  SyntheticRun run;
  run.noise = 0;
  run.cases = {square(512, "cpu/naive/f32", 1, 1),
               square(512, "cpu/openblas/f32/threads:1", 50, 1),
               square(512, "cpu/openblas/f32", 100, 2),
               square(512, "gpu/cublas/f32", 800, 0),
               square(1024, "cpu/openblas/f32/threads:1", 50, 1),
               square(1024, "cpu/openblas/f32", 100, 2),
               square(1024, "gpu/cublas/f32", 3200, 0)};
  return run;
}

TEST(Baselines, StandSideBySideAndTheStrongestCounts) {
  const Page page = page_of(three_baselines());
  const breakeven::Run& run = page.runs[0];
  ASSERT_EQ(run.pairs.size(), 2u);
  const auto pair = std::find_if(run.pairs.begin(), run.pairs.end(),
                                 [](const Pair& p) { return p.shape == "square_512"; });
  EXPECT_NEAR(pair->naive->speedup.value, 800, 1e-9);
  EXPECT_NEAR(pair->one_thread->speedup.value, 16, 1e-9);
  EXPECT_NEAR(pair->all_cores->speedup.value, 8, 1e-9);
  EXPECT_NEAR(pair->speedup.value, 8, 1e-9);
  // Means are over the one pair that has all three, though two have all cores.
  const BaselineMeans& means = run.answers.at(0).baselines;
  ASSERT_EQ(means.pairs.size(), 1u);
  EXPECT_NEAR(means.naive->value, 800, 1e-9);
  EXPECT_NEAR(means.all_cores->value, 8, 1e-9);
  EXPECT_NEAR(means.strongest->value, 8, 1e-9);
  EXPECT_NEAR(run.answers.at(0).geometric_mean->value, 16, 1e-9);  // sqrt(8 * 32)
  const std::string html = pairs_html(page);
  const Case& naive = case_of(run, "matmul/square_512/cpu/naive/f32");
  EXPECT_TRUE(holds(html, fmt::format("<a href=\"#{}\" title=\"{}\">800x (800–800)</a>",
                                      case_id(run, naive), naive.name)));
}

TEST(Baselines, OneThreadCanBeTheStrongest) {
  SyntheticRun synthetic = three_baselines();
  synthetic.cases[1].seconds /= 4;  // a small product gains nothing from a second thread
  const Page page = page_of(synthetic);
  const Pair& pair = page.runs[0].pairs[0];  // in order of size
  ASSERT_EQ(pair.shape, "square_512");
  EXPECT_NEAR(pair.one_thread->speedup.value, 4, 1e-9);
  EXPECT_NEAR(pair.all_cores->speedup.value, 8, 1e-9);
  EXPECT_NEAR(pair.speedup.value, 4, 1e-9);
}

TEST(Trace, EveryFigureOfTheAnswerLeadsToRows) {
  const Page page = page_of(synthetic_gpu_run());
  const breakeven::Run& run = page.runs[0];
  const std::string html = render_html(page);
  const std::string answer = answer_html(page);
  // Every link inside the page has its target.
  for (std::size_t at = 0; (at = html.find("href=\"#", at)) != std::string::npos;) {
    at += 7;
    const std::string id = html.substr(at, html.find('"', at) - at);
    EXPECT_TRUE(holds(html, "id=\"" + id + "\"")) << id;
  }
  for (const Headline& best : headlines(run)) {
    EXPECT_TRUE(holds(answer, fmt::format("<p class=\"big\"><a href=\"#{}\" title=\"{}\">",
                                          case_id(run, *best.favourite), best.favourite->name)))
        << best.favourite->name;
  }
  for (const Answer& each : run.answers) {
    EXPECT_TRUE(holds(answer, "href=\"#" + pair_id(run, *each.best)));
    EXPECT_TRUE(holds(answer, "href=\"#" + pair_id(run, *each.worst)));
    for (const Pair* pair : each.pairs) {
      EXPECT_TRUE(holds(answer, case_id(run, pair->gpu.favourite()) + "\">"));
    }
  }
  EXPECT_TRUE(holds(answer, "--filter &#39;^matmul/&#39;"));
}

TEST(Trace, EveryPairLeadsToBothRows) {
  const Page page = page_of(synthetic_gpu_run());
  const breakeven::Run& run = page.runs[0];
  const std::string html = pairs_html(page);
  for (const Pair& pair : run.pairs) {
    const std::size_t at = html.find("<tr id=\"" + pair_id(run, pair) + "\"");
    ASSERT_NE(at, std::string::npos);
    const std::string line = html.substr(at, html.find("</tr>", at) - at);
    EXPECT_TRUE(holds(line, fmt::format("title=\"{} : {}\"", pair.cpu.favourite().name,
                                        pair.gpu.favourite().name)));
    EXPECT_TRUE(holds(line, "\"#" + case_id(run, pair.gpu.favourite()) + "\""));
    EXPECT_TRUE(holds(line, "\"#" + case_id(run, pair.cpu.favourite()) + "\""));
  }
}

TEST(Trace, HasNoLinksWhereNoRowIsUnfolded) {
  SyntheticRun synthetic = three_baselines();
  synthetic.rounds = 2;
  synthetic.repetitions = 1;
  for (std::size_t i = 0; i <= kMostDetailedCases; ++i) {
    synthetic.cases.push_back(
        synthetic_matmul(fmt::format("s{}", i), 8, 8, 8, "cpu/openblas/f32", 1));
  }
  const Page page = page_of(synthetic);
  EXPECT_FALSE(holds(pairs_html(page), "href=\"#r"));
  EXPECT_FALSE(holds(answer_html(page), "href=\"#r"));
  EXPECT_TRUE(holds(answer_html(page), "matmul/square_512/gpu/cublas/f32"));
}

TEST(Commands, AreOneForManyRowsAndApartForFrameworks) {
  SyntheticRun synthetic = three_baselines();
  synthetic.cases.push_back(square(512, "gpu/pytorch_eager/f32", 700, 0));
  const Page page = page_of(synthetic);
  const breakeven::Run& run = page.runs[0];
  std::vector<const Case*> rows;
  for (const Case& c : run.cases) rows.push_back(&c);
  const auto commands = reproduce_commands(run, rows);
  ASSERT_EQ(commands.size(), 2u);
  EXPECT_TRUE(commands[0].starts_with("breakeven run --filter '^(matmul/square_1024/"));
  EXPECT_EQ(
      commands[1],
      "tools/peers/pytorch --filter '^matmul/square_512/gpu/pytorch_eager/f32$' --device gpu");
  EXPECT_TRUE(reproduce_commands(run, {}).empty());
}

}  // namespace
}  // namespace breakeven
