// Every operation's gradient against central differences in fp64, on ragged sizes, and mistakes in
// each that the differences show.
#include <gtest/gtest.h>

#include "reference/training/training_testing.h"

namespace breakeven {
namespace {

constexpr double kLimit = 1e-6;

// A graph that ends in a loss whose gradient is another number for every element, so that no
// mistake cancels: the output's rows are logits.
struct Case {
  Graph forward;
  Graph graph;
  TensorId loss;

  GradientError error(const NodeRunner& runner = run_node) const {
    return gradient_error(forward, graph, loss, runner);
  }
};

template <class Build>
Case make_case(Build build) {
  Graph graph;
  TensorId y = build(graph);
  if (graph.tensor(y).shape.size() != 2) y = graph.flatten("flat", y);
  const std::vector<std::int64_t> shape = graph.tensor(y).shape;
  const TensorId target = graph.index_input("target", TensorKind::target, shape[0], shape[1]);
  const TensorId loss = graph.cross_entropy("loss", y, target);
  Graph whole = graph;
  differentiate(whole, loss);
  return {graph, whole, loss};
}

TensorId values(Graph& graph, const char* name, std::vector<std::int64_t> shape) {
  return graph.parameter(name, std::move(shape), {.scale = 1});
}

Case linear_case() {
  return make_case([](Graph& g) {
    return g.linear("y", values(g, "x", {5, 5}), values(g, "w", {5, 5}), values(g, "b", {5}));
  });
}

Case conv2d_case(std::int64_t pad, std::int64_t stride) {
  return make_case([&](Graph& g) {
    return g.conv2d("y", values(g, "x", {2, 6, 7, 3}), values(g, "w", {4, 3, 2, 3}),
                    values(g, "b", {4}), pad, stride);
  });
}

Case norm_case(bool batch) {
  return make_case([&](Graph& g) {
    const TensorId gamma = values(g, "gamma", {5});
    const TensorId beta = values(g, "beta", {5});
    if (!batch) return g.layer_norm("y", values(g, "x", {7, 5}), gamma, beta);
    return g.batch_norm("y", values(g, "x", {3, 2, 4, 5}), gamma, beta, g.state("mean", {5}, {}),
                        g.state("variance", {5}, {.offset = 1}));
  });
}

Case pool_case(const Window& window) {
  return make_case([&](Graph& g) { return g.max_pool("y", values(g, "x", {2, 7, 6, 3}), window); });
}

Case attention_case() {
  return make_case([](Graph& g) {
    return g.attention("y", values(g, "qkv", {2 * 5, 3 * 6}), {.batch = 2, .steps = 5, .heads = 3});
  });
}

Case embedding_case() {
  return make_case([](Graph& g) {
    const TensorId tokens = g.index_input("tokens", TensorKind::input, 2 * 6, 5);
    const Sequence sequence{.batch = 2, .steps = 6};
    return g.embedding("y", tokens, values(g, "wte", {7, 4}), values(g, "wpe", {6, 4}), sequence);
  });
}

void expect_right(const Case& test) {
  const GradientError error = test.error();
  EXPECT_LE(error.worst, kLimit) << error.where;
  EXPECT_GT(error.worst, 0.0);  // differences are never exact: something was compared
}

TEST(Gradients, OfProductsAreDifferences) {
  expect_right(linear_case());
  expect_right(conv2d_case(0, 1));
  expect_right(conv2d_case(1, 2));
}

TEST(Gradients, OfActivationsAreDifferences) {
  expect_right(make_case([](Graph& g) { return g.relu("y", values(g, "x", {6, 5})); }));
  expect_right(make_case([](Graph& g) { return g.gelu("y", values(g, "x", {6, 5})); }));
}

TEST(Gradients, OfNormsAndPoolsAreDifferences) {
  expect_right(norm_case(false));
  expect_right(norm_case(true));
  expect_right(pool_case({.side = 2, .stride = 2, .pad = 0}));
  expect_right(pool_case({.side = 3, .stride = 2, .pad = 1}));
  expect_right(
      make_case([](Graph& g) { return g.average_pool("y", values(g, "x", {3, 2, 3, 4})); }));
}

TEST(Gradients, OfSequencesAreDifferences) {
  expect_right(attention_case());
  expect_right(embedding_case());
}

// Used twice, by two additions and by a tied weight.
TEST(Gradients, OfSharedTensorsAreSums) {
  const Case test = make_case([](Graph& g) {
    const TensorId w = values(g, "w", {4, 4});
    const TensorId x = values(g, "x", {3, 4});
    const TensorId y = g.add("sum", x, g.gelu("gelu", g.linear("first", x, w)));
    return g.add("y", g.linear("second", y, w), y);
  });
  expect_right(test);
  EXPECT_GT(test.error(scale_output(Op::add, 0, 0.5)).worst, 0.01);
}

TEST(Gradients, OfLargestOfEqualsIsTheFirsts) {
  Graph g;
  const TensorId x = values(g, "x", {1, 2, 2, 1});
  const TensorId y = g.max_pool("y", x, {.side = 2, .stride = 2, .pad = 0});
  const TensorId target = g.index_input("target", TensorKind::target, 1, 1);
  const TensorId loss = g.cross_entropy("loss", g.flatten("flat", y), target);
  differentiate(g, loss);
  Interpreter interpreter(g);
  interpreter.set(x, {1, 3, 3, 3});
  interpreter.run_with([&](const Call& call) {
    run_node(call);
    if (call.node.op == Op::cross_entropy_backward) call.out[0][0] = 2;
  });
  interpreter.run();
  EXPECT_EQ(interpreter.value(g.gradient(x)), (std::vector<double>{0, 2, 0, 0}));
}

// What is left out of these gradients, turned round or shifted shows.
TEST(Gradients, MistakesShow) {
  const auto shows = [](const Case& test, const NodeRunner& runner) {
    EXPECT_GT(test.error(runner).worst, 0.01);
  };
  shows(linear_case(), scale_output(Op::cross_entropy_backward, 0, 5));  // a missing 1 / m
  shows(linear_case(), spoil(Op::linear_backward_weights, [](const Call& call) {
          for (int i = 0; i < 5; ++i) {
            for (int j = 0; j < i; ++j) std::swap(call.out[0][5 * i + j], call.out[0][5 * j + i]);
          }
        }));
  shows(linear_case(), scale_output(Op::linear_backward_weights, 1, 1.1));
  shows(conv2d_case(1, 2), scale_output(Op::conv2d_backward_data, 0, 1.1));
  shows(conv2d_case(1, 2), scale_output(Op::conv2d_backward_weights, 0, 1.1));
  shows(pool_case({.side = 3, .stride = 2, .pad = 1}), scale_output(Op::max_pool_backward, 0, 2));
  shows(embedding_case(), scale_output(Op::embedding_backward, 1, 0.5));
  // Statistics as constants: dx = gamma rstd dy.
  for (const Op op : {Op::batch_norm_backward, Op::layer_norm_backward}) {
    shows(norm_case(op == Op::batch_norm_backward), spoil(op, [](const Call& call) {
            for (std::int64_t i = 0; i < call.out_elements(0); ++i) {
              const bool batch = call.node.op == Op::batch_norm_backward;
              const double rstd = call.in[4][batch ? i % 5 : i / 5];
              call.out[0][i] = call.in[2][i % 5] * rstd * call.in[0][i];
            }
          }));
  }
  // A gradient of attention whose softmax is taken to be constant.
  shows(attention_case(), spoil(Op::attention_backward, [](const Call& call) {
          const std::int64_t width = call.in_shape(0)[1];
          for (std::int64_t i = 0; i < call.out_elements(0); ++i) {
            if (i % (3 * width) < width) call.out[0][i] = 0;
          }
        }));
  // A mask that is off by one in the forward pass only.
  for (const std::int64_t ahead : {-1, 1}) {
    shows(attention_case(), [&](const Call& call) {
      if (call.node.op != Op::attention) return run_node(call);
      attention_with_mask(call, ahead);
    });
  }
}

// A mask that is off by one both ways has right gradients; that steps don't see later ones is
// checked by itself.
TEST(Attention, SeesNoLaterStep) {
  const Case test = attention_case();
  const TensorId qkv = test.graph.find("qkv");
  const TensorId y = test.graph.find("y");
  const auto largest_change_before = [&](std::int64_t step, const NodeRunner& runner) {
    std::vector<double> results[2];
    for (int changed = 0; changed < 2; ++changed) {
      Interpreter interpreter(test.forward);
      std::vector<double> inputs = random_vector(10 * 18, 1);
      if (changed == 1) {
        for (int i = 0; i < 18; ++i) inputs[step * 18 + i] = 0.5;
      }
      interpreter.set(qkv, inputs);
      interpreter.run_with(runner);
      interpreter.run();
      results[changed] = interpreter.value(y);
    }
    double largest = 0;
    for (std::int64_t i = 0; i < step * 6; ++i) {
      largest = std::max(largest, std::fabs(results[0][i] - results[1][i]));
    }
    return largest;
  };
  const auto with_mask = [](std::int64_t ahead) {
    return [ahead](const Call& call) {
      if (call.node.op != Op::attention) return run_node(call);
      attention_with_mask(call, ahead);
    };
  };
  EXPECT_EQ(largest_change_before(3, run_node), 0.0);
  EXPECT_GT(largest_change_before(3, with_mask(1)), 0.01);
  // And it sees all earlier ones: the same as loops over the definition.
  Interpreter ours(test.forward), loops(test.forward);
  loops.run_with(with_mask(0));
  for (Interpreter* each : {&ours, &loops}) {
    each->set(qkv, random_vector(10 * 18, 1));
    each->run();
  }
  for (std::size_t i = 0; i < 60; ++i) {
    EXPECT_NEAR(ours.value(y)[i], loops.value(y)[i], 1e-14);
  }
}

}  // namespace
}  // namespace breakeven
