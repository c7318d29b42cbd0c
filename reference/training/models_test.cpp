#include "reference/training/models.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "reference/training/training_testing.h"

namespace breakeven {
namespace {

constexpr std::int64_t kImageNetClasses = 1000;

Resnet resnet50(std::int64_t batch) {
  return {.batch = batch,
          .side = 224,
          .classes = kImageNetClasses,
          .blocks = {3, 4, 6, 3},
          .bottleneck = true,
          .imagenet = true};
}

Gpt gpt2(std::int64_t steps) {
  return {.batch = 1, .steps = steps, .layers = 12, .width = 768, .heads = 12, .vocabulary = 50257};
}

std::int64_t parameters(const ModelSize& size) {
  std::int64_t count = 0;
  const Model model = build_model(size, Purpose::inference);
  for (const Tensor& tensor : model.graph.tensors()) {
    if (tensor.kind == TensorKind::parameter) count += tensor.elements();
  }
  return count;
}

// Counts that the models' papers and common implementations give.
TEST(Models, HaveTheirNumberOfParameters) {
  EXPECT_EQ(parameters(Mlp{}), 784 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 10 + 10);
  EXPECT_EQ(parameters(Lenet{}), 61706);
  EXPECT_EQ(parameters(Resnet{.side = 224, .classes = kImageNetClasses, .imagenet = true}),
            11689512);
  EXPECT_EQ(parameters(resnet50(1)), 25557032);
  EXPECT_EQ(parameters(gpt2(1024)), 124439808);
}

TEST(Models, HaveTheirCost) {
  const Graph graph = build_model(resnet50(1), Purpose::inference).graph;
  // Products with padding, which others count and node_flops() doesn't.
  std::int64_t products = 2048 * kImageNetClasses;
  for (const Node& node : graph.nodes()) {
    if (node.op != Op::conv2d) continue;
    const auto& size = std::get<Conv2dSize>(node.attribute);
    products += size.p() * size.q() * size.k * size.r * size.s * size.c;
  }
  EXPECT_EQ(products, 4089184256);
  const double flops = model_flops(graph);
  EXPECT_LT(flops / 2, 4.089e9);
  EXPECT_GT(flops / 2, 0.95 * 4.089e9);
  // A step's is three times that, but for the gradient of the images.
  const double step = model_flops(build_model(resnet50(1), Purpose::training).graph);
  EXPECT_LT(step, 3 * flops);
  EXPECT_GT(step, 2.9 * flops);
  const double tokens = model_flops(build_model(gpt2(256), Purpose::training).graph) / 256;
  EXPECT_NEAR(tokens, 6 * 124e6, 0.03 * 6 * 124e6);
}

TEST(Models, HaveTheirNames) {
  EXPECT_EQ(model_name(Mlp{}), "mlp");
  EXPECT_EQ(model_name(Lenet{}), "lenet");
  EXPECT_EQ(model_name(Resnet{}), "resnet18");
  EXPECT_EQ(model_name(resnet50(1)), "resnet50");
  EXPECT_EQ(model_name(Gpt{}), "gpt");
  EXPECT_EQ(samples_per_step(Gpt{}), 8 * 128);
  EXPECT_EQ(samples_per_step(Lenet{.batch = 3}), 3);
  const Graph graph = build_model(Gpt{}, Purpose::training).graph;
  for (const char* name : {"input", "target", "loss", "logits", "wte", "wpe", "ln_f.weight",
                           "h.3.attn.c_attn.weight", "h.0.mlp.c_proj.bias.m.next"}) {
    EXPECT_NO_THROW(graph.find(name)) << name;
  }
  EXPECT_NO_THROW(
      build_model(resnet50(1), Purpose::inference).graph.find("layer4.0.downsample.1.running_var"));
}

// The whole text's gradient, of some elements of each parameter.
TEST(Models, HaveTheGradientsOfTheirLoss) {
  constexpr std::int64_t kElements = 5;
  const ModelSize sizes[] = {
      Mlp{.batch = 5, .widths = {6, 7, 4}},
      Lenet{.batch = 2, .side = 8},
      Lenet{.batch = 2, .side = 14},
      Resnet{.batch = 3, .side = 8, .classes = 4, .blocks = {1, 1}, .width = 4},
      Resnet{.batch = 2,
             .side = 20,
             .classes = 4,
             .blocks = {1, 1},
             .bottleneck = true,
             .imagenet = true,
             .width = 3},
      Gpt{.batch = 2, .steps = 5, .layers = 2, .width = 12, .heads = 3, .vocabulary = 11}};
  for (const ModelSize& size : sizes) {
    const Model loss = build_model(size, Purpose::loss);
    const Model training = build_model(size, Purpose::training);
    const GradientError error =
        gradient_error(loss.graph, training.graph, loss.loss, run_node, kElements);
    EXPECT_LE(error.worst, 1e-6) << model_name(size) << " " << error.where;
  }
}

TEST(Models, StartTheSameForEveryPurpose) {
  const ModelSize size = Resnet{.batch = 2, .side = 8, .blocks = {1, 1}, .width = 4};
  const Graph inference = build_model(size, Purpose::inference).graph;
  const Graph training = build_model(size, Purpose::training).graph;
  for (const char* name :
       {"input", "conv1.weight", "layer2.0.conv2.weight", "fc.bias", "bn1.running_var"}) {
    const std::vector<double> values = initial_values(training, training.find(name));
    EXPECT_EQ(initial_values(inference, inference.find(name)), values) << name;
    EXPECT_NE(initial_values(training, training.find("fc.weight")), values);
  }
  const TensorId w = training.find("fc.weight");
  EXPECT_NE(initial_values(training, w, ElementType::f64, 2), initial_values(training, w));
  const TensorId target = training.find("target");
  for (const double value : initial_values(training, target)) {
    EXPECT_TRUE(value >= 0 && value < 10 && value == std::floor(value));
  }
}

TEST(Models, RefuseSizesThatMakeNone) {
  const ModelSize sizes[] = {Mlp{.batch = 0},
                             Mlp{.widths = {3}},
                             Mlp{.widths = {3, -1, 2}},
                             Lenet{.side = 3},
                             Resnet{.blocks = {}},
                             Resnet{.blocks = {1, 0}},
                             Resnet{.batch = 1, .side = 1},
                             Gpt{.width = 130},
                             Gpt{.heads = 0},
                             Gpt{.layers = 0},
                             Gpt{.steps = 0},
                             Gpt{.vocabulary = 0}};
  for (const ModelSize& size : sizes) {
    EXPECT_THROW(build_model(size, Purpose::training), std::invalid_argument);
  }
}

}  // namespace
}  // namespace breakeven
