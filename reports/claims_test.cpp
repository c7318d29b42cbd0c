#include "reports/claims.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "reports/claims_testing.h"
#include "reports/html_parts.h"

namespace breakeven {
namespace {

TEST(Claims, AreFifteenAndEachHasAMethod) {
  ASSERT_EQ(claims().size(), 15u);
  for (std::size_t i = 0; i < 15; ++i) {
    EXPECT_EQ(claims()[i].number, static_cast<int>(i) + 1);
    EXPECT_GT(claims()[i].method.size(), 40u);
    EXPECT_EQ(claims()[i].judge == nullptr, i == 14);
  }
}

TEST(Claims, OfACpuAloneNothingIsSaidOfGpus) {
  const auto run = run_of(synthetic_cpu_run());
  for (const Claim& claim : claims()) {
    if (claim.judge == nullptr || claim.number == 12) continue;
    const Judgement judgement = claim.judge({*run, {}});
    EXPECT_EQ(ruling_text(judgement), "not measured here") << claim.number;
    EXPECT_TRUE(judgement.sentence.starts_with("No GPU row (")) << judgement.sentence;
  }
  const Judged first = judged(1, synthetic_cpu_run());
  EXPECT_TRUE(first.says("no NVIDIA driver answers"));
  EXPECT_TRUE(first.says("Of the CPU alone: matmul bf16 reaches"));
  EXPECT_TRUE(judged(4, synthetic_cpu_run()).says("Of the CPU alone: times as fast as f32"));
  EXPECT_TRUE(judged(7, synthetic_training_run()).says("Of the CPU alone: mlp b128"));
}

TEST(Claims, OneRoundDecidesNothing) {
  SyntheticRun run = squares({{64, 0.5}, {512, 8}, {1024, 300}});
  run.rounds = 1;
  for (const int number : {1, 2, 3, 6}) {
    const Judged each = judged(number, run);
    EXPECT_EQ(each.ruling(), "not measured here") << number;
    EXPECT_TRUE(each.says("issing: ")) << number << ": " << each.judgement.sentence;
  }
}

TEST(Claims, FewRoundsDecideNothing) {
  SyntheticRun run = squares({{64, 2}, {512, 200}});
  run.rounds = 4;  // their interval covers 87.5 %
  EXPECT_EQ(judged(1, run).ruling(), "not measured here");
  EXPECT_EQ(judged(2, run).ruling(), "not measured here");
  run.rounds = 5;
  EXPECT_EQ(judged(1, run).ruling(), "holds");
  EXPECT_EQ(judged(2, run).ruling(), "holds");
}

TEST(Claims, WhatIsNotVerifiedDecidesNothing) {
  SyntheticRun run = squares({{512, 8}, {1024, 300}});
  for (SyntheticCase& c : run.cases) {
    if (c.name.find("/gpu/") != std::string::npos) c.counters["error"] = 1;
  }
  for (const int number : {1, 2, 3, 6}) {
    EXPECT_EQ(judged(number, run).ruling(), "not measured here") << number;
  }
}

TEST(Claims, TheNaiveLoopAloneSupportsNothing) {
  SyntheticRun run;
  run.cases = {square(512, "cpu/naive/f32", 1), square(512, "gpu/cublas/f32", 1000),
               square(1024, "cpu/naive/f32", 1), square(1024, "gpu/cublas/f32", 1000)};
  for (const int number : {1, 2, 3}) {
    EXPECT_EQ(judged(number, run).ruling(), "not measured here") << number;
  }
}

TEST(Matmul, HoldsFromHoldsOrNot) {
  EXPECT_EQ(judged(1, squares({{64, 2}, {512, 8}})).ruling(), "holds");
  const Judged from = judged(1, squares({{64, 0.5}, {512, 8}, {1024, 9}}));
  EXPECT_EQ(from.ruling(), "holds from size 512 on");
  EXPECT_TRUE(from.says("2 of 3 for certain, 1 the other way"));
  EXPECT_TRUE(from.says("Highest: 9.0"));
  EXPECT_TRUE(from.names("matmul/square_1024/gpu/cublas/f32"));
  EXPECT_TRUE(from.names("matmul/square_64/cpu/openblas/f32"));
  EXPECT_EQ(judged(1, squares({{64, 0.5}, {512, 0.9}})).ruling(), "does not hold here");
  EXPECT_EQ(judged(1, squares({{64, 0.5}, {512, 8}, {1024, 0.9}})).ruling(), "does not hold here");
  // A size that can't tell is no part of "from … on".
  EXPECT_EQ(judged(1, squares({{64, 0.5}, {128, 2}, {256, 1}, {512, 8}})).ruling(),
            "holds from size 512 on");
  EXPECT_EQ(judged(1, squares({{64, 1}, {128, 1}, {256, 1}})).ruling(), "not measured here");
}

TEST(Matmul, APrecisionIsHeldAgainstItselfOnly) {
  SyntheticRun run;
  run.cases = {square(512, "cpu/openblas/f32", 100), square(512, "gpu/cublas/tf32", 9000)};
  EXPECT_EQ(judged(1, run).ruling(), "not measured here");
}

TEST(Hundredfold, TheStrongestCpuRowDecides) {
  EXPECT_EQ(judged(2, squares({{64, 5}, {512, 150}})).ruling(), "holds");
  SyntheticRun run = squares({{64, 5}, {512, 40}});
  run.cases.push_back(square(512, "cpu/naive/f32", 1));
  run.cases.push_back(square(512, "cpu/openblas/f32/threads:1", 55));
  const Judged weak = judged(2, run);
  EXPECT_EQ(weak.ruling(), "does not hold here");
  EXPECT_TRUE(weak.says("the strongest CPU row: 0 of 2; "));
  EXPECT_TRUE(weak.says("the naive loop, one thread (a strawman): 1 of 1; "));
  EXPECT_TRUE(weak.says("one tuned thread: 0 of 1; "));
  EXPECT_TRUE(weak.says("all cores, tuned: 0 of 2. The highest that counts is 40"));
  ASSERT_EQ(weak.judgement.table.size(), 5u);
  EXPECT_TRUE(weak.names("matmul/square_512/cpu/naive/f32"));
  // An interval that holds 100 can't tell, though its middle lies above.
  const Judged close = judged(2, squares({{512, 100.4}}));
  EXPECT_EQ(close.ruling(), "not measured here");
  EXPECT_GT(close.run->pairs.at(0).speedup.value, 100);
}

TEST(Hundredfold, QuartilesLieBetweenOrderStatistics) {
  SyntheticRun run = squares({{64, 2}, {128, 4}, {256, 6}, {512, 8}, {1024, 20}});
  run.noise = 0;
  const Judged spread = judged(2, run);
  const auto& line = spread.judgement.table.at(1);
  EXPECT_EQ(line.at(1), "5");
  EXPECT_EQ(line.at(3), "4.00x");
  EXPECT_EQ(line.at(4), "6.00x");
  EXPECT_EQ(line.at(5), "8.00x");
  EXPECT_EQ(line.at(7), "0 of 5");
}

TEST(Parallelism, NeedsASweepAndSaysHowThreadsScale) {
  SyntheticRun run = squares({{64, 0.5}, {512, 8}});
  run.cases.push_back(square(512, "cpu/openblas/f32/threads:1", 50));
  const Judged from = judged(3, run);
  EXPECT_EQ(from.ruling(), "holds from size 512 on");
  EXPECT_TRUE(from.says("from a size between 64 and 512"));
  EXPECT_TRUE(from.says("On the CPU 2 threads are 2.0"));
  EXPECT_EQ(judged(3, squares({{64, 8}})).ruling(), "not measured here");
  // Where the GPU wins at every size nothing ties the win to how much work there is at once.
  const Judged everywhere = judged(3, squares({{64, 3}, {512, 8}}));
  EXPECT_EQ(everywhere.ruling(), "not measured here");
  EXPECT_TRUE(everywhere.says("Missing: sizes so small that the CPU wins"));
  EXPECT_EQ(judged(3, squares({{64, 0.5}, {512, 0.6}})).ruling(), "does not hold here");
}

TEST(TensorCores, SpeedAndErrorOnTheGpu) {
  SyntheticRun run = squares({{512, 8}});
  run.cases.push_back(
      synthetic_matmul("square_512", 512, 512, 512, "gpu/cublas/tf32", 2400, 1e-4, 1e-3));
  const Judged faster = judged(4, run);
  EXPECT_EQ(faster.ruling(), "holds");
  EXPECT_TRUE(faster.says("tf32: 3.0"));
  EXPECT_TRUE(faster.says("error 1.0e-4"));
  EXPECT_TRUE(faster.says("no speedup"));
  row(run, "matmul/square_512/gpu/cublas/tf32").seconds *= 6;
  EXPECT_EQ(judged(4, run).ruling(), "does not hold here");
  row(run, "matmul/square_512/gpu/cublas/tf32").counters["error"] = 1;
  EXPECT_EQ(judged(4, run).ruling(), "not measured here");
}

// Seconds of a product by batch: a plateau from 64 on.
SyntheticRun batches(bool grows) {
  SyntheticRun run;
  run.noise = 0;
  for (const double m : {1.0, 16.0, 48.0, 64.0, 256.0}) {
    SyntheticCase c =
        synthetic_matmul(fmt::format("batch_sweep_{:.0f}", m), m, 4096, 4096, "gpu/cublas/f32", 1);
    c.seconds = grows ? std::max(1.0, m / 64) * 1e-3 : m * m * 1e-6;
    run.cases.push_back(c);
  }
  return run;
}

TEST(Batches, ThroughputGrowsUntilItIsSaturated) {
  const Judged grows = judged(5, batches(true));
  EXPECT_EQ(grows.ruling(), "holds");
  EXPECT_TRUE(grows.says("from batch 1 to 256 throughput grows 64.0x"));
  EXPECT_TRUE(grows.says("saturated at batch 64"));
  EXPECT_EQ(grows.judgement.table.at(1).at(4), "64");
  EXPECT_EQ(judged(5, batches(false)).ruling(), "does not hold here");
  // Squares are no batches, though their names end in m.
  EXPECT_EQ(judged(5, squares({{64, 2}, {512, 8}})).ruling(), "not measured here");
}

TEST(DataFlow, TransfersMatterOrNot) {
  const Judged matters = judged(6, squares({{64, 2}, {512, 8}}));
  EXPECT_EQ(matters.ruling(), "holds");
  EXPECT_TRUE(matters.says("2 of 2 pairs"));
  SyntheticRun cheap = squares({{64, 2}, {512, 8}});
  SyntheticRun none = cheap;
  for (SyntheticCase& c : cheap.cases) {
    if (!c.counters.contains("upload_seconds")) continue;
    c.counters["upload_seconds"] = c.counters["download_seconds"] = c.seconds / 100;
  }
  EXPECT_EQ(judged(6, cheap).ruling(), "does not hold here");
  SyntheticRun alone = squares({{64, 2}, {512, 8}});
  std::erase_if(alone.cases,
                [](const SyntheticCase& c) { return c.name.find("/cpu/") != std::string::npos; });
  const Judged gpu_only = judged(6, alone);
  EXPECT_EQ(gpu_only.ruling(), "holds");
  EXPECT_TRUE(gpu_only.says("2 of 2 GPU rows"));
  EXPECT_FALSE(gpu_only.says("winner"));
  for (SyntheticCase& c : none.cases) c.counters.erase("upload_seconds");
  EXPECT_EQ(judged(6, none).ruling(), "not measured here");
}

TEST(Cost, LowerFromSomeSizeOn) {
  SyntheticRun run = squares({{64, 0.5}, {512, 8}});
  for (SyntheticCase& c : run.cases) {
    const bool gpu = c.name.find("/gpu/") != std::string::npos;
    c.counters["energy_joules"] = (gpu ? 1 : c.name.find("_64/") != std::string::npos ? 0.5 : 9);
  }
  const Judged energy = judged(11, run);
  EXPECT_EQ(energy.ruling(), "not measured here");  // without prices half of the claim is open
  EXPECT_TRUE(energy.says("1 of 2 for certain, 1 the other way (holds from "));
}

TEST(Machines, NeedTwoGpus) {
  const auto two = [](const std::string& second_gpu, double factor) {
    std::vector<breakeven::Run> runs;
    SyntheticRun a = squares({{512, 8}});
    a.facts["gpu.name"] = "GPU one";
    SyntheticRun b = squares({{512, 8 * factor}});
    b.facts["gpu.name"] = second_gpu;
    runs.push_back(make_run(parse_results(a.text(), "a.json"), "A"));
    runs.push_back(make_run(parse_results(b.text(), "b.json"), "B"));
    return runs;
  };
  const auto ruling = [](const std::vector<breakeven::Run>& runs) {
    return ruling_text(judge_machines(runs));
  };
  EXPECT_EQ(ruling(two("GPU two", 2)), "holds");
  EXPECT_EQ(ruling(two("GPU two", 1)), "does not hold here");
  EXPECT_EQ(ruling(two("GPU one", 2)), "not measured here");  // one kind of GPU
}

TEST(ClaimsPage, GivesEveryRunItsVerdictWithRowsAndCommand) {
  Page page;
  page.runs.push_back(make_run(parse_results(synthetic_gpu_run().text(), "a.json"), "A"));
  page.runs.push_back(make_run(parse_results(synthetic_cpu_run().text(), "b.json"), "B"));
  const std::string html = claims_html(page);
  const std::size_t start = html.find("<li id=\"claim-1\">");
  const std::string first = html.substr(start, html.find("<li id=\"claim-2\">") - start);
  EXPECT_NE(first.find("<strong class=\"v1\">holds from size 128 on</strong>"), std::string::npos);
  EXPECT_NE(first.find("<strong class=\"v0\">not measured here</strong>"), std::string::npos);
  const Case* row = nullptr;
  for (const Case& c : page.runs[0].cases) {
    if (c.name == "matmul/square_4096/gpu/cublas/f32") row = &c;
  }
  ASSERT_NE(row, nullptr);
  EXPECT_NE(first.find(fmt::format("<a href=\"#{}\" title=\"{}\">", case_id(page.runs[0], *row),
                                   row->name)),
            std::string::npos);
  EXPECT_NE(first.find("breakeven run --suite quick --filter"), std::string::npos);
  EXPECT_NE(first.find(std::string(claims()[0].method.substr(0, 40))), std::string::npos);
}

}  // namespace
}  // namespace breakeven
