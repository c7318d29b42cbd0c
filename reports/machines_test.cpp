#include "reports/machines.h"

#include <gtest/gtest.h>

#include "reports/html.h"
#include "reports/html_parts.h"
#include "reports/markdown.h"
#include "reports/synthetic.h"

namespace breakeven {
namespace {

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

SyntheticRun small_run(const std::string& cpu, const std::string& gpu, double factor) {
  SyntheticRun run;
  run.noise = 0.001;
  run.facts = {{"cpu.model", cpu}, {"date", "2026-11-22T10:00:00+00:00"}};
  if (!gpu.empty()) run.facts["gpu.name"] = gpu;
  const auto add = [&](const std::string& name, double seconds, const char* work, double count) {
    SyntheticCase c;
    c.name = name;
    c.seconds = seconds;
    c.counters = {{work, count}, {"error", 0}, {"tolerance", 1}};
    run.cases.push_back(c);
  };
  add("peak/fma/cpu/own/f32", 1e-3, "flops", 1e8);
  add("stream/copy_large/cpu/own/f32", 1e-2, "bytes", 1e9);
  run.cases.push_back(
      synthetic_matmul("square_512", 512, 512, 512, "cpu/openblas/f32", 40 / factor));
  run.cases.push_back(synthetic_matmul("square_1024", 1024, 1024, 1024, "cpu/openblas/f32", 50));
  if (!gpu.empty()) {
    run.cases.push_back(
        synthetic_matmul("square_512", 512, 512, 512, "gpu/cublas/f32", 4000 / factor));
    run.cases.back().threads = 0;
  }
  return run;
}

Page page_of(const std::vector<SyntheticRun>& synthetic) {
  Page page;
  for (std::size_t i = 0; i < synthetic.size(); ++i) {
    page.runs.push_back(make_run(parse_results(synthetic[i].text(), "synthetic.json"),
                                 std::string(1, static_cast<char>('A' + i))));
  }
  page.charts = make_charts(page.runs);
  return page;
}

TEST(Machines, AreTheSameByWhatTheirHardwareIs) {
  const Page page = page_of({small_run("Model 1", "", 1), small_run("Model 1", "", 2),
                             small_run("Model 2", "", 1), small_run("Model 1", "GPU", 1)});
  EXPECT_TRUE(same_machine(page.runs[0], page.runs[1]));
  EXPECT_FALSE(same_machine(page.runs[0], page.runs[2]));
  EXPECT_FALSE(same_machine(page.runs[0], page.runs[3]));  // the GPU is part of it
  SyntheticRun nameless = small_run("", "", 1);
  nameless.facts = {{"num_cpus", "2"}};
  const Page unknown = page_of({nameless, nameless});
  EXPECT_FALSE(same_machine(unknown.runs[0], unknown.runs[1]));
  EXPECT_TRUE(reruns(unknown.runs).empty());
}

TEST(Machines, ARunFollowsTheLastOfItsMachine) {
  const Page page = page_of({small_run("Model 1", "", 1), small_run("Model 2", "", 1),
                             small_run("Model 1", "", 2), small_run("Model 1", "", 3)});
  const std::vector<Rerun> pairs = reruns(page.runs);
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[0].before, &page.runs[0]);
  EXPECT_EQ(pairs[0].after, &page.runs[2]);
  EXPECT_EQ(pairs[1].before, &page.runs[2]);
}

TEST(BeforeAfter, SaysTimesAndNoVerdict) {
  const Page page = page_of({small_run("Model 1", "", 1), small_run("Model 1", "", 2)});
  const std::vector<Rerow> rows = rerows(reruns(page.runs)[0]);
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].after->name, "matmul/square_512/cpu/openblas/f32");
  EXPECT_NEAR(rows[0].ratio, 2, 0.02);
  const std::string html = changes_html(page);
  EXPECT_TRUE(holds(html, "run A, 2026-11-22T10:00 → run B"));
  EXPECT_TRUE(holds(
      html,
      "two runs of 4 and 4 cases. In common, with right answers and the same work in both: 4."));
  EXPECT_TRUE(holds(html, "After / before<br>(two runs, not paired, no verdict)"));
  EXPECT_FALSE(holds(html, "peedup"));
  EXPECT_TRUE(render_markdown(page).find("not paired") == std::string::npos);
}

TEST(BeforeAfter, FollowsTheDatesNotTheCommandLine) {
  SyntheticRun later = small_run("Model 1", "", 2);
  later.facts["date"] = "2026-11-23T10:00:00+00:00";
  const Page page = page_of({later, small_run("Model 1", "", 1)});
  const std::vector<Rerun> pairs = reruns(page.runs);
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].before, &page.runs[1]);
  SyntheticRun other_method = later;
  other_method.facts["method_version"] = "2";
  EXPECT_TRUE(reruns(page_of({later, other_method}).runs).empty());
}

TEST(BeforeAfter, OnlyOfTheSameWorkDoneRight) {
  SyntheticRun after = small_run("Model 1", "", 2);
  for (SyntheticCase& c : after.cases) {
    if (holds(c.name, "square_512")) c.counters["flops"] *= 2;    // another shape of that name
    if (holds(c.name, "square_1024")) c.counters["error"] = 1e9;  // a wrong answer
  }
  const Page page = page_of({small_run("Model 1", "", 1), after});
  for (const Rerow& row : rerows(reruns(page.runs)[0])) {
    EXPECT_FALSE(holds(row.after->name, "matmul")) << row.after->name;
  }
  EXPECT_TRUE(holds(changes_html(page), "two runs of 4 and 4 cases. In common"));
  EXPECT_TRUE(holds(changes_html(page), "same work in both: 2."));
}

TEST(BeforeAfter, TheRooflineHasAnArrowForEachRowThatMoved) {
  const Page page = page_of({small_run("Model 1", "", 1), small_run("Model 1", "", 2)});
  std::size_t charts = 0;
  for (const Chart& chart : page.charts) {
    if (!holds(chart.caption, "before → after")) continue;
    ++charts;
    EXPECT_EQ(chart.section, "roofline");
    EXPECT_TRUE(holds(chart.caption, "two runs, not paired, no verdict"));
    // square_1024 is as fast as before.
    EXPECT_EQ(occurrences(chart.svg, " GFLOP/s, two runs, not paired, no verdict</title>"), 1u);
    EXPECT_TRUE(holds(chart.svg, "square_512 openblas f32: "));
  }
  EXPECT_EQ(charts, 1u);
}

TEST(BeforeAfter, OfTwoMachinesThereIsNone) {
  const Page page = page_of({small_run("Model 1", "", 1), small_run("Model 2", "", 2)});
  EXPECT_EQ(before_after_html(page), "");
  for (const Chart& chart : page.charts) EXPECT_FALSE(holds(chart.caption, "before → after"));
}

TEST(AcrossMachines, TimesStandBesideEachOtherAndNoRatio) {
  const Page page = page_of({small_run("Model 1", "", 1), small_run("Model 2", "GPU", 2)});
  const std::string html = machines_html(page);
  EXPECT_TRUE(holds(html, "<td>B<td>gpu<td>cublas"));
  EXPECT_TRUE(holds(html, "<td>A<td>cpu<td>openblas"));
  EXPECT_FALSE(holds(html, "class=\"across\""));
  EXPECT_FALSE(holds(html, "Ratio across machines"));
}

TEST(AcrossMachines, RatiosComeOnlyWhenAskedForAndAreMarked) {
  Page page = page_of({small_run("Model 1", "", 1), small_run("Model 2", "GPU", 2)});
  const std::string without = render_html(page), markdown = render_markdown(page);
  EXPECT_FALSE(holds(without, "ratio across machines:"));
  page.across_machines = true;
  const std::string html = render_html(page);
  // square_512 on B's CPU takes twice A's time; its GPU is compared with A's CPU, for want of a
  // GPU.
  EXPECT_TRUE(holds(html, "<span class=\"across\">ratio across machines: 2"));
  EXPECT_TRUE(holds(html, " of A’s cpu time</span>"));
  EXPECT_FALSE(holds(html, "of A’s gpu time"));
  EXPECT_EQ(occurrences(html, "’s cpu time</span>"),
            4u);  // one each of B: 512, 512 gpu, 1024, stream
  // Nothing but that section is another one: no answer, mean or claim.
  const auto cut_out = [](std::string text) {
    const std::size_t begin = text.find("<section id=\"machines\">");
    return text.erase(begin, text.find("</section>", begin) - begin);
  };
  EXPECT_EQ(cut_out(html), cut_out(without));
  EXPECT_EQ(render_markdown(page), markdown);
}

TEST(AcrossMachines, AnotherRunOfTheFirstMachineHasNoRatioAcrossMachines) {
  Page page = page_of(
      {small_run("Model 1", "", 1), small_run("Model 1", "", 2), small_run("Model 2", "", 1)});
  page.across_machines = true;
  const std::string html = machines_html(page);
  EXPECT_EQ(occurrences(html, "the machine of A, another run"), 3u);
  EXPECT_EQ(occurrences(html, "ratio across machines: "), 3u);  // of C alone
}

TEST(AcrossMachines, NoOtherPromiseAndNoOtherWork) {
  const auto only = [](const std::string& rest, double flops) {
    SyntheticRun run = small_run("Model 2", "", 1);
    std::erase_if(run.cases, [](const SyntheticCase& c) { return !holds(c.name, "square_512"); });
    run.cases.front().name = "matmul/square_512/" + rest;
    run.cases.front().counters["flops"] = flops;
    return run;
  };
  const double flops = 2.0 * 512 * 512 * 512;
  const auto shown = [&](const SyntheticRun& other) {
    return holds(machines_html(page_of({small_run("Model 1", "", 1), other})), "<table");
  };
  EXPECT_TRUE(shown(only("cpu/onednn/f32", flops)));
  EXPECT_FALSE(shown(only("cpu/onednn/f32", 2 * flops)));
  EXPECT_FALSE(shown(only("cpu/onednn_packed/f32", flops)));
  EXPECT_FALSE(shown(only("cpu/naive/f32", flops)));
  EXPECT_FALSE(shown(only("gpu/handwritten_pipeline/f32", flops)));
}

TEST(AcrossMachines, UnverifiedRowsAndOneMachineHaveNone) {
  SyntheticRun wrong = small_run("Model 2", "", 1);
  for (SyntheticCase& c : wrong.cases) c.counters["error"] = 5;
  Page page = page_of({small_run("Model 1", "", 1), wrong});
  page.across_machines = true;
  EXPECT_TRUE(holds(machines_html(page), "no workload has verified rows"));
  page = page_of({small_run("Model 1", "", 1), small_run("Model 1", "", 1)});
  EXPECT_FALSE(holds(machines_html(page), "<table"));
  page = page_of({small_run("Model 1", "", 1)});
  EXPECT_TRUE(holds(machines_html(page), "of one machine"));
}

}  // namespace
}  // namespace breakeven
