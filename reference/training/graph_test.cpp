// What graphs refuse, matrix products, and how the interpreter keeps values.
#include "reference/training/graph.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <stdexcept>

#include "reference/training/interpreter.h"
#include "reference/training/matrix.h"
#include "reference/training/training_testing.h"

namespace breakeven {
namespace {

// The message with which something is refused; "" where it isn't.
std::string refusal(const std::function<void(Graph&)>& build) {
  Graph graph;
  try {
    build(graph);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TensorId values(Graph& graph, const char* name, std::vector<std::int64_t> shape) {
  return graph.parameter(name, std::move(shape), {.scale = 1});
}

TEST(Graph, RefusesOperandsThatDontFit) {
  const std::function<void(Graph&)> wrong[] = {
      [](Graph& g) { g.linear("y", values(g, "x", {4, 3}), values(g, "w", {5, 4})); },
      [](Graph& g) {
        g.linear("y", values(g, "x", {4, 3}), values(g, "w", {5, 3}), values(g, "b", {4}));
      },
      [](Graph& g) { g.linear("y", values(g, "x", {4, 3, 1}), values(g, "w", {5, 3})); },
      [](Graph& g) {
        g.conv2d("y", values(g, "x", {1, 5, 5, 3}), values(g, "w", {4, 3, 3, 2}), kNoTensor, 1, 1);
      },
      [](Graph& g) {
        g.conv2d("y", values(g, "x", {1, 2, 2, 3}), values(g, "w", {4, 3, 3, 3}), kNoTensor, 0, 1);
      },
      [](Graph& g) {
        g.conv2d("y", values(g, "x", {1, 5, 5, 3}), values(g, "w", {4, 3, 3, 3}), kNoTensor, 0, 0);
      },
      [](Graph& g) { g.add("y", values(g, "a", {4, 3}), values(g, "b", {3, 4})); },
      [](Graph& g) {
        g.layer_norm("y", values(g, "x", {4, 3}), values(g, "g", {4}), values(g, "b", {3}));
      },
      [](Graph& g) {  // one value a channel
        g.batch_norm("y", values(g, "x", {1, 1, 1, 3}), values(g, "g", {3}), values(g, "b", {3}),
                     g.state("m", {3}, {}), g.state("v", {3}, {}));
      },
      [](Graph& g) {
        g.batch_norm_inference("y", values(g, "x", {2, 1, 1, 3}), values(g, "g", {3}),
                               values(g, "b", {3}), g.state("m", {2}, {}), g.state("v", {3}, {}));
      },
      [](Graph& g) { g.max_pool("y", values(g, "x", {1, 4, 4, 1}), {2, 2, 2}); },
      [](Graph& g) { g.max_pool("y", values(g, "x", {1, 4, 2, 1}), {3, 1, 0}); },
      [](Graph& g) { g.max_pool("y", values(g, "x", {1, 4, 4, 1}), {2, 0, 0}); },
      [](Graph& g) { g.average_pool("y", values(g, "x", {4, 4})); },
      [](Graph& g) { g.attention("y", values(g, "x", {6, 12}), {2, 3, 3}); },
      [](Graph& g) { g.attention("y", values(g, "x", {6, 12}), {2, 4, 2}); },
      [](Graph& g) { g.attention("y", values(g, "x", {6, 12}), {2, 3, 0}); },
      [](Graph& g) {  // a token without a row
        const TensorId tokens = g.index_input("t", TensorKind::input, 6, 8);
        g.embedding("y", tokens, values(g, "wte", {7, 4}), values(g, "wpe", {3, 4}), {2, 3});
      },
      [](Graph& g) {
        const TensorId tokens = g.index_input("t", TensorKind::input, 6, 7);
        g.embedding("y", tokens, values(g, "wte", {7, 4}), values(g, "wpe", {2, 4}), {2, 3});
      },
      [](Graph& g) { g.cross_entropy("y", values(g, "x", {4, 3}), values(g, "t", {4})); },
      [](Graph& g) {
        g.cross_entropy("y", values(g, "x", {4, 3}), g.index_input("t", TensorKind::target, 4, 4));
      },
      [](Graph& g) { g.relu("y", g.index_input("t", TensorKind::target, 4, 4)); },
  };
  for (std::size_t i = 0; i < std::size(wrong); ++i) {
    const std::string message = refusal(wrong[i]);
    EXPECT_NE(message.find(" y: "), std::string::npos) << i << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
}

TEST(Graph, RefusesWhatIsNoGraph) {
  EXPECT_NE(refusal([](Graph& g) { values(g, "x", {4, 0}); }), "");
  EXPECT_NE(refusal([](Graph& g) { values(g, "x", {INT64_MAX, INT64_MAX}); }), "");
  EXPECT_NE(refusal([](Graph& g) { values(g, "x", {1}), values(g, "x", {1}); }), "");
  EXPECT_NE(refusal([](Graph& g) { g.index_input("t", TensorKind::input, 3, 0); }), "");
  EXPECT_NE(refusal([](Graph& g) { g.find("x"); }), "");
  EXPECT_NE(refusal([](Graph& g) { differentiate(g, g.relu("y", values(g, "x", {1}))); }), "");
  const auto loose = [](Graph& g, const char* name) {
    return g.add_tensor({name, TensorKind::activation, Storage::working, {3}, {}, kNoTensor});
  };
  EXPECT_NE(refusal([&](Graph& g) {  // read before it is written
              g.add_node({Op::relu, Phase::forward, {loose(g, "a")}, {loose(g, "b")}});
            }),
            "");
  EXPECT_NE(refusal([&](Graph& g) {  // written twice
              const TensorId x = values(g, "x", {3});
              const TensorId y = g.relu("y", x);
              g.add_node({Op::relu, Phase::forward, {x}, {y}});
            }),
            "");
  EXPECT_NE(refusal([&](Graph& g) {  // an input, written
              const TensorId x = values(g, "x", {3});
              g.add_node({Op::relu, Phase::forward, {x}, {x}});
            }),
            "");
}

TEST(Graph, WantsNoGradientOfInputs) {
  Graph g;
  const TensorId x = g.input("x", {4, 3}, {.scale = 1});
  const TensorId w = values(g, "w", {5, 3});
  const TensorId target = g.index_input("target", TensorKind::target, 4, 5);
  differentiate(g, g.cross_entropy("loss", g.linear("y", g.relu("r", x), w), target));
  EXPECT_EQ(g.gradient(x), kNoTensor);
  EXPECT_NE(g.gradient(w), kNoTensor);
  EXPECT_EQ(g.tensor(g.gradient(w)).storage, Storage::full);
  EXPECT_EQ(g.tensor(g.gradient(g.find("y"))).storage, Storage::working);
  std::set<std::string> ops;
  for (const Node& node : g.nodes()) ops.insert(op_name(node.op));
  EXPECT_EQ(ops, (std::set<std::string>{"relu", "linear", "cross_entropy", "cross_entropy_backward",
                                        "linear_backward_weights"}));
}

TEST(Matrix, ProductsAreSums) {
  const struct {
    std::int64_t m, n, k;
  } sizes[] = {{1, 1, 1}, {3, 5, 2}, {4, 16, 256}, {5, 17, 257}, {130, 33, 300}, {129, 513, 40}};
  for (const auto& [m, n, k] : sizes) {
    const std::vector<double> a = random_vector(m * k, 1);
    const std::vector<double> b = random_vector(k * n, 2);
    std::vector<double> c = random_vector(m * n, 3);
    for (int variant = 0; variant < 8; ++variant) {
      // The same elements read as stored or as the transposed matrix has them.
      const MatrixView left = variant & 1 ? MatrixView{a.data(), 1, m} : rows_of(a.data(), k);
      const MatrixView right = variant & 2 ? MatrixView{b.data(), 1, k} : rows_of(b.data(), n);
      const bool accumulate = (variant & 4) != 0;
      const std::vector<double> before = c;
      multiply(m, n, k, left, right, c.data(), n, accumulate);
      double worst = 0;
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          double sum = accumulate ? before[i * n + j] : 0;
          for (std::int64_t p = 0; p < k; ++p) sum += *left.at(i, p) * *right.at(p, j);
          worst = std::max(worst, std::fabs(sum - c[i * n + j]));
        }
      }
      EXPECT_LE(worst, 1e-12) << m << " " << n << " " << k << " " << variant;
    }
  }
}

TEST(Interpreter, KeepsAndReleases) {
  Graph g;
  const TensorId x = g.input("x", {2, 3}, {.scale = 1});
  const TensorId y = g.gelu("y", g.relu("r", x));
  Interpreter interpreter(g);
  EXPECT_THROW(interpreter.value(y), std::logic_error);
  EXPECT_THROW(interpreter.set(y, std::vector<double>(6)), std::invalid_argument);
  EXPECT_THROW(interpreter.set(x, std::vector<double>(5)), std::invalid_argument);
  interpreter.run();
  EXPECT_EQ(interpreter.value(x), initial_values(g, x));
  const std::vector<double> result = interpreter.value(y);
  EXPECT_NE(result, std::vector<double>(6));

  Interpreter releasing(g);
  std::vector<TensorId> seen;
  std::vector<double> observed;
  releasing.release_early(true);
  releasing.observe([&](TensorId id, std::vector<double>& of) {
    seen.push_back(id);
    observed = of;
  });
  releasing.run();
  EXPECT_EQ(seen, (std::vector<TensorId>{x, g.find("r"), y}));
  EXPECT_EQ(observed, result);
  EXPECT_THROW(releasing.value(x), std::logic_error);
  EXPECT_THROW(releasing.value(y), std::logic_error);
  EXPECT_THROW(releasing.run(), std::logic_error) << "what was set is gone";
}

TEST(Interpreter, RefusesWhatIsNoIndex) {
  Graph g;
  const TensorId target = g.index_input("target", TensorKind::target, 2, 3);
  Interpreter interpreter(g);
  interpreter.set(target, {0, 2});
  for (const double bad : {-1.0, 3.0, 0.5, std::nan("")}) {
    EXPECT_THROW(interpreter.set(target, {0, bad}), std::invalid_argument) << bad;
  }
}

TEST(Interpreter, MaxPoolKeepsNan) {
  for (std::size_t place = 0; place < 4; ++place) {
    Graph g;
    const TensorId x = g.input("x", {1, 2, 2, 1}, {.scale = 1});
    const TensorId y = g.max_pool("y", x, {.side = 2, .stride = 2, .pad = 0});
    Interpreter interpreter(g);
    std::vector<double> values = {1, 2, 3, 4};
    values[place] = std::nan("");
    interpreter.set(x, values);
    interpreter.run();
    EXPECT_TRUE(std::isnan(interpreter.value(y)[0])) << place;
  }
}

TEST(Interpreter, PerturbsByThePrecisionsRoundoff) {
  Graph g;
  const TensorId x = g.input("x", {64, 64}, {.scale = 1});
  const TensorId w = values(g, "w", {64, 64});
  const TensorId y = g.linear("y", x, w);
  const auto result = [&](Observer observer) {
    Interpreter interpreter(g);
    interpreter.observe(std::move(observer));
    interpreter.run();
    EXPECT_EQ(interpreter.value(x), initial_values(g, x));
    return interpreter.value(y);
  };
  const std::vector<double> exact = result({});
  const auto moved_by = [&](Precision precision) {
    const std::vector<double> moved = result(perturbation(g, precision, 1));
    EXPECT_EQ(result(perturbation(g, precision, 1)), moved);
    EXPECT_NE(result(perturbation(g, precision, 2)), moved);
    double squares = 0;
    double all = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      squares += (moved[i] - exact[i]) * (moved[i] - exact[i]);
      all += exact[i] * exact[i];
    }
    return std::sqrt(squares / all);
  };
  EXPECT_NEAR(std::log2(moved_by(Precision::bf16)), -8.8, 0.2);  // 2^-8 / sqrt(3)
  EXPECT_NEAR(std::log2(moved_by(Precision::tf32)), -10.3, 0.2);
  EXPECT_NEAR(std::log2(moved_by(Precision::f32)), -21.8, 0.2);  // 8 sums' roundoffs / sqrt(3)
  EXPECT_NEAR(std::log2(moved_by(Precision::f64)), -50.8, 0.3);
  EXPECT_THROW(perturbation(g, Precision::int8, 1), std::invalid_argument);
}

}  // namespace
}  // namespace breakeven
