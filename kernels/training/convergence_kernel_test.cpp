#include "kernels/training/convergence_kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "kernels/training/naive.h"

namespace breakeven::training {

void reference(Registry& registry);

namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

const Mlp kMlp = {.batch = 16, .widths = {64, 24, 10}};
const Lenet kLenet = {.batch = 8, .side = kDigitSide};
const Gpt kGpt = {.batch = 2, .steps = 12, .layers = 1, .width = 16, .heads = 2};
const Target kTarget = {.steps = 80, .evaluate_every = 20, .margin = 0.1, .reached = {0.5}};

std::shared_ptr<const Dataset> small_text() {
  std::string text;
  while (text.size() < 100'000) text += "the quick brown fox jumps over the lazy dog. ";
  return text_dataset(kGpt, text, 4);
}

// What a test plants in a program.
enum class Fault { none, no_advance, no_restart, step_stays };

// A program over the interpreter: what ConvergenceKernel asks of one, without a backend's code.
class InterpreterProgram final : public Program {
 public:
  InterpreterProgram(const Graph& graph, Precision precision, Fault fault)
      : graph_(graph), precision_(precision), fault_(fault), interpreter_(graph) {}

  void write(TensorId id, std::span<const std::byte> values) override {
    const Tensor& tensor = graph_.tensor(id);
    const ElementType type = stored_type(tensor, precision_);
    ASSERT_EQ(values.size(), static_cast<std::size_t>(tensor.elements()) * element_bytes(type));
    const bool state = tensor.kind == TensorKind::state;
    if (state && fault_ == Fault::no_restart && interpreter_.step() > 1) return;
    std::vector<double> wide(static_cast<std::size_t>(tensor.elements()));
    for (std::size_t i = 0; i < wide.size(); ++i) wide[i] = load_element(type, values.data(), i);
    interpreter_.set(id, std::move(wide));
  }
  std::vector<float> read(TensorId id) override {
    const std::vector<double>& values = interpreter_.value(id);
    return {values.begin(), values.end()};
  }
  void run() override { interpreter_.run(); }
  void run(Phase) override { throw std::logic_error("a training loop runs whole steps"); }
  void poison(Phase) override {}
  void advance() override {
    if (fault_ == Fault::no_advance) return;
    interpreter_.advance();
    if (fault_ == Fault::step_stays) interpreter_.set_step(1);
  }
  void set_step(std::int64_t step) override {
    if (fault_ != Fault::no_restart) interpreter_.set_step(step);
  }
  Facts facts() const override { return {{"program", "interpreter"}}; }

 private:
  const Graph& graph_;
  Precision precision_;
  Fault fault_;
  Interpreter interpreter_;
};

MakeProgram interpreter_with(Fault fault) {
  return [fault](const Graph& graph, Precision precision, const Options&) {
    return std::make_unique<InterpreterProgram>(graph, precision, fault);
  };
}

Registry registry_with(Fault fault) {
  Registry registry;
  add_convergence(registry, {.name = "tested",
                             .precisions = {Precision::f32, Precision::f64},
                             .make = interpreter_with(fault)});
  return registry;
}

const Implementation& find(const Registry& registry, const std::string& op) {
  const auto& all = registry.implementations();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.op == op; });
  EXPECT_NE(found, all.end()) << op;
  return *found;
}

std::unique_ptr<Kernel> load(const Registry& registry, const Workload& workload,
                             Precision precision) {
  return find(registry, workload.op())
      .load(workload, precision, Options{.threads = omp_get_max_threads()});
}

TEST(ConvergenceKernel, ABackendGetsARowForEveryModel) {
  const Registry registry = registry_with(Fault::none);
  std::vector<std::string> ops;
  for (const Implementation& each : registry.implementations()) {
    ops.push_back(each.op);
    EXPECT_EQ(each.name, "tested");
    EXPECT_EQ(each.caches, std::vector{Cache::warm});
  }
  EXPECT_THAT(ops, UnorderedElementsAre("convergence_mlp", "convergence_lenet", "convergence_gpt"));
}

TEST(ConvergenceKernel, TrainsToTheTargetAndSaysHow) {
  const Convergence workload("tiny", kMlp, kTarget);
  const Registry registry = registry_with(Fault::none);
  const auto kernel = load(registry, workload, Precision::f32);
  EXPECT_FALSE(kernel->facts().contains("loss_curve"));
  EXPECT_FALSE(workload.check(Precision::f32, kernel->output()).ok()) << "it starts poisoned";
  kernel->run();
  const Check check = workload.check(Precision::f32, kernel->output());
  EXPECT_TRUE(check.ok()) << check.error << " " << check.method;

  const Facts facts = kernel->facts();
  const auto steps = std::stoll(facts.at("steps_to_target"));
  EXPECT_EQ(std::count(facts.at("loss_curve").begin(), facts.at("loss_curve").end(), ','),
            steps - 1);
  EXPECT_NEAR(std::stod(facts.at("loss_curve")), std::log(10.0), 0.3);
  EXPECT_GT(std::stod(facts.at("seconds_to_target")), 0);
  EXPECT_THAT(facts.at("metric"), HasSubstr("accuracy 0."));
  EXPECT_EQ(facts.at("target"), "accuracy 0.4");
  EXPECT_EQ(facts.at("program"), "interpreter");
}

TEST(ConvergenceKernel, EveryRunStartsAnew) {
  const Convergence workload("tiny", kMlp, kTarget);
  const Registry registry = registry_with(Fault::none);
  const auto kernel = load(registry, workload, Precision::f32);
  kernel->run();
  const std::vector<std::byte> first(kernel->output().begin(), kernel->output().end());
  kernel->poison_output();
  EXPECT_NE(std::memcmp(first.data(), kernel->output().data(), first.size()), 0);
  kernel->run();
  EXPECT_EQ(std::memcmp(first.data(), kernel->output().data(), first.size()), 0);
}

TEST(ConvergenceKernel, FaultsOfProgramsAreCaught) {
  const Convergence mlp("tiny", kMlp, kTarget);
  const Registry stuck = registry_with(Fault::no_advance);
  const auto kernel = load(stuck, mlp, Precision::f32);
  kernel->run();
  EXPECT_FALSE(mlp.check(Precision::f32, kernel->output()).ok());

  const Registry stale = registry_with(Fault::no_restart);
  const auto second = load(stale, mlp, Precision::f32);
  second->run();
  EXPECT_TRUE(mlp.check(Precision::f32, second->output()).ok());
  second->run();
  EXPECT_FALSE(mlp.check(Precision::f32, second->output()).ok()) << "momentum of another run";

  const Convergence gpt("tiny", kGpt, std::nullopt, small_text());
  const Registry uncorrected = registry_with(Fault::step_stays);
  const auto third = load(uncorrected, gpt, Precision::f32);
  third->run();
  EXPECT_FALSE(gpt.check(Precision::f32, third->output()).ok()) << "AdamW's bias correction";
}

TEST(ConvergenceKernel, AMissingTextSkipsTheRow) {
  const Registry registry = registry_with(Fault::none);
  ::setenv("BREAKEVEN_TEXT", "/nowhere", 1);
  const Convergence workload("tiny", kGpt, std::nullopt);
  EXPECT_THAT(find(registry, "convergence_gpt").unsupported(workload, Precision::f32, {}),
              HasSubstr("/nowhere isn't there"));
  const Convergence digits("tiny", kMlp, kTarget);
  EXPECT_EQ(find(registry, "convergence_mlp").unsupported(digits, Precision::f32, {}), "");
  ::unsetenv("BREAKEVEN_TEXT");
}

TEST(ConvergenceKernel, WhatABackendRefusesIsRefused) {
  Registry registry;
  add_convergence(registry, {.name = "tested",
                             .precisions = {Precision::f32},
                             .make = interpreter_with(Fault::none),
                             .more_bytes = [](const TrainingStep&, Precision,
                                              const Options&) { return std::size_t{1} << 30; },
                             .unsupported = [](const TrainingStep& step, Precision,
                                               const Options&) { return "no " + step.op(); }});
  const Convergence workload("tiny", kMlp, kTarget);
  const Implementation& implementation = find(registry, "convergence_mlp");
  EXPECT_EQ(implementation.unsupported(workload, Precision::f32, {}), "no training_step_mlp");
  EXPECT_GT(implementation.footprint_bytes(workload, Precision::f32, {}), std::size_t{1} << 30);
}

TEST(Reference, TrainsInFp64) {
  Registry registry;
  reference(registry);
  const Convergence workload("tiny", kLenet, std::nullopt);
  const auto kernel = load(registry, workload, Precision::f64);
  kernel->run();
  const Check check = workload.check(Precision::f64, kernel->output());
  EXPECT_TRUE(check.ok()) << check.error << " " << check.method;
}

// A backend's own programs.
TEST(Naive, FollowsTheReferencesCurve) {
  Registry registry;
  TrainingBackend backend = naive_backend();
  backend.convergence = true;  // which its rows, of larger sizes, haven't
  add_training(registry, backend);
  omp_set_num_threads(1);
  const auto text = small_text();
  const Convergence mlp("tiny", kMlp, kTarget);
  const Convergence lenet("tiny", kLenet, std::nullopt);
  const Convergence gpt("tiny", kGpt, std::nullopt, text);
  for (const Convergence* workload : {&mlp, &lenet, &gpt}) {
    for (const Precision precision : find(registry, workload->op()).precisions) {
      const auto kernel = load(registry, *workload, precision);
      kernel->run();
      const Check check = workload->check(precision, kernel->output());
      EXPECT_TRUE(check.ok()) << workload->op() << " " << check.error << " " << check.method;
    }
  }
}

}  // namespace
}  // namespace breakeven::training
