// Section 7 from invented rows: no number here was ever measured.
#include "reports/training.h"

#include <gtest/gtest.h>

#include "reports/html.h"
#include "reports/html_parts.h"
#include "reports/synthetic.h"

namespace breakeven {
namespace {

Run run_of(const SyntheticRun& synthetic) {
  return make_run(parse_results(synthetic.text(), "synthetic.json"), "");
}

Page page_of(const SyntheticRun& synthetic) {
  Page page;
  page.runs.push_back(run_of(synthetic));
  page.charts = make_charts(page.runs);
  return page;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const TrainingRow& row_of(const std::vector<TrainingRow>& rows, const std::string& shape,
                          const std::string& way) {
  for (const TrainingRow& row : rows) {
    if (row.name.shape == shape && way_text(row.name) == way) return row;
  }
  throw std::runtime_error("no row " + shape + " " + way);
}

TEST(TrainingRows, GatherAStepsParts) {
  const auto run = run_of(synthetic_training_run());
  const std::vector<TrainingRow> rows = training_rows(run);
  ASSERT_EQ(rows.size(), 5u);
  const TrainingRow& row = row_of(rows, "b128", "onednn, f32, cpu");
  EXPECT_EQ(row.model, "mlp");
  EXPECT_NEAR(row.step->seconds->value, 8e-3, 1e-9);
  EXPECT_NEAR(row.forward->seconds->value, 2e-3, 1e-9);
  EXPECT_NEAR(row.backward->seconds->value, 5e-3, 1e-9);
  EXPECT_NEAR(row.update->seconds->value, 1e-3, 1e-9);
  EXPECT_NEAR(row.step_to_inference()->value, 8, 1e-9);
  EXPECT_NEAR(*items_per_second(*row.step), 128 / 8e-3, 1e-3);
  EXPECT_FALSE(items_per_second(*row.update));
  EXPECT_FALSE(TrainingRow().step_to_inference());
}

TEST(TrainingRows, LeaveOutWhatFailed) {
  SyntheticRun synthetic = synthetic_training_run();
  for (SyntheticCase& c : synthetic.cases) {
    if (c.name == "training_backward_mlp/b128/cpu/onednn/f32") c.failure = "wrong";
  }
  const auto run = run_of(synthetic);
  const std::vector<TrainingRow> rows = training_rows(run);
  EXPECT_EQ(row_of(rows, "b128", "onednn, f32, cpu").backward, nullptr);
}

TEST(Ablations, CompareEachStageWithTheFirst) {
  SyntheticRun synthetic = synthetic_training_run();
  auto run = run_of(synthetic);
  std::vector<Ablation> all = ablations(training_rows(run));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].implementation, "onednn");
  EXPECT_EQ(all[0].shape, "b128");
  ASSERT_EQ(all[0].stages.size(), 3u);
  EXPECT_FALSE(all[0].stages[0].of_first);
  EXPECT_EQ(all[0].stages[1].name, "fused");
  EXPECT_NEAR(all[0].stages[1].of_first->value, 2, 1e-9);
  EXPECT_EQ(all[0].stages[2].name, "bf16");
  EXPECT_NEAR(all[0].stages[2].of_first->value, 4, 1e-9);
  EXPECT_FALSE(all[0].stages[0].of_previous);
  EXPECT_NEAR(all[0].stages[2].of_previous->value, 2, 1e-9);

  add_synthetic_step(synthetic, "gpu/handwritten_unfused/f32", 1);
  add_synthetic_step(synthetic, "gpu/handwritten/bf16", 0.25);
  add_synthetic_step(synthetic, "gpu/handwritten/f32/launch:graph",
                     0.2);  // has no bf16: not the last stage
  add_synthetic_step(synthetic, "gpu/handwritten/bf16/launch:graph", 0.1);
  run = run_of(synthetic);
  all = ablations(training_rows(run));
  ASSERT_EQ(all.size(), 2u);
  const Ablation& gpu = all[0].device == "gpu" ? all[0] : all[1];
  ASSERT_EQ(gpu.stages.size(), 3u);  // f32 fused was not measured
  EXPECT_EQ(gpu.stages[2].name, "graph");
  EXPECT_NEAR(gpu.stages[2].of_first->value, 10, 1e-9);
}

// A framework's rows at 4 ms: faster than our best f32 row's 8 ms.
SyntheticRun framework_run() {
  SyntheticRun synthetic = synthetic_training_run();
  add_synthetic_step(synthetic, "cpu/pytorch_eager/f32", 0.5);
  add_synthetic_step(synthetic, "cpu/pytorch_compiled/f32", 2);
  return synthetic;
}

TEST(Frameworks, StandBesideOurBest) {
  SyntheticRun synthetic = framework_run();
  add_synthetic_step(synthetic, "cpu/openblas/f32", 0.9);  // the best of ours
  add_synthetic_step(synthetic, "cpu/pytorch_eager/tf32", 1);
  for (SyntheticCase& c : synthetic.cases) {
    if (c.name == "training_step_mlp/b128/cpu/pytorch_compiled/f32") c.failure = "broke";
  }
  const auto run = run_of(synthetic);
  const std::vector<FrameworkRow> rows = framework_rows(run);
  ASSERT_EQ(rows.size(), 3u);
  const auto row_named = [&](const std::string& name) {
    for (const FrameworkRow& row : rows) {
      if (row.framework->name == "training_step_mlp/b128/cpu/" + name) return row;
    }
    throw std::runtime_error("no row " + name);
  };
  const FrameworkRow eager = row_named("pytorch_eager/f32");
  EXPECT_EQ(eager.model, "mlp");
  EXPECT_EQ(eager.ours->favourite().segments.implementation, "openblas");
  EXPECT_NEAR(eager.ratio->value, 4.0 / 7.2, 1e-9);
  const FrameworkRow compiled = row_named("pytorch_compiled/f32");
  EXPECT_TRUE(compiled.framework->failure);
  EXPECT_TRUE(compiled.ours);
  EXPECT_FALSE(compiled.ratio);
  EXPECT_FALSE(row_named("pytorch_eager/tf32").ours);
}

TEST(Frameworks, AnUnverifiedAnswerHasNoRatio) {
  for (const char* wrong : {"pytorch_eager", "onednn"}) {
    SyntheticRun synthetic;
    add_synthetic_step(synthetic, "cpu/onednn/f32", 1);
    add_synthetic_step(synthetic, "cpu/pytorch_eager/f32", 1);
    for (SyntheticCase& c : synthetic.cases) {
      if (c.name.find(wrong) != std::string::npos) c.counters["error"] = 5;
    }
    const auto run = run_of(synthetic);
    ASSERT_EQ(framework_rows(run).size(), 1u);
    EXPECT_FALSE(framework_rows(run)[0].ratio) << wrong;
  }
}

TEST(Frameworks, AreNeitherOursNorRivals) {
  SyntheticRun synthetic = framework_run();
  add_synthetic_step(synthetic, "gpu/handwritten/f32", 0.25);
  add_synthetic_step(synthetic, "gpu/pytorch_eager/f32", 0.1);
  const auto run = run_of(synthetic);
  for (const Pair& pair : run.pairs) {
    EXPECT_EQ(pair.cpu.favourite().segments.implementation, "onednn") << pair.op;
    EXPECT_EQ(pair.gpu.favourite().segments.implementation, "handwritten") << pair.op;
  }
  EXPECT_EQ(run.pairs.size(), 5u);
  for (const Headline& best : headlines(run)) EXPECT_FALSE(is_framework(*best.favourite));
  const Page page = page_of(synthetic);
  EXPECT_FALSE(holds(ladder_html(page), "pytorch"));
  EXPECT_FALSE(holds(heat_map_html(page), "pytorch"));
  EXPECT_FALSE(holds(speedup_html(page), "pytorch"));
  EXPECT_TRUE(holds(training_html(page), "Beside a framework"));
  EXPECT_FALSE(holds(training_html(page_of(synthetic_training_run())), "Beside a framework"));
}

TEST(Frameworks, AreReproducedByTheirOwnProgram) {
  SyntheticRun synthetic = framework_run();
  add_synthetic_step(synthetic, "gpu/pytorch_eager/f32", 1);
  const auto run = run_of(synthetic);
  for (const Case& c : run.cases) {
    const std::string command = reproduce_command(run, c);
    EXPECT_EQ(command.starts_with("tools/peers/pytorch --filter '^"), is_framework(c)) << command;
    EXPECT_EQ(command.ends_with(" --device gpu"), c.segments.device == "gpu") << command;
  }
}

TEST(BatchSeries, OfAModelIsItsSweepOverBatches) {
  SyntheticRun synthetic;
  for (const double batch : {64.0, 256.0}) {
    add_synthetic_step(synthetic, "cpu/onednn/f32", 1, batch);
    add_synthetic_step(synthetic, "gpu/handwritten/f32", batch == 64 ? 2 : 0.5, batch);
  }
  // The same batch at two lengths of a sequence is no sweep over batches.
  for (const char* sweep : {"gpt2_b4_t", "gpt2_b4_t1"}) {
    add_synthetic_step(synthetic, "cpu/onednn/f32", 1, 64, sweep);
    add_synthetic_step(synthetic, "gpu/handwritten/f32", 0.5, 64, sweep);
  }
  for (SyntheticCase& c : synthetic.cases) {
    if (holds(c.name, "gpt2_b4")) c.counters["n"] = 4;
  }
  auto run = run_of(synthetic);
  ASSERT_EQ(run.batch_series.size(), 5u);  // the step, its phases and inference
  for (const BatchSeries& series : run.batch_series) {
    EXPECT_EQ(series.name, "b");
    EXPECT_EQ(series.crossovers.resident->cpu_wins_to, 64);
    EXPECT_EQ(series.crossovers.resident->gpu_wins_from, 256);
  }
  EXPECT_TRUE(wins_text(run, run.answers.at(0), Transfers::resident)
                  .starts_with("from a batch between 64 and 256 (about "));
  EXPECT_EQ(wins_text(run, run.answers.at(0), Transfers::every_call),
            "not measured: no size of the model at two batches");
  std::erase_if(synthetic.cases, [](const auto& c) { return holds(c.name, "/b256/"); });
  run = run_of(synthetic);
  EXPECT_TRUE(run.batch_series.empty());
  EXPECT_EQ(wins_text(run, run.answers.at(0), Transfers::resident),
            "not measured: no size of the model at two batches");
}

TEST(Lead, HasWholeStepsOnly) {
  SyntheticRun synthetic = synthetic_training_run();
  for (const bool gpu : {false, true}) {
    if (gpu) add_synthetic_step(synthetic, "gpu/handwritten/f32", 0.25);
    Page page = page_of(synthetic);
    const std::string sentence = answer_sentence(page);
    EXPECT_TRUE(holds(sentence, gpu ? "training_step_mlp f32" : "in f32 (training_step_mlp "))
        << sentence;
    for (const char* op : {"training_forward", "training_backward", "inference", "convergence"}) {
      EXPECT_FALSE(holds(sentence, op)) << sentence;
    }
  }
}

TEST(TrainingCharts, SweepOverBatchesOnly) {
  SyntheticRun synthetic;
  for (const double length : {64.0, 1024.0}) {
    add_synthetic_step(synthetic, "cpu/onednn/f32", 1, length, "gpt2_b4_t");
  }
  for (SyntheticCase& c : synthetic.cases) c.counters["n"] = 4;
  EXPECT_TRUE(training_charts(run_of(synthetic)).empty());
  for (SyntheticCase& c : synthetic.cases) c.counters.erase("n");
  EXPECT_TRUE(training_charts(run_of(synthetic)).empty());
}

TEST(TrainingCharts, GiveEachWayAStyle) {
  SyntheticRun synthetic;
  for (const double batch : {64.0, 128.0}) {
    for (const char* way : {"f32", "tf32", "bf16", "bf16/launch:graph"}) {
      add_synthetic_step(synthetic, std::string("gpu/cublas_cudnn/") + way, 1, batch);
    }
  }
  const std::vector<Chart> charts = training_charts(run_of(synthetic));
  ASSERT_EQ(charts.size(), 1u);
  for (const char* style : {"s0", "s1", "s2", "s3"}) {
    EXPECT_TRUE(holds(charts[0].svg, style)) << style << charts[0].svg;
  }
}

TEST(Labels, GiveTheirFacts) {
  const std::string label = "isa=amx; loss_curve=2.5,-1e-3; steps_to_target=7";
  EXPECT_EQ(label_fact(label, "isa"), "amx");
  EXPECT_EQ(label_fact(label, "steps_to_target"), "7");
  EXPECT_EQ(label_fact(label, "steps"), "");
  EXPECT_EQ(label_fact("", "isa"), "");
  EXPECT_EQ(parse_curve(label_fact(label, "loss_curve")), (std::vector<double>{2.5, -1e-3}));
  EXPECT_TRUE(parse_curve("").empty());
  for (const char* bad : {"1,,2", "1,x", "nan", "1,inf", "1 ,2", "1e999"}) {
    EXPECT_TRUE(parse_curve(bad).empty()) << bad;
  }
  EXPECT_EQ(sweep_name("tiny_b64"), "tiny_b");
  EXPECT_EQ(sweep_name("plain"), "plain");
}

TEST(TrainingHtml, ShowsPhasesRatesAblationAndConvergence) {
  const std::string html = training_html(page_of(synthetic_training_run()));
  // b128 on onednn f32: 768 MFLOP in 8 ms of a peak of 192 GFLOP/s.
  for (const char* text :
       {"8.000 ms", "2.000 ms", "5.000 ms", "1.000 ms", "16000 samples/s", "50.0 %",
        "Times as fast as unfused", "2.00x", "4.00x", "Time to target", ">210<", ">accuracy 0.97<",
        ">accuracy 0.975<", "1.500 after 3", "1.500 s", "&lt;b&gt;", "As the stage before",
        "failed: accuracy 0.9 after 420 steps | &lt;i&gt;"}) {
    EXPECT_TRUE(holds(html, text)) << text << "\n" << html;
  }
  EXPECT_FALSE(holds(html, "<b>"));
  EXPECT_TRUE(holds(html, "Training mlp by batch"));
  const std::string page = render_html(page_of(synthetic_training_run()));
  EXPECT_FALSE(holds(page, "id=\"throughput--training"));
  EXPECT_TRUE(holds(html, "Loss curves of mlp digits"));
}

TEST(TrainingHtml, SaysWhatIsMissing) {
  SyntheticRun synthetic = synthetic_training_run();
  synthetic.cases.resize(1);
  const std::string html = training_html(page_of(synthetic));
  EXPECT_TRUE(holds(html, "No step, phase or inference was measured."));
  EXPECT_FALSE(holds(html, "<figure"));
  EXPECT_FALSE(holds(html, "target"));

  // Two batches make no sweep where they belong to different ways.
  synthetic = synthetic_training_run();
  synthetic.cases.clear();
  add_synthetic_step(synthetic, "cpu/onednn/f32", 1, 8);
  add_synthetic_step(synthetic, "cpu/openblas/f32", 1, 16);
  EXPECT_FALSE(holds(training_html(page_of(synthetic)), "<figure"));
  add_synthetic_step(synthetic, "cpu/openblas/f32", 1, 32);
  EXPECT_TRUE(holds(training_html(page_of(synthetic)), "<figure"));
}

}  // namespace
}  // namespace breakeven
