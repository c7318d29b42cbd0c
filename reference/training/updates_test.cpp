// Optimisers over three steps against loops for one number, and training from them.
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "reference/training/models.h"
#include "reference/training/training_testing.h"

namespace breakeven {
namespace {

constexpr int kSteps = 3;

struct Trained {
  std::vector<double> weights;
  std::vector<double> gradients;  // of all steps, one after the other
};

// Three steps of one linear layer [3,2] from the same parameters.
template <class Append>
Trained train(Append append, const NodeRunner& runner = run_node) {
  Graph graph;
  const TensorId x = graph.input("x", {4, 2}, {.scale = 1});
  const TensorId w = graph.parameter("w", {3, 2}, {.scale = 1});
  const TensorId target = graph.index_input("target", TensorKind::target, 4, 3);
  const TensorId loss = graph.cross_entropy("loss", graph.linear("y", x, w), target);
  differentiate(graph, loss);
  append(graph);
  Interpreter interpreter(graph);
  interpreter.run_with(runner);
  Trained trained;
  for (int step = 0; step < kSteps; ++step) {
    interpreter.run();
    const std::vector<double>& g = interpreter.value(graph.gradient(w));
    trained.gradients.insert(trained.gradients.end(), g.begin(), g.end());
    interpreter.advance();
  }
  EXPECT_EQ(interpreter.step(), kSteps + 1);
  trained.weights = interpreter.value(w);
  return trained;
}

std::vector<double> first_weights() {
  Graph graph;
  return initial_values(graph, graph.parameter("w", {3, 2}, {.scale = 1}));
}

constexpr Sgd kSgd{.rate = 0.1, .momentum = 0.9, .decay = 0.02};
constexpr AdamW kAdamW{.rate = 0.01, .beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .decay = 0.1};

// Largest difference from a loop over the definition, fed with the same gradients.
double sgd_error(const NodeRunner& runner = run_node) {
  const Trained trained = train([](Graph& graph) { append_sgd(graph, kSgd); }, runner);
  double worst = 0;
  std::vector<double> weights = first_weights();
  for (std::size_t i = 0; i < 6; ++i) {
    double w = weights[i];
    double v = 0;
    for (int step = 0; step < kSteps; ++step) {
      v = 0.9 * v + trained.gradients[6 * step + i] + 0.02 * w;
      w -= 0.1 * v;
    }
    worst = std::max(worst, std::fabs(w - trained.weights[i]));
  }
  return worst;
}

double adamw_error(const NodeRunner& runner = run_node) {
  const Trained trained = train([](Graph& graph) { append_adamw(graph, kAdamW); }, runner);
  double worst = 0;
  std::vector<double> weights = first_weights();
  for (std::size_t i = 0; i < 6; ++i) {
    double w = weights[i];
    double m = 0;
    double v = 0;
    double power1 = 1;
    double power2 = 1;
    for (int step = 0; step < kSteps; ++step) {
      const double g = trained.gradients[6 * step + i];
      m += 0.1 * (g - m);
      v += 0.05 * (g * g - v);
      power1 *= 0.9;
      power2 *= 0.95;
      w -= 0.01 * 0.1 * w;
      w -= 0.01 * m / (1 - power1) / (std::sqrt(v / (1 - power2)) + 1e-8);
    }
    worst = std::max(worst, std::fabs(w - trained.weights[i]));
  }
  return worst;
}

TEST(Updates, AreTheDefinitions) {
  EXPECT_LE(sgd_error(), 1e-14);
  EXPECT_LE(adamw_error(), 1e-14);
}

TEST(Updates, MistakesShow) {
  // Momentum and both moments that are read but never kept.
  EXPECT_GT(sgd_error(scale_output(Op::sgd, 1, 0)), 1e-3);
  EXPECT_GT(adamw_error(scale_output(Op::adamw, 1, 0)), 1e-4);
  EXPECT_GT(adamw_error(scale_output(Op::adamw, 2, 0)), 1e-4);
  for (const std::int64_t off : {-1, 1}) {  // bias correction of another step
    const auto shifted = [&](const Call& call) {
      Call other = call;
      other.step = std::max<std::int64_t>(1, call.step + off);
      run_node(other);
    };
    EXPECT_GT(adamw_error(shifted), 1e-4) << off;
  }
}

TEST(Updates, AdamWDecaysMatricesOnly) {
  Graph graph;
  const TensorId x = graph.input("x", {4, 2}, {.scale = 1});
  const TensorId w = graph.parameter("w", {3, 2}, {.scale = 1});
  const TensorId b = graph.parameter("b", {3}, {.scale = 1});
  const TensorId unused = graph.parameter("unused", {3}, {.scale = 1});
  const TensorId target = graph.index_input("target", TensorKind::target, 4, 3);
  differentiate(graph, graph.cross_entropy("loss", graph.linear("y", x, w, b), target));
  append_adamw(graph, kAdamW);
  int updates = 0;
  for (const Node& node : graph.nodes()) {
    if (node.op != Op::adamw) continue;
    ++updates;
    EXPECT_EQ(node.phase, Phase::update);
    EXPECT_EQ(std::get<AdamW>(node.attribute).decay, node.inputs[0] == w ? 0.1 : 0.0);
  }
  EXPECT_EQ(updates, 2);
  EXPECT_NE(graph.updated(b), kNoTensor);
  EXPECT_EQ(graph.updated(unused), kNoTensor);
  EXPECT_EQ(graph.tensor(graph.find("w.v.next")).updates, graph.find("w.v"));
}

std::vector<double> losses(const ModelSize& size, int steps, int threads) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(threads);
  const Model model = build_model(size, Purpose::training);
  Interpreter interpreter(model.graph);
  std::vector<double> losses;
  for (int step = 0; step < steps; ++step) {
    interpreter.run();
    losses.push_back(interpreter.value(model.loss)[0]);
    interpreter.advance();
  }
  omp_set_num_threads(before);
  return losses;
}

TEST(Training, LearnsABatchByHeartWithTheSameBitsEachTime) {
  const ModelSize sizes[] = {
      Mlp{.batch = 16, .widths = {12, 16, 5}}, Lenet{.batch = 4, .side = 8},
      Resnet{.batch = 4, .side = 8, .classes = 4, .blocks = {1, 1}, .width = 4},
      Gpt{.batch = 2, .steps = 8, .layers = 1, .width = 16, .heads = 2, .vocabulary = 20}};
  for (const ModelSize& size : sizes) {
    const std::vector<double> first = losses(size, 20, 2);
    EXPECT_LT(first.back(), first.front()) << model_name(size);
    EXPECT_EQ(losses(size, 20, 2), first) << model_name(size);
    EXPECT_EQ(losses(size, 20, 1), first) << model_name(size);
    EXPECT_EQ(losses(size, 20, 3), first) << model_name(size);
  }
}

}  // namespace
}  // namespace breakeven
