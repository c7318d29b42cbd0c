#include "reports/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "reports/synthetic.h"
#include "reports/words.h"

namespace breakeven {
namespace {

Run run_of(const SyntheticRun& synthetic) {
  return make_run(parse_results(synthetic.text(), "synthetic.json"), "");
}

const Case& case_of(const Run& run, const std::string& name) {
  for (const Case& c : run.cases) {
    if (c.name == name) return c;
  }
  throw std::runtime_error("no case " + name);
}

TEST(Aggregate, TheRoundsMedianIsTheUnit) {
  Results results;
  const auto add = [&](int round, int repetition, double seconds) {
    Row row;
    row.name = "matmul/s/cpu/i/f32";
    row.segments = split_case_name(row.name);
    row.round = round;
    row.repetition = repetition;
    row.seconds = seconds;
    row.counters["flops"] = 10;
    results.rows.push_back(row);
  };
  add(1, 0, 4);
  add(0, 2, 9);  // out of order: rows are sorted by round and repetition
  add(0, 0, 1);
  add(0, 1, 2);
  add(2, 0, 100);
  const std::vector<Case> cases = aggregate(results.rows, results.stopping);
  ASSERT_EQ(cases.size(), 1u);
  EXPECT_EQ(cases[0].rounds[0].seconds, (std::vector<double>{1, 2, 9}));
  EXPECT_EQ(cases[0].seconds->value, 4);  // median of 2, 4, 100
  EXPECT_EQ(cases[0].seconds->samples, 3u);
  EXPECT_EQ(*cases[0].flops_per_second(), 2.5);
  EXPECT_FALSE(cases[0].verified());  // no error counter
}

TEST(Aggregate, OneFailureTakesTheTimeAway) {
  SyntheticRun synthetic;
  synthetic.cases = {synthetic_matmul("s", 8, 8, 8, "cpu/i/f32", 1)};
  Results results = parse_results(synthetic.text(), "synthetic.json");
  results.rows[4].failure = "crashed";
  results.rows[4].seconds.reset();
  const std::vector<Case> cases = aggregate(results.rows, results.stopping);
  EXPECT_EQ(cases[0].failure, "crashed");
  EXPECT_FALSE(cases[0].seconds.has_value());
  EXPECT_TRUE(cases[0].rounds.empty());
  EXPECT_EQ(cases[0].counters.count("prepare_seconds"), 0u);
  EXPECT_EQ(cases[0].counters.count("error"), 1u);
}

TEST(Ceilings, SamePrecisionAndThreadsOnly) {
  const auto run = run_of(synthetic_cpu_run());
  const Case& two = case_of(run, "matmul/square_1024/cpu/openblas/f32");
  EXPECT_EQ(two.ceiling, "peak/fma/cpu/avx512/f32");
  const Case& peak = case_of(run, two.ceiling);
  EXPECT_NEAR(*two.share_of_ceiling, *two.flops_per_second() / *peak.flops_per_second(), 1e-12);
  EXPECT_EQ(case_of(run, "matmul/square_1024/cpu/openblas/f32/threads:1").ceiling,
            "peak/fma/cpu/avx512/f32/threads:1");
  EXPECT_EQ(case_of(run, "matmul/square_1024/cpu/onednn/bf16").ceiling, "peak/fma/cpu/amx/bf16");
}

TEST(Ceilings, SmallStreamsAreNoMemoryBandwidth) {
  const auto run = run_of(synthetic_cpu_run());
  ASSERT_EQ(run.memory.size(), 1u);
  EXPECT_EQ(run.memory[0].name, "stream/triad_67108864/cpu/openmp/f32");
  EXPECT_NEAR(run.memory[0].per_second / 1e9, 22, 0.5);
  EXPECT_GT(*case_of(run, "stream/copy_16384/cpu/openmp/f32").share_of_ceiling, 3);
}

TEST(Ceilings, MemoryNeedsFourTimesTheCache) {
  SyntheticRun synthetic;
  SyntheticCase row{"stream/copy/cpu/openmp/f32",
                    0.01,
                    {{"bytes", 128.0 * (1 << 20)}, {"error", 0}, {"tolerance", 0}},
                    2,
                    {}};
  synthetic.cases = {row};
  const auto sentence = [](const auto& run) { return not_measured(run).back(); };
  const auto unknown_cache = run_of(synthetic);  // 256 MiB are asked for
  EXPECT_TRUE(unknown_cache.memory.empty());
  EXPECT_NE(sentence(unknown_cache).find("memory ceiling is unknown"), std::string::npos);
  synthetic.facts["cpu.l3_bytes"] = std::to_string(32 << 20);
  EXPECT_EQ(run_of(synthetic).memory.size(), 1u);
  synthetic.facts["cpu.l3_bytes"] = std::to_string(33 << 20);
  EXPECT_TRUE(run_of(synthetic).memory.empty());
  synthetic.cases[0].name = "stream/copy/gpu/cuda/f32";
  synthetic.facts["gpu.l2_bytes"] = std::to_string(32 << 20);
  EXPECT_EQ(run_of(synthetic).memory.size(), 1u);
}

TEST(NotMeasured, NamesWhatTheBudgetDidNotReach) {
  SyntheticRun synthetic;
  synthetic.cases = {synthetic_matmul("s", 8, 8, 8, "cpu/i/f32", 1)};
  Results results = parse_results(synthetic.text(), "synthetic.json");
  results.stopping = {{"matmul/s/cpu/i/f32", 1, "budget", {}},
                      {"matmul/t/cpu/i/f32", 0, "budget", {}}};
  const std::vector<std::string> sentences = not_measured(make_run(std::move(results), ""));
  EXPECT_EQ(std::count(sentences.begin(), sentences.end(),
                       "1 case was not reached within the time limit (--budget): "
                       "matmul/t/cpu/i/f32."),
            1);
}

Case timed(const std::string& name, const std::vector<double>& rounds) {
  Case c;
  c.name = name;
  c.segments = split_case_name(name);
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    Round round;
    round.number = static_cast<int>(i);
    round.seconds = {rounds[i]};
    round.median_seconds = rounds[i];
    c.rounds.push_back(round);
  }
  c.seconds = median_estimate(rounds);
  return c;
}

// Implementation a is better in truth; b is lucky once. Taking each round's minimum would report
// 1, 1, 0.5; chosen on the other rounds, the lucky one is never taken.
TEST(BestByOtherRounds, DoesNotRewardLuck) {
  const Case a = timed("matmul/s/cpu/a/f32", {1, 1, 1});
  const Case b = timed("matmul/s/cpu/b/f32", {2, 2, 0.5});
  const Best best = best_by_other_rounds({&a, &b});
  EXPECT_EQ(best.seconds, (RoundValues{{0, 1.0}, {1, 1.0}, {2, 1.0}}));
  EXPECT_EQ(&best.favourite(), &a);
  EXPECT_EQ(best.chosen.at(&a), 3);
  EXPECT_FALSE(best.chosen_on_reported_rounds);
}

TEST(BestByOtherRounds, SaysWhenThereIsOneRoundOnly) {
  const Case a = timed("matmul/s/cpu/a/f32", {1});
  const Case b = timed("matmul/s/cpu/b/f32", {2});
  const Best best = best_by_other_rounds({&a, &b});
  EXPECT_TRUE(best.chosen_on_reported_rounds);
  EXPECT_EQ(&best.favourite(), &a);
}

Estimate sure(double ratio) { return {ratio, {ratio * 0.9, ratio * 1.1, 0.95}, 6}; }

TEST(Crossover, LiesBetweenSureLossAndSureWin) {
  const Crossover c = find_crossover(
      {{64, sure(0.25)}, {128, sure(0.5)}, {256, sure(1.05)}, {512, sure(4)}, {1024, sure(8)}});
  EXPECT_EQ(c.cpu_wins_to, 128);
  EXPECT_EQ(c.gpu_wins_from, 512);
  // Log-log between (128, 0.5) and (256, 1.05).
  EXPECT_NEAR(*c.interpolated, 128 * std::exp(std::log(2.0) * std::log(2.0) / std::log(2.1)), 1e-9);
}

TEST(Crossover, OneSided) {
  const Crossover always = find_crossover({{64, sure(2)}, {128, sure(3)}});
  EXPECT_FALSE(always.cpu_wins_to.has_value());
  EXPECT_EQ(always.gpu_wins_from, 64);
  const Crossover never = find_crossover({{64, sure(0.2)}, {128, sure(0.3)}});
  EXPECT_EQ(never.cpu_wins_to, 128);
  EXPECT_FALSE(never.gpu_wins_from.has_value());
  // A win in the middle is none where the CPU wins again later.
  const Crossover lost = find_crossover({{64, sure(2)}, {128, sure(0.5)}, {256, sure(1.0)}});
  EXPECT_FALSE(lost.gpu_wins_from.has_value());
}

TEST(Pairs, CompareOneMachineOnePrecisionOneMode) {
  const auto run = run_of(synthetic_gpu_run());
  ASSERT_FALSE(run.pairs.empty());
  for (const Pair& pair : run.pairs) {
    EXPECT_EQ(pair.precision, "f32") << pair.shape;  // no CPU row is tf32
    EXPECT_NE(pair.cpu.favourite().segments.implementation, "onednn_packed");
    EXPECT_NE(pair.cpu.favourite().segments.implementation, "naive");
    EXPECT_EQ(pair.mode, "");
  }
  EXPECT_EQ(run.unpaired.size(), 7u);
  EXPECT_NE(run.unpaired[0].second.find("no CPU row of this precision"), std::string::npos);
}

TEST(Pairs, TheNaiveLoopAloneEntersNoAnswer) {
  SyntheticRun synthetic;
  synthetic.cases = {synthetic_matmul("square_64", 64, 64, 64, "cpu/naive/f32", 1),
                     synthetic_matmul("square_64", 64, 64, 64, "gpu/cublas/f32", 500)};
  Page page;
  page.runs.push_back(run_of(synthetic));
  ASSERT_EQ(page.runs[0].pairs.size(), 1u);
  EXPECT_FALSE(page.runs[0].pairs[0].rival);
  EXPECT_TRUE(page.runs[0].answers.empty());
  EXPECT_NE(answer_sentence(page).find("no GPU row has a verified, tuned CPU row"),
            std::string::npos)
      << answer_sentence(page);
  synthetic.cases.push_back(synthetic_matmul("square_512", 512, 512, 512, "cpu/openblas/f32", 100));
  synthetic.cases.push_back(synthetic_matmul("square_512", 512, 512, 512, "gpu/cublas/f32", 800));
  const auto beside = run_of(synthetic);
  EXPECT_EQ(beside.pairs.size(), 2u);
  EXPECT_NEAR(beside.answers.at(0).geometric_mean->value, 8, 0.2);
  EXPECT_EQ(beside.answers.at(0).pairs.size(), 1u);
}

TEST(Pairs, TransfersInsideAreComparedWithNoResidentRow) {
  SyntheticRun synthetic;
  synthetic.cases = {synthetic_matmul("square_64", 64, 64, 64, "cpu/openblas/f32", 100),
                     synthetic_matmul("square_64", 64, 64, 64, "gpu/handwritten_pipeline/f32", 50)};
  EXPECT_TRUE(run_of(synthetic).pairs.empty());
}

TEST(Headlines, AndCeilingsAreOfCheckedRows) {
  SyntheticRun synthetic;
  SyntheticCase peak{"peak/fma/cpu/avx512/f32", 0.01, {{"flops", 1e9}}, 2, {}};
  synthetic.cases = {synthetic_matmul("square_64", 64, 64, 64, "cpu/openblas/f32", 100),
                     synthetic_matmul("square_64", 64, 64, 64, "cpu/onednn/f32", 900, 1, 1e-5),
                     peak};
  const auto run = run_of(synthetic);
  ASSERT_EQ(headlines(run).size(), 1u);
  EXPECT_EQ(headlines(run)[0].favourite->segments.implementation, "openblas");
  EXPECT_TRUE(run.compute.empty());
  synthetic.cases[2].counters.insert({{"error", 0}, {"tolerance", 0}});
  EXPECT_EQ(run_of(synthetic).compute.size(), 1u);
}

// Without noise every figure follows from the synthetic times by hand.
TEST(Pairs, RatiosEqualHandComputation) {
  SyntheticRun synthetic;
  synthetic.noise = 0;
  synthetic.cases = {
      synthetic_matmul("square_64", 64, 64, 64, "cpu/openblas/f32", 100),
      synthetic_matmul("square_64", 64, 64, 64, "cpu/onednn/f32", 80),
      synthetic_matmul("square_64", 64, 64, 64, "cpu/naive/f32", 2),
      synthetic_matmul("square_64", 64, 64, 64, "gpu/cublas/f32", 50),
      synthetic_matmul("square_512", 512, 512, 512, "cpu/openblas/f32", 100),
      synthetic_matmul("square_512", 512, 512, 512, "gpu/cublas/f32", 3200),
  };
  const auto run = run_of(synthetic);
  ASSERT_EQ(run.pairs.size(), 2u);
  const Answer& answer = run.answers.at(0);
  EXPECT_NEAR(answer.geometric_mean->value, 4, 1e-9);  // sqrt(0.5 * 32)
  EXPECT_NEAR(answer.worst->speedup.value, 0.5, 1e-9);
  EXPECT_NEAR(answer.best->speedup.value, 32, 1e-9);
  EXPECT_NEAR(answer.worst->naive->speedup.value, 25, 1e-9);
  EXPECT_FALSE(answer.best->naive.has_value());
  EXPECT_EQ(answer.crossovers.resident->cpu_wins_to, 64);
  EXPECT_EQ(answer.crossovers.resident->gpu_wins_from, 512);
  // 0.5 -> 32 over a factor of 8 in size: 1 lies a sixth of the way.
  EXPECT_NEAR(*answer.crossovers.resident->interpolated, 64 * std::pow(8, 1.0 / 6), 1e-6);

  const double cpu = 2.0 * 512 * 512 * 512 / 100e9;
  const double gpu = cpu / 32;
  const double bytes = 12.0 * 512 * 512;
  const double transfers = 2e-5 + bytes / 25e9;
  EXPECT_NEAR(answer.best->every_call->value, cpu / (gpu + transfers), 1e-6);
  EXPECT_NEAR(answer.best->once->value, cpu / (gpu + transfers / kOnceCalls), 1e-6);
  EXPECT_EQ(answer.crossovers.once->gpu_wins_from, 512);
  EXPECT_EQ(*answer.best->breakeven_calls, std::ceil(transfers / (cpu - gpu)));
  EXPECT_FALSE(answer.worst->breakeven_calls.has_value());
}

TEST(Pairs, UnverifiedRowsEnterNoRatio) {
  SyntheticRun synthetic;
  synthetic.cases = {synthetic_matmul("s", 64, 64, 64, "cpu/openblas/f32", 100),
                     synthetic_matmul("s", 64, 64, 64, "gpu/cublas/f32", 500, 0.5, 0.1)};
  const auto run = run_of(synthetic);
  EXPECT_TRUE(run.pairs.empty());
  ASSERT_EQ(run.unpaired.size(), 1u);
  EXPECT_EQ(run.unpaired[0].second, "its answer was not verified");
}

TEST(Words, AWinInTheMiddleOfTheSweepIsSaid) {
  EXPECT_EQ(crossover_text(find_crossover({{512, sure(2)}, {2048, sure(2)}, {4096, sure(1)}})),
            "at 512–2048; can't tell at 4096");
  EXPECT_EQ(
      crossover_text(find_crossover(
          {{64, sure(0.5)}, {512, sure(2)}, {1024, sure(1)}, {2048, sure(2)}, {4096, sure(0.5)}})),
      "at 512, 2048; can't tell at 1024; the CPU wins at 64, 4096");
  EXPECT_EQ(crossover_text(find_crossover({{64, sure(2)}, {512, sure(0.5)}, {2048, sure(2)}})),
            "at 64, 2048; the CPU wins at 512");
  EXPECT_EQ(crossover_text(find_crossover({{64, sure(0.5)}, {128, sure(1)}})),
            "at no measured size; the CPU wins up to 64");
}

TEST(Words, RatiosAroundOneAreUndecided) {
  EXPECT_EQ(ratio_text({1.02, {0.98, 1.07, 0.95}, 6}), "can't tell (0.980–1.07)");
  EXPECT_EQ(ratio_text({2, {1.9, 2.1, 0.95}, 6}), "2.00x (1.90–2.10)");
  EXPECT_EQ(ratio_text({2, {2, 2, 0}, 1}), "2.00x (no interval: one round)");
}

TEST(Words, WithoutAGpuTheAnswerSaysSoAndWhy) {
  Page page;
  page.runs.push_back(run_of(synthetic_cpu_run()));
  const std::string answer = answer_sentence(page);
  EXPECT_EQ(answer.find("No speedup was measured here (cuda, cublas: no NVIDIA driver answers)."),
            0u)
      << answer;
  EXPECT_NE(answer.find("of measured peak"), std::string::npos);
  EXPECT_EQ(answer.find("Geometric"), std::string::npos);
}

TEST(Words, TheReproducingCommandIsQuoted) {
  auto run = run_of(synthetic_cpu_run());
  Case c;
  c.name = "matmul/a.b/cpu/it's/f32";
  EXPECT_EQ(reproduce_command(run, c),
            R"(breakeven run --suite quick --filter '^matmul/a\.b/cpu/it'\''s/f32$')");
  run.results.command = R"(breakeven run --shapes '/a b/it'\''s.json' --threads 3 --rounds 2)";
  EXPECT_TRUE(reproduce_command(run, c).ends_with(
      R"(f32$' --shapes '/a b/it'\''s.json' --threads 3 --rounds 2)"))
      << reproduce_command(run, c);
  run.results.schema = 0;
  EXPECT_EQ(reproduce_command(run, case_of(run, "matmul/square_64/cpu/naive/f32")),
            "--benchmark_filter='^matmul/square_64/cpu/naive/f32$'");
}

}  // namespace
}  // namespace breakeven
