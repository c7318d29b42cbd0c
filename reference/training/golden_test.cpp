// The interpreter against values that PyTorch computed in float64 (reference/training/golden,
// written by tools/golden/make_golden.py): logits, loss, every gradient, and weights and running
// statistics after three steps. The models' one text for all backends hides its own mistakes; this
// finds them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "reference/compare.h"
#include "reference/training/interpreter.h"
#include "reference/training/models.h"
#include "reference/training/training_testing.h"

namespace breakeven {
namespace {

using nlohmann::json;

constexpr double kTolerance = 1e-10;  // of each tensor's largest value, or of its norm for sums
constexpr std::uint64_t kSignStream = 1 << 16;
constexpr const char* kNames[] = {
    "mlp", "lenet", "lenet_large", "resnet_basic", "resnet_bottleneck", "gpt"};

// SplitMix64 of 2^32 stream + i, as in make_golden.py.
std::uint64_t hash_of(std::uint64_t stream, std::uint64_t i) {
  std::uint64_t z = ((stream << 32) + i + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

json read_golden(const std::string& name) {
  const std::filesystem::path path = std::filesystem::path(BREAKEVEN_GOLDEN) / (name + ".json");
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path.string() + " can't be read");
  return json::parse(file);
}

ModelSize size_of(const json& model) {
  const std::string kind = model.at("kind");
  const std::int64_t batch = model.at("batch");
  if (kind == "mlp") return Mlp{.batch = batch, .widths = model.at("widths")};
  if (kind == "lenet") return Lenet{.batch = batch, .side = model.at("side")};
  if (kind == "resnet") {
    return Resnet{.batch = batch,
                  .side = model.at("side"),
                  .blocks = model.at("blocks"),
                  .bottleneck = model.at("bottleneck"),
                  .imagenet = model.at("imagenet"),
                  .width = model.at("width")};
  }
  return Gpt{.batch = batch,
             .steps = model.at("steps"),
             .layers = model.at("layers"),
             .width = model.at("width"),
             .heads = model.at("heads"),
             .vocabulary = model.at("vocabulary")};
}

// The parameter's first values by the file's formula.
std::vector<double> initial(const json& parameter) {
  const std::vector<std::int64_t> shape = parameter.at("shape");
  const auto count =
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t upper = hash_of(parameter.at("stream"), i) >> 11;
    const double uniform = static_cast<double>(upper) / 0x1p52 - 1;
    values[i] = parameter.at("shift").get<double>() + parameter.at("scale").get<double>() * uniform;
  }
  return values;
}

// The largest difference of a tensor from its golden summary, relative to the tensor's size;
// infinite where the two don't even have the same number of elements. `least`: its size at least.
double difference(const std::vector<double>& values, const json& golden, double least = 0) {
  const double largest = std::max(golden.at("largest").get<double>(), least);
  double worst = 0;
  const auto compare = [&worst](double value, double right, double scale) {
    worst = std::max(worst, scaled_error(value, right, scale));
  };
  if (golden.at("count") != values.size()) return INFINITY;
  if (golden.contains("values")) {
    const std::vector<double> right = golden.at("values");
    for (std::size_t i = 0; i < right.size(); ++i) compare(values[i], right[i], largest);
    return worst;
  }
  const std::vector<double> samples = golden.at("samples");
  for (std::size_t i = 0; i < samples.size(); ++i) {
    compare(values[i * values.size() / samples.size()], samples[i], largest);
  }
  const std::vector<double> sums = golden.at("signed_sums");
  std::vector<double> found(sums.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t signs = hash_of(kSignStream, i);
    for (std::size_t k = 0; k < sums.size(); ++k) {
      found[k] += (signs >> k & 1) != 0 ? values[i] : -values[i];
    }
  }
  for (std::size_t k = 0; k < sums.size(); ++k) compare(found[k], sums[k], golden.at("norm"));
  return worst;
}

// Worst differences of a model's run, and of which tensor.
struct Verdict {
  double worst = 0;
  std::string where;

  void note(double off, const std::string& what) {
    if (off <= worst) return;
    worst = off;
    where = what;
  }
};

void set_inputs(Interpreter& interpreter, const Model& model, const json& golden) {
  const json& inputs = golden.at("inputs");
  const bool text = inputs.contains("tokens");
  interpreter.set(model.input, text ? inputs.at("tokens") : inputs.at("images").at("values"));
  if (model.target != kNoTensor) interpreter.set(model.target, inputs.at("targets"));
}

// Parameters that the file doesn't name would keep other first values: their number must agree.
void set_parameters(Interpreter& interpreter, const Graph& graph, const json& golden) {
  const json& parameters = golden.at("parameters");
  for (const json& parameter : parameters) {
    const TensorId id = graph.find(parameter.at("name"));
    const std::vector<double> values = initial(parameter);
    const std::vector<double> first = parameter.at("first");
    if (graph.tensor(id).shape != parameter.at("shape").get<std::vector<std::int64_t>>() ||
        !std::equal(first.begin(), first.end(), values.begin())) {
      throw std::runtime_error(graph.tensor(id).name + " has another shape or other first values");
    }
    interpreter.set(id, values);
  }
  const auto own = std::ranges::count_if(
      graph.tensors(), [](const Tensor& t) { return t.kind == TensorKind::parameter; });
  if (own != static_cast<std::ptrdiff_t>(parameters.size())) {
    throw std::runtime_error("the model has parameters that the golden file lacks");
  }
}

// Three steps, then inference with what they left.
Verdict compare(const json& golden, const NodeRunner& runner = run_node) {
  Verdict verdict;
  const Model model = build_model(size_of(golden.at("model")), Purpose::training);
  const Graph& graph = model.graph;
  Interpreter interpreter(graph);
  interpreter.run_with(runner);
  set_inputs(interpreter, model, golden);
  set_parameters(interpreter, graph, golden);
  const std::vector<double> losses = golden.at("losses");
  for (std::size_t step = 0; step < losses.size(); ++step) {
    if (step > 0) interpreter.advance();
    interpreter.run();
    const double loss = interpreter.value(model.loss).at(0);
    verdict.note(scaled_error(loss, losses[step], losses[step]), "loss " + std::to_string(step));
    if (step > 0) continue;
    verdict.note(difference(interpreter.value(model.logits), golden.at("logits")), "logits");
    // A gradient can be nothing but roundoff: a shift before a batch norm changes no loss.
    double least = 0;
    for (const json& parameter : golden.at("parameters")) {
      least = std::max(least, 1e-3 * parameter.at("gradient").at("largest").get<double>());
    }
    for (const json& parameter : golden.at("parameters")) {
      const std::string name = parameter.at("name");
      const TensorId gradient = graph.gradient(graph.find(name));
      verdict.note(difference(interpreter.value(gradient), parameter.at("gradient"), least),
                   name + ", gradient");
    }
  }
  interpreter.advance();
  const Model inference = build_model(size_of(golden.at("model")), Purpose::inference);
  Interpreter forward(inference.graph);
  set_inputs(forward, inference, golden);
  for (const char* group : {"parameters", "running"}) {
    for (const json& tensor : golden.at(group)) {
      const std::string name = tensor.at("name");
      const std::vector<double>& values = interpreter.value(graph.find(name));
      verdict.note(difference(values, tensor.at("trained")), name + ", trained");
      forward.set(inference.graph.find(name), values);
    }
  }
  forward.run();
  verdict.note(difference(forward.value(inference.logits), golden.at("inference_logits")),
               "inference's logits");
  return verdict;
}

TEST(Golden, EveryModelAgreesWithPyTorch) {
  for (const std::string name : kNames) {
    const Verdict verdict = compare(read_golden(name));
    EXPECT_LE(verdict.worst, kTolerance) << name << ": " << verdict.where;
  }
}

void expect_caught(const std::string& name, const std::string& what, const NodeRunner& runner) {
  const Verdict verdict = compare(read_golden(name), runner);
  EXPECT_FALSE(verdict.worst <= kTolerance) << what << " passes on " << name;
}

TEST(Golden, PlantedWrongFactorsAreCaught) {
  expect_caught("mlp", "a loss without 1/N", scale_output(Op::cross_entropy_backward, 0, 6));
  expect_caught("resnet_basic", "an update that is a little off",
                scale_output(Op::sgd, 0, 1 + 1e-9));
  expect_caught("gpt", "attention that is a little off", scale_output(Op::attention, 0, 1 + 1e-8));
}

TEST(Golden, PlantedTransposedGradientIsCaught) {
  expect_caught("lenet", "a transposed gradient",
                spoil(Op::linear_backward_weights, [](const Call& call) {
                  const std::vector<double> right(call.out[0], call.out[0] + call.out_elements(0));
                  const std::int64_t rows = call.out_shape(0)[0];
                  const std::int64_t columns = call.out_shape(0)[1];
                  for (std::int64_t i = 0; i < rows * columns; ++i) {
                    call.out[0][i] = right[i % rows * columns + i / rows];
                  }
                }));
}

TEST(Golden, PlantedStaleMomentumIsCaught) {
  expect_caught("resnet_bottleneck", "momentum that never changes",
                spoil(Op::sgd, [](const Call& call) {
                  std::copy_n(call.in[2], call.out_elements(1), call.out[1]);
                }));
}

TEST(Golden, PlantedWrongStepNumberIsCaught) {
  expect_caught("gpt", "a bias correction of the next step", [](const Call& call) {
    Call next = call;
    next.step += 1;
    run_node(next);
  });
}

// The element of a large output that is largest, so that it is none of a dead unit's zeros.
std::int64_t largest_of(const Call& call) {
  const auto smaller = [](double a, double b) { return std::fabs(a) < std::fabs(b); };
  return std::max_element(call.out[0], call.out[0] + call.out_elements(0), smaller) - call.out[0];
}

// Faults in tensors that the file holds by samples and sums only: fc1's and fc2's gradients.
TEST(Golden, OneWrongElementOfALargeTensorIsCaught) {
  expect_caught("lenet", "one wrong element",
                spoil(Op::linear_backward_weights, [](const Call& call) {
                  if (call.out_elements(0) > 1000) call.out[0][largest_of(call)] *= 1 + 1e-6;
                }));
}

TEST(Golden, ExchangedElementsOfALargeTensorAreCaught) {
  expect_caught("lenet", "two exchanged elements",
                spoil(Op::linear_backward_weights, [](const Call& call) {
                  const std::int64_t i = largest_of(call);
                  if (call.out_elements(0) > 1000)
                    std::swap(call.out[0][i], call.out[0][i > 0 ? i - 1 : i + 1]);
                }));
}

// Good values after a NaN must not hide it.
TEST(Golden, PlantedNanIsCaught) {
  for (const std::string name : kNames) {
    const auto spoil_first = [](const Call& call, std::size_t output) {
      if (call.out[output] != nullptr) call.out[output][0] = std::nan("");
    };
    expect_caught(name, "a logit that is NaN", [&](const Call& call) {
      run_node(call);
      for (const TensorId id : call.node.outputs) {
        if (id != kNoTensor && call.graph.tensor(id).name == "logits") spoil_first(call, 0);
      }
    });
    expect_caught(name, "a bias's gradient that is NaN",
                  spoil(Op::linear_backward_weights, [&](const Call& call) {
                    spoil_first(call, call.out[1] != nullptr ? 1 : 0);
                  }));
  }
  // Alone, so that no other tensor shows it.
  const json golden = {{"count", 2}, {"largest", 1.0}, {"values", {1.0, 0.5}}};
  EXPECT_EQ(difference({1, 0.5}, golden), 0);
  EXPECT_EQ(difference({std::nan(""), 0.5}, golden), INFINITY);
  EXPECT_EQ(difference({1, 0.5, 0}, golden), INFINITY);
}

TEST(Golden, PlantedMaskOffByOneIsCaught) {
  for (const std::int64_t ahead : {-1, 1}) {
    expect_caught("gpt", "a causal mask that is off by one", [ahead](const Call& call) {
      if (call.node.op != Op::attention) return run_node(call);
      attention_with_mask(call, ahead);
    });
  }
}

}  // namespace
}  // namespace breakeven
