// Runs of small graphs for tests: values by name, gradients against finite differences, and nodes
// with mistakes planted.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "reference/random.h"
#include "reference/training/interpreter.h"

namespace breakeven {

/// Uniform values in (-1, 1); every `operand` another sequence.
inline std::vector<double> random_vector(std::int64_t count, std::uint32_t operand) {
  std::vector<double> values(static_cast<std::size_t>(count));
  random_values({.seed = 7, .operand = operand}, ElementType::f64, 0, values.size(), values.data());
  return values;
}

/// The loss where the parameters are `values` by tensor, and else the graph's first values.
inline double loss_of(const Graph& graph, TensorId loss,
                      const std::vector<std::pair<TensorId, std::vector<double>>>& values) {
  Interpreter interpreter(graph);
  for (const auto& [id, of] : values) interpreter.set(id, of);
  interpreter.run();
  return interpreter.value(loss)[0];
}

struct GradientError {
  double worst = 0;  ///< largest difference of a gradient, relative to its tensor's largest,
                     ///< or to a hundredth of the graph's: some are 0 but for roundoff
  std::string where;
};

/// The largest gradient of a parameter.
inline double largest_gradient(const Graph& graph, const Interpreter& interpreter, TensorId id) {
  double largest = 0;
  for (const double g : interpreter.value(graph.gradient(id))) {
    largest = std::max(largest, std::fabs(g));
  }
  return largest;
}

/// Compares the gradient of every parameter with central differences of the loss of `forward`, the
/// same graph without its backward nodes (same tensors first). At most `most` elements a parameter.
inline GradientError gradient_error(const Graph& forward, const Graph& graph, TensorId loss,
                                    const NodeRunner& runner = run_node, std::int64_t most = 64) {
  // Small, so that hardly any ReLU or maximum changes sides; the loss's roundoff is then 1e-9.
  constexpr double kStep = 3e-7;
  std::vector<std::pair<TensorId, std::vector<double>>> values;
  for (TensorId id = 0; id < static_cast<TensorId>(forward.tensors().size()); ++id) {
    if (forward.tensor(id).kind != TensorKind::parameter) continue;
    values.emplace_back(id, random_vector(forward.tensor(id).elements(), 100 + id));
  }
  Interpreter interpreter(graph);
  for (const auto& [id, of] : values) interpreter.set(id, of);
  interpreter.run_with(runner);
  interpreter.run();
  GradientError error;
  double scale = 0;
  for (const auto& [id, of] : values) {
    if (graph.gradient(id) == kNoTensor) return {INFINITY, graph.tensor(id).name};
    scale = std::max(scale, largest_gradient(graph, interpreter, id));
  }
  for (auto& [id, of] : values) {
    const std::vector<double>& gradient = interpreter.value(graph.gradient(id));
    const double largest = std::max(largest_gradient(graph, interpreter, id), scale / 100);
    const auto count = static_cast<std::int64_t>(of.size());
    const std::int64_t stride = std::max<std::int64_t>(1, count / most);
    for (std::int64_t i = 0; i < count; i += stride) {
      const double before = std::exchange(of[i], of[i] + kStep);
      const double above = loss_of(forward, loss, values);
      of[i] = before - kStep;
      const double below = loss_of(forward, loss, values);
      of[i] = before;
      const double expected = (above - below) / (2 * kStep);
      const double off = std::fabs(gradient[i] - expected) / largest;
      if (std::isnan(off)) return {INFINITY, graph.tensor(id).name};
      if (off <= error.worst) continue;
      error = {off, graph.tensor(id).name};
    }
  }
  return error;
}

/// Runs nodes rightly, then changes what nodes of one operation wrote.
inline NodeRunner spoil(Op op, std::function<void(const Call&)> change) {
  return [op, change = std::move(change)](const Call& call) {
    run_node(call);
    if (call.node.op == op) change(call);
  };
}

/// Multiplies an output.
inline NodeRunner scale_output(Op op, std::size_t output, double factor) {
  return spoil(op, [output, factor](const Call& call) {
    if (call.out[output] == nullptr) return;
    for (std::int64_t i = 0; i < call.out_elements(output); ++i) call.out[output][i] *= factor;
  });
}

/// Attention, forward only, whose step t sees steps up to t + ahead, as loops over the definition.
inline void attention_with_mask(const Call& call, std::int64_t ahead) {
  const auto& sequence = std::get<Sequence>(call.node.attribute);
  const std::int64_t width = call.out_shape(0)[1];
  const std::int64_t channels = width / sequence.heads;
  const auto at = [&](std::int64_t b, std::int64_t t, int part, std::int64_t h, std::int64_t c) {
    return call.in[0][(b * sequence.steps + t) * 3 * width + part * width + h * channels + c];
  };
  for (std::int64_t b = 0; b < sequence.batch; ++b) {
    for (std::int64_t h = 0; h < sequence.heads; ++h) {
      for (std::int64_t t = 0; t < sequence.steps; ++t) {
        const std::int64_t last = std::clamp<std::int64_t>(t + ahead, 0, sequence.steps - 1);
        double total = 0;
        std::vector<double> sums(static_cast<std::size_t>(channels));
        for (std::int64_t u = 0; u <= last; ++u) {
          double score = 0;
          for (std::int64_t c = 0; c < channels; ++c)
            score += at(b, t, 0, h, c) * at(b, u, 1, h, c);
          const double share = std::exp(score / std::sqrt(static_cast<double>(channels)));
          total += share;
          for (std::int64_t c = 0; c < channels; ++c) sums[c] += share * at(b, u, 2, h, c);
        }
        for (std::int64_t c = 0; c < channels; ++c) {
          call.out[0][(b * sequence.steps + t) * width + h * channels + c] = sums[c] / total;
        }
        call.out[1][(b * sequence.heads + h) * sequence.steps + t] = std::log(total);
      }
    }
  }
}

}  // namespace breakeven
