// Sums over a network's layers: what is in them, what is not, and what may be compared.
#include <gtest/gtest.h>

#include <cmath>

#include "reports/html.h"
#include "reports/html_parts.h"
#include "reports/markdown.h"
#include "reports/synthetic.h"
#include "reports/words.h"

namespace breakeven {
namespace {

// A network of six layers: a stem, four blocks and a head. One image takes the stem 1 ms, a block
// 10 ms and the head 100 ms.
SyntheticRun network_run(const std::vector<std::string>& rests, const std::vector<int>& batches,
                         double factor = 1) {
  SyntheticRun run;
  run.noise = 0;
  run.facts = {{"network.net", "stem*1 block*4 head*1"}, {"cpu.model", "Synthetic CPU"}};
  for (const std::string& rest : rests) {
    for (const int batch : batches) {
      const double unit = factor * 1e-3 * batch;
      run.cases.push_back(synthetic_layer("net", "stem", 1, batch, rest, unit));
      run.cases.push_back(synthetic_layer("net", "block", 4, batch, rest, 10 * unit));
      run.cases.push_back(synthetic_layer("net", "head", 1, batch, rest, 100 * unit));
    }
  }
  return run;
}

Run run_of(const SyntheticRun& synthetic) {
  return make_run(parse_results(synthetic.text(), "synthetic.json"), "");
}

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

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Networks, ASumCountsEveryLayerAsOftenAsItOccurs) {
  const auto run = run_of(network_run({"cpu/onednn/f32"}, {1, 16}));
  ASSERT_EQ(run.networks.size(), 2u);
  const NetworkSum& sum = run.networks[0];
  EXPECT_EQ(sum.network, "net");
  EXPECT_EQ(sum.batch, 1);
  EXPECT_EQ(sum.covered, 6);
  EXPECT_EQ(sum.layers, 6);
  EXPECT_TRUE(sum.missing.empty());
  ASSERT_TRUE(sum.complete());
  EXPECT_NEAR(sum.total.seconds->value, 141e-3, 1e-12);
  EXPECT_EQ(sum.total.name, "conv2d_forward/net_n1/cpu/onednn/f32");
  EXPECT_EQ(sum.total.seconds->samples, 6u);
  EXPECT_EQ(*sum.total.counter("flops"), 6e9);
  EXPECT_TRUE(sum.total.verified());
  EXPECT_NEAR(run.networks[1].total.seconds->value, 16 * 141e-3, 1e-12);
}

TEST(Networks, TheIntervalIsThatOfTheSumsOfRounds) {
  SyntheticRun synthetic = network_run({"cpu/onednn/f32"}, {1});
  synthetic.noise = 0.1;
  synthetic.rounds = 9;
  const auto run = run_of(synthetic);
  std::vector<double> sums(9, 0.0);
  for (const Case& c : run.cases) {
    for (const Round& round : c.rounds) {
      sums[static_cast<std::size_t>(round.number)] += *c.counter("times") * round.median_seconds;
    }
  }
  const Estimate expected = median_estimate(sums);
  const Estimate& seconds = *run.networks.at(0).total.seconds;
  EXPECT_NEAR(seconds.value, expected.value, 1e-15);
  EXPECT_NEAR(seconds.interval.low, expected.interval.low, 1e-15);
  EXPECT_NEAR(seconds.interval.high, expected.interval.high, 1e-15);
  EXPECT_EQ(seconds.interval.coverage, expected.interval.coverage);
}

// Cases end after different numbers of rounds: only the rounds of all of them have a sum.
TEST(Networks, OnlyRoundsThatEveryLayerHasAreSummed) {
  Results results = parse_results(network_run({"cpu/onednn/f32"}, {1}).text(), "synthetic.json");
  std::erase_if(results.rows,
                [](const Row& row) { return row.segments.shape == "block_n1" && *row.round >= 4; });
  const auto run = make_run(std::move(results), "");
  EXPECT_EQ(run.networks.at(0).total.seconds->samples, 4u);
}

TEST(Networks, WithoutACommonRoundThereIsNoSum) {
  Results results = parse_results(network_run({"cpu/onednn/f32"}, {1}).text(), "synthetic.json");
  std::erase_if(results.rows, [](const Row& row) {
    return (row.segments.shape == "block_n1") == (*row.round < 3);
  });
  const auto run = make_run(std::move(results), "");
  EXPECT_FALSE(run.networks.at(0).complete());
  EXPECT_TRUE(run.networks[0].no_round);
}

TEST(Networks, AMissingLayerIsNamedAndLeavesNoTime) {
  SyntheticRun synthetic = network_run({"cpu/onednn/f32"}, {1});
  synthetic.cases.erase(synthetic.cases.begin() + 1);
  const auto run = run_of(synthetic);
  const NetworkSum& sum = run.networks.at(0);
  EXPECT_FALSE(sum.complete());
  EXPECT_EQ(sum.covered, 2);
  EXPECT_EQ(sum.layers, 6);
  EXPECT_EQ(sum.missing, (std::vector<std::string>{"block"}));

  const Page page = page_of({synthetic});
  const std::string html = networks_html(page);
  EXPECT_TRUE(holds(html, "No sum is complete."));
  EXPECT_TRUE(holds(html, "1 incomplete sum: no time, no ratio"));
  EXPECT_TRUE(holds(html, "<td class=\"w\">2 of 6<td>block</tr>")) << html;
  EXPECT_TRUE(holds(render_markdown(page), "2 of 6 layers; missing: block"));
  const std::vector<std::string> missing = not_measured(page.runs[0]);
  EXPECT_TRUE(std::any_of(missing.begin(), missing.end(), [](const std::string& sentence) {
    return holds(sentence,
                 "1 sum of a network is incomplete and has no time: conv2d_forward of "
                 "net, n1, onednn f32 has 2 of 6 layers.");
  }));
}

TEST(Networks, FailedAndSkippedLayersAreSaidToBeThat) {
  SyntheticRun synthetic = network_run({"cpu/onednn/f32", "cpu/openblas/f32"}, {1});
  synthetic.cases[1].failure = "wrong answer";
  synthetic.cases[1].texts.clear();  // what an error row really knows
  synthetic.cases[1].counters.clear();
  synthetic.skipped.emplace_back(synthetic.cases[2].name, "too slow");
  synthetic.cases.erase(synthetic.cases.begin() + 2);
  const auto run = run_of(synthetic);
  ASSERT_EQ(run.networks.size(), 2u);
  const NetworkSum& sum = run.networks[0];
  EXPECT_EQ(sum.total.segments.implementation, "onednn");
  EXPECT_EQ(sum.missing, (std::vector<std::string>{"block (failed)", "head (skipped)"}));
  EXPECT_TRUE(run.networks[1].complete());
}

TEST(Networks, HowManyLayersThereAreIsNeverGuessed) {
  SyntheticRun synthetic = network_run({"cpu/onednn/f32"}, {1});
  for (const char* list : {"", "stem*1 block", "stem*0", "stem*x", "*"}) {
    synthetic.facts["network.net"] = list;
    const auto run = run_of(synthetic);
    EXPECT_FALSE(run.networks.at(0).complete()) << list;
    EXPECT_EQ(layers_text(run.networks[0]), "6 of an unknown number") << list;
    const std::vector<std::string> missing = not_measured(run);
    EXPECT_TRUE(std::any_of(missing.begin(), missing.end(), [](const std::string& sentence) {
      return holds(sentence, "onednn f32 has 6 of an unknown number of layers.");
    })) << list;
    EXPECT_TRUE(holds(render_markdown(page_of({synthetic})),
                      "6 of an unknown number of layers; missing: unknown, since"));
  }
  synthetic.facts["network.net"] = "stem*1 block*3 head*1";  // not what the rows say
  EXPECT_EQ(run_of(synthetic).networks.at(0).missing, (std::vector<std::string>{"block"}));
}

// Names are unique only per operation: a matmul's shape may be called as a convolution's.
TEST(Networks, ShapesOfTwoOperationsMayHaveOneName) {
  SyntheticRun synthetic;
  synthetic.facts = {{"network.neta", "xx*1 yy*2"}, {"network.netb", "xx_n1*3 yy_n1*1"}};
  for (const std::string rest : {"cpu/onednn/f32", "cpu/openblas/f32"}) {
    synthetic.cases.push_back(synthetic_layer("neta", "xx", 1, 1, rest, 1e-3));
    synthetic.cases.push_back(synthetic_layer("neta", "yy", 2, 1, rest, 1e-3));
    for (const std::string shape : {"xx_n1", "yy_n1"}) {
      SyntheticCase layer = synthetic_matmul(shape, 8, 8, 8, rest, 1);
      layer.counters["times"] = shape == "xx_n1" ? 3 : 1;
      layer.texts = {{"network", "netb"}, {"layer", shape}};
      synthetic.cases.push_back(layer);
    }
  }
  for (const std::size_t last : {7u, 5u}) {  // openblas has no yy of either network
    synthetic.skipped.emplace_back(synthetic.cases[last].name, "too slow");
    synthetic.cases.erase(synthetic.cases.begin() + static_cast<std::ptrdiff_t>(last));
  }
  SyntheticCase failed;
  failed.name = "conv2d_backward_data/yy_n1/cpu/onednn/f32";
  failed.failure = "wrong answer";
  synthetic.cases.push_back(failed);
  const auto run = run_of(synthetic);
  ASSERT_EQ(run.networks.size(), 5u);
  const auto sum_of = [&](const std::string& network, const std::string& op,
                          const std::string& implementation) {
    for (const NetworkSum& sum : run.networks) {
      const CaseName& name = sum.total.segments;
      if (sum.network == network && name.op == op && name.implementation == implementation) {
        return layers_text(sum) + (sum.missing.empty() ? "" : ", " + sum.missing.back());
      }
    }
    return std::string("none");
  };
  EXPECT_EQ(sum_of("neta", "conv2d_forward", "onednn"), "3 of 3");
  EXPECT_EQ(sum_of("neta", "conv2d_forward", "openblas"), "1 of 3, yy (skipped)");
  EXPECT_EQ(sum_of("neta", "conv2d_backward_data", "onednn"), "0 of 3, yy (failed)");
  EXPECT_EQ(sum_of("netb", "matmul", "onednn"), "4 of 4");
  EXPECT_EQ(sum_of("netb", "matmul", "openblas"), "3 of 4, yy_n1 (skipped)");
}

TEST(Networks, MarkdownNamesFiveMissingLayers) {
  SyntheticRun synthetic = network_run({"cpu/onednn/f32"}, {1});
  synthetic.facts["network.net"] = "stem*1 block*4 head*1 a*1 b*1 c*1 d*1 e*1";
  EXPECT_TRUE(holds(render_markdown(page_of({synthetic})), "missing: a, b, c, d, e\n"));
  synthetic.facts["network.net"] += " f*1 g*1";
  EXPECT_TRUE(holds(render_markdown(page_of({synthetic})), "missing: a, b, c, d, e and 2 more\n"));
  EXPECT_TRUE(holds(networks_html(page_of({synthetic})), "<td>a, b, c, d, e, f, g</tr>"));
}

TEST(Networks, ColdRowsAndOtherThreadCountsAreNoLayers) {
  SyntheticRun synthetic = network_run({"cpu/onednn/f32"}, {1});
  for (SyntheticCase& c : synthetic.cases) c.name += "/cache:cold";
  EXPECT_TRUE(run_of(synthetic).networks.empty());
}

TEST(Networks, CompleteSumsOfOneRunHaveARatio) {
  SyntheticRun synthetic = network_run({"cpu/onednn/f32", "gpu/cudnn/f32"}, {1, 16});
  for (SyntheticCase& c : synthetic.cases) {
    if (c.threads == 0) c.seconds = 20e-3;  // whatever the batch: the CPU wins at one image
  }
  // Twice as fast, but packed weights are compared with packed weights only.
  for (const SyntheticCase& c : network_run({"cpu/onednn_packed/f32"}, {1, 16}, 0.5).cases) {
    synthetic.cases.push_back(c);
  }
  const auto run = run_of(synthetic);
  ASSERT_EQ(run.network_pairs.size(), 2u);
  const auto ratio = [&](const std::string& shape) {
    for (const Pair& pair : run.network_pairs) {
      if (pair.shape == shape) return pair.speedup.value;
    }
    return 0.0;
  };
  EXPECT_NEAR(ratio("net_n1"), 141.0 / 120, 1e-9);
  EXPECT_NEAR(ratio("net_n16"), 16 * 141.0 / 120, 1e-9);
  EXPECT_TRUE(holds(networks_html(page_of({synthetic})), "1.18x (1.18–1.18)"));
}

TEST(Networks, IncompleteOrUncheckedSumsHaveNoRatio) {
  SyntheticRun synthetic = network_run({"cpu/onednn/f32", "gpu/cudnn/f32"}, {1});
  synthetic.cases[5].counters["error"] = 1;  // of the GPU's head
  EXPECT_TRUE(run_of(synthetic).network_pairs.empty());
  EXPECT_FALSE(run_of(synthetic).networks.at(1).total.verified());
  synthetic.cases.pop_back();
  EXPECT_TRUE(run_of(synthetic).network_pairs.empty());
  EXPECT_EQ(run_of(synthetic).pairs.size(), 2u);  // the layers keep theirs
}

// Two machines are shown side by side: neither completes the other's sum, and no ratio crosses.
TEST(Networks, MachinesAreNotMixed) {
  SyntheticRun cpu = network_run({"cpu/onednn/f32"}, {1});
  SyntheticRun gpu = network_run({"gpu/cudnn/f32"}, {1}, 0.1);
  SyntheticRun part = cpu;
  part.cases.pop_back();
  cpu.cases.erase(cpu.cases.begin());
  const Page page = page_of({cpu, gpu, part});
  for (const auto& run : page.runs) {
    EXPECT_TRUE(run.network_pairs.empty());
    EXPECT_EQ(run.networks.size(), 1u);
  }
  EXPECT_FALSE(page.runs[0].networks[0].complete());
  EXPECT_TRUE(page.runs[1].networks[0].complete());
  EXPECT_FALSE(page.runs[2].networks[0].complete());
  const std::string html = networks_html(page);
  EXPECT_TRUE(holds(html, "<tr><td>B: conv2d_forward of net, n1"));
  EXPECT_TRUE(holds(html, "2 incomplete sums"));
}

TEST(BatchSeries, TheCrossoverLiesBetweenTwoBatches) {
  SyntheticRun synthetic = network_run({"cpu/onednn/f32", "gpu/cudnn/f32"}, {1, 16});
  for (SyntheticCase& c : synthetic.cases) {
    if (c.threads == 0) c.seconds = 50e-3;
  }
  const auto run = run_of(synthetic);
  const auto series_of = [&](const std::string& name) {
    for (const BatchSeries& series : run.batch_series) {
      if (series.name == name) return series;
    }
    throw std::runtime_error("no series " + name);
  };
  EXPECT_EQ(run.batch_series.size(), 4u);  // three layers and their sum
  EXPECT_EQ(series_of("block").crossovers.resident->cpu_wins_to, 1);
  EXPECT_EQ(series_of("block").crossovers.resident->gpu_wins_from, 16);
  EXPECT_FALSE(series_of("stem").crossovers.resident->gpu_wins_from.has_value());
  EXPECT_EQ(series_of("head").crossovers.resident->gpu_wins_from, 1);
  EXPECT_TRUE(series_of("head").crossovers.every_call.has_value());
  EXPECT_FALSE(series_of("net").crossovers.every_call.has_value());
  EXPECT_TRUE(series_of("net").whole_network);
  EXPECT_EQ(wins_text(run, run.answers.at(0), Transfers::resident),
            "from some batch on in 2 of 3 layers");
  EXPECT_EQ(crossover_text(*series_of("stem").crossovers.resident, "batch"),
            "at no measured batch; the CPU wins up to 16");
}

TEST(Convolutions, AreSizedByTheirOperations) {
  const auto run = run_of(network_run({"cpu/onednn/f32"}, {1, 16}));
  for (const Case& c : run.cases) {
    EXPECT_TRUE(is_convolution(c));
    EXPECT_FALSE(is_square(c));
    EXPECT_EQ(case_size(c), *c.counter("flops"));
  }
  EXPECT_EQ(dimension_text(run.cases.front()), "n1 64x56x56 -> 128, 3x3, pad 1, stride 2x1");
  Case nchw;
  nchw.segments = run.cases.front().segments;
  nchw.segments.shape = "block_n1_nchw";
  nchw.counters = run.cases.front().counters;
  EXPECT_EQ(dimension_text(nchw), "n1 64x56x56 -> 128, 3x3, pad 1, stride 2x1, NCHW");
  const auto chart = throughput_chart(run, Styles({}), "conv2d_forward", "f32");
  ASSERT_TRUE(chart.has_value());
  EXPECT_TRUE(holds(chart->svg, "operations per call"));
  EXPECT_TRUE(holds(chart->svg, "Each marker is one shape"));
  EXPECT_TRUE(holds(chart->svg, "block_n16 (n16 64x56x56 -&gt; 128"));
  EXPECT_FALSE(holds(chart->svg, "m·n·k"));
}

TEST(Convolutions, TheLeadTellsTheForwardOnesAndTheirSum) {
  SyntheticRun synthetic = network_run({"cpu/onednn/f32"}, {1});
  SyntheticCase backward = synthetic.cases[0];
  backward.name = "conv2d_backward_data/stem_n1/cpu/onednn/f32";
  synthetic.cases.push_back(backward);
  const std::string lead = answer_sentence(page_of({synthetic}));
  EXPECT_TRUE(holds(lead, "in f32 (conv2d_forward "));
  EXPECT_FALSE(holds(lead, "backward"));
  EXPECT_TRUE(holds(lead,
                    "All convolutions of a network, forward, take: net_n1 f32 141.0 ms "
                    "(onednn)."))
      << lead;
}

TEST(Networks, NamesAreEscaped) {
  SyntheticRun synthetic = network_run({"cpu/<b>/f32"}, {1});
  for (SyntheticCase& c : synthetic.cases) c.texts["network"] = "<script>";
  synthetic.facts = {{"network.<script>", "stem*1 block*4 head*1 <i>*1"}};
  const std::string html = render_html(page_of({synthetic}));
  EXPECT_FALSE(holds(html, "<script>,"));
  EXPECT_FALSE(holds(html, "<i>"));
  EXPECT_FALSE(holds(html, "<b>"));
  EXPECT_TRUE(holds(html, "&lt;i&gt;"));
}

}  // namespace
}  // namespace breakeven
