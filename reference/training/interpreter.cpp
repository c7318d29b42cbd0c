#include "reference/training/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "reference/random.h"

namespace breakeven {
namespace {

// Streams of the generator, so that no two tensors share one.
constexpr std::uint32_t kInputStream = 0x10000;
constexpr std::uint32_t kStateStream = 0x20000;
constexpr std::uint32_t kPerturbationStream = 0x30000;

std::uint32_t stream_of(const Graph& graph, TensorId id) {
  const auto place = static_cast<std::uint32_t>(graph.place(id));
  const TensorKind kind = graph.tensor(id).kind;
  if (kind == TensorKind::parameter) return place;
  return place + (kind == TensorKind::state ? kStateStream : kInputStream);
}

// How many products or terms one element of a node's output sums.
double length_of(const Graph& graph, const Node& node, std::size_t output) {
  const auto elements = [&](TensorId id) {
    return static_cast<double>(graph.tensor(id).elements());
  };
  switch (node.op) {
    case Op::linear:
    case Op::conv2d:
      return elements(node.inputs[1]) / static_cast<double>(graph.tensor(node.inputs[1]).shape[0]);
    case Op::linear_backward_data:
      return static_cast<double>(graph.tensor(node.inputs[1]).shape[0]);
    case Op::conv2d_backward_data: {
      const auto& size = std::get<Conv2dSize>(node.attribute);
      return static_cast<double>(size.k * size.r * size.s);
    }
    case Op::linear_backward_weights:
    case Op::conv2d_backward_weights: {
      const Tensor& dy = graph.tensor(node.inputs[0]);
      return elements(node.inputs[0]) / static_cast<double>(dy.shape.back());
    }
    case Op::batch_norm:
    case Op::batch_norm_backward: {
      const Tensor& x = graph.tensor(node.inputs[0]);
      return elements(node.inputs[0]) / static_cast<double>(x.shape.back());
    }
    case Op::average_pool:
      return elements(node.inputs[0]) / elements(node.outputs[0]);
    case Op::embedding_backward:  // a row of dwte at most every token, one of dwpe one a sequence
      return output == 1 ? static_cast<double>(std::get<Sequence>(node.attribute).batch)
                         : elements(node.inputs[1]);
    case Op::layer_norm:
    case Op::layer_norm_backward:
    case Op::cross_entropy:
    case Op::cross_entropy_backward: {
      const auto& shape = graph.tensor(node.inputs[0]).shape;
      return static_cast<double>(shape[0] + shape[1]);
    }
    case Op::attention:
    case Op::attention_backward: {
      const auto& sequence = std::get<Sequence>(node.attribute);
      const double width = static_cast<double>(graph.tensor(node.inputs[0]).shape[1]);
      return static_cast<double>(sequence.steps) + width / static_cast<double>(sequence.heads);
    }
    default:
      return 1;
  }
}

// Copies: nothing is rounded.
bool exact(Op op) {
  return op == Op::flatten || op == Op::relu || op == Op::relu_backward || op == Op::max_pool;
}

bool multiplies(Op op) {
  switch (op) {
    case Op::linear:
    case Op::conv2d:
    case Op::attention:
    case Op::linear_backward_data:
    case Op::linear_backward_weights:
    case Op::conv2d_backward_data:
    case Op::conv2d_backward_weights:
    case Op::attention_backward:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Interpreter::set(TensorId id, std::vector<double> values) {
  const Tensor& tensor = graph_.tensor(id);
  if (!from_outside(tensor.kind)) {
    throw std::invalid_argument(tensor.name + " is computed, it can't be set");
  }
  if (static_cast<std::int64_t>(values.size()) != tensor.elements()) {
    throw std::invalid_argument(
        fmt::format("{} has {} elements, not {}", tensor.name, tensor.elements(), values.size()));
  }
  for (std::size_t i = 0; tensor.storage == Storage::index && i < values.size(); ++i) {
    const double value = values[i];
    if (value >= 0 && value < static_cast<double>(tensor.fill.limit) && value == std::floor(value))
      continue;
    throw std::invalid_argument(fmt::format("{}[{}] is {}, not an index from 0 to {}", tensor.name,
                                            i, value, tensor.fill.limit - 1));
  }
  values_[static_cast<std::size_t>(id)] = std::move(values);
}

const std::vector<double>& Interpreter::value(TensorId id) const {
  const std::vector<double>& values = values_.at(static_cast<std::size_t>(id));
  if (values.empty()) throw std::logic_error(graph_.tensor(id).name + " has no value");
  return values;
}

void Interpreter::seen(TensorId id) {
  if (observer_) observer_(id, values_[static_cast<std::size_t>(id)]);
}

// Fills a tensor from outside at its first use.
void Interpreter::make_ready(TensorId id) {
  std::vector<double>& values = values_[static_cast<std::size_t>(id)];
  if (!values.empty() || !from_outside(graph_.tensor(id).kind)) return;
  values = fill_ ? fill_(id) : initial_values(graph_, id);
  seen(id);
}

void Interpreter::run() {
  if (released_) {
    throw std::logic_error("the interpreter has freed its tensors: another run needs a new one");
  }
  released_ = release_early_;
  std::vector<std::size_t> last_use(values_.size(), 0);
  const std::vector<Node>& nodes = graph_.nodes();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const auto* ids : {&nodes[i].inputs, &nodes[i].outputs}) {
      for (const TensorId id : *ids) {
        if (id != kNoTensor) last_use[static_cast<std::size_t>(id)] = i;
      }
    }
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    Call call{graph_, nodes[i], {}, {}, step_};
    for (const TensorId id : nodes[i].inputs) {
      if (id != kNoTensor) make_ready(id);
      call.in.push_back(id == kNoTensor ? nullptr : value(id).data());
    }
    for (const TensorId id : nodes[i].outputs) {
      if (id == kNoTensor) {
        call.out.push_back(nullptr);
        continue;
      }
      std::vector<double>& out = values_[static_cast<std::size_t>(id)];
      out.resize(static_cast<std::size_t>(graph_.tensor(id).elements()));
      call.out.push_back(out.data());
    }
    runner_(call);
    for (const TensorId id : nodes[i].outputs) {
      if (id != kNoTensor) seen(id);
    }
    if (!release_early_) continue;
    for (const auto* ids : {&nodes[i].inputs, &nodes[i].outputs}) {
      for (const TensorId id : *ids) {
        if (id == kNoTensor || last_use[static_cast<std::size_t>(id)] != i) continue;
        std::vector<double>().swap(values_[static_cast<std::size_t>(id)]);
      }
    }
  }
}

void Interpreter::advance() {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const TensorId updates = graph_.tensors()[i].updates;
    if (updates == kNoTensor) continue;
    value(static_cast<TensorId>(i));  // throws where run() has left nothing
    values_[static_cast<std::size_t>(updates)].swap(values_[i]);
  }
  ++step_;
}

std::vector<double> initial_values(const Graph& graph, TensorId id, ElementType type,
                                   std::uint64_t seed) {
  const Tensor& tensor = graph.tensor(id);
  if (!from_outside(tensor.kind)) throw std::invalid_argument(tensor.name + " has no first values");
  const RandomStream stream{.seed = seed, .operand = stream_of(graph, id)};
  const auto count = static_cast<std::size_t>(tensor.elements());
  std::vector<double> values(count, tensor.fill.offset);
  if (tensor.storage == Storage::index) {
    std::vector<std::uint32_t> words(count);
    random_words(stream, 0, words);
    const auto limit = static_cast<std::uint64_t>(tensor.fill.limit);
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = static_cast<double>((std::uint64_t{words[i]} * limit) >> 32);
    }
    return values;
  }
  if (tensor.fill.scale != 0) {
    // Made from f32 elements whatever the precision, so that all start from nearly the same.
    random_values(stream, ElementType::f32, 0, count, values.data());
    for (double& value : values) value = tensor.fill.offset + tensor.fill.scale * value;
  }
  if (type == ElementType::f64) return values;
  std::byte stored[8];
  for (double& value : values) {
    store_element(type, stored, 0, value);
    value = load_element(type, stored, 0);
  }
  return values;
}

Observer perturbation(const Graph& graph, Precision precision, std::uint64_t seed,
                      double roundings) {
  if (precision == Precision::int8 || precision == Precision::fp8) {
    throw std::invalid_argument(
        fmt::format("a training step has no precision {}", traits(precision).name));
  }
  // What one value of each tensor is moved by: relative to itself and to its root mean square.
  struct Moves {
    double own = 0;
    double typical = 0;
  };
  const PrecisionTraits& types = traits(precision);
  std::vector<Moves> moves(graph.tensors().size());
  for (const Node& node : graph.nodes()) {
    if (exact(node.op)) continue;
    // Attention multiplies by its shares, which it rounds to the operands' type.
    const bool attends = node.op == Op::attention || node.op == Op::attention_backward;
    const double products = (multiplies(node.op) ? types.multiply_roundoff * std::sqrt(2.0) : 0) +
                            (attends ? types.output_roundoff : 0);
    for (std::size_t output = 0; output < node.outputs.size(); ++output) {
      const TensorId id = node.outputs[output];
      if (id == kNoTensor) continue;
      const double sums = types.accumulate_roundoff * std::sqrt(length_of(graph, node, output));
      const bool working = graph.tensor(id).storage == Storage::working;
      const double own = working ? std::max(types.output_roundoff, types.accumulate_roundoff)
                                 : types.accumulate_roundoff;
      // Second moments are sums of squares: no rounding makes one of them negative.
      const bool positive = node.op == Op::adamw && output == 2;
      moves[static_cast<std::size_t>(id)] = {roundings * own,
                                             positive ? 0 : roundings * (products + sums)};
    }
  }
  return [moves, seed](TensorId id, std::vector<double>& values) {
    const Moves& move = moves[static_cast<std::size_t>(id)];
    if (move.own == 0 && move.typical == 0) return;
    double squares = 0;
    for (const double value : values) squares += value * value;
    const double typical = move.typical * std::sqrt(squares / static_cast<double>(values.size()));
    std::vector<double> shares(2 * values.size());
    random_values({.seed = seed, .operand = kPerturbationStream + static_cast<std::uint32_t>(id)},
                  ElementType::f32, 0, shares.size(), shares.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool zero = values[i] == 0;  // as relu leaves it: every implementation has it exactly
      if (!zero) {
        values[i] += shares[2 * i] * move.own * values[i] + shares[2 * i + 1] * typical;
      }
    }
  };
}

}  // namespace breakeven
