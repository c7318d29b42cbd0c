// Section 7 from invented rows: no number here was ever measured.
#include "reports/training.h"

#include <gtest/gtest.h>

#include "reports/html.h"
#include "reports/html_parts.h"
#include "reports/synthetic.h"

namespace breakeven {
namespace {

SyntheticCase part(const std::string& op, const std::string& rest, double seconds, double flops,
                   double batch, const std::string& shape) {
  SyntheticCase c;
  c.name = op + "/" + shape + "/" + rest;
  c.seconds = seconds;
  c.counters = {{"flops", flops}, {"bytes", 1e6}, {"n", batch}, {"error", 1}, {"tolerance", 4}};
  if (op != "training_update_mlp") {
    c.counters["items"] = batch;
    c.texts["items_name"] = "samples";
  }
  return c;
}

// A step of 8 ms whose phases take 2, 5 and 1 ms, and inference of 1 ms.
void add_step(SyntheticRun& run, const std::string& rest, double factor, double batch = 128,
              const std::string& sweep = "b") {
  const std::string shape = sweep + std::to_string(static_cast<int>(batch));
  const double unit = factor * 1e-3 * batch / 128;
  const double flops = 1e6 * batch;
  run.cases.push_back(part("training_step_mlp", rest, 8 * unit, 6 * flops, batch, shape));
  run.cases.push_back(part("training_forward_mlp", rest, 2 * unit, 2 * flops, batch, shape));
  run.cases.push_back(part("training_backward_mlp", rest, 5 * unit, 4 * flops, batch, shape));
  run.cases.push_back(part("training_update_mlp", rest, unit, 0, batch, shape));
  run.cases.push_back(part("inference_mlp", rest, unit, 2 * flops, batch, shape));
}

SyntheticRun training_run() {
  SyntheticRun run;
  run.noise = 0;
  run.facts = {{"cpu.model", "Synthetic CPU"}};
  SyntheticCase peak = part("peak", "cpu/avx512/f32", 1e-3, 1.92e8, 1, "fma");
  run.cases = {peak};
  add_step(run, "cpu/onednn/f32", 1);
  add_step(run, "cpu/onednn_unfused/f32", 2);
  add_step(run, "cpu/onednn/bf16", 0.5);
  add_step(run, "cpu/onednn/f32", 1, 256);
  add_step(run, "cpu/openblas/f32", 3, 64);
  SyntheticCase converged = part("convergence_mlp", "cpu/onednn/f32", 1.5, 0, 64, "digits");
  converged.texts["label"] =
      "loss_curve=2.3026,2.1,1.5; metric=0.975; target=0.97; steps_to_target=210; threads=2";
  run.cases.push_back(converged);
  converged.name = "convergence_mlp/digits/cpu/openblas/f32";
  converged.texts["label"] = "loss_curve=2.3026,2.1x; metric=<b>";
  run.cases.push_back(converged);
  return run;
}

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
  const auto run = run_of(training_run());
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
  SyntheticRun synthetic = training_run();
  for (SyntheticCase& c : synthetic.cases) {
    if (c.name == "training_backward_mlp/b128/cpu/onednn/f32") c.failure = "wrong";
  }
  const auto run = run_of(synthetic);
  const std::vector<TrainingRow> rows = training_rows(run);
  EXPECT_EQ(row_of(rows, "b128", "onednn, f32, cpu").backward, nullptr);
}

TEST(Ablations, CompareEachStageWithTheFirst) {
  SyntheticRun synthetic = training_run();
  auto run = run_of(synthetic);
  std::vector<Ablation> all = ablations(training_rows(run));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].implementation, "onednn");
  EXPECT_EQ(all[0].shape, "b128");
  ASSERT_EQ(all[0].stages.size(), 3u);
  EXPECT_FALSE(all[0].stages[0].speedup);
  EXPECT_EQ(all[0].stages[1].name, "fused");
  EXPECT_NEAR(all[0].stages[1].speedup->value, 2, 1e-9);
  EXPECT_EQ(all[0].stages[2].name, "bf16");
  EXPECT_NEAR(all[0].stages[2].speedup->value, 4, 1e-9);

  add_step(synthetic, "gpu/handwritten_unfused/f32", 1);
  add_step(synthetic, "gpu/handwritten/bf16", 0.25);
  add_step(synthetic, "gpu/handwritten/f32/launch:graph", 0.2);  // has no bf16: not the last stage
  add_step(synthetic, "gpu/handwritten/bf16/launch:graph", 0.1);
  run = run_of(synthetic);
  all = ablations(training_rows(run));
  ASSERT_EQ(all.size(), 2u);
  const Ablation& gpu = all[0].device == "gpu" ? all[0] : all[1];
  ASSERT_EQ(gpu.stages.size(), 3u);  // f32 fused was not measured
  EXPECT_EQ(gpu.stages[2].name, "graph");
  EXPECT_NEAR(gpu.stages[2].speedup->value, 10, 1e-9);
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
  const std::string html = training_html(page_of(training_run()));
  // b128 on onednn f32: 768 MFLOP in 8 ms of a peak of 192 GFLOP/s.
  for (const char* text : {"8.000 ms", "2.000 ms", "5.000 ms", "1.000 ms", "16000 samples/s",
                           "50.0 %", "Times as fast as unfused", "2.00x", "4.00x", "Time to target",
                           ">210<", ">0.97<", ">0.975<", "1.500 after 3", "1.500 s", "&lt;b&gt;"}) {
    EXPECT_TRUE(holds(html, text)) << text << "\n" << html;
  }
  EXPECT_FALSE(holds(html, "<b>"));
  EXPECT_TRUE(holds(html, "Training mlp by batch"));
  const std::string page = render_html(page_of(training_run()));
  EXPECT_FALSE(holds(page, "id=\"throughput--training"));
  EXPECT_TRUE(holds(html, "Loss curves of mlp digits"));
}

TEST(TrainingHtml, SaysWhatIsMissing) {
  SyntheticRun synthetic = training_run();
  synthetic.cases.resize(1);
  const std::string html = training_html(page_of(synthetic));
  EXPECT_TRUE(holds(html, "Not shown: these files hold no training or inference row."));
  EXPECT_FALSE(holds(html, "<figure"));
  EXPECT_FALSE(holds(html, "target"));

  // Two batches make no sweep where they belong to different ways.
  synthetic = training_run();
  synthetic.cases.clear();
  add_step(synthetic, "cpu/onednn/f32", 1, 8);
  add_step(synthetic, "cpu/openblas/f32", 1, 16);
  EXPECT_FALSE(holds(training_html(page_of(synthetic)), "<figure"));
  add_step(synthetic, "cpu/openblas/f32", 1, 32);
  EXPECT_TRUE(holds(training_html(page_of(synthetic)), "<figure"));
}

}  // namespace
}  // namespace breakeven
