#include "reference/training/convergence.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>

#include "reference/training/training_testing.h"

namespace breakeven {
namespace {

using ::testing::HasSubstr;

const Mlp kMlp = {.batch = 16, .widths = {64, 24, 10}};
const Gpt kGpt = {.batch = 2, .steps = 12, .layers = 1, .width = 16, .heads = 2};
const Target kEasy = {.steps = 100, .evaluate_every = 25, .margin = 0.02, .reached = {0.5, 0.42}};

// English enough: letters that follow each other in one way.
std::shared_ptr<const Dataset> small_text() {
  std::string text;
  while (text.size() < 100'000) text += "the quick brown fox jumps over the lazy dog. ";
  return text_dataset(kGpt, text, 4);
}

// Sets a tensor's values to what a number format has.
void round_to(ElementType type, double* values, std::int64_t count) {
  std::byte stored[8];
  for (std::int64_t i = 0; i < count; ++i) {
    store_element(type, stored, 0, values[i]);
    values[i] = load_element(type, stored, 0);
  }
}

// An implementation of a precision: parameters are rounded as they are read by products and
// embeddings, what is computed as it is stored.
NodeRunner rounding(Precision precision) {
  return [precision](const Call& call) {
    const bool updates = call.node.op == Op::sgd || call.node.op == Op::adamw;
    Call rounded = call;
    std::vector<std::vector<double>> copies(call.in.size());
    for (std::size_t i = 0; i < call.in.size() && !updates; ++i) {
      if (call.in[i] == nullptr || call.in_shape(i).size() < 2) continue;
      if (call.graph.tensor(call.node.inputs[i]).kind != TensorKind::parameter) continue;
      copies[i].assign(call.in[i], call.in[i] + call.in_elements(i));
      round_to(traits(precision).input, copies[i].data(), call.in_elements(i));
      rounded.in[i] = copies[i].data();
    }
    run_node(rounded);
    for (std::size_t i = 0; i < call.out.size(); ++i) {
      if (call.out[i] == nullptr) continue;
      const bool full = call.graph.tensor(call.node.outputs[i]).storage == Storage::full;
      round_to(full ? ElementType::f32 : traits(precision).output, call.out[i],
               call.out_elements(i));
    }
  };
}

std::vector<std::byte> answer_of(const Convergence& workload, Precision precision,
                                 const NodeRunner& runner = run_node, std::uint64_t seed = kSeed,
                                 const Dataset* data = nullptr) {
  const Dataset& examples = data != nullptr ? *data : workload.data();
  InterpreterLearner learner(workload.size, examples.test_size(), precision, 0, runner);
  const TrainingRun run = train(learner, examples, workload.goal(), seed);
  std::vector<std::byte> answer(workload.output(precision).bytes());
  workload.write_answer(run, answer);
  return answer;
}

TEST(Convergence, ATargetIsTheWorstSeedLessTheMargin) {
  EXPECT_DOUBLE_EQ(kEasy.value(Metric::accuracy), 0.40);
  EXPECT_DOUBLE_EQ(kEasy.value(Metric::loss), 0.52);
  EXPECT_TRUE(reaches(Metric::accuracy, 0.5, 0.5));
  EXPECT_FALSE(reaches(Metric::accuracy, 0.49, 0.5));
  EXPECT_FALSE(reaches(Metric::loss, 0.51, 0.5));
  EXPECT_FALSE(reaches(Metric::loss, NAN, 0.5));
  EXPECT_FALSE(reaches(Metric::accuracy, NAN, 0.5));
}

// A dataset with batches changed.
class Changed final : public Dataset {
 public:
  Changed(const Dataset& data, std::int64_t later, double factor = 1)
      : data_(data), later_(later), factor_(factor) {}
  Examples batch(std::int64_t step, std::uint64_t seed) const override {
    Examples examples = data_.batch(step + later_, seed);
    for (double& value : examples.input) value *= factor_;
    return examples;
  }
  const Examples& test() const override { return data_.test(); }
  ModelSize test_size() const override { return data_.test_size(); }
  Metric metric() const override { return data_.metric(); }
  std::string description() const override { return "changed"; }

 private:
  const Dataset& data_;
  std::int64_t later_;
  double factor_;
};

TEST(Convergence, ADivergedReferenceIsNoneToCompareWith) {
  const std::unique_ptr<Dataset> digits = digits_dataset(kMlp);
  const Changed huge(*digits, 0, 1e200);
  EXPECT_THROW(expected_curve(kMlp, huge, Precision::f64, 3), std::domain_error);
}

TEST(Convergence, ATargetNeedsAsManyStepsAsTheCurveHas) {
  Target shorter = kEasy;
  shorter.steps = 24;
  EXPECT_THROW(Convergence("tiny", kMlp, shorter), std::invalid_argument);
  shorter.steps = 25;
  EXPECT_NO_THROW(Convergence("tiny", kMlp, shorter));
}

TEST(Convergence, ATargetOfOtherDataIsNone) {
  Target target = kEasy;
  target.data = digits_dataset(kMlp)->description();
  EXPECT_NO_THROW(Convergence("tiny", kMlp, target).goal());
  target.data.back() = target.data.back() == '0' ? '1' : '0';
  const Convergence other("tiny", kMlp, target);
  EXPECT_THAT([&] { other.goal(); },
              ::testing::ThrowsMessage<DataMissing>(HasSubstr("targets.json is of other data (")));
}

TEST(Convergence, RecordedTargetsMustBeTheCodes) {
  const auto file = [](const char* steps, const char* margin, const char* target) {
    return fmt::format(
        R"({{"shapes": {{"convergence_mlp/digits": {{"data": "", "metric": "accuracy",
                       "steps": {}, "reached": [0.75, 0.5], "margin": {}, "target": {}}}}}}})",
        steps, margin, target);
  };
  EXPECT_EQ(convergence_workloads(file("105", "0.01", "0.49")).size(), 4);
  EXPECT_THROW(convergence_workloads(file("104", "0.01", "0.49")), std::runtime_error);
  EXPECT_THROW(convergence_workloads(file("105", "0.02", "0.48")), std::runtime_error);
  EXPECT_THROW(convergence_workloads(file("105", "0.01", "0.4")), std::runtime_error);
}

TEST(Convergence, TrainsOnDigitsToTheTarget) {
  const Convergence workload("tiny", kMlp, kEasy);
  const std::vector<std::byte> answer = answer_of(workload, Precision::f64);
  const Check check = workload.check(Precision::f64, answer);
  EXPECT_TRUE(check.ok()) << check.error << " " << check.method;
  EXPECT_LT(load_element(ElementType::f32, answer.data(), 49),
            load_element(ElementType::f32, answer.data(), 0));
  const double steps = load_element(ElementType::f32, answer.data(), 50);
  EXPECT_GE(steps, 50) << "the whole curve is there";
  EXPECT_LE(steps, 200);
  EXPECT_GE(load_element(ElementType::f32, answer.data(), 51), 0.4);
  EXPECT_EQ(answer, answer_of(workload, Precision::f64)) << "the same run twice has the same bits";
}

TEST(Convergence, AMissedTargetIsNoAnswer) {
  Target hard = kEasy;
  hard.reached = {1.5};  // more than all digits
  const Convergence workload("tiny", kMlp, hard);
  const Check check = workload.check(Precision::f32, answer_of(workload, Precision::f32));
  EXPECT_FALSE(check.ok());
  EXPECT_THAT(check.method, HasSubstr("after 200 steps, the target is 1.48"));
}

TEST(Convergence, AnAnswerThatClaimsTooMuchIsSeen) {
  const Convergence workload("tiny", kMlp, kEasy);
  const std::vector<std::byte> good = answer_of(workload, Precision::f32);
  ASSERT_TRUE(workload.check(Precision::f32, good).ok());
  for (const auto& [index, value] : std::map<std::size_t, double>{
           {50, 0}, {50, 201}, {51, 0.1}, {51, NAN}, {0, NAN}, {49, 0.0}}) {
    std::vector<std::byte> bad = good;
    store_element(ElementType::f32, bad.data(), index, value);
    EXPECT_FALSE(workload.check(Precision::f32, bad).ok()) << index << " " << value;
  }
  EXPECT_THROW(workload.check(Precision::f32, std::span(good).first(8)), std::invalid_argument);
}

class CurveOf : public ::testing::TestWithParam<std::pair<std::string, Precision>> {
 protected:
  Convergence workload() const {
    if (GetParam().first == "mlp") return {"tiny", kMlp, std::nullopt};
    if (GetParam().first == "lenet") {
      return {"tiny", Lenet{.batch = 8, .side = kDigitSide}, std::nullopt};
    }
    return {"tiny", kGpt, std::nullopt, small_text()};
  }
};

TEST_P(CurveOf, AFaithfulImplementationPasses) {
  const Precision precision = GetParam().second;
  const Convergence workload = this->workload();
  const Check check =
      workload.check(precision, answer_of(workload, precision, rounding(precision)));
  EXPECT_TRUE(check.ok()) << check.error << " " << check.method;
  RecordProperty("error", std::to_string(check.error));
}

TEST_P(CurveOf, FaultsAreCaught) {
  const Precision precision = GetParam().second;
  const Convergence workload = this->workload();
  const bool adam = GetParam().first == "gpt";
  const Op update = adam ? Op::adamw : Op::sgd;
  const std::size_t slow = adam ? 2 : 1;  // second moments, momentum
  std::map<std::string, NodeRunner> faults;
  faults["state forgotten"] = scale_output(update, slow, 0);
  // AdamW hardly sees how large gradients are.
  faults["gradients of weights too large"] =
      scale_output(Op::linear_backward_weights, 0, adam ? 3 : 1.5);
  faults["biases forgotten"] = scale_output(Op::linear_backward_weights, 1, 0);
  faults["updates forgotten"] = spoil(
      update, [](const Call& call) { std::copy_n(call.in[0], call.out_elements(0), call.out[0]); });
  faults["states of an earlier call"] = [update](const Call& call) {
    if (call.node.op != update || call.step > 1) return run_node(call);
    Call stale = call;
    stale.in[2] = call.in[1];  // as large as gradients are
    run_node(stale);
  };
  if (adam) {
    faults["bias correction forgotten"] = [](const Call& call) {
      Call late = call;
      late.step = 1'000'000;
      run_node(late);
    };
  }
  for (const auto& [name, runner] : faults) {
    const Check check = workload.check(precision, answer_of(workload, precision, runner));
    EXPECT_FALSE(check.ok()) << name << ": " << check.error;
  }
  EXPECT_FALSE(workload.check(precision, answer_of(workload, precision, run_node, 2)).ok())
      << "another seed is another curve";
  const Changed later(workload.data(), 1);
  const std::vector<std::byte> answer = answer_of(workload, precision, run_node, kSeed, &later);
  EXPECT_FALSE(workload.check(precision, answer).ok()) << "another batch is another curve";
}

INSTANTIATE_TEST_SUITE_P(
    Models, CurveOf,
    ::testing::Values(std::pair{"mlp", Precision::f32}, std::pair{"mlp", Precision::bf16},
                      std::pair{"lenet", Precision::f32}, std::pair{"lenet", Precision::bf16},
                      std::pair{"gpt", Precision::f32}, std::pair{"gpt", Precision::bf16}),
    [](const auto& test) {
      return std::string(test.param.first) + "_" + std::string(traits(test.param.second).name);
    });

TEST(Convergence, TheBuiltInShapesHaveRecordedTargets) {
  const std::vector<std::unique_ptr<Workload>> workloads = convergence_workloads();
  ASSERT_EQ(workloads.size(), 4);
  for (const auto& workload : workloads) {
    const auto& convergence = static_cast<const Convergence&>(*workload);
    if (!convergence.missing().empty()) continue;  // no text on this machine
    Goal goal;
    try {
      goal = convergence.goal();
    } catch (const DataMissing&) {  // another text on this machine
      EXPECT_EQ(workload->op(), "convergence_gpt");
      continue;
    }
    EXPECT_EQ(goal.to_target, workload->shape() != "text_first_steps");
    if (!goal.to_target) continue;
    // Better than a guess, and not out of reach.
    const bool digits = workload->shape() == "digits";
    EXPECT_GT(goal.target, digits ? 0.8 : 1.0) << workload->op();
    EXPECT_LT(goal.target, digits ? 1.0 : 3.5) << workload->op();
  }
  for (const TargetShape& shape : target_shapes()) {
    EXPECT_EQ(shape.target.steps % shape.target.evaluate_every, 0) << shape.name;
  }
}

}  // namespace
}  // namespace breakeven
